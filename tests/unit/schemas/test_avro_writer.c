#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "program_case.h"
#include "quoted_schema.h"
#include "schemas/avro_writer.h"

#define RECORD(fields)    "{'type':'record','name':'R','fields':[" fields "]}"
#define FIELD(name, type) "{'name':'" name "','type':" type "}"
#define OF(type)          RECORD(FIELD("a", type))
#define MILLIS            "{'type':'long','logicalType':'timestamp-millis'}"
#define DATE              "{'type':'int','logicalType':'date'}"
#define INNER                                                                   \
    "{'type':'record','name':'I','fields':[" FIELD("x", "'int'") "," FIELD("y", \
                                                                           "['null','int']") "]}"
#define DECIMAL "{'type':'bytes','logicalType':'decimal','precision':5,'scale':2}"
#define DECIMAL_FIXED \
    "{'type':'fixed','name':'F','size':20,'logicalType':'decimal','precision':38,'scale':0}"

Test(avro_writer, primitives_have_the_bytes_of_the_specification)
{
    struct buffer out;
    buffer_init(&out);
    avro_write_framing(&out, 0x01020304);
    avro_write_null(&out);
    avro_write_bool(&out, true);
    avro_write_long(&out, -64);
    avro_write_long(&out, 64);
    avro_write_float(&out, 1.5F);
    avro_write_double(&out, -2.0);
    avro_write_bytes(&out, BYTES_LITERAL("foo"));
    static const char expected[] = "\x00\x01\x02\x03\x04\x01\x7f\x80\x01\x00\x00\xc0\x3f"
                                   "\0\0\0\0\0\0\0\xc0\x06"
                                   "foo";
    cr_assert_eq(out.size, sizeof expected - 1);
    cr_assert_arr_eq(out.data, expected, out.size);
    buffer_fini(&out);
}

static struct value text(const char *s)
{
    return value_string(bytes_of_string(s));
}

struct row {
    const char *schema;
    struct value values[4];
    size_t count;
    const char *bytes; /* NULL: refused */
    size_t size;
};

static void check_row(const struct row *row)
{
    struct schema_document *document = quoted_schema(row->schema);
    struct buffer out;
    struct error err;
    buffer_init(&out);
    buffer_put_string(&out, "before");
    const enum status status =
        avro_write_record(&out, schema_root(document), row->values, row->count, &err);
    cr_assert_eq(status, row->bytes == NULL ? ST_INVALID : ST_OK, "%s: %s", row->schema, err.text);
    cr_assert_eq(out.size, 6 + (row->bytes == NULL ? 0 : row->size), "%s: %zu bytes", row->schema,
                 out.size - 6);
    cr_assert_arr_eq(out.data, "before", 6);
    if (row->bytes != NULL && row->size > 0)
        cr_assert_arr_eq(out.data + 6, row->bytes, row->size, "%s", row->schema);
    cr_assert_eq(avro_write_record(&out, schema_root(document), row->values, row->count, NULL),
                 status);
    buffer_fini(&out);
    schema_document_destroy(&document);
}

Test(avro_writer, writes_records_from_columns)
{
    const int128 max = (int128)(~(uint128)0 >> 1);
    const struct row rows[] = {
        { OF("'boolean'"), { value_bool(true) }, 1, DATUM("\x01") },
        { OF("'int'"), { value_int(INT32_MIN) }, 1, DATUM("\xff\xff\xff\xff\x0f") },
        { OF("'long'"), { value_int(-1) }, 1, DATUM("\x01") },
        { OF("'float'"), { value_double(0.1) }, 1, DATUM("\xcd\xcc\xcc\x3d") },
        { OF("'double'"), { value_double(0.5) }, 1, DATUM("\0\0\0\0\0\0\xe0\x3f") },
        { OF("'float'"), { value_null() }, 1, DATUM("\x00\x00\xc0\x7f") },
        { OF("'string'"), { text("x") }, 1, DATUM("\x02x") },
        { OF("'bytes'"), { value_bytes(BYTES_LITERAL("\xff")) }, 1, DATUM("\x02\xff") },
        { OF("{'type':'fixed','name':'F','size':2}"),
          { value_bytes(BYTES_LITERAL("xy")) },
          1,
          DATUM("xy") },
        { OF("{'type':'enum','name':'E','symbols':['A','B']}"), { text("B") }, 1, DATUM("\x02") },
        { OF(MILLIS), { value_timestamp(-3000) }, 1, DATUM("\x05") },
        { OF(DATE), { value_timestamp(-86400000000) }, 1, DATUM("\x01") },
        { OF(DECIMAL), { value_decimal(-12345, 2) }, 1, DATUM("\x04\xcf\xc7") },
        { OF(DECIMAL), { value_decimal(0, 2) }, 1, DATUM("\x02\x00") },
        { OF(DECIMAL), { value_decimal(128, 2) }, 1, DATUM("\x04\x00\x80") },
        { OF(DECIMAL_FIXED),
          { value_decimal(-2, 0) },
          1,
          DATUM(
              "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe") },
        { OF("['null','int']"), { value_null() }, 1, DATUM("\x00") },
        { OF("['null','int']"), { value_int(1) }, 1, DATUM("\x02\x02") },
        { OF("['int','null']"), { value_null() }, 1, DATUM("\x02") },
        { OF("['int','null']"), { value_int(1) }, 1, DATUM("\x00\x02") },
        { OF("['int']"), { value_int(1) }, 1, DATUM("\x00\x02") },
        { OF("'null'"), { value_null() }, 0, DATUM("") },
        { OF("['null']"), { value_null() }, 0, DATUM("\x00") },
        { OF("{'type':'array','items':'int'}"), { value_null() }, 0, DATUM("\x00") },
        { OF("{'type':'map','values':'int'}"), { value_null() }, 0, DATUM("\x00") },
        { OF("['null',{'type':'array','items':'int'}]"), { value_null() }, 0, DATUM("\x00") },
        { OF("['int','string','null']"), { value_null() }, 0, DATUM("\x04") },
        { OF(INNER), { value_int(1), value_null() }, 2, DATUM("\x02\x00") },
        { OF("['null'," INNER "]"), { value_null(), value_null() }, 2, DATUM("\x00") },
        { OF("['null'," INNER "]"), { value_int(1), value_null() }, 2, DATUM("\x02\x02\x00") },
        { RECORD(FIELD("v", "'int'") "," FIELD("next", "['null','R']")),
          { value_int(1), value_int(2) },
          2,
          NULL,
          0 }, /* eight columns, down the list */
        /* refused */
        { OF("'int'"), { value_int(INT64_C(1) << 31) }, 1, NULL, 0 },
        { OF("'int'"), { value_double(1) }, 1, NULL, 0 },
        { OF("'int'"), { value_null() }, 1, NULL, 0 },
        { OF("'string'"), { value_null() }, 1, NULL, 0 },
        { OF("'string'"), { text("\xff") }, 1, NULL, 0 },
        { OF("'string'"), { value_bytes(BYTES_LITERAL("x")) }, 1, NULL, 0 },
        { OF("{'type':'fixed','name':'F','size':2}"),
          { value_bytes(BYTES_LITERAL("x")) },
          1,
          NULL,
          0 },
        { OF("{'type':'enum','name':'E','symbols':['A','B']}"), { text("C") }, 1, NULL, 0 },
        { OF(MILLIS), { value_timestamp(1) }, 1, NULL, 0 },
        { OF(MILLIS), { value_int(1000) }, 1, NULL, 0 },
        { OF(DATE), { value_timestamp(1) }, 1, NULL, 0 },
        { OF(DECIMAL), { value_decimal(100000, 2) }, 1, NULL, 0 },
        { OF(DECIMAL), { value_decimal(1, 3) }, 1, NULL, 0 },
        { OF(DECIMAL_FIXED), { value_decimal(max, 0) }, 1, NULL, 0 },
        { OF("['int','string']"), { value_null() }, 0, NULL, 0 },
        { OF(INNER), { value_null(), value_null() }, 2, NULL, 0 },
        { OF("'int'"), { value_null() }, 0, NULL, 0 },
        { OF("'int'"), { value_int(1), value_int(1) }, 2, NULL, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

Test(avro_writer, says_which_field_does_not_fit)
{
    struct schema_document *document =
        quoted_schema(OF("{'type':'record','name':'I','fields':[" FIELD("x", "'int'") "]}"));
    const struct value v = text("1");
    struct buffer out;
    struct error err;
    buffer_init(&out);
    cr_assert_eq(avro_write_record(&out, schema_root(document), &v, 1, &err), ST_INVALID);
    cr_assert_str_eq(err.text, "field 'a': field 'x': string value does not fit int");
    buffer_fini(&out);
    schema_document_destroy(&document);
}

/* ---- what is written is read ---- */

static const char everything[] =
    RECORD(
        FIELD("b", "'boolean'") "," FIELD("i", "'int'") "," FIELD(
            "l", "['null','long']") "," FIELD("f",
                                              "'float'") "," FIELD("d",
                                                                   "['double','null']") "," FIELD("s", "'string'") "," FIELD("y", "'bytes'") "," FIELD("e", "{'type':'enum','name':'E','symbols':['A','B','C']}") "," FIELD("t", MILLIS) "," FIELD("m", "{'type':'array','items':'string'}") "," FIELD("u", "['null','int','string']") "," FIELD("day", "['null'," DATE
                                                                                                                                                                                                                                                                                                                                                        "]") "," FIELD("p",
                                                                                                                                                                                                                                                                                                                                                                       DECIMAL) "," FIELD("q", DECIMAL_FIXED) "," FIELD("in", INNER) "," FIELD("maybe", "['null','I']") "," FIELD("z",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "'long'"));

struct columns {
    struct decoder_column list[CASE_COLUMNS_MAX];
    size_t count;
};

static void add_column(void *context, const char *path, const struct schema_column *column)
{
    struct columns *columns = context;
    columns->list[columns->count++] =
        (struct decoder_column){ .path = mem_copy_string(path), .type = column->type };
}

static struct value random_of(struct prng *prng, const struct decoder_column *column)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char *const symbols[] = { "A", "B", "C" };
    if (column->type.nullable && prng_chance(prng, 1, 3))
        return value_null();
    switch (column->type.kind) {
    case VALUE_BOOL:
        return value_bool(prng_chance(prng, 1, 2));
    case VALUE_INT:
        return value_int((int32_t)prng_next(prng));
    case VALUE_DOUBLE:
        return value_double((double)(float)prng_between(prng, -1000000, 1000000) / 1024);
    case VALUE_DECIMAL:
        return value_decimal(prng_between(prng, -99999, 99999), column->type.scale);
    case VALUE_TIMESTAMP:
        return value_timestamp(prng_between(prng, -1000, 1000) * 86400000000);
    case VALUE_BYTES:
        return value_bytes(bytes_of(letters, prng_below(prng, sizeof letters)));
    default:
        return strcmp(column->path, "e") == 0
                   ? text(symbols[prng_below(prng, 3)])
                   : value_string(bytes_of(letters, prng_below(prng, sizeof letters)));
    }
}

Test(avro_writer, what_is_written_is_read)
{
    struct prng prng = prng_from_env("TEST_SEED", 41);
    struct schema_document *document = quoted_schema(everything);
    struct columns columns = { .count = 0 };
    schema_each_column(schema_root(document), add_column, &columns);
    struct avro_program *program = NULL;
    struct error err;
    cr_assert_eq(avro_program_compile(&program, schema_root(document), schema_root(document),
                                      columns.list, columns.count, &err),
                 ST_OK, "%s", err.text);
    struct buffer datum, expected, got;
    buffer_init(&datum);
    buffer_init(&expected);
    buffer_init(&got);
    for (int step = 0; step < 3000; step++) {
        struct value values[CASE_COLUMNS_MAX], slots[CASE_COLUMNS_MAX];
        for (size_t i = 0; i < columns.count; i++)
            values[i] = random_of(&prng, &columns.list[i]);
        /* a record that may be missing is there or not as a whole */
        struct value *x = &values[columns.count - 3], *y = x + 1;
        if (value_is_null(x))
            *y = value_null();
        buffer_clear(&datum);
        cr_assert_eq(avro_write_record(&datum, schema_root(document), values, columns.count, &err),
                     ST_OK, "TEST_SEED=%" PRIu64 " step %d: %s", prng.seed, step, err.text);
        cr_assert_eq(run_exactly(program, datum.data, datum.size, slots, &err), ST_OK,
                     "TEST_SEED=%" PRIu64 " step %d: %s", prng.seed, step, err.text);
        cr_assert_str_eq(slots_text(&got, slots, columns.count),
                         slots_text(&expected, values, columns.count),
                         "TEST_SEED=%" PRIu64 " step %d", prng.seed, step);
    }
    for (size_t i = 0; i < columns.count; i++)
        mem_free((void *)columns.list[i].path);
    buffer_fini(&datum);
    buffer_fini(&expected);
    buffer_fini(&got);
    avro_program_destroy(&program);
    schema_document_destroy(&document);
}
