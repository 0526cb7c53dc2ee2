#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "schemas/decoder.h"
#include "schemas/json_cursor.h"
#include "schemas/rfc3339.h"

enum { COLUMNS_MAX = 32 };

/* A schema, the columns that are wanted of it, and what it takes to decode. */
struct bench {
    struct schema_document *document;
    char *paths;
    struct decoder_column columns[COLUMNS_MAX];
    size_t count;
    struct decoder *decoder;
    struct arena *arena;
    struct value slots[COLUMNS_MAX];
    struct error err;
};

/* `paths`: separated by spaces. */
static enum status bench_try(struct bench *bench, const char *schema, const char *paths)
{
    memset(bench, 0, sizeof *bench);
    arena_create(&bench->arena, 4096);
    cr_assert_eq(schema_parse(&bench->document, schema, strlen(schema), &bench->err), ST_OK,
                 "%s: %s", schema, bench->err.text);
    const struct schema *reader = schema_root(bench->document);
    bench->paths = mem_copy_string(paths);
    for (char *path = strtok(bench->paths, " "); path != NULL; path = strtok(NULL, " ")) {
        struct schema_column column;
        cr_assert_eq(schema_find_column(reader, path, &column, &bench->err), ST_OK, "%s",
                     bench->err.text);
        bench->columns[bench->count++] = (struct decoder_column){ path, column.type };
    }
    return decoder_create_json(&bench->decoder, reader, bench->columns, bench->count, &bench->err);
}

static void bench_open(struct bench *bench, const char *schema, const char *paths)
{
    cr_assert_eq(bench_try(bench, schema, paths), ST_OK, "%s", bench->err.text);
}

static void bench_close(struct bench *bench)
{
    decoder_destroy(&bench->decoder);
    schema_document_destroy(&bench->document);
    arena_destroy(&bench->arena);
    mem_free(bench->paths);
}

static enum status decode(struct bench *bench, const char *text)
{
    return decoder_decode(bench->decoder, bytes_of_string(text), bench->slots, bench->arena,
                          &bench->err);
}

/* "int 5, null" */
static const char *slots_text(struct bench *bench)
{
    struct buffer out;
    buffer_init(&out);
    for (size_t i = 0; i < bench->count; i++) {
        const struct value *v = &bench->slots[i];
        buffer_put_string(&out, i == 0 ? "" : ", ");
        if (!value_is_null(v))
            buffer_printf(&out, "%s ", value_kind_name(v->kind));
        value_format(&out, v);
    }
    const char *text = arena_copy_string(bench->arena, buffer_text(&out));
    buffer_fini(&out);
    return text;
}

/* ---- one field, every type ---- */

struct story {
    const char *name;
    const char *type; /* of the field "a" */
    const char *json; /* its value */
    const char *want; /* the slot, or the start of a message about field 'a' */
};

#define MILLIS "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"
#define MICROS "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"
#define DATE   "{\"type\":\"int\",\"logicalType\":\"date\"}"
#define MONEY  "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}"
#define HUGE   "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":18}"
#define COLOUR "{\"type\":\"enum\",\"name\":\"Colour\",\"symbols\":[\"RED\",\"BLUE\"]}"
#define PAINT \
    "{\"type\":\"enum\",\"name\":\"Paint\",\"symbols\":[\"RED\",\"NONE\"],\"default\":\"NONE\"}"
#define PAIR "{\"type\":\"fixed\",\"name\":\"Pair\",\"size\":2}"
#define BAD  "field 'a' "

static const struct story stories[] = {
    { "int", "\"int\"", "42", "int 42" },
    { "smallest int", "\"int\"", "-2147483648", "int -2147483648" },
    { "int too large", "\"int\"", "2147483648",
      BAD "must be an integer of 32 bits; found a number" },
    { "int with a point", "\"int\"", "1.0", BAD "must be an integer of 32 bits, written without" },
    { "int with an exponent", "\"int\"", "1e3",
      BAD "must be an integer of 32 bits, written without" },
    { "int in a string", "\"int\"", "\"1\"", BAD "must be an integer of 32 bits" },
    { "minus zero", "\"long\"", "-0", "int 0" },
    { "largest long", "\"long\"", "9223372036854775807", "int 9223372036854775807" },
    { "smallest long", "\"long\"", "-9223372036854775808", "int -9223372036854775808" },
    { "long too large", "\"long\"", "9223372036854775808", BAD "must be an integer of 64 bits" },
    { "long too small", "\"long\"", "-9223372036854775809", BAD "must be an integer of 64 bits" },
    { "long far too large", "\"long\"", "99999999999999999999999", BAD "must be an integer" },
    { "long is null", "\"long\"", "null", BAD "is null, which its type does not allow" },
    { "long is an object", "\"long\"", "{\"long\":1}", BAD "must be an integer of 64 bits, wr" },
    { "long is an array", "\"long\"", "[1]",
      BAD "must be an integer of 64 bits, written without a "
          "fraction; found an array" },
    { "true", "\"boolean\"", "true", "bool true" },
    { "false", "\"boolean\"", "false", "bool false" },
    { "1 is no boolean", "\"boolean\"", "1", BAD "must be true or false; found a number" },
    { "double", "\"double\"", "0.1", "double 0.1" },
    { "double from an int", "\"double\"", "3", "double 3" },
    { "double needs all digits", "\"double\"", "9007199254740993", "double 9007199254740992" },
    { "double half way", "\"double\"", "1.00000000000000011102230246251565", "double 1" },
    { "double just above half", "\"double\"", "1.00000000000000011102230246251566",
      "double 1.0000000000000002" },
    { "double too large", "\"double\"", "1e309", BAD "must be a number in range; found a number" },
    { "double too small", "\"double\"", "1e-400", "double 0" },
    { "double subnormal", "\"double\"", "5e-324", "double 5e-324" },
    { "double is a string", "\"double\"", "\"NaN\"",
      BAD "must be a number in range; found a string" },
    { "float is rounded", "\"float\"", "0.1", "double 0.10000000149011612" },
    { "float too large", "\"float\"", "1e39", BAD "must be a number in range" },
    { "string", "\"string\"", "\"h\xc3\xa9\"", "string h\xc3\xa9" },
    { "escapes", "\"string\"", "\"\\u00e9\\n\\\"\\/\\ud83d\\ude00\"",
      "string \xc3\xa9\n\"/\xf0\x9f\x98\x80" },
    { "empty string", "\"string\"", "\"\"", "string " },
    { "string is a number", "\"string\"", "1", BAD "must be a string; found a number" },
    { "uuid", "{\"type\":\"string\",\"logicalType\":\"uuid\"}", "\"x\"", "string x" },
    { "millis", MILLIS, "1767225600250", "timestamp 2026-01-01T00:00:00.250Z" },
    { "millis before 1970", MILLIS, "-1", "timestamp 1969-12-31T23:59:59.999Z" },
    { "millis as text", MILLIS, "\"2026-01-01T01:00:00.25+01:00\"",
      "timestamp 2026-01-01T00:00:00.250Z" },
    { "millis cut", MILLIS, "\"2026-01-01T00:00:00.250999Z\"",
      "timestamp 2026-01-01T00:00:00.250Z" },
    { "millis cut before 1970", MILLIS, "\"1969-12-31T23:59:59.9995Z\"",
      "timestamp 1969-12-31T23:59:59.999Z" },
    { "millis too large", MILLIS, "9223372036854775807",
      BAD "must be whole milliseconds since 1970" },
    { "millis with a point", MILLIS, "1.5", BAD "must be whole milliseconds since 1970" },
    { "millis without offset", MILLIS, "\"2026-01-01T00:00:00\"",
      BAD "must be a time as RFC 3339 text" },
    { "micros", MICROS, "1767225600250001", "timestamp 2026-01-01T00:00:00.250001Z" },
    { "micros as text", MICROS, "\"2026-01-01t00:00:00.2500019z\"",
      "timestamp 2026-01-01T00:00:00.250001Z" },
    { "micros as bool", MICROS, "true",
      BAD "must be whole microseconds since 1970, or RFC 3339 text; "
          "found a boolean" },
    { "date", DATE, "\"2026-01-31\"", "timestamp 2026-01-31T00:00:00Z" },
    { "date in days", DATE, "-1", "timestamp 1969-12-31T00:00:00Z" },
    { "date beyond microseconds", DATE, "106751992",
      BAD "must be a date as YYYY-MM-DD or in days" },
    { "last date of four digits", DATE, "2932896", "timestamp 9999-12-31T00:00:00Z" },
    { "date that is none", DATE, "\"2026-02-29\"", BAD "must be a date as YYYY-MM-DD or in days" },
    { "decimal", MONEY, "12.5", "decimal 12.50" },
    { "decimal from an int", MONEY, "9999", "decimal 9999.00" },
    { "decimal negative", MONEY, "-0.01", "decimal -0.01" },
    { "decimal minus zero", MONEY, "-0.000", "decimal 0.00" },
    { "decimal zero far away", MONEY, "0e99999", "decimal 0.00" },
    { "decimal with zeros", MONEY, "12.5000000000000000000000000000000000000000000000",
      "decimal 12.50" },
    { "decimal with exponent", MONEY, "1.25e1", "decimal 12.50" },
    { "decimal exponent up", MONEY, "125E-2", "decimal 1.25" },
    { "decimal leading zeros", MONEY, "0.0012e2", "decimal 0.12" },
    { "decimal too fine", MONEY, "12.505",
      BAD "must be a number that the decimal's precision and scale" },
    { "decimal too large", MONEY, "10000",
      BAD "must be a number that the decimal's precision and scale" },
    { "decimal far too large", MONEY, "1e999999999999", BAD "must be a number that the decimal's" },
    { "decimal far too fine", MONEY, "1e-999999999999", BAD "must be a number that the decimal's" },
    { "decimal in a string", MONEY, "\"12.50\"", BAD "must be a number that the decimal's" },
    { "decimal of 38 digits", HUGE, "-99999999999999999999.999999999999999999",
      "decimal -99999999999999999999.999999999999999999" },
    { "decimal of 39 digits", HUGE, "100000000000000000000.0",
      BAD "must be a number that the decimal's" },
    { "enum", COLOUR, "\"BLUE\"", "string BLUE" },
    { "enum escaped", COLOUR, "\"BL\\u0055E\"", "string BLUE" },
    { "enum unknown", COLOUR, "\"GREEN\"",
      BAD "must be one of the enum's symbols; found a string" },
    { "enum with default", PAINT, "\"GREEN\"", "string NONE" },
    { "bytes", "\"bytes\"", "\"a\\u0000\\u00ff\xc3\xa9\"", "bytes 6100ffe9" },
    { "bytes too wide", "\"bytes\"", "\"\\u0100\"",
      BAD "must be a string of characters up to U+00FF" },
    { "fixed", PAIR, "\"\\u0001\\u0002\"", "bytes 0102" },
    { "fixed too short", PAIR, "\"a\"", BAD "must be a string of as many characters" },
    { "nullable is null", "[\"null\",\"string\"]", "null", "null" },
    { "nullable plain", "[\"null\",\"string\"]", "\"x\"", "string x" },
    { "nullable the other way", "[\"string\",\"null\"]", "null", "null" },
    { "nullable as Avro writes it", "[\"null\",\"string\"]", "{\"string\":\"x\"}", "string x" },
    { "nullable escaped branch", "[\"null\",\"string\"]", "{\"strin\\u0067\":\"x\"}", "string x" },
    { "nullable logical", "[\"null\"," MILLIS "]", "{\"long\":0}",
      "timestamp 1970-01-01T00:00:00Z" },
    { "nullable enum", "[\"null\"," COLOUR "]", "{\"Colour\":\"RED\"}", "string RED" },
    { "union of one", "[\"long\"]", "{\"long\":7}", "int 7" },
    { "union of one, null", "[\"long\"]", "null", BAD "is null, which its type does not allow" },
    { "wrong branch", "[\"null\",\"string\"]", "{\"int\":1}",
      BAD "must be a string; found an object" },
    { "two branches", "[\"null\",\"string\"]", "{\"string\":\"x\",\"int\":1}",
      "not valid JSON: a union's object" },
    { "empty branch", "[\"null\",\"string\"]", "{}", BAD "must be a string; found an object" },
    { "branch of a wrong kind", "[\"null\",\"string\"]", "{\"string\":1}",
      BAD "must be a string; found a number" },
    { "branch in a branch", "[\"null\",\"string\"]", "{\"string\":{\"string\":\"x\"}}",
      BAD "must be a string; found an object" },
    { "null alone", "\"null\"", "null", "null" },
    { "null alone is a number", "\"null\"", "1", BAD "must be null; found a number" },
};

Test(json_decoder, reads_each_type_exactly_or_refuses_it)
{
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        const struct story *story = &stories[i];
        struct bench bench;
        char *schema = mem_format(
            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":%s}]}",
            story->type);
        char *text = mem_format("{\"before\": [1], \"a\" : %s , \"after\": {}}", story->json);
        bench_open(&bench, schema, "a");
        const enum status status = decode(&bench, text);
        const char *got = status == ST_OK ? slots_text(&bench) : bench.err.text;
        cr_expect_eq(strncmp(got, story->want, strlen(story->want)), 0, "%s: got '%s', want '%s'",
                     story->name, got, story->want);
        if (status == ST_OK)
            cr_expect_str_eq(got, story->want, "%s", story->name);
        else
            cr_expect_eq(status, ST_UNDECODABLE, "%s", story->name);
        bench_close(&bench);
        mem_free(schema);
        mem_free(text);
    }
}

/* ---- records ---- */

static const char payment[] =
    "{\"type\":\"record\",\"name\":\"Payment\",\"namespace\":\"shop\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"cents\",\"type\":\"long\",\"aliases\":[\"amount_cents\"]},"
    "{\"name\":\"currency\",\"type\":\"string\",\"default\":\"EUR\"},"
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    "{\"name\":\"who\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Who\",\"fields\":["
    "  {\"name\":\"name\",\"type\":\"string\"},"
    "  {\"name\":\"home\",\"type\":{\"type\":\"record\",\"name\":\"Home\",\"fields\":["
    "    {\"name\":\"land\",\"type\":\"string\",\"default\":\"??\"},"
    "    {\"name\":\"zip\",\"type\":[\"null\",\"int\"]}]}}]}],\"default\":null}]}";

struct record_story {
    const char *name, *text, *want;
};

static const struct record_story record_stories[] = {
    { "in order",
      "{\"id\":\"x\",\"cents\":5,\"currency\":\"USD\",\"note\":\"n\",\"tags\":[],\"who\":"
      "{\"name\":\"w\",\"home\":{\"land\":\"DE\",\"zip\":1}}}",
      "string x, int 5, string USD, string n, string DE, int 1" },
    { "another order",
      "{\"who\":{\"home\":{\"zip\":null,\"land\":\"DE\"}},\"cents\":5,\"id\":\"x\"}",
      "string x, int 5, string EUR, null, string DE, null" },
    { "alias", "{\"amount_cents\":5,\"id\":\"x\"}",
      "string x, int 5, string EUR, null, null, null" },
    { "name and alias", "{\"amount_cents\":5,\"id\":\"x\",\"cents\":5}",
      "field 'cents' comes twice" },
    { "twice", "{\"id\":\"x\",\"cents\":5,\"id\":\"y\"}", "field 'id' comes twice" },
    { "twice, escaped", "{\"id\":\"x\",\"cents\":5,\"i\\u0064\":\"y\"}", "field 'id' comes twice" },
    { "record twice", "{\"id\":\"x\",\"cents\":5,\"who\":null,\"who\":null}",
      "field 'who' comes twice" },
    { "unwanted twice", "{\"id\":\"x\",\"cents\":5,\"tags\":1,\"tags\":2,\"z\":1,\"z\":2}",
      "string x, int 5, string EUR, null, null, null" },
    { "escaped name", "{\"\\u0069d\":\"x\",\"cents\":5}",
      "string x, int 5, string EUR, null, null, null" },
    { "missing", "{\"id\":\"x\"}", "field 'cents' is missing and has no default" },
    { "missing inside", "{\"id\":\"x\",\"cents\":5,\"who\":{\"home\":{}}}",
      "field 'who.home.zip' is missing and has no default" },
    { "missing record", "{\"id\":\"x\",\"cents\":5,\"who\":{\"name\":\"w\"}}",
      "field 'who.home' is missing and has no default" },
    { "default inside", "{\"id\":\"x\",\"cents\":5,\"who\":{\"home\":{\"zip\":3}}}",
      "string x, int 5, string EUR, null, string ??, int 3" },
    { "record as Avro writes it",
      "{\"id\":\"x\",\"cents\":5,\"who\":{\"shop.Who\":{\"home\":{\"zip\":{\"int\":3}}}}}",
      "string x, int 5, string EUR, null, string ??, int 3" },
    { "record is a string", "{\"id\":\"x\",\"cents\":5,\"who\":\"w\"}",
      "field 'who' must be an object; found a string" },
    { "unknown fields",
      "{\"a\":{\"b\":[1,{\"c\":null}]},\"id\":\"x\",\"q\":\"\\u00e9\",\"cents\":5}",
      "string x, int 5, string EUR, null, null, null" },
    { "spaces", " \r\n\t{ \"id\" :\t\"x\" ,\n\"cents\": 5 } \n",
      "string x, int 5, string EUR, null, null, null" },
    { "a name that only starts alike", "{\"idx\":1,\"i\":2,\"id\":\"x\",\"cents\":5}",
      "string x, int 5, string EUR, null, null, null" },
};

Test(json_decoder, finds_fields_by_name_in_any_order)
{
    struct bench bench;
    bench_open(&bench, payment, "id cents currency note who.home.land who.home.zip");
    for (int round = 0; round < 3;
         round++) /* what is remembered of one record must not spoil the next */
        for (size_t i = 0; i < sizeof record_stories / sizeof *record_stories; i++) {
            const struct record_story *story = &record_stories[i];
            const enum status status = decode(&bench, story->text);
            cr_expect_str_eq(status == ST_OK ? slots_text(&bench) : bench.err.text, story->want,
                             "%s", story->name);
            arena_reset(bench.arena);
        }
    bench_close(&bench);
}

Test(json_decoder, takes_a_default_of_a_whole_record)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"in\","
                                 "\"type\":{\"type\":\"record\","
                                 "\"name\":\"In\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{"
                                 "\"name\":\"b\",\"type\":\"string\","
                                 "\"default\":\"own\"}]},\"default\":{\"a\":7}}]}";
    struct bench bench;
    bench_open(&bench, schema, "in.a in.b in.a");
    cr_expect_eq(decode(&bench, "{}"), ST_OK);
    cr_expect_str_eq(slots_text(&bench), "int 7, string own, int 7");
    cr_expect_eq(decode(&bench, "{\"in\":{\"a\":8}}"), ST_OK);
    cr_expect_str_eq(slots_text(&bench), "int 8, string own, int 8");
    bench_close(&bench);
}

Test(json_decoder, leaves_plain_text_in_the_payload)
{
    struct bench bench;
    bench_open(
        &bench,
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}",
        "a");
    const char *text = "{\"a\":\"plain\"}";
    cr_assert_eq(decode(&bench, text), ST_OK);
    cr_expect_eq((const char *)bench.slots[0].text.data, text + 6);
    bench_close(&bench);
}

Test(json_decoder, refuses_what_is_no_single_object)
{
    static const char *const texts[] = {
        "",
        " ",
        "[]",
        "1",
        "\"x\"",
        "null",
        "{",
        "}",
        "{}}",
        "{} {}",
        "{}1",
        "{},",
        "\xef\xbb\xbf{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":0x1}",
        "{\"a\":-}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":nulll}",
        "{\"a\":'x'}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"x}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "{\"a\":{]}",
        "{\"a\":1}\f",
        "{\"a\":1/**/}",
        "{\"a\":[,1]}",
        "{1:2}",
        "{\"a\":1\"b\"}",
        "{\"a\":\"b\"c}",
        "{\"\\q\":1}",
    };
    struct bench bench;
    bench_open(&bench, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}", "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(decode(&bench, texts[i]), ST_UNDECODABLE, "'%s'", texts[i]);
        cr_expect_neq(strlen(bench.err.text), 0);
    }
    cr_expect_eq(decode(&bench, "{\"a\":1}"), ST_OK, "%s", bench.err.text);
    cr_expect_eq(decoder_decode(bench.decoder, bytes_of("{}\0", 3), NULL, bench.arena, &bench.err),
                 ST_UNDECODABLE);
    bench_close(&bench);
}

Test(json_decoder, limits_the_depth)
{
    struct bench bench;
    bench_open(&bench, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}", "");
    for (int depth = 1; depth < 200000; depth += depth < 100 ? 1 : 60000) {
        struct buffer text;
        buffer_init(&text);
        for (int i = 0; i < depth; i++)
            buffer_put_string(&text, i % 2 == 0 ? "{\"a\":" : "[");
        buffer_put_string(&text, "1");
        for (int i = depth; i-- > 0;)
            buffer_put_string(&text, i % 2 == 0 ? "}" : "]");
        cr_expect_eq(decode(&bench, buffer_text(&text)),
                     depth <= JSON_DEPTH_MAX ? ST_OK : ST_UNDECODABLE, "depth %d", depth);
        buffer_fini(&text);
    }
    bench_close(&bench);
}

Test(json_decoder, never_tells_a_value)
{
    static const char *const texts[] = {
        "{\"id\":4711.5,\"cents\":1}",
        "{\"id\":\"x\",\"cents\":\"4711.5\"}",
        "{\"id\":\"x\",\"cents\":4711.5}",
        "{\"id\":\"x\",\"cents\":[4711.5]}",
        "{\"id\":4711.5x}",
        "{\"4711.5\":}",
        "{\"id\":\"x\",\"cents\":{\"4711.5\":1}}",
    };
    struct bench bench;
    bench_open(&bench, payment, "id cents");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(decode(&bench, texts[i]), ST_UNDECODABLE);
        cr_expect_null(strstr(bench.err.text, "4711"), "%s", bench.err.text);
    }
    bench_close(&bench);
}

Test(json_decoder, refuses_a_schema_that_is_no_record)
{
    struct bench bench;
    cr_expect_eq(bench_try(&bench, "\"string\"", ""), ST_INVALID);
    bench_close(&bench);
}

/* ---- oracle ---- */

static void put_random_json(struct buffer *out, struct prng *prng, int depth);

static void put_random_string(struct buffer *out, struct prng *prng)
{
    static const char *const parts[] = { "a",
                                         "id",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\u00e9",
                                         "\xc3\xa9",
                                         "\\ud83d\\ude00",
                                         "\xe2\x82\xac",
                                         " ",
                                         "{",
                                         "]",
                                         ",",
                                         ":",
                                         "\\\\\\\"",
                                         "0123456789012345678" };
    buffer_put_u8(out, '"');
    for (uint64_t n = prng_below(prng, 6); n > 0; n--)
        buffer_put_string(out, parts[prng_below(prng, sizeof parts / sizeof *parts)]);
    buffer_put_u8(out, '"');
}

static void put_random_space(struct buffer *out, struct prng *prng)
{
    for (uint64_t n = prng_chance(prng, 1, 3) ? prng_below(prng, 70) : 0; n > 0; n--)
        buffer_put_u8(out, (uint8_t) " \n\r\t"[prng_below(prng, 4)]);
}

static void put_random_members(struct buffer *out, struct prng *prng, bool named, int depth)
{
    for (uint64_t n = prng_below(prng, 6), i = 0; i < n; i++) {
        buffer_put_string(out, i == 0 ? "" : ",");
        put_random_space(out, prng);
        if (named)
            put_random_string(out, prng);
        put_random_space(out, prng);
        if (named)
            buffer_put_u8(out, ':');
        put_random_space(out, prng);
        put_random_json(out, prng, depth + 1);
        put_random_space(out, prng);
    }
}

static void put_random_json(struct buffer *out, struct prng *prng, int depth)
{
    static const char *const words[] = { "true", "false", "null",     "0",        "-1",
                                         "12.5", "1e5",   "-0.25E-3", "123456789" };
    switch (depth == 0 ? 0 : prng_below(prng, depth > 5 ? 4 : 6) + (depth > 5 ? 2 : 0)) {
    case 0:
        buffer_put_u8(out, '{');
        put_random_members(out, prng, true, depth);
        buffer_put_u8(out, '}');
        break;
    case 1:
        buffer_put_u8(out, '[');
        put_random_members(out, prng, false, depth);
        buffer_put_u8(out, ']');
        break;
    case 2:
        put_random_string(out, prng);
        break;
    default:
        buffer_put_string(out, words[prng_below(prng, sizeof words / sizeof *words)]);
        break;
    }
}

static void mutate(struct buffer *text, struct prng *prng)
{
    static const char bytes[] = "{}[]\",:\\0-+.eEtfnu \n\x01\x7f\x80\xc3\xff\xed";
    for (uint64_t n = prng_below(prng, 3); n > 0 && text->size > 0; n--) {
        const size_t at = prng_below(prng, text->size);
        switch (prng_below(prng, 3)) {
        case 0:
            text->data[at] = (uint8_t)bytes[prng_below(prng, sizeof bytes - 1)];
            break;
        case 1:
            memmove(text->data + at, text->data + at + 1, text->size - at - 1);
            text->size--;
            break;
        default:
            text->size = at;
            break;
        }
    }
}

/* Whether jansson takes it; what it refuses for reasons of its own (size of numbers, NUL in a name) is left out. */
static bool oracle(struct bytes text, bool *decided)
{
    json_error_t why;
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, &why);
    *decided = strstr(why.text, "too big") == NULL && strstr(why.text, "overflow") == NULL &&
               strstr(why.text, "NUL") == NULL;
    const bool accepted = json_is_object(json);
    json_decref(json);
    return accepted;
}

Test(json_decoder, accepts_what_jansson_accepts)
{
    struct prng prng = prng_from_env("TEST_SEED", 20260131);
    struct bench bench;
    bench_open(&bench,
               "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":["
               "\"null\",\"int\"],"
               "\"default\":null}]}",
               "");
    int accepted = 0, refused = 0;
    for (int step = 0; step < 60000; step++) {
        struct buffer text;
        buffer_init(&text);
        put_random_space(&text, &prng);
        put_random_json(&text, &prng, 0);
        put_random_space(&text, &prng);
        mutate(&text, &prng);
        uint8_t *exact = mem_copy(text.data, text.size); /* so that a read past its end is seen */
        const struct bytes input = bytes_of(exact, text.size);
        bool decided;
        const bool want = oracle(input, &decided);
        const bool got =
            decoder_decode(bench.decoder, input, bench.slots, bench.arena, &bench.err) == ST_OK;
        if (decided)
            cr_assert_eq(got, want, "TEST_SEED=%" PRIu64 " step=%d: %.*s: %s", prng.seed, step,
                         (int)text.size, (const char *)text.data,
                         got ? "accepted" : bench.err.text);
        accepted += want;
        refused += !want;
        mem_free(exact);
        buffer_fini(&text);
        if (step % 100 == 0)
            arena_reset(bench.arena);
    }
    cr_assert(accepted > 10000 && refused > 10000,
              "%d accepted, %d refused: the generator is broken", accepted, refused);
    bench_close(&bench);
}

/* Strings are what jansson makes of them, whatever the escapes. */
Test(json_decoder, unescapes_as_jansson_does)
{
    struct prng prng = prng_from_env("TEST_SEED", 7);
    struct bench bench;
    bench_open(
        &bench,
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}",
        "a");
    for (int step = 0; step < 5000; step++) {
        struct buffer text;
        buffer_init(&text);
        buffer_put_string(&text, "{\"a\":");
        put_random_string(&text, &prng);
        buffer_put_string(&text, "}");
        json_t *json = json_loadb((const char *)text.data, text.size, 0, NULL);
        const json_t *a = json_object_get(json, "a");
        cr_assert_eq(
            decoder_decode(bench.decoder, buffer_view(&text), bench.slots, bench.arena, &bench.err),
            ST_OK);
        cr_assert(
            bytes_equal(bench.slots[0].text, bytes_of(json_string_value(a), json_string_length(a))),
            "TEST_SEED=%" PRIu64 " step=%d", prng.seed, step);
        json_decref(json);
        buffer_fini(&text);
    }
    bench_close(&bench);
}

/* ---- times ---- */

Test(rfc3339, reads_times_strictly)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.000001Z", 1 },
        { "1970-01-01T00:00:00.123456789Z", 123456 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1969-12-31T14:30:00-09:30", 0 },
        { "1970-01-01T00:00:00-00:00", 0 },
        { "2000-02-29T00:00:00Z", 951782400000000 },
        { "9999-12-31T23:59:59.999999Z", 253402300799999999 },
        { "2024-12-31T23:59:60Z", -1 },
        { "1900-02-29T00:00:00Z", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-00-01T00:00:00Z", -1 },
        { "2026-01-32T00:00:00Z", -1 },
        { "2026-01-00T00:00:00Z", -1 },
        { "2026-01-01T24:00:00Z", -1 },
        { "2026-01-01T00:60:00Z", -1 },
        { "2026-01-01T00:00:00", -1 },
        { "2026-01-01T00:00:00.Z", -1 },
        { "2026-01-01T00:00:00.1234567890Z", -1 },
        { "2026-01-01T00:00:00+1:00", -1 },
        { "2026-01-01T00:00:00+0100", -1 },
        { "2026-01-01T00:00:00+24:00", -1 },
        { "2026-01-01T00:00:00+00:60", -1 },
        { "2026-01-01T00:00:00Z ", -1 },
        { "2026-01-01 00:00:00Z", -1 },
        { "2026-1-01T00:00:00Z", -1 },
        { "26-01-01T00:00:00Z", -1 },
        { "2026-01-01", -1 },
        { "", -1 },
        { "2026-01-01T00:0a:00Z", -1 },
        { "2026/01/01T00:00:00Z", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = -1;
        const bool valid = rfc3339_parse_time(&us, bytes_of_string(rows[i].text));
        cr_expect_eq(valid, rows[i].us != -1, "%s", rows[i].text);
        cr_expect_eq(us, rows[i].us, "%s: %" PRId64, rows[i].text, us);
    }
}

/* What value_format writes must be read back, for any time of four-digit years. */
Test(rfc3339, reads_what_values_are_written_as)
{
    struct prng prng = prng_from_env("TEST_SEED", 3);
    for (int step = 0; step < 20000; step++) {
        const int64_t us =
            prng_between(&prng, INT64_C(-62135596800000000), INT64_C(253402300799999999));
        const struct value value = value_timestamp(step % 3 == 0 ? us / 1000000 * 1000000 : us);
        struct buffer text;
        buffer_init(&text);
        value_format(&text, &value);
        int64_t back;
        cr_assert(rfc3339_parse_time(&back, buffer_view(&text)), "TEST_SEED=%" PRIu64 " %s",
                  prng.seed, buffer_text(&text));
        cr_assert_eq(back, value.i, "TEST_SEED=%" PRIu64 " %s", prng.seed, buffer_text(&text));
        buffer_fini(&text);
    }
}

Test(rfc3339, counts_every_day)
{
    char text[40];
    int32_t days, want = -719162; /* 0001-01-01 */
    for (int year = 1; year <= 9999; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= 31; day++) {
                snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
                if (rfc3339_parse_date(&days, bytes_of_string(text)))
                    cr_assert_eq(days, want++, "%s", text);
            }
    cr_assert_eq(want, 2932897);
}
