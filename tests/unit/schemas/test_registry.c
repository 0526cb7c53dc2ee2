/* The registries without a server, and the parts of the one with a server that need none to be tested. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "folder.h"
#include "schemas/registry.h"
#include "schemas/registry_lookups.h"
#include "schemas/registry_references.h"
#include "schemas/registry_reply.h"

#define RECORD(name) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[]}"

static const char *name_of(struct registry *registry, int32_t id)
{
    const struct schema *schema = NULL;
    struct error err;
    return registry_find(registry, id, &schema, &err) == ST_OK ? schema->name
                                                               : status_name(err.status);
}

static int32_t add(struct registry *registry, const char *subject, const char *text)
{
    int32_t id = -1;
    struct error err;
    const enum status status =
        registry_register(registry, subject, bytes_of_string(text), 1000, &id, &err);
    return status == ST_OK ? id : -(int32_t)status;
}

/* ---- memory ---- */

Test(registry_memory, gives_out_ids_from_one)
{
    struct registry *registry = NULL;
    registry_open_memory(&registry);
    cr_expect_str_eq(name_of(registry, 1), "UNKNOWN_SCHEMA");
    cr_expect_eq(add(registry, "a-value", RECORD("A")), 1);
    cr_expect_eq(add(registry, "b-value", RECORD("B")), 2);
    cr_expect_eq(add(registry, "c-value", RECORD("A")), 1);
    cr_expect_str_eq(name_of(registry, 1), "A");
    cr_expect_str_eq(name_of(registry, 2), "B");
    cr_expect_eq(add(registry, "d-value", "{"), -(int32_t)ST_INVALID);
    const struct schema *schema;
    cr_expect_eq(registry_fetch(registry, 2, 0, &schema, NULL), ST_OK);
    cr_expect_eq(registry_fetch(registry, 3, 0, &schema, NULL), ST_UNKNOWN_SCHEMA);
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.schemas_known, 2);
    registry_close(&registry);
    registry_close(&registry);
}

/* ---- directory ---- */

static struct registry *open_folder(const char *folder)
{
    struct registry *registry = NULL;
    struct error err;
    cr_assert_eq(registry_open_directory(&registry, folder, &err), ST_OK, "%s", err.text);
    return registry;
}

Test(registry_directory, reads_files_named_by_id)
{
    char *folder = folder_create();
    folder_write(folder, "7-payments-value.avsc", RECORD("Seven"));
    folder_write(folder, "2147483647-x.avsc", RECORD("Last"));
    folder_write(folder, "8.avsc", "not this");
    folder_write(folder, "x-9-y.avsc", "nor this");
    folder_write(folder, "2147483648-y.avsc", "nor this");
    folder_write(folder, "9-y.json", "nor this");
    folder_write(folder, "0-y.avsc", "nor this");
    struct registry *registry = open_folder(folder);
    cr_expect_str_eq(name_of(registry, 7), "Seven");
    cr_expect_str_eq(name_of(registry, INT32_MAX), "Last");
    cr_expect_str_eq(name_of(registry, 9), "UNKNOWN_SCHEMA");
    cr_expect_eq(add(registry, "full", RECORD("NoIdLeft")), -(int32_t)ST_REFUSED);
    registry_close(&registry);
    folder_destroy(&folder);
}

Test(registry_directory, sees_a_new_file_within_a_second)
{
    char *folder = folder_create();
    struct registry *registry = open_folder(folder);
    folder_write(folder, "3-a.avsc", RECORD("A"));
    folder_write(folder, "4-b.avsc", "{"); /* while running: a warning, not the end */
    cr_expect_str_eq(name_of(registry, 3), "UNKNOWN_SCHEMA", "it was read a moment ago");
    const struct schema *schema;
    cr_expect_eq(registry_fetch(registry, 3, 0, &schema, NULL), ST_OK, "who can wait need not");
    folder_write(folder, "5-c.avsc", RECORD("C"));
    usleep(1100000);
    cr_expect_str_eq(name_of(registry, 5), "C");
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.schemas_known, 2);
    cr_expect_gt(health.failures, 0);
    cr_expect_not_null(strstr(health.last_error, "4-b.avsc"));
    registry_close(&registry);
    folder_destroy(&folder);
}

Test(registry_directory, does_not_open_what_is_broken)
{
    char *folder = folder_create();
    struct registry *registry = NULL;
    struct error err;
    folder_write(folder, "1-a.avsc", "{\"type\":");
    cr_expect_eq(registry_open_directory(&registry, folder, &err), ST_INVALID);
    cr_expect_not_null(strstr(err.text, "1-a.avsc"), "%s", err.text);
    folder_write(folder, "1-a.avsc", RECORD("A"));
    folder_write(folder, "1-b.avsc", RECORD("B"));
    cr_expect_eq(registry_open_directory(&registry, folder, &err), ST_INVALID);
    cr_expect_not_null(strstr(err.text, "id 1 has another schema"), "%s", err.text);
    cr_expect_eq(registry_open_directory(&registry, "/no/such/folder", &err), ST_IO_FAILED);
    cr_expect_null(registry);
    folder_destroy(&folder);
}

Test(registry_directory, adds_a_file_for_a_new_text)
{
    char *folder = folder_create();
    folder_write(folder, "7-old.avsc", RECORD("Old"));
    struct registry *registry = open_folder(folder);
    cr_expect_eq(add(registry, "again", RECORD("Old")), 7);
    cr_expect_eq(add(registry, "fraud alerts/x-value", RECORD("New")), 8);
    cr_expect_eq(add(registry, "other", RECORD("New")), 8);
    cr_expect_eq(add(registry, "bad", "{"), -(int32_t)ST_INVALID);
    char *content = folder_read(folder, "8-fraud%20alerts%2Fx-value.avsc");
    cr_assert_not_null(content);
    cr_expect_str_eq(content, RECORD("New"));
    mem_free(content);
    registry_close(&registry);
    registry = open_folder(folder);
    cr_expect_str_eq(name_of(registry, 8), "New");
    registry_close(&registry);
    folder_destroy(&folder);
}

/* Several processes at once: every text has one id, and no id two texts. */
Test(registry_directory, gives_each_text_one_id_among_processes)
{
    enum { PROCESSES = 4, TEXTS = 25 };
    char *folder = folder_create();
    for (int process = 0; process < PROCESSES; process++) {
        if (fork() != 0)
            continue;
        struct registry *registry = NULL;
        struct error err;
        if (registry_open_directory(&registry, folder, &err) != ST_OK)
            _exit(1);
        for (int i = 0; i < TEXTS; i++) {
            char text[80];
            snprintf(text, sizeof text, RECORD("R%d"), (i * 7 + process * 5) % TEXTS);
            int32_t id;
            if (registry_register(registry, "s", bytes_of_string(text), 60000, &id, &err) != ST_OK)
                _exit(2);
        }
        _exit(0);
    }
    for (int process = 0; process < PROCESSES; process++) {
        int status;
        cr_assert_gt(wait(&status), 0);
        cr_expect_eq(status, 0);
    }
    struct registry *registry = open_folder(folder);
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.schemas_known, TEXTS);
    cr_expect_eq(add(registry, "s", RECORD("More")), TEXTS + 1);
    registry_close(&registry);
    folder_destroy(&folder);
}

/* ---- lookups ---- */

static enum status ask(struct registry_lookups *lookups, int32_t id, int64_t now_ms)
{
    bool is_new;
    return registry_lookups_ask(lookups, id, now_ms, &is_new, NULL);
}

static int64_t next_due(struct registry_lookups *lookups, int64_t now_ms)
{
    int32_t id;
    int64_t due_ms;
    return registry_lookups_next(lookups, now_ms, &id, &due_ms) ? due_ms : -1;
}

Test(registry_lookups, pauses_longer_after_each_failure)
{
    static const int64_t pauses[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
    struct registry_lookups *lookups;
    registry_lookups_create(&lookups, 1000);
    cr_expect_eq(next_due(lookups, 0), -1);
    int64_t now = 10;
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        cr_expect_eq(ask(lookups, 7, now), ST_REGISTRY_DOWN);
        cr_expect_eq(next_due(lookups, now), now);
        registry_lookups_failed(lookups, 7, now);
        cr_expect_eq(next_due(lookups, now), now + pauses[i]);
        now += pauses[i];
    }
    cr_expect_eq(registry_lookups_waiting(lookups), 1);
    registry_lookups_found(lookups, 7);
    cr_expect_eq(next_due(lookups, now), -1);
    cr_expect_eq(registry_lookups_waiting(lookups), 0);
    registry_lookups_destroy(&lookups);
}

Test(registry_lookups, forgets_an_id_that_nobody_asks_for)
{
    struct registry_lookups *lookups;
    registry_lookups_create(&lookups, 1000);
    cr_expect_eq(ask(lookups, 7, 0), ST_REGISTRY_DOWN);
    cr_expect_eq(ask(lookups, 8, 0), ST_REGISTRY_DOWN);
    cr_expect_eq(ask(lookups, 8, LOOKUP_FORGET_MS - 1), ST_REGISTRY_DOWN);
    cr_expect_eq(next_due(lookups, LOOKUP_FORGET_MS), 0);
    cr_expect_eq(registry_lookups_waiting(lookups), 1);
    cr_expect_eq(next_due(lookups, 2 * LOOKUP_FORGET_MS), -1);
    registry_lookups_destroy(&lookups);
}

Test(registry_lookups, confirms_a_no_as_long_as_the_budget_lasts)
{
    struct registry_lookups *lookups;
    registry_lookups_create(&lookups, 1000);
    const struct error unknown = { .status = ST_UNKNOWN_SCHEMA, .text = "no 7" };
    const struct error incompatible = { .status = ST_INCOMPATIBLE_SCHEMA, .text = "protobuf" };
    int confirmed = 0;
    for (int32_t id = 0; id < 100; id++) {
        cr_expect_eq(ask(lookups, id, 5000), ST_REGISTRY_DOWN);
        if (!registry_lookups_denied(lookups, id, 5000, &unknown)) {
            confirmed++;
            cr_expect(registry_lookups_denied(lookups, id, 5000 + LOOKUP_CONFIRM_MS, &unknown));
        }
    }
    cr_expect_eq(confirmed, LOOKUP_CONFIRMATIONS_MAX);
    cr_expect_eq(ask(lookups, 200, 6500), ST_REGISTRY_DOWN);
    cr_expect_not(registry_lookups_denied(lookups, 200, 6500, &unknown),
                  "a second later there is one more");
    cr_expect_eq(ask(lookups, 300, 60000), ST_REGISTRY_DOWN);
    cr_expect(registry_lookups_denied(lookups, 300, 60000, &incompatible), "nothing to confirm");

    bool is_new;
    struct error err;
    cr_expect_eq(registry_lookups_ask(lookups, 300, 60999, &is_new, &err), ST_INCOMPATIBLE_SCHEMA);
    cr_expect_str_eq(err.text, "protobuf");
    cr_expect_eq(registry_lookups_ask(lookups, 300, 61000, &is_new, &err), ST_REGISTRY_DOWN);
    cr_expect(is_new);
    registry_lookups_destroy(&lookups);
}

Test(registry_lookups, stays_within_its_bound)
{
    struct registry_lookups *lookups;
    registry_lookups_create(&lookups, 1000000);
    const struct error no = { .status = ST_INCOMPATIBLE_SCHEMA, .text = "no" };
    for (int32_t id = 0; id < 2 * LOOKUPS_MAX; id++) {
        cr_expect_eq(ask(lookups, id, id), ST_REGISTRY_DOWN);
        cr_expect(registry_lookups_denied(lookups, id, id, &no));
    }
    cr_expect_eq(ask(lookups, 2 * LOOKUPS_MAX - 1, 9000), ST_INCOMPATIBLE_SCHEMA,
                 "the newest are kept");
    cr_expect_eq(ask(lookups, 0, 9000), ST_REGISTRY_DOWN, "the oldest are not");
    for (int32_t id = 10000; id < 10000 + 2 * LOOKUPS_MAX; id++)
        cr_expect_eq(ask(lookups, id, 9000), ST_REGISTRY_DOWN);
    cr_expect_eq(registry_lookups_waiting(lookups), LOOKUPS_MAX);
    registry_lookups_destroy(&lookups);
}

/* A naive model: per id what is known of it, compared after every step. */
Test(registry_lookups, agrees_with_a_model)
{
    enum { IDS = 8 };
    struct {
        enum { ABSENT, WAITING, DENIED } state;
        int64_t until_ms, asked_ms;
    } model[IDS] = { { 0 } };
    struct prng prng = prng_from_env("TEST_SEED", 11);
    struct registry_lookups *lookups;
    registry_lookups_create(&lookups, 3000);
    const struct error no = { .status = ST_INCOMPATIBLE_SCHEMA, .text = "no" };
    int64_t now = 1;
    for (int step = 0; step < 50000; step++) {
        now += (int64_t)(prng_chance(&prng, 1, 50) ? prng_below(&prng, 40000)
                                                   : prng_below(&prng, 500));
        const int32_t id = (int32_t)prng_below(&prng, IDS);
        switch (prng_below(&prng, 5)) {
        case 0:
            registry_lookups_found(lookups, id);
            model[id].state = ABSENT;
            break;
        case 1:
            cr_assert(registry_lookups_denied(lookups, id, now, &no));
            if (model[id].state == WAITING)
                model[id].state = DENIED, model[id].until_ms = now + 3000;
            break;
        case 2:
            registry_lookups_failed(lookups, id, now);
            break;
        case 3: {
            size_t waiting = 0;
            (void)next_due(lookups, now);
            for (int i = 0; i < IDS; i++) {
                if (model[i].state == WAITING && now - model[i].asked_ms >= LOOKUP_FORGET_MS)
                    model[i].state = ABSENT;
                waiting += model[i].state == WAITING;
            }
            cr_assert_eq(registry_lookups_waiting(lookups), waiting,
                         "TEST_SEED=%" PRIu64 " step=%d", prng.seed, step);
            break;
        }
        default: {
            const bool denied = model[id].state == DENIED && now < model[id].until_ms;
            cr_assert_eq(ask(lookups, id, now), denied ? ST_INCOMPATIBLE_SCHEMA : ST_REGISTRY_DOWN,
                         "TEST_SEED=%" PRIu64 " step=%d", prng.seed, step);
            if (!denied)
                model[id].state = WAITING, model[id].asked_ms = now;
        }
        }
    }
    registry_lookups_destroy(&lookups);
}

/* ---- replies ---- */

Test(registry_reply, tells_answers_from_accidents)
{
    static const struct {
        long status;
        const char *body;
        enum registry_question question;
        enum registry_verdict verdict;
    } rows[] = {
        { 200, "{\"schema\":\"x\"}", ASKED_SCHEMA, REPLY_FOUND },
        { 200, "{\"schema\":\"x\",\"references\":null}", ASKED_SCHEMA, REPLY_FOUND },
        { 200, "{\"schema\":\"x\",\"references\":{}}", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "{\"schema\":\"x\",\"references\":[{\"name\":\"a\"}]}", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "{\"schema\":7}", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "[]", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "{\"schema\":\"x\"} {}", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "{\"id\":1}", ASKED_SCHEMA, REPLY_FAILED },
        { 200, "{\"id\":0}", ASKED_ID, REPLY_FOUND },
        { 200, "{\"id\":-1}", ASKED_ID, REPLY_FAILED },
        { 200, "{\"id\":2147483648}", ASKED_ID, REPLY_FAILED },
        { 200, "{\"id\":\"1\"}", ASKED_ID, REPLY_FAILED },
        { 201, "{\"id\":1}", ASKED_ID, REPLY_FOUND },
        { 404, "{\"error_code\":40403}", ASKED_SCHEMA, REPLY_UNKNOWN },
        { 404, "{\"error_code\":40401}", ASKED_SCHEMA, REPLY_UNKNOWN },
        { 404, "{\"error_code\":404}", ASKED_SCHEMA, REPLY_REFUSED },
        { 404, "", ASKED_SCHEMA, REPLY_FAILED },
        { 404, "{\"error_code\":\"40403\"}", ASKED_SCHEMA, REPLY_FAILED },
        { 500, "{\"error_code\":40403}", ASKED_SCHEMA, REPLY_FAILED },
        { 408, "{\"error_code\":408}", ASKED_SCHEMA, REPLY_FAILED },
        { 429, "{\"error_code\":429}", ASKED_ID, REPLY_FAILED },
        { 409, "", ASKED_ID, REPLY_REFUSED },
        { 422, "{}", ASKED_ID, REPLY_REFUSED },
        { 301, "{\"schema\":\"x\"}", ASKED_SCHEMA, REPLY_FAILED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct registry_reply reply;
        registry_reply_read(&reply, rows[i].question, rows[i].status,
                            bytes_of_string(rows[i].body));
        cr_expect_eq(reply.verdict, rows[i].verdict, "%ld %s: %d", rows[i].status, rows[i].body,
                     reply.verdict);
        cr_expect_eq(reply.message[0] == '\0', reply.verdict == REPLY_FOUND);
        registry_reply_fini(&reply);
    }
}

Test(registry_reply, cuts_and_cleans_what_a_server_says)
{
    struct buffer body;
    buffer_init(&body);
    buffer_put_string(&body, "{\"error_code\":1,\"message\":\"a\\u0007b\\n");
    for (int i = 0; i < 300; i++)
        buffer_put_string(&body, "\xc3\xa9");
    buffer_put_string(&body, "\"}");
    struct registry_reply reply;
    registry_reply_read(&reply, ASKED_ID, 409, buffer_view(&body));
    cr_expect_eq(strncmp(reply.message, "409: a b ", 9), 0, "%s", reply.message);
    cr_expect_lt(strlen(reply.message), sizeof reply.message);
    registry_reply_fini(&reply);
    buffer_fini(&body);
}

/* ---- references ---- */

static const struct {
    const char *text, *name, *definition, *merged;
} merges[] = {
    { "\"a.B\"", "a.B", "{\"type\":\"fixed\",\"name\":\"a.B\",\"size\":1}",
      "{\"type\":\"fixed\",\"name\":\"a.B\",\"size\":1,\"namespace\":\"\"}" },
    { "[\"a.B\",\"a.B\"]", "a.B",
      "{\"type\":\"enum\",\"name\":\"B\",\"namespace\":\"a\",\"symbols\":[]}",
      "[{\"type\":\"enum\",\"name\":\"B\",\"namespace\":\"a\",\"symbols\":[]},\"a.B\"]" },
    { "{\"type\":\"array\",\"items\":\"B\"}", "B",
      "{\"type\":\"fixed\",\"name\":\"B\",\"size\":1,\"namespace\":\"\"}",
      "{\"type\":\"array\",\"items\":{\"type\":\"fixed\",\"name\":\"B\",\"size\":1,\"namespace\":"
      "\"\"}}" },
    { "{\"type\":\"map\",\"values\":{\"type\":\"B\"}}", "B",
      "{\"type\":\"fixed\",\"name\":\"B\",\"size\":1,\"namespace\":\"\"}",
      "{\"type\":\"map\",\"values\":{\"type\":{\"type\":\"fixed\",\"name\":\"B\",\"size\":1,"
      "\"namespace\":\"\"}}}" },
    /* a name that the schema defines itself is its own */
    { "[{\"type\":\"fixed\",\"name\":\"a.B\",\"size\":2},\"a.B\"]", "a.B",
      "{\"type\":\"fixed\",\"name\":\"a.B\",\"size\":1}",
      "[{\"type\":\"fixed\",\"name\":\"a.B\",\"size\":2},\"a.B\"]" },
    /* recursion mentions the name again */
    { "\"R\"", "R",
      "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"\",\"fields\":[{\"name\":\"r\",\"type\":"
      "[\"null\",\"R\"]}]}",
      "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"\",\"fields\":[{\"name\":\"r\",\"type\":"
      "[\"null\",\"R\"]}]}" },
    /* short names belong to the namespace around them */
    { "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":\"B\"}]}", "B",
      "{\"type\":\"fixed\",\"name\":\"B\",\"size\":1}",
      "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":\"B\"}]}" },
    { "\"string\"", "B", "{", "\"string\"" },
};

Test(registry_references, puts_each_definition_at_its_first_mention)
{
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        const struct registry_definition definition = { merges[i].name,
                                                        bytes_of_string(merges[i].definition) };
        struct buffer out;
        struct error err;
        buffer_init(&out);
        cr_expect_eq(
            registry_references_merge(&out, bytes_of_string(merges[i].text), &definition, 1, &err),
            ST_OK, "%s", err.text);
        cr_expect_str_eq(buffer_text(&out), merges[i].merged);
        buffer_fini(&out);
    }
}

Test(registry_references, refuses_what_is_broken_or_too_deep)
{
    const struct registry_definition broken = { "B", BYTES_LITERAL("{") };
    struct buffer out;
    struct error err;
    buffer_init(&out);
    cr_expect_eq(registry_references_merge(&out, BYTES_LITERAL("\"B\""), &broken, 1, &err),
                 ST_INCOMPATIBLE_SCHEMA);
    cr_expect_eq(registry_references_merge(&out, BYTES_LITERAL("x"), &broken, 1, &err),
                 ST_INCOMPATIBLE_SCHEMA);
    struct buffer deep;
    buffer_init(&deep);
    for (int i = 0; i < 1000; i++)
        buffer_put_string(&deep, "[");
    for (int i = 0; i < 1000; i++)
        buffer_put_string(&deep, "]");
    cr_expect_eq(registry_references_merge(&out, buffer_view(&deep), &broken, 1, &err),
                 ST_INCOMPATIBLE_SCHEMA);
    buffer_fini(&deep);
    buffer_fini(&out);
}
