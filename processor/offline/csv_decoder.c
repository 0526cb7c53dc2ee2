#include "processor/offline/csv_decoder.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/expression/nearest_name.h"
#include "processor/offline/csv_line.h"
#include "schemas/decoder_type.h"
#include "schemas/json_scalar.h"
#include "schemas/schema_default.h"
#include "schemas/utf8.h"

enum { NOT_IN_HEADER = -1, ARENA_BLOCK = 4096 };

struct csv_column {
    const char *name;
    const struct schema *schema; /* without a union around it */
    bool nullable;
    bool plain_long;        /* a long without a logical type */
    int field;              /* in the line, or NOT_IN_HEADER */
    struct value otherwise; /* NOT_IN_HEADER */
};

struct csv_decoder {
    struct decoder base;
    struct csv_column *columns;
    size_t count;
    size_t header_count;
    struct arena *arena; /* of the defaults */
    struct bytes fields[CSV_FIELDS_MAX]; /* of the line decoded last */
    size_t field_count;
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

/* By its name, else by one of its aliases. */
static int find_field_in_header(const struct bytes *header, size_t count,
                                const struct schema_field *field)
{
    int found = find_header(header, count, field->name);
    for (size_t i = 0; i < field->alias_count && found == NOT_IN_HEADER; i++)
        found = find_header(header, count, field->aliases[i]);
    return found;
}

static enum status missing_column(const struct csv_decoder *decoder, const struct bytes *header,
                                  const char *name, struct error *err)
{
    struct nearest_name nearest = { .wanted = name };
    for (size_t i = 0; i < decoder->header_count; i++) {
        struct buffer text;
        buffer_init(&text);
        buffer_put_bytes(&text, header[i]);
        nearest_name_offer(&nearest, arena_copy_string(decoder->arena, buffer_text(&text)));
        buffer_fini(&text);
    }
    if (nearest.best != NULL)
        return FAIL(err, ST_INVALID,
                    "the header has no column '%s', and the schema no default for it; is it '%s'?",
                    name, nearest.best);
    return FAIL(err, ST_INVALID, "the header has no column '%s', and the schema no default for it",
                name);
}

static enum status plan_column(struct csv_decoder *decoder, struct csv_column *column,
                               const struct schema *reader, const struct decoder_column *wanted,
                               const struct bytes *header, struct error *err)
{
    const struct schema_field *field = find_field(reader, wanted->path);
    if (field == NULL)
        return FAIL(err, ST_INVALID, "column '%s' lies within a record: CSV has no nested values",
                    wanted->path);
    column->name = field->name;
    column->schema = without_null(field->type);
    column->nullable = wanted->type.nullable;
    column->plain_long =
        column->schema->kind == SCHEMA_LONG && column->schema->logical == LOGICAL_NONE;
    column->field = find_field_in_header(header, decoder->header_count, field);
    if (column->field != NOT_IN_HEADER)
        return ST_OK;
    if (!field->has_default)
        return missing_column(decoder, header, field->name, err);
    return schema_default_value(&column->otherwise, field, "", decoder->arena, err);
}

static size_t skip_digits(struct bytes text, size_t at)
{
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

/* JSON's grammar of a number: json_scalar_read relies on it. */
static bool is_number(struct bytes text)
{
    const size_t start = text.size > 0 && text.data[0] == '-';
    size_t at = skip_digits(text, start);
    if (at == start || (at > start + 1 && text.data[start] == '0'))
        return false;
    if (at < text.size && text.data[at] == '.') {
        const size_t fraction = at + 1;
        at = skip_digits(text, fraction);
        if (at == fraction)
            return false;
    }
    if (at < text.size && (text.data[at] | 0x20) == 'e') {
        const bool has_sign =
            at + 1 < text.size && (text.data[at + 1] == '-' || text.data[at + 1] == '+');
        const size_t exponent = at + 1 + has_sign;
        at = skip_digits(text, exponent);
        if (at == exponent)
            return false;
    }
    return at == text.size;
}

static bool is_one_of(struct bytes field, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (bytes_equal(field, bytes_of_string(*words)))
            return true;
    }
    return false;
}

/* As other programs write them: pandas, spreadsheets, databases. */
static enum token_kind boolean_of(struct bytes field)
{
    static const char *const yes[] = { "true", "1", "True", "TRUE", NULL };
    static const char *const no[] = { "false", "0", "False", "FALSE", NULL };
    return is_one_of(field, yes) ? TOKEN_TRUE : is_one_of(field, no) ? TOKEN_FALSE : TOKEN_STRING;
}

/* What json_scalar_read expects. A backslash means itself in CSV, so no token is `escaped`. */
static struct json_token token_of(const struct csv_column *column, struct bytes field)
{
    struct json_token token = { .kind = TOKEN_STRING, .text = field };
    const enum schema_kind kind = column->schema->kind;
    const bool is_decimal = column->schema->logical == LOGICAL_DECIMAL;
    const bool is_text = kind == SCHEMA_STRING || kind == SCHEMA_ENUM || kind == SCHEMA_BYTES ||
                         kind == SCHEMA_FIXED;
    if (kind == SCHEMA_BOOLEAN)
        token.kind = boolean_of(field);
    else if ((!is_text || is_decimal) && is_number(field))
        token.kind = TOKEN_NUMBER;
    return token;
}

enum { PLAIN_DIGITS_MAX = 18 };

/* Digits alone, few enough not to overflow: what most columns of most files are. */
static bool read_plain_integer(struct bytes field, int64_t *out)
{
    int64_t x = 0;
    if (field.size == 0 || field.size > PLAIN_DIGITS_MAX ||
        (field.data[0] == '0' && field.size > 1))
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

static enum status read_field(const struct csv_column *column, struct bytes field,
                              struct value *out, struct arena *arena, struct error *err)
{
    if (field.size == 0 && column->nullable) {
        *out = value_null();
        return ST_OK;
    }
    int64_t integer;
    if (column->plain_long && read_plain_integer(field, &integer)) {
        *out = value_int(integer);
        return ST_OK;
    }
    if (!utf8_valid(field))
        return FAIL(err, ST_UNDECODABLE, "column '%s' is not UTF-8", column->name);
    if (column->schema->kind == SCHEMA_STRING && column->schema->logical == LOGICAL_NONE) {
        *out = value_string(field);
        return ST_OK;
    }
    const char *wanted = json_scalar_read(out, token_of(column, field), column->schema, arena);
    if (wanted == NULL)
        return ST_OK;
    return FAIL(err, ST_UNDECODABLE, "column '%s' is not %s", column->name, wanted);
}

static enum status csv_decode(struct decoder *base, struct bytes payload, struct value *slots,
                              struct arena *arena, struct error *err)
{
    struct csv_decoder *decoder = (struct csv_decoder *)base;
    const struct bytes *fields = decoder->fields;
    decoder->field_count = 0;
    size_t count;
    TRY(csv_split(payload, decoder->fields, CSV_FIELDS_MAX, &count, arena, err));
    decoder->field_count = count;
    if (count != decoder->header_count)
        return FAIL(err, ST_UNDECODABLE, "%zu fields, where the header has %zu", count,
                    decoder->header_count);
    for (size_t i = 0; i < decoder->count; i++) {
        const struct csv_column *column = &decoder->columns[i];
        if (column->field == NOT_IN_HEADER)
            slots[i] = column->otherwise;
        else
            TRY(read_field(column, fields[column->field], &slots[i], arena, err));
    }
    return ST_OK;
}

struct bytes csv_decoder_field(const struct decoder *base, size_t index)
{
    const struct csv_decoder *decoder = (const struct csv_decoder *)base;
    return index < decoder->field_count ? decoder->fields[index] : BYTES_NONE;
}

static void csv_destroy(struct decoder *base)
{
    struct csv_decoder *decoder = (struct csv_decoder *)base;
    arena_destroy(&decoder->arena);
    mem_free(decoder->columns);
    mem_free(decoder);
}

enum status csv_decoder_create(struct decoder **out, struct bytes header,
                               const struct schema *reader, const struct decoder_column *columns,
                               size_t column_count, struct error *err)
{
    static const struct decoder_type type = { csv_decode, csv_destroy };
    ENSURE(*out == NULL);
    struct csv_decoder *decoder = mem_alloc(sizeof *decoder);
    decoder->base.type = &type;
    decoder->columns = mem_alloc_array(column_count + 1, sizeof *decoder->columns);
    decoder->count = column_count;
    arena_create(&decoder->arena, ARENA_BLOCK);
    struct bytes fields[CSV_FIELDS_MAX];
    enum status st =
        csv_split(header, fields, CSV_FIELDS_MAX, &decoder->header_count, decoder->arena, err);
    if (st != ST_OK) /* of a record this would be skipped, of the header it is the end */
        st = FAIL(err, ST_INVALID, "the header: %s", err->text);
    for (size_t i = 0; i < column_count && st == ST_OK; i++)
        st = plan_column(decoder, &decoder->columns[i], reader, &columns[i], fields, err);
    if (st != ST_OK) {
        csv_destroy(&decoder->base);
        return st;
    }
    *out = &decoder->base;
    return ST_OK;
}
