#include "processor/offline/csv_decoder.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/offline/csv_line.h"
#include "schemas/decoder_type.h"
#include "schemas/json_scalar.h"
#include "schemas/schema_default.h"

enum { NOT_IN_HEADER = -1, ARENA_BLOCK = 4096 };

struct csv_column {
    const char *name;
    const struct schema *schema; /* without a union around it */
    bool nullable;
    bool plain_long; /* a long without a logical type */
    int field;             /* in the line, or NOT_IN_HEADER */
    struct value otherwise; /* NOT_IN_HEADER */
};

struct csv_decoder {
    struct decoder base;
    struct csv_column *columns;
    size_t count;
    size_t header_count;
    struct arena *arena; /* of the defaults */
};

static const struct schema *without_null(const struct schema *schema)
{
    for (size_t i = 0; schema->kind == SCHEMA_UNION && i < schema->count; i++) {
        if (schema->branches[i]->kind != SCHEMA_NULL)
            return schema->branches[i];
    }
    return schema;
}

static const struct schema_field *find_field(const struct schema *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++) {
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    }
    return NULL;
}

static int find_header(const struct bytes *header, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(header[i], bytes_of_string(name)))
            return (int)i;
    }
    return NOT_IN_HEADER;
}

static enum status plan_column(struct csv_decoder *decoder, struct csv_column *column, const struct schema *reader,
                               const struct decoder_column *wanted, const struct bytes *header, struct error *err)
{
    const struct schema_field *field = find_field(reader, wanted->path);
    if (field == NULL)
        return FAIL(err, ST_INVALID, "column '%s' lies within a record: CSV has no nested values", wanted->path);
    column->name = field->name;
    column->schema = without_null(field->type);
    column->nullable = wanted->type.nullable;
    column->plain_long = column->schema->kind == SCHEMA_LONG && column->schema->logical == LOGICAL_NONE;
    column->field = find_header(header, decoder->header_count, field->name);
    if (column->field != NOT_IN_HEADER)
        return ST_OK;
    if (!field->has_default)
        return FAIL(err, ST_INVALID, "the header has no column '%s', and it has no default", field->name);
    return schema_default_value(&column->otherwise, field, "", decoder->arena, err);
}

/* What json_scalar_read expects: text where the type is text or the field is no number, else the digits. */
static struct json_token token_of(const struct csv_column *column, struct bytes field)
{
    const bool is_text = column->schema->kind == SCHEMA_STRING || column->schema->kind == SCHEMA_ENUM ||
                         column->schema->kind == SCHEMA_BYTES || column->schema->kind == SCHEMA_FIXED;
    const bool is_number = field.size > 0 && (field.data[0] == '-' || (field.data[0] >= '0' && field.data[0] <= '9'));
    if (column->schema->kind == SCHEMA_BOOLEAN)
        return (struct json_token){ .kind = bytes_equal(field, BYTES_LITERAL("true")) || bytes_equal(field, BYTES_LITERAL("1"))
                                                ? TOKEN_TRUE
                                            : bytes_equal(field, BYTES_LITERAL("false")) || bytes_equal(field, BYTES_LITERAL("0"))
                                                ? TOKEN_FALSE
                                                : TOKEN_STRING,
                                    .text = field };
    if (column->schema->logical == LOGICAL_DECIMAL && is_number)
        return (struct json_token){ .kind = TOKEN_NUMBER, .text = field };
    if (is_text || !is_number || memchr(field.data, ':', field.size) != NULL || memchr(field.data + 1, '-', field.size - 1) != NULL)
        return (struct json_token){ .kind = TOKEN_STRING, .text = field };
    return (struct json_token){ .kind = TOKEN_NUMBER, .text = field };
}

enum { PLAIN_DIGITS_MAX = 18 };

/* Digits alone, few enough not to overflow: what most columns of most files are. */
static bool read_plain_integer(struct bytes field, int64_t *out)
{
    int64_t x = 0;
    if (field.size == 0 || field.size > PLAIN_DIGITS_MAX || (field.data[0] == '0' && field.size > 1))
        return false;
    for (size_t i = 0; i < field.size; i++) {
        const unsigned digit = (unsigned)field.data[i] - '0';
        if (digit > 9)
            return false;
        x = x * 10 + digit;
    }
    *out = x;
    return true;
}

static enum status read_field(const struct csv_column *column, struct bytes field, struct value *out,
                              struct arena *arena, struct error *err)
{
    if (field.size == 0 && column->nullable) {
        *out = value_null();
        return ST_OK;
    }
    if (column->schema->kind == SCHEMA_STRING && column->schema->logical == LOGICAL_NONE) {
        *out = value_string(field);
        return ST_OK;
    }
    int64_t integer;
    if (column->plain_long && read_plain_integer(field, &integer)) {
        *out = value_int(integer);
        return ST_OK;
    }
    const char *wanted = json_scalar_read(out, token_of(column, field), column->schema, arena);
    if (wanted == NULL)
        return ST_OK;
    return FAIL(err, ST_UNDECODABLE, "column '%s' is not %s", column->name, wanted);
}

static enum status csv_decode(struct decoder *base, struct bytes payload, struct value *slots, struct arena *arena,
                              struct error *err)
{
    const struct csv_decoder *decoder = (const struct csv_decoder *)base;
    struct bytes fields[CSV_FIELDS_MAX];
    size_t count;
    TRY(csv_split(payload, fields, CSV_FIELDS_MAX, &count, arena, err));
    if (count != decoder->header_count)
        return FAIL(err, ST_UNDECODABLE, "%zu fields, where the header has %zu", count, decoder->header_count);
    for (size_t i = 0; i < decoder->count; i++) {
        const struct csv_column *column = &decoder->columns[i];
        if (column->field == NOT_IN_HEADER)
            slots[i] = column->otherwise;
        else
            TRY(read_field(column, fields[column->field], &slots[i], arena, err));
    }
    return ST_OK;
}

static void csv_destroy(struct decoder *base)
{
    struct csv_decoder *decoder = (struct csv_decoder *)base;
    arena_destroy(&decoder->arena);
    mem_free(decoder->columns);
    mem_free(decoder);
}

enum status csv_decoder_create(struct decoder **out, struct bytes header, const struct schema *reader,
                               const struct decoder_column *columns, size_t column_count, struct error *err)
{
    static const struct decoder_type type = { csv_decode, csv_destroy };
    ENSURE(*out == NULL);
    struct csv_decoder *decoder = mem_alloc(sizeof *decoder);
    decoder->base.type = &type;
    decoder->columns = mem_alloc_array(column_count + 1, sizeof *decoder->columns);
    decoder->count = column_count;
    arena_create(&decoder->arena, ARENA_BLOCK);
    struct bytes fields[CSV_FIELDS_MAX];
    enum status st = csv_split(header, fields, CSV_FIELDS_MAX, &decoder->header_count, decoder->arena, err);
    for (size_t i = 0; i < column_count && st == ST_OK; i++)
        st = plan_column(decoder, &decoder->columns[i], reader, &columns[i], fields, err);
    if (st != ST_OK) {
        csv_destroy(&decoder->base);
        return error_prefix(err, "the CSV's header");
    }
    *out = &decoder->base;
    return ST_OK;
}
