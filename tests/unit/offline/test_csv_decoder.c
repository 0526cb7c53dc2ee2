#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "processor/offline/csv_decoder.h"
#include "schemas/schema.h"

/* One column `v` of a type, decoded from one field. */
struct one {
    struct schema_document *document;
    struct decoder *decoder;
    struct decoder_column column;
    struct arena *arena;
};

static struct one one_of(const char *type)
{
    struct one one = { .document = NULL };
    struct error err;
    char text[512];
    snprintf(text, sizeof text,
             "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"v\",\"type\":%s},"
             "{\"name\":\"other\",\"type\":\"string\"}]}",
             type);
    cr_assert_eq(schema_parse(&one.document, text, strlen(text), &err), ST_OK, "%s", err.text);
    struct schema_column found;
    cr_assert_eq(schema_find_column(schema_root(one.document), "v", &found, &err), ST_OK, "%s",
                 err.text);
    one.column = (struct decoder_column){ .path = "v", .type = found.type };
    arena_create(&one.arena, 256);
    cr_assert_eq(csv_decoder_create(&one.decoder, BYTES_LITERAL("unread,v"),
                                    schema_root(one.document), &one.column, 1, &err),
                 ST_OK, "%s", err.text);
    return one;
}

static void one_fini(struct one *one)
{
    decoder_destroy(&one->decoder);
    arena_destroy(&one->arena);
    schema_document_destroy(&one->document);
}

#define NULLABLE(type) "[\"null\"," type "]"
#define MILLIS         "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"
#define DATE           "{\"type\":\"int\",\"logicalType\":\"date\"}"
#define DECIMAL        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}"
#define ENUM           "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"

Test(csv_decoder, reads_a_field_as_its_column_s_type)
{
    static const struct {
        const char *type, *field, *expected; /* NULL: refused */
    } rows[] = {
        { "\"long\"", "0", "int 0" },
        { "\"long\"", "42", "int 42" },
        { "\"long\"", "-42", "int -42" },
        { "\"long\"", "999999999999999999", "int 999999999999999999" },
        { "\"long\"", "9223372036854775807", "int 9223372036854775807" },
        { "\"long\"", "-9223372036854775808", "int -9223372036854775808" },
        { "\"long\"", "9223372036854775808", NULL },
        { "\"long\"", "12abc", NULL },
        { "\"long\"", "1 ", NULL },
        { "\"long\"", "--1", NULL },
        { "\"long\"", "-", NULL },
        { "\"long\"", "007", NULL },
        { "\"long\"", "1.0", NULL },
        { "\"long\"", "", NULL },
        { NULLABLE("\"long\""), "", "null null" },
        { "\"int\"", "2147483647", "int 2147483647" },
        { "\"int\"", "2147483648", NULL },
        { "\"double\"", "1e-5", "double 0.00001" },
        { "\"double\"", "-2.50", "double -2.5" },
        { "\"double\"", "1.", NULL },
        { "\"double\"", "1e", NULL },
        { "\"double\"", "nan", NULL },
        { "\"boolean\"", "true", "bool true" },
        { "\"boolean\"", "False", "bool false" },
        { "\"boolean\"", "1", "bool true" },
        { "\"boolean\"", "2", NULL },
        { "\"string\"", "", "string " },
        { "\"string\"", "a\\nb", "string a\\nb" },
        { "\"string\"", "\"a,\"\"b\"\"\"", "string a,\"b\"" },
        { "\"string\"", "\xff", NULL },
        { NULLABLE("\"string\""), "", "null null" },
        { NULLABLE("\"string\""), "null", "string null" },
        { ENUM, "B", "string B" },
        { ENUM, "C", NULL },
        { "\"bytes\"", "\xc3\xbf", "bytes ff" },
        { "\"bytes\"", "\xc3", NULL },
        { "\"bytes\"", "\\", "bytes 5c" },
        { DECIMAL, "12.5", "decimal 12.50" },
        { DECIMAL, "-0.01", "decimal -0.01" },
        { DECIMAL, "12.505", NULL },
        { DECIMAL, "1-2", NULL },
        { DECIMAL, "", NULL },
        { MILLIS, "1767225600000", "timestamp 2026-01-01T00:00:00Z" },
        { MILLIS, "2026-01-01T01:00:00.5+01:00", "timestamp 2026-01-01T00:00:00.500Z" },
        { MILLIS, "2026-01-01", NULL },
        { MILLIS, "soon", NULL },
        { DATE, "2026-01-01", "timestamp 2026-01-01T00:00:00Z" },
        { DATE, "20454", "timestamp 2026-01-01T00:00:00Z" },
        { DATE, "2026-13-01", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct one one = one_of(rows[i].type);
        struct buffer line, text;
        struct value value;
        struct error err;
        buffer_init(&line);
        buffer_init(&text);
        buffer_printf(&line, "x,%s", rows[i].field);
        const enum status st =
            decoder_decode(one.decoder, buffer_view(&line), &value, one.arena, &err);
        if (rows[i].expected == NULL) {
            cr_expect_eq(st, ST_UNDECODABLE, "%s as %s", rows[i].field, rows[i].type);
            cr_expect(strstr(err.text, "column 'v'") != NULL, "%s", err.text);
        } else {
            cr_expect_eq(st, ST_OK, "%s as %s: %s", rows[i].field, rows[i].type, err.text);
            buffer_printf(&text, "%s ", value_kind_name((enum value_kind)value.kind));
            if (st == ST_OK)
                value_format(&text, &value);
            cr_expect_str_eq(buffer_text(&text), rows[i].expected, "%s as %s", rows[i].field,
                             rows[i].type);
        }
        buffer_fini(&line);
        buffer_fini(&text);
        one_fini(&one);
    }
}

Test(csv_decoder, refuses_lines_that_are_not_like_the_header)
{
    struct one one = one_of("\"string\"");
    static const struct {
        const char *line, *reason;
    } rows[] = {
        { "x", "1 fields, where the header has 2" },
        { "x,y,z", "3 fields, where the header has 2" },
        { "x,\"y", "a quoted field does not end on its line" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct value value;
        struct error err;
        cr_expect_eq(
            decoder_decode(one.decoder, bytes_of_string(rows[i].line), &value, one.arena, &err),
            ST_UNDECODABLE);
        cr_expect_str_eq(err.text, rows[i].reason);
    }
    one_fini(&one);
}

static const char payment[] = "{\"type\":\"record\",\"name\":\"P\",\"fields\":["
                              "{\"name\":\"amount\",\"type\":\"long\",\"aliases\":[\"sum\"]},"
                              "{\"name\":\"country\",\"type\":\"string\",\"default\":\"DE\"},"
                              "{\"name\":\"shop\",\"type\":{\"type\":\"record\",\"name\":\"S\","
                              "\"fields\":[{\"name\":\"city\",\"type\":\"string\"}]}}]}";

/* What one line of a file with this header gives for the column, or the refusal of the header. */
static const char *read_with(const char *header, const char *column_path, const char *line)
{
    static char answer[ERROR_TEXT_SIZE + 64];
    struct schema_document *document = NULL;
    struct decoder *decoder = NULL;
    struct arena *arena = NULL;
    struct schema_column found;
    struct value value;
    struct error err;
    arena_create(&arena, 256);
    cr_assert_eq(schema_parse(&document, payment, strlen(payment), &err), ST_OK, "%s", err.text);
    cr_assert_eq(schema_find_column(schema_root(document), column_path, &found, &err), ST_OK);
    const struct decoder_column column = { .path = column_path, .type = found.type };
    const enum status st = csv_decoder_create(&decoder, bytes_of_string(header),
                                              schema_root(document), &column, 1, &err);
    snprintf(answer, sizeof answer, "%s", st == ST_OK ? "" : err.text);
    cr_expect(st == ST_OK || st == ST_INVALID);
    if (st == ST_OK) {
        struct buffer text;
        buffer_init(&text);
        cr_assert_eq(decoder_decode(decoder, bytes_of_string(line), &value, arena, &err), ST_OK,
                     "%s", err.text);
        value_format(&text, &value);
        snprintf(answer, sizeof answer, "%s", buffer_text(&text));
        buffer_fini(&text);
    }
    decoder_destroy(&decoder);
    schema_document_destroy(&document);
    arena_destroy(&arena);
    return answer;
}

Test(csv_decoder, finds_columns_by_the_header)
{
    static const struct {
        const char *header, *column, *line, *expected;
    } rows[] = {
        { "amount,country", "amount", "5,FR", "5" },
        { "country,amount", "amount", "FR,5", "5" },
        { "country,\"amount\"", "amount", "FR,5", "5" },
        { "country,sum", "amount", "FR,5", "5" }, /* an alias */
        { "sum,amount", "amount", "4,5", "5" },
        { "amount", "country", "5", "DE" }, /* the default */
        { "amuont,country", "amount", "",
          "the header has no column 'amount', and the schema no default for it; is it 'amuont'?" },
        { "country,x", "amount", "",
          "the header has no column 'amount', and the schema no default for it" },
        { "amount,city", "shop.city", "",
          "column 'shop.city' lies within a record: CSV has no nested values" },
        { "amount,\"country", "amount", "", "the header: a quoted field does not end on its line" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(read_with(rows[i].header, rows[i].column, rows[i].line), rows[i].expected,
                         "%s", rows[i].header);
}
