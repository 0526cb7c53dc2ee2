#include "schemas/schema_default.h"

#include <jansson.h>

#include "base/ensure.h"

/* Takes one code point of valid UTF-8. */
static uint32_t next_code_point(const uint8_t **at)
{
    const uint8_t first = *(*at)++;
    int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t code = more == 0 ? first : (uint32_t)first & (0x3fU >> more);
    for (; more > 0; more--)
        code = code << 6 | (*(*at)++ & 0x3fU);
    return code;
}

/* Avro writes bytes in JSON as a string whose code points 0 to 255 are the bytes. */
static bool bytes_default_size(const json_t *json, size_t *size)
{
    const char *text = json_string_value(json); /* jansson has checked that it is UTF-8 */
    if (text == NULL)
        return false;
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + json_string_length(json);
    for (*size = 0; at < end; ++*size)
        if (next_code_point(&at) > UINT8_MAX)
            return false;
    return true;
}

static struct bytes bytes_default(const json_t *json, struct arena *arena)
{
    const uint8_t *at = (const uint8_t *)json_string_value(json);
    const uint8_t *end = at + json_string_length(json);
    uint8_t *bytes = arena_alloc(arena, json_string_length(json) + 1);
    size_t size = 0;
    while (at < end)
        bytes[size++] = (uint8_t)next_code_point(&at);
    return bytes_of(bytes, size);
}

static bool symbol_known(const struct schema *schema, const json_t *json)
{
    const struct bytes text = bytes_of(json_string_value(json), json_string_length(json));
    for (size_t i = 0; json_is_string(json) && i < schema->count; i++)
        if (bytes_equal(bytes_of_string(schema->symbols[i]), text))
            return true;
    return false;
}

static bool record_default_fits(const struct schema *schema, const json_t *json)
{
    if (!json_is_object(json))
        return false;
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_field *field = &schema->fields[i];
        const json_t *member = json_object_get(json, field->name);
        if (member == NULL ? !field->has_default : !schema_default_fits(field->type, member))
            return false;
    }
    return true;
}

static bool collection_default_fits(const struct schema *schema, const json_t *json)
{
    if (schema->kind == SCHEMA_ARRAY) {
        for (size_t i = 0; i < json_array_size(json); i++)
            if (!schema_default_fits(schema->branches[0], json_array_get(json, i)))
                return false;
        return json_is_array(json);
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)json, key,
                        member) if (!schema_default_fits(schema->branches[0], member)) return false;
    return json_is_object(json);
}

static bool union_default_fits(const struct schema *schema, const json_t *json)
{
    for (size_t i = 0; i < schema->count; i++)
        if (schema_default_fits(schema->branches[i], json))
            return true;
    return false;
}

static bool fixed_default_fits(const struct schema *schema, const json_t *json)
{
    size_t size;
    return bytes_default_size(json, &size) && size == schema->fixed_size;
}

bool schema_default_fits(const struct schema *schema, const json_t *json)
{
    size_t size;
    const json_int_t integer = json_integer_value(json);
    switch (schema->kind) {
    case SCHEMA_NULL:
        return json_is_null(json);
    case SCHEMA_BOOLEAN:
        return json_is_boolean(json);
    case SCHEMA_INT:
        return json_is_integer(json) && integer >= INT32_MIN && integer <= INT32_MAX;
    case SCHEMA_LONG:
        return json_is_integer(json);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return json_is_number(json);
    case SCHEMA_BYTES:
        return bytes_default_size(json, &size);
    case SCHEMA_FIXED:
        return fixed_default_fits(schema, json);
    case SCHEMA_STRING:
        return json_is_string(json);
    case SCHEMA_ENUM:
        return symbol_known(schema, json);
    case SCHEMA_RECORD:
        return record_default_fits(schema, json);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return collection_default_fits(schema, json);
    case SCHEMA_UNION:
        return union_default_fits(schema, json);
    }
    UNREACHABLE();
}

static enum status decimal_default(struct value *out, const struct schema *schema,
                                   struct bytes bytes, struct error *err)
{
    if (!value_decimal_of_bytes(out, bytes, schema->scale))
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the default has more than 128 bits");
    return ST_OK;
}

static enum status integer_default(struct value *out, const struct schema *schema,
                                   const json_t *json, struct error *err)
{
    const int64_t unit_us = schema->logical == LOGICAL_TIMESTAMP_MILLIS ? 1000
                            : schema->logical == LOGICAL_DATE           ? INT64_C(86400000000)
                                                                        : 1;
    int64_t integer = json_integer_value(json);
    if (__builtin_mul_overflow(integer, unit_us, &integer))
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the default is a time beyond the year 294000");
    const bool is_time = unit_us != 1 || schema->logical == LOGICAL_TIMESTAMP_MICROS;
    *out = is_time ? value_timestamp(integer) : value_int(integer);
    return ST_OK;
}

/* `json` fits the schema, which is a scalar. */
static enum status scalar_default(struct value *out, const struct schema *schema,
                                  const json_t *json, struct arena *arena, struct error *err)
{
    switch (schema->kind) {
    case SCHEMA_NULL:
        *out = value_null();
        return ST_OK;
    case SCHEMA_BOOLEAN:
        *out = value_bool(json_is_true(json));
        return ST_OK;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return integer_default(out, schema, json, err);
    case SCHEMA_FLOAT:
        *out = value_double((double)(float)json_number_value(json));
        return ST_OK;
    case SCHEMA_DOUBLE:
        *out = value_double(json_number_value(json));
        return ST_OK;
    case SCHEMA_STRING:
    case SCHEMA_ENUM:
        *out = value_string(bytes_of(json_string_value(json), json_string_length(json)));
        return ST_OK;
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        *out = value_bytes(bytes_default(json, arena));
        return schema->logical == LOGICAL_DECIMAL ? decimal_default(out, schema, out->text, err)
                                                  : ST_OK;
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
    case SCHEMA_UNION:
        break;
    }
    UNREACHABLE(); /* schema_find_column gives scalars only */
}

/* The branch that takes the default, or the schema itself. */
static const struct schema *branch_of_default(const struct schema *schema, const json_t *json)
{
    for (size_t i = 0; schema->kind == SCHEMA_UNION && i < schema->count; i++)
        if (schema_default_fits(schema->branches[i], json))
            return schema->branches[i];
    return schema;
}

static const struct schema_field *find_field(const struct schema *record, const char *name,
                                             size_t size)
{
    for (size_t i = 0; i < record->count; i++)
        if (bytes_equal(bytes_of_string(record->fields[i].name), bytes_of(name, size)))
            return &record->fields[i];
    return NULL;
}

enum status schema_default_value(struct value *out, const struct schema_field *field,
                                 const char *rest, struct arena *arena, struct error *err)
{
    const json_t *json = field->default_value;
    for (;;) {
        if (json == NULL)
            json =
                field
                    ->default_value; /* a record's default may leave its field to the field's own */
        if (json == NULL)
            return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "field '%.80s' has no default", field->name);
        const struct schema *schema = branch_of_default(field->type, json);
        if (schema->kind == SCHEMA_NULL) {
            *out = value_null();
            return ST_OK;
        }
        if (*rest == '\0')
            return scalar_default(out, schema, json, arena, err);
        ENSURE(schema->kind == SCHEMA_RECORD);
        const size_t size = strcspn(rest, ".");
        field = find_field(schema, rest, size);
        ENSURE(field != NULL);
        json = json_object_get(json, field->name);
        rest += size + (rest[size] == '.');
    }
}
