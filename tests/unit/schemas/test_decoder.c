#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "program_case.h"
#include "quoted_schema.h"
#include "schemas/avro_writer.h"

#define RECORD(fields)    "{'type':'record','name':'R','fields':[" fields "]}"
#define FIELD(name, type) "{'name':'" name "','type':" type "}"

struct bench {
    struct registry *registry;
    struct schema_document *reader;
    struct decoder *decoder;
    struct value slots[2];
    struct error err;
};

static const struct decoder_column columns[] = { { .path = "a" }, { .path = "b" } };

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){ .registry = NULL };
    registry_open_memory(&bench->registry);
    bench->reader = quoted_schema(
        RECORD(FIELD("a", "'long'") ","
                                    "{'name':'b','type':['null','string'],'default':null}"));
    cr_assert_eq(decoder_create_avro(&bench->decoder, schema_root(bench->reader), columns, 2,
                                     bench->registry, &bench->err),
                 ST_OK, "%s", bench->err.text);
}

static void bench_close(struct bench *bench)
{
    decoder_destroy(&bench->decoder);
    cr_assert_null(bench->decoder);
    decoder_destroy(&bench->decoder);
    schema_document_destroy(&bench->reader);
    registry_close(&bench->registry);
}

static int32_t known(struct bench *bench, const char *quoted)
{
    char *text = quoted_text(quoted);
    int32_t id = 0;
    cr_assert_eq(registry_register(bench->registry, "payments-value", bytes_of_string(text), 1000,
                                   &id, &bench->err),
                 ST_OK, "%s", bench->err.text);
    mem_free(text);
    return id;
}

static enum status decode(struct bench *bench, int32_t id, const char *datum, size_t size)
{
    struct buffer payload;
    buffer_init(&payload);
    avro_write_framing(&payload, id);
    buffer_put(&payload, datum, size);
    const enum status status =
        decoder_decode(bench->decoder, buffer_view(&payload), bench->slots, NULL, &bench->err);
    buffer_fini(&payload);
    return status;
}

Test(decoder, each_id_is_read_with_its_own_schema)
{
    struct bench bench;
    bench_open(&bench);
    const int32_t first = known(&bench, RECORD(FIELD("a", "'int'")));
    const int32_t second =
        known(&bench, RECORD(FIELD("gone", "'double'") "," FIELD("a", "'long'")));
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(decode(&bench, first, DATUM("\x02")), ST_OK, "%s", bench.err.text);
        cr_assert_eq(bench.slots[0].i, 1);
        cr_assert(value_is_null(&bench.slots[1]));
        for (int again = 0; again < 2; again++) {
            cr_assert_eq(decode(&bench, second, DATUM("12345678\x04")), ST_OK, "%s",
                         bench.err.text);
            cr_assert_eq(bench.slots[0].i, 2);
        }
    }
    bench_close(&bench);
}

Test(decoder, an_incompatible_schema_is_refused_each_time_with_the_reason)
{
    struct bench bench;
    bench_open(&bench);
    const int32_t bad = known(&bench, RECORD(FIELD("a", "'string'")));
    const int32_t good = known(&bench, RECORD(FIELD("a", "'int'")));
    for (int i = 0; i < 3; i++) {
        memset(&bench.err, 0, sizeof bench.err);
        cr_assert_eq(decode(&bench, bad, DATUM("\x02x")), ST_INCOMPATIBLE_SCHEMA);
        cr_assert_eq(bench.err.status, ST_INCOMPATIBLE_SCHEMA);
        cr_assert(strstr(bench.err.text, "field 'a': string cannot be read as long") != NULL, "%s",
                  bench.err.text);
        cr_assert(strstr(bench.err.text, "schema id") != NULL, "%s", bench.err.text);
        cr_assert_eq(decode(&bench, good, DATUM("\x02")), ST_OK);
    }
    cr_assert_eq(
        decoder_decode(bench.decoder, BYTES_LITERAL("\0\0\0\0\x01\x02x"), bench.slots, NULL, NULL),
        ST_INCOMPATIBLE_SCHEMA, "without an error to fill, too");
    bench_close(&bench);
}

Test(decoder, an_unknown_id_is_asked_for_again)
{
    struct bench bench;
    bench_open(&bench);
    cr_assert_eq(decode(&bench, 1, DATUM("\x02")), ST_UNKNOWN_SCHEMA, "%s", bench.err.text);
    cr_assert_eq(known(&bench, RECORD(FIELD("a", "'int'"))), 1);
    cr_assert_eq(decode(&bench, 1, DATUM("\x02")), ST_OK, "%s", bench.err.text);
    bench_close(&bench);
}

Test(decoder, bad_data_do_not_spoil_what_follows)
{
    struct bench bench;
    bench_open(&bench);
    const int32_t id = known(&bench, RECORD(FIELD("a", "'int'")));
    cr_assert_eq(decode(&bench, id, DATUM("")), ST_UNDECODABLE);
    cr_assert_eq(decode(&bench, id, DATUM("\x02\x02")), ST_UNDECODABLE);
    cr_assert_eq(decode(&bench, id, DATUM("\x02")), ST_OK);
    bench_close(&bench);
}

Test(decoder, framing)
{
    static const struct {
        const char *payload;
        size_t size;
        enum status status;
        const char *says;
    } rows[] = {
        { "", 0, ST_BAD_FRAMING, "0 bytes" },
        { "\0\0\0\0", 4, ST_BAD_FRAMING, "4 bytes" },
        { "{\"a\":1}", 7, ST_BAD_FRAMING, "begins with the byte 123" },
        { "\x01"
          "0123456789abcdefx",
          18, ST_BAD_FRAMING, "by GUID" },
        { "\x01", 1, ST_BAD_FRAMING, "by GUID" },
        { "\x02\0\0\0\x01\x02", 6, ST_BAD_FRAMING, "the byte 2" },
        { "\0\x80\0\0\0\x02", 6, ST_BAD_FRAMING, "2147483648 is no schema id" },
        { "\0\0\0\0\x01", 5, ST_UNDECODABLE, "'a': the datum ends within it" },
        { "\0\0\0\0\x01\x02", 6, ST_OK, "" },
    };
    struct bench bench;
    bench_open(&bench);
    cr_assert_eq(known(&bench, RECORD(FIELD("a", "'int'"))), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench.err.text[0] = '\0';
        cr_assert_eq(decoder_decode(bench.decoder, bytes_of(rows[i].payload, rows[i].size),
                                    bench.slots, NULL, &bench.err),
                     rows[i].status, "row %zu: %s", i, bench.err.text);
        cr_assert(strstr(bench.err.text, rows[i].says) != NULL, "row %zu: %s", i, bench.err.text);
    }
    cr_assert_eq(decoder_decode(bench.decoder, BYTES_NONE, bench.slots, NULL, &bench.err),
                 ST_NULL_VALUE);
    bench_close(&bench);
}

Test(decoder, wrong_columns_are_found_when_it_is_created)
{
    struct bench bench;
    bench_open(&bench);
    const struct decoder_column wrong = { .path = "nothing" };
    struct decoder *decoder = NULL;
    cr_assert_eq(decoder_create_avro(&decoder, schema_root(bench.reader), &wrong, 1, bench.registry,
                                     &bench.err),
                 ST_NOT_FOUND);
    cr_assert_null(decoder);
    bench_close(&bench);
}
