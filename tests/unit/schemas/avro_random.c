#include "avro_random.h"

#include <criterion/criterion.h>
#include <string.h>

enum { FIELDS_MAX = 6, DEPTH_MAX = 4, TEXT_MAX = 40 };

struct pair {
    struct prng *prng;
    struct buffer *writer, *reader;
    bool evolve;
    int names;
};

static void random_type(struct pair *pair, int depth, bool in_union);

static void put_both(struct pair *pair, const char *text)
{
    buffer_put_string(pair->writer, text);
    buffer_put_string(pair->reader, text);
}

static bool chance(struct pair *pair, uint64_t n, uint64_t d)
{
    return prng_chance(pair->prng, n, d);
}

static void put_name(struct pair *pair, const char *kind)
{
    char text[64];
    snprintf(text, sizeof text, "{\"type\":\"%s\",\"name\":\"N%d\",", kind, pair->names++);
    put_both(pair, text);
}

static void random_scalar(struct pair *pair)
{
    static const struct {
        const char *writer, *reader; /* reader: when it evolves */
    } rows[] = {
        { "\"boolean\"", NULL },
        { "\"int\"", "\"long\"" },
        { "\"int\"", "\"double\"" },
        { "\"long\"", "\"double\"" },
        { "\"float\"", "\"double\"" },
        { "\"double\"", NULL },
        { "\"bytes\"", NULL },
        { "\"string\"", "\"bytes\"" },
        { "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"long\"" },
        { "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
          "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}" },
        { "{\"type\":\"int\",\"logicalType\":\"date\"}", NULL },
        { "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":5}", NULL },
    };
    const size_t row = prng_below(pair->prng, sizeof rows / sizeof *rows);
    const bool evolves = pair->evolve && rows[row].reader != NULL && chance(pair, 1, 2);
    buffer_put_string(pair->writer, rows[row].writer);
    buffer_put_string(pair->reader, evolves ? rows[row].reader : rows[row].writer);
}

static void random_fixed(struct pair *pair)
{
    char text[32];
    put_name(pair, "fixed");
    snprintf(text, sizeof text, "\"size\":%d}", 1 + (int)prng_below(pair->prng, 20));
    put_both(pair, text);
}

/* The reader may know the symbols in another order. */
static void random_enum(struct pair *pair)
{
    put_name(pair, "enum");
    buffer_put_string(pair->writer, "\"symbols\":[\"A\",\"B\",\"C\"]}");
    buffer_put_string(pair->reader, pair->evolve ? "\"symbols\":[\"C\",\"X\",\"A\",\"B\"]}"
                                                 : "\"symbols\":[\"A\",\"B\",\"C\"]}");
}

/* A field of the writer, as it is in the reader: dropped, renamed, or the same. */
static void random_field(struct pair *pair, int index, int depth)
{
    char text[96];
    const bool renamed = pair->evolve && chance(pair, 1, 5);
    const bool dropped = pair->evolve && !renamed && chance(pair, 1, 6);
    const size_t reader_size = pair->reader->size;
    snprintf(text, sizeof text,
             "%s{\"name\":\"f%d\",\"type\":", index > 0 || !pair->evolve ? "," : "", index);
    buffer_put_string(pair->writer, text);
    snprintf(text, sizeof text,
             ",{\"name\":\"%sf%d\",\"aliases\":[\"%sf%d\"],\"type\":", renamed ? "n_" : "", index,
             renamed ? "" : "old_", index);
    buffer_put_string(pair->reader, text);
    random_type(pair, depth + 1, false);
    put_both(pair, "}");
    if (dropped)
        pair->reader->size = reader_size;
}

static void random_record(struct pair *pair, int depth)
{
    put_name(pair, "record");
    put_both(pair, "\"fields\":[");
    /* always there, so that every other field of the reader may begin with a comma */
    if (pair->evolve)
        buffer_put_string(pair->reader, "{\"name\":\"d_new\",\"type\":\"int\",\"default\":7}");
    else
        put_both(pair, "{\"name\":\"first\",\"type\":\"int\"}");
    /* avro-c cannot append items without bytes: no empty records, no fixed of size 0 */
    const int count = 1 + (int)prng_below(pair->prng, FIELDS_MAX);
    for (int i = 0; i < count; i++)
        random_field(pair, i, depth);
    put_both(pair, "]}");
}

static void random_union(struct pair *pair, int depth)
{
    const bool null_first = chance(pair, 1, 2);
    put_both(pair, null_first ? "[\"null\"," : "[");
    random_type(pair, depth + 1, true);
    put_both(pair, null_first ? "]" : ",\"null\"]");
}

static void random_type(struct pair *pair, int depth, bool in_union)
{
    switch (prng_below(pair->prng, depth < DEPTH_MAX ? 16 : 11)) {
    case 8:
        random_fixed(pair);
        return;
    case 9:
        random_enum(pair);
        return;
    case 10:
        if (in_union)
            random_scalar(pair);
        else
            put_both(pair, "[\"null\",\"int\",\"string\"]");
        return;
    case 11:
    case 12:
        if (in_union)
            random_record(pair, depth);
        else
            random_union(pair, depth);
        return;
    case 13:
        random_record(pair, depth);
        return;
    case 14:
        put_both(pair, "{\"type\":\"array\",\"items\":");
        random_type(pair, depth + 1, false);
        put_both(pair, "}");
        return;
    case 15:
        put_both(pair, "{\"type\":\"map\",\"values\":");
        random_type(pair, depth + 1, false);
        put_both(pair, "}");
        return;
    default:
        random_scalar(pair);
    }
}

void random_schemas(struct prng *prng, struct buffer *writer, struct buffer *reader, bool evolve)
{
    struct pair pair = { .prng = prng, .writer = writer, .reader = reader, .evolve = evolve };
    buffer_clear(writer);
    buffer_clear(reader);
    random_record(&pair, 0);
}

/* ---- data ---- */

static int64_t random_long(struct prng *prng)
{
    return (int64_t)prng_next(prng) >> prng_below(prng, 64);
}

static void random_text(struct prng *prng, char out[TEXT_MAX])
{
    static const char *const letters[] = {
        "a", "Z", "7", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x92\xb3"
    };
    const size_t wanted = prng_below(prng, TEXT_MAX - 5);
    size_t size = 0;
    while (size < wanted) {
        const char *letter =
            letters[prng_chance(prng, 9, 10) ? prng_below(prng, 3) : prng_below(prng, 6)];
        memcpy(out + size, letter, strlen(letter));
        size += strlen(letter);
    }
    out[size] = '\0';
}

static void fill_items(struct prng *prng, avro_value_t *value, bool is_map)
{
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        avro_value_t item;
        char key[TEXT_MAX];
        random_text(prng, key);
        if (is_map)
            avro_value_add(value, key, &item, NULL, NULL);
        else
            avro_value_append(value, &item, NULL);
        random_value_fill(prng, &item);
    }
}

static void fill_fields(struct prng *prng, avro_value_t *value)
{
    size_t count = 0;
    avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t field;
        avro_value_get_by_index(value, i, &field, NULL);
        random_value_fill(prng, &field);
    }
}

static void fill_union(struct prng *prng, avro_value_t *value)
{
    const size_t count = avro_schema_union_size(avro_value_get_schema(value));
    avro_value_t branch;
    avro_value_set_branch(value, (int)prng_below(prng, count), &branch);
    random_value_fill(prng, &branch);
}

void random_value_fill(struct prng *prng, avro_value_t *value)
{
    char text[TEXT_MAX];
    random_text(prng, text);
    switch (avro_value_get_type(value)) {
    case AVRO_BOOLEAN:
        avro_value_set_boolean(value, prng_chance(prng, 1, 2));
        return;
    case AVRO_INT32: /* 2^26 days are still a timestamp */
        avro_value_set_int(value, (int32_t)(random_long(prng) >> 37));
        return;
    case AVRO_INT64:
        avro_value_set_long(value, random_long(prng) / 1000);
        return;
    case AVRO_FLOAT:
        avro_value_set_float(value, (float)random_long(prng) / 3);
        return;
    case AVRO_DOUBLE:
        avro_value_set_double(value, (double)random_long(prng) / 7);
        return;
    case AVRO_BYTES:
        avro_value_set_bytes(value, text, prng_below(prng, 17));
        return;
    case AVRO_STRING:
        avro_value_set_string(value, text);
        return;
    case AVRO_FIXED:
        avro_value_set_fixed(value, text,
                             (size_t)avro_schema_fixed_size(avro_value_get_schema(value)));
        return;
    case AVRO_ENUM:
        avro_value_set_enum(value, (int)prng_below(prng, 3));
        return;
    case AVRO_NULL:
        avro_value_set_null(value);
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        fill_items(prng, value, avro_value_get_type(value) == AVRO_MAP);
        return;
    case AVRO_RECORD:
        fill_fields(prng, value);
        return;
    case AVRO_UNION:
        fill_union(prng, value);
        return;
    default:
        cr_assert_fail("a type that no schema has");
    }
}

/* ---- what must come out ---- */

static struct value number_expected(int64_t x, const struct schema *writer, struct value_type type)
{
    if (type.kind == VALUE_DOUBLE)
        return value_double((double)x);
    if (type.kind == VALUE_INT)
        return value_int(x);
    return value_timestamp(writer->logical == LOGICAL_DATE               ? x * 86400000000
                           : writer->logical == LOGICAL_TIMESTAMP_MILLIS ? x * 1000
                                                                         : x);
}

static struct value bytes_expected(struct bytes b, struct value_type type, struct arena *arena)
{
    if (type.kind == VALUE_DECIMAL) {
        int128 x = b.size > 0 && b.data[0] >= 0x80 ? -1 : 0;
        for (size_t i = 0; i < b.size; i++)
            x = x * 256 + b.data[i];
        return value_decimal(x, type.scale);
    }
    return (struct value){ .kind = (uint8_t)type.kind, .text = arena_copy(arena, b) };
}

static struct value scalar_expected(avro_value_t *value, const struct schema *writer,
                                    struct value_type type, struct arena *arena)
{
    const void *data = "";
    const char *string = "";
    size_t size = 0;
    int32_t i = 0;
    int64_t l = 0;
    float f = 0;
    double d = 0;
    int b = 0;
    switch (avro_value_get_type(value)) {
    case AVRO_BOOLEAN:
        avro_value_get_boolean(value, &b);
        return value_bool(b);
    case AVRO_INT32:
        avro_value_get_int(value, &i);
        return number_expected(i, writer, type);
    case AVRO_INT64:
        avro_value_get_long(value, &l);
        return number_expected(l, writer, type);
    case AVRO_FLOAT:
        avro_value_get_float(value, &f);
        return value_double((double)f);
    case AVRO_DOUBLE:
        avro_value_get_double(value, &d);
        return value_double(d);
    case AVRO_BYTES:
        avro_value_get_bytes(value, &data, &size);
        return bytes_expected(bytes_of(data, size), type, arena);
    case AVRO_FIXED:
        avro_value_get_fixed(value, &data, &size);
        return bytes_expected(bytes_of(data, size), type, arena);
    case AVRO_STRING:
        avro_value_get_string(value, &string, &size);
        return bytes_expected(bytes_of(string, size - 1), type, arena); /* without the NUL */
    case AVRO_ENUM:
        avro_value_get_enum(value, &b);
        return bytes_expected(bytes_of_string(writer->symbols[b]), type, arena);
    default:
        cr_assert_fail("not a scalar");
    }
    return value_null();
}

/* Goes down to the branch that the value is of. */
static const struct schema *enter_unions(avro_value_t *value, const struct schema *writer)
{
    while (avro_value_get_type(value) == AVRO_UNION) {
        avro_value_t branch = { 0 };
        int index = 0;
        avro_value_get_discriminant(value, &index);
        avro_value_get_current_branch(value, &branch);
        writer = writer->branches[index];
        *value = branch;
    }
    return writer;
}

struct value expected_value(avro_value_t *value, const struct schema *writer, const char *path,
                            struct value_type type, struct arena *arena)
{
    avro_value_t at = *value;
    writer = enter_unions(&at, writer);
    while (*path != '\0' && avro_value_get_type(&at) != AVRO_NULL) {
        char name[64];
        const size_t size = strcspn(path, ".");
        memcpy(name, path, size);
        name[size] = '\0';
        path += size + (path[size] == '.');
        if (strcmp(name, "d_new") == 0)
            return value_int(7);
        avro_value_t field;
        size_t index;
        const char *writers = strncmp(name, "n_", 2) == 0 ? name + 2 : name;
        cr_assert_eq(avro_value_get_by_name(&at, writers, &field, &index), 0, "%s", name);
        at = field;
        writer = enter_unions(&at, writer->fields[index].type);
    }
    if (avro_value_get_type(&at) == AVRO_NULL)
        return value_null();
    return scalar_expected(&at, writer, type, arena);
}
