/* What the alert's encoder writes must be what its schema says, read by our decoder and as JSON. */
#include <criterion/criterion.h>

#include "base/embedded.h"
#include "processor/steps/alert.h"
#include "schemas/avro_program.h"

static const struct plan_rule rule = { .name = "velocity", .severity = SEVERITY_HIGH, .version = 3 };

static struct alert make_alert(void)
{
    static const struct alert_operand operands[] = {
        { "tx_1m", ">", { (const uint8_t *)"6", 1 }, { (const uint8_t *)"5", 1 } },
        { "usual", "<", { NULL, 0 }, { (const uint8_t *)"1", 1 } },
    };
    static const struct alert_contributor contributors[] = { { 17, 1000 }, { 12, 900 } };
    struct alert alert = {
        .topology = "card-fraud", .rule = &rule, .stream = "payments", .topic = "transactions", .partition = 2,
        .entity = BYTES_LITERAL("anna"), .event = { BYTES_LITERAL("tx-1"), 1767225600000000, 17 },
        .message = BYTES_LITERAL("6 \"payments\"\n"), .operands = operands, .operand_count = 2,
        .contributors = contributors, .contributor_count = 2, .contributor_total = 6, .has_cause = true,
        .cause = { BYTES_LITERAL("tx-0"), 1767225500000000, 18 }, .mode = ALERT_LIVE,
    };
    alert_compute_id(&alert);
    return alert;
}

Test(alert, is_written_as_its_schema_says)
{
    static const struct decoder_column columns[] = {
        { "alert_id", { .kind = VALUE_STRING } },     { "rule", { .kind = VALUE_STRING } },
        { "rule_version", { .kind = VALUE_INT } },    { "severity", { .kind = VALUE_STRING } },
        { "event_time", { .kind = VALUE_TIMESTAMP } }, { "source_offset", { .kind = VALUE_INT } },
        { "event_count", { .kind = VALUE_INT } },     { "mode", { .kind = VALUE_STRING } },
        { "caused_by.event_id", { .kind = VALUE_STRING, .nullable = true } },
    };
    enum { COUNT = sizeof columns / sizeof columns[0] };
    const struct embedded_file *file = embedded_find("schemas/fraud-alert.avsc");
    struct error err = { .status = ST_OK };
    struct schema_document *schema = NULL;
    struct avro_program *program = NULL;
    cr_assert_eq(schema_parse(&schema, (const char *)file->data, file->size, &err), ST_OK, "%s", err.text);
    cr_assert_eq(avro_program_compile(&program, schema_root(schema), schema_root(schema), columns, COUNT, &err), ST_OK,
                 "%s", err.text);

    const struct alert alert = make_alert();
    struct buffer datum, text;
    struct arena *arena = NULL;
    struct value slots[COUNT];
    buffer_init(&datum);
    buffer_init(&text);
    arena_create(&arena, 1024);
    alert_write_avro(&datum, &alert);
    cr_assert_eq(avro_program_run(program, buffer_view(&datum), slots, arena, &err), ST_OK, "%s", err.text);
    for (size_t i = 1; i < COUNT; i++) {
        value_format(&text, &slots[i]);
        buffer_put_u8(&text, ' ');
    }
    cr_assert_str_eq(buffer_text(&text), "velocity 3 high 2026-01-01T00:00:00Z 17 6 live tx-0 ");
    cr_assert(bytes_equal(slots[0].text, bytes_of_string(alert.id)));
    arena_destroy(&arena);
    buffer_fini(&datum);
    buffer_fini(&text);
    avro_program_destroy(&program);
    schema_document_destroy(&schema);
}

Test(alert, is_one_line_of_json)
{
    const struct alert alert = make_alert();
    struct buffer text;
    buffer_init(&text);
    alert_write_json(&text, &alert);
    const char *json = buffer_text(&text);
    cr_assert_not_null(strstr(json, "\"message\":\"6 \\\"payments\\\"\\u000a\""), "%s", json);
    cr_assert_not_null(strstr(json, "{\"operand\":\"usual\",\"value\":null,\"comparison\":\"<\",\"limit\":\"1\"}"), "%s",
                       json);
    cr_assert_not_null(strstr(json, "\"caused_by\":{\"event_id\":\"tx-0\",\"partition\":2,\"offset\":18,"), "%s", json);
    cr_assert_null(strchr(json, '\n'));
    buffer_fini(&text);
}

Test(alert, has_an_id_of_topology_rule_and_event_alone)
{
    struct alert a = make_alert(), b = make_alert();
    b.partition = 3;
    b.mode = ALERT_REPLAY;
    b.message = BYTES_LITERAL("other");
    alert_compute_id(&b);
    cr_assert_str_eq(a.id, b.id);
    b.event.id = BYTES_LITERAL("tx-2");
    alert_compute_id(&b);
    cr_assert_str_neq(a.id, b.id);
}
