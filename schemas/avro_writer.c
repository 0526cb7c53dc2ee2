#include "schemas/avro_writer.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "schemas/utf8.h"

void avro_write_framing(struct buffer *out, int32_t schema_id)
{
    buffer_put_u8(out, 0);
    buffer_put_be32(out, (uint32_t)schema_id);
}

void avro_write_null(struct buffer *out)
{
    (void)out; /* no bytes at all */
}

void avro_write_bool(struct buffer *out, bool b)
{
    buffer_put_u8(out, b ? 1 : 0);
}

void avro_write_long(struct buffer *out, int64_t x)
{
    buffer_put_zigzag(out, x);
}

void avro_write_float(struct buffer *out, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = htole32(bits);
    buffer_put(out, &bits, sizeof bits);
}

void avro_write_double(struct buffer *out, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = htole64(bits);
    buffer_put(out, &bits, sizeof bits);
}

void avro_write_bytes(struct buffer *out, struct bytes b)
{
    avro_write_long(out, (int64_t)b.size);
    buffer_put_bytes(out, b);
}

/* ---- a record from its columns ---- */

/*
 * Goes through the schema as schema_each_column does, taking one value per column that it would
 * name.
 */
struct record_writer {
    struct buffer *out;
    const struct value *columns;
    size_t count;
    size_t next;
};

static enum status write_node(struct record_writer *writer, const struct schema *schema, int depth,
                              struct error *err);

static enum status wrong_count(const struct record_writer *writer, struct error *err)
{
    return FAIL(err, ST_INVALID, "%zu values for a schema that has %s columns", writer->count,
                writer->next < writer->count ? "fewer" : "more");
}

enum status avro_write_record(struct buffer *out, const struct schema *schema,
                              const struct value *columns, size_t column_count, struct error *err)
{
    const size_t start = out->size;
    struct record_writer writer = { .out = out, .columns = columns, .count = column_count };
    enum status status = write_node(&writer, schema, 0, err);
    if (status == ST_OK && writer.next != column_count)
        status = wrong_count(&writer, err);
    if (status != ST_OK)
        out->size = start;
    return status;
}

static enum status does_not_fit(const struct value *v, const struct schema *schema,
                                struct error *err)
{
    char text[SCHEMA_KIND_TEXT_SIZE];
    return FAIL(err, ST_INVALID, "%s value does not fit %s",
                v->kind == VALUE_INT ? "an int" : value_kind_name((enum value_kind)v->kind),
                schema_kind_text(schema, text));
}

/* The number as the schema's unit counts it; false when it would lose something. */
static bool integer_of(const struct schema *schema, const struct value *v, int64_t *out)
{
    const int64_t unit = schema->logical == LOGICAL_TIMESTAMP_MILLIS ? 1000
                         : schema->logical == LOGICAL_DATE           ? INT64_C(86400000000)
                                                                     : 1;
    *out = v->i / unit;
    return v->i % unit == 0 && (schema->kind == SCHEMA_LONG || *out == (int32_t)*out);
}

static bool decimal_fits(const struct schema *schema, const struct value *v)
{
    enum { DIGITS_MAX = 38 }; /* of 128 bits */
    if (v->scale != schema->scale)
        return false;
    if (schema->precision > DIGITS_MAX)
        return true;
    const int128 limit = int128_power_of_ten(schema->precision);
    return v->decimal < limit && v->decimal > -limit;
}

/*
 * The last `size` bytes of the big-endian two's complement, which are enough when `decimal_fits`.
 */
static void put_integer(struct buffer *out, int128 x, size_t size)
{
    uint8_t *at = buffer_extend(out, size);
    for (size_t i = 0; i < size; i++) {
        const size_t shift = 8 * (size - 1 - i);
        at[i] = (uint8_t)(x >> (shift < 127 ? shift : 127));
    }
}

static size_t integer_size(int128 x)
{
    size_t size = 1;
    while (size < sizeof x && x >> (8 * size - 1) != 0 && x >> (8 * size - 1) != -1)
        size++;
    return size;
}

static enum status write_decimal(struct record_writer *writer, const struct schema *schema,
                                 const struct value *v, struct error *err)
{
    if (!decimal_fits(schema, v))
        return does_not_fit(v, schema, err);
    const size_t size =
        schema->kind == SCHEMA_FIXED ? schema->fixed_size : integer_size(v->decimal);
    if (size < integer_size(v->decimal))
        return does_not_fit(v, schema, err);
    if (schema->kind == SCHEMA_BYTES)
        avro_write_long(writer->out, (int64_t)size);
    put_integer(writer->out, v->decimal, size);
    return ST_OK;
}

static enum status write_symbol(struct record_writer *writer, const struct schema *schema,
                                const struct value *v, struct error *err)
{
    for (size_t i = 0; i < schema->count; i++)
        if (bytes_equal(bytes_of_string(schema->symbols[i]), v->text)) {
            avro_write_long(writer->out, (int64_t)i);
            return ST_OK;
        }
    return FAIL(err, ST_INVALID, "enum '%.80s' has no such symbol", schema->name);
}

/* A text column: string, bytes, fixed or enum. */
static enum status write_text(struct record_writer *writer, const struct schema *schema,
                              const struct value *v, struct error *err)
{
    if (schema->logical == LOGICAL_DECIMAL)
        return write_decimal(writer, schema, v, err);
    if (schema->kind == SCHEMA_ENUM)
        return write_symbol(writer, schema, v, err);
    if (schema->kind == SCHEMA_STRING && !utf8_valid(v->text))
        return FAIL(err, ST_INVALID, "a string that is not UTF-8");
    if (schema->kind != SCHEMA_FIXED) {
        avro_write_bytes(writer->out, v->text);
        return ST_OK;
    }
    if (v->text.size != schema->fixed_size)
        return does_not_fit(v, schema, err);
    buffer_put_bytes(writer->out, v->text);
    return ST_OK;
}

static enum status write_scalar(struct record_writer *writer, const struct schema *schema,
                                struct value_type type, const struct value *v, struct error *err)
{
    const bool is_float = schema->kind == SCHEMA_FLOAT || schema->kind == SCHEMA_DOUBLE;
    const double d = v->kind == VALUE_NULL ? (double)NAN : v->d;
    int64_t integer;
    if (v->kind != type.kind && !(is_float && v->kind == VALUE_NULL))
        return does_not_fit(v, schema, err);
    switch (schema->kind) {
    case SCHEMA_BOOLEAN:
        avro_write_bool(writer->out, v->b);
        return ST_OK;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        if (!integer_of(schema, v, &integer))
            return does_not_fit(v, schema, err);
        avro_write_long(writer->out, integer);
        return ST_OK;
    case SCHEMA_FLOAT:
        avro_write_float(writer->out, (float)d);
        return ST_OK;
    case SCHEMA_DOUBLE:
        avro_write_double(writer->out, d);
        return ST_OK;
    default:
        return write_text(writer, schema, v, err);
    }
}

static enum status write_fields(struct record_writer *writer, const struct schema *record,
                                int depth, struct error *err)
{
    for (size_t i = 0; i < record->count; i++)
        if (write_node(writer, record->fields[i].type, depth + 1, err) != ST_OK)
            return err == NULL ? ST_INVALID
                               : error_prefix(err, "field '%.80s'", record->fields[i].name);
    return ST_OK;
}

static enum status no_value_for(const struct schema *schema, struct error *err)
{
    char text[SCHEMA_KIND_TEXT_SIZE];
    return FAIL(err, ST_INVALID, "no column gives a value to %s", schema_kind_text(schema, text));
}

/* Anything but a union. */
static enum status write_plain(struct record_writer *writer, const struct schema *schema, int depth,
                               struct error *err)
{
    struct value_type type;
    if (schema->kind == SCHEMA_NULL)
        return ST_OK;
    if (schema->kind == SCHEMA_ARRAY || schema->kind == SCHEMA_MAP) {
        avro_write_long(writer->out, 0);
        return ST_OK;
    }
    if (schema->kind == SCHEMA_RECORD && depth < SCHEMA_COLUMN_DEPTH_MAX)
        return write_fields(writer, schema, depth, err);
    if (!schema_scalar_type(schema, &type))
        return no_value_for(schema, err);
    if (writer->next == writer->count) {
        writer->next++;
        return wrong_count(writer, err);
    }
    return write_scalar(writer, schema, type, &writer->columns[writer->next++], err);
}

/* How many columns the walk meets in `schema`, which is no union or one of a single type. */
static size_t columns_below(const struct schema *schema, int depth, size_t limit)
{
    bool nullable;
    struct value_type type;
    size_t count = 0;
    schema = schema_without_null(schema, &nullable);
    if (schema == NULL || schema->kind != SCHEMA_RECORD)
        return schema != NULL && schema_scalar_type(schema, &type) ? 1 : 0;
    for (size_t i = 0; depth < SCHEMA_COLUMN_DEPTH_MAX && i < schema->count && count < limit; i++)
        count += columns_below(schema->fields[i].type, depth + 1, limit - count);
    return count;
}

/* Whether the next `count` columns are null; true for none. */
static bool all_null(const struct record_writer *writer, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (writer->next + i < writer->count && !value_is_null(&writer->columns[writer->next + i]))
            return false;
    return true;
}

static size_t branch_of_kind(const struct schema *node, bool null)
{
    size_t i = 0;
    while (i < node->count && (node->branches[i]->kind == SCHEMA_NULL) != null)
        i++;
    return i;
}

static enum status write_node(struct record_writer *writer, const struct schema *schema, int depth,
                              struct error *err)
{
    if (schema->kind != SCHEMA_UNION)
        return write_plain(writer, schema, depth, err);
    bool nullable = false;
    const struct schema *single = schema_without_null(schema, &nullable);
    const size_t below =
        single == NULL ? 0 : columns_below(single, depth, writer->count - writer->next + 1);
    if (nullable && all_null(writer, below)) {
        writer->next += below;
        avro_write_long(writer->out, (int64_t)branch_of_kind(schema, true));
        return ST_OK;
    }
    if (single == NULL)
        return no_value_for(schema, err);
    avro_write_long(writer->out, (int64_t)branch_of_kind(schema, false));
    return write_plain(writer, single, depth, err);
}
