#include "schemas/schema_parser.h"

#include <jansson.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

struct parser {
    struct schema_nodes *nodes;
    json_t *names; /* full name -> index of its node */
};

static enum status parse_schema(struct parser *parser, struct schema **out, const json_t *json,
                                const char *space, int depth, struct error *err);

static void json_auto_decref(json_t **json)
{
    json_decref(*json);
}

enum status schema_parse_tree(struct schema_nodes *nodes, struct schema **root, const json_t *json,
                              struct error *err)
{
    AUTO(json_auto_decref) json_t *names = json_object();
    ENSURE(names != NULL);
    struct parser parser = { .nodes = nodes, .names = names };
    return parse_schema(&parser, root, json, "", 0, err);
}

static void strings_destroy(char **strings, size_t count)
{
    for (size_t i = 0; strings != NULL && i < count; i++)
        mem_free(strings[i]);
    mem_free(strings);
}

static void node_destroy(struct schema *node)
{
    for (size_t i = 0; node->fields != NULL && i < node->count; i++) {
        mem_free(node->fields[i].name);
        strings_destroy(node->fields[i].aliases, node->fields[i].alias_count);
    }
    mem_free(node->fields);
    mem_free(node->branches);
    strings_destroy(node->symbols, node->count);
    strings_destroy(node->aliases, node->alias_count);
    mem_free(node->name);
    mem_free(node);
}

void schema_nodes_fini(struct schema_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        node_destroy(nodes->list[i]);
    mem_free(nodes->list);
    *nodes = (struct schema_nodes){ .list = NULL };
}

/* Of the kinds that have one; a record gets its own when its fields are known. */
static int64_t binary_size_of(enum schema_kind kind)
{
    switch (kind) {
    case SCHEMA_NULL:
        return 0;
    case SCHEMA_BOOLEAN:
        return 1;
    case SCHEMA_FLOAT:
        return sizeof(float);
    case SCHEMA_DOUBLE:
        return sizeof(double);
    default:
        return SCHEMA_SIZE_VARIES;
    }
}

static struct schema *node_create(struct parser *parser, enum schema_kind kind)
{
    struct schema_nodes *nodes = parser->nodes;
    if (nodes->count == nodes->capacity) {
        nodes->capacity = nodes->capacity == 0 ? 16 : 2 * nodes->capacity;
        nodes->list = mem_resize_array(nodes->list, nodes->capacity, sizeof *nodes->list);
    }
    struct schema *node = mem_alloc(sizeof *node);
    node->kind = kind;
    node->enum_default = -1;
    node->index = nodes->count;
    node->binary_size = binary_size_of(kind);
    nodes->list[nodes->count++] = node;
    return node;
}

/* ---- names ---- */

/* "a" or "a.b.C": every part an identifier. */
static bool name_valid(const char *name, bool dotted)
{
    bool first = true;
    for (const char *at = name; *at != '\0'; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        const bool digit = *at >= '0' && *at <= '9';
        if (*at == '.' && dotted && !first)
            first = true;
        else if (letter || (digit && !first))
            first = false;
        else
            return false;
    }
    return !first;
}

/* The text of a JSON string without an inner NUL, else NULL. */
static const char *text_of(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

static enum status required_text(const char **out, const json_t *object, const char *attribute,
                                 const char *of, struct error *err)
{
    *out = text_of(json_object_get(object, attribute));
    if (*out == NULL)
        return FAIL(err, ST_INVALID, "%s needs the attribute \"%s\", a string", of, attribute);
    return ST_OK;
}

/* A name that has a dot is full; else it is in `space` ("" is the null namespace). */
static char *full_name(const char *name, const char *space)
{
    if (*space == '\0' || strchr(name, '.') != NULL)
        return mem_copy_string(name);
    return mem_format("%s.%s", space, name);
}

/* The namespace of a full name, as a new string. */
static char *space_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? mem_copy_string("") : mem_copy_string_n(name, (size_t)(dot - name));
}

static enum status parse_aliases(char ***out, size_t *count, const json_t *object,
                                 const char *space, bool dotted, struct error *err)
{
    const json_t *list = json_object_get(object, "aliases");
    if (list == NULL)
        return ST_OK;
    const size_t size = json_array_size(list);
    *out = mem_alloc_array(size, sizeof **out);
    for (size_t i = 0; i < size; i++) {
        const char *alias = text_of(json_array_get(list, i));
        if (alias == NULL || !name_valid(alias, dotted))
            return FAIL(err, ST_INVALID, "alias %zu is not a name", i + 1);
        (*out)[(*count)++] = full_name(alias, space);
    }
    return ST_OK;
}

/*
 * Gives the node its name and makes it known; *space gets the namespace of what is inside, as a new
 * string.
 */
static enum status parse_name(struct parser *parser, struct schema *node, char **space,
                              const json_t *object, const char *outer_space, struct error *err)
{
    const char *name;
    const char *type = text_of(json_object_get(object, "type"));
    TRY(required_text(&name, object, "name", type, err));
    const char *own_space = text_of(json_object_get(object, "namespace"));
    if (!name_valid(name, true) ||
        (own_space != NULL && *own_space != '\0' && !name_valid(own_space, true)))
        return FAIL(err, ST_INVALID, "'%.80s' is not a name for %s", name, type);
    node->name = full_name(name, own_space != NULL ? own_space : outer_space);
    *space = space_of(node->name);
    TRY(parse_aliases(&node->aliases, &node->alias_count, object, *space, true, err));
    if (json_object_get(parser->names, node->name) != NULL)
        return FAIL(err, ST_INVALID, "'%.80s' is defined twice", node->name);
    ENSURE(json_object_set_new(parser->names, node->name, json_integer((json_int_t)node->index)) ==
           0);
    return ST_OK;
}

/* Names with the Avro kinds that have no attributes of their own. */
static bool primitive_of(const char *name, enum schema_kind *kind)
{
    static const char *const names[] = {
        [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
        [SCHEMA_LONG] = "long",   [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
        [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *kind = (enum schema_kind)i;
            return true;
        }
    return false;
}

static enum status parse_reference(struct parser *parser, struct schema **out, const char *name,
                                   const char *space, struct error *err)
{
    enum schema_kind kind;
    if (primitive_of(name, &kind)) {
        *out = node_create(parser, kind);
        return ST_OK;
    }
    AUTO(mem_auto_free) char *full = full_name(name, space);
    const json_t *index = json_object_get(parser->names, full);
    if (index ==
        NULL) /* as Avro's own libraries do: a simple name may also be in the null namespace */
        index = json_object_get(parser->names, name);
    if (index == NULL)
        return FAIL(err, ST_INVALID, "'%.80s' is not a type that is known here", name);
    *out = parser->nodes->list[json_integer_value(index)];
    return ST_OK;
}

/* ---- kinds ---- */

static enum status add_once(json_t *seen, const char *name, const char *what, struct error *err)
{
    if (json_object_get(seen, name) != NULL)
        return FAIL(err, ST_INVALID, "the %s '%.80s' is there twice", what, name);
    ENSURE(json_object_set_new(seen, name, json_true()) == 0);
    return ST_OK;
}

static enum status parse_field(struct parser *parser, struct schema_field *field,
                               const json_t *json, const char *space, int depth, struct error *err)
{
    const json_t *type = json_object_get(json, "type");
    if (type == NULL)
        return FAIL(err, ST_INVALID, "has no type");
    TRY(parse_aliases(&field->aliases, &field->alias_count, json, "", false, err));
    TRY(parse_schema(parser, &field->type, type, space, depth + 1, err));
    field->default_value = json_object_get(json, "default");
    field->has_default = field->default_value != NULL;
    field->sensitive = json_is_true(json_object_get(json, "sensitive"));
    return ST_OK;
}

static enum status parse_fields(struct parser *parser, struct schema *node, const json_t *object,
                                const char *space, int depth, struct error *err)
{
    const json_t *fields = json_object_get(object, "fields");
    if (!json_is_array(fields))
        return FAIL(err, ST_INVALID, "record '%.80s' needs the attribute \"fields\", an array",
                    node->name);
    AUTO(json_auto_decref) json_t *seen = json_object();
    node->fields = mem_alloc_array(json_array_size(fields), sizeof *node->fields);
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *json = json_array_get(fields, i);
        const char *name;
        TRY(required_text(&name, json, "name", "a field", err));
        if (!name_valid(name, false))
            return FAIL(err, ST_INVALID, "'%.80s' is not a name for a field", name);
        TRY(add_once(seen, name, "field", err));
        struct schema_field *field = &node->fields[node->count++];
        field->name = mem_copy_string(name);
        if (parse_field(parser, field, json, space, depth, err) != ST_OK)
            return error_prefix(err, "field '%.80s'", name);
    }
    return ST_OK;
}

/* Fields that are still being parsed (recursion) vary. */
static int64_t record_size(const struct schema *record)
{
    int64_t sum = 0;
    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].type->binary_size == SCHEMA_SIZE_VARIES)
            return SCHEMA_SIZE_VARIES;
        sum += record->fields[i].type->binary_size;
        if (sum > SCHEMA_FIXED_MAX)
            return SCHEMA_SIZE_VARIES;
    }
    return sum;
}

static enum status parse_record(struct parser *parser, struct schema **out, const json_t *object,
                                const char *space, int depth, struct error *err)
{
    AUTO(mem_auto_free) char *inner_space = NULL;
    *out = node_create(parser, SCHEMA_RECORD);
    TRY(parse_name(parser, *out, &inner_space, object, space, err));
    TRY(parse_fields(parser, *out, object, inner_space, depth, err));
    (*out)->binary_size = record_size(*out);
    return ST_OK;
}

static enum status parse_enum(struct parser *parser, struct schema **out, const json_t *object,
                              const char *space, struct error *err)
{
    AUTO(mem_auto_free) char *inner_space = NULL;
    struct schema *node = *out = node_create(parser, SCHEMA_ENUM);
    TRY(parse_name(parser, node, &inner_space, object, space, err));
    const json_t *symbols = json_object_get(object, "symbols");
    if (!json_is_array(symbols))
        return FAIL(err, ST_INVALID, "enum '%.80s' needs the attribute \"symbols\", an array",
                    node->name);

    AUTO(json_auto_decref) json_t *seen = json_object();
    const json_t *fallback = json_object_get(object, "default");
    node->symbols = mem_alloc_array(json_array_size(symbols), sizeof *node->symbols);
    for (size_t i = 0; i < json_array_size(symbols); i++) {
        const json_t *symbol = json_array_get(symbols, i);
        const char *text = text_of(symbol);
        if (text == NULL || !name_valid(text, false))
            return FAIL(err, ST_INVALID, "enum '%.80s': symbol %zu is not a name", node->name,
                        i + 1);
        TRY(add_once(seen, text, "symbol", err));
        if (json_equal(symbol, fallback))
            node->enum_default = (int)i;
        node->symbols[node->count++] = mem_copy_string(text);
    }
    if (fallback != NULL && node->enum_default < 0)
        return FAIL(err, ST_INVALID, "enum '%.80s': its default is none of its symbols",
                    node->name);
    return ST_OK;
}

static enum status parse_fixed(struct parser *parser, struct schema **out, const json_t *object,
                               const char *space, struct error *err)
{
    AUTO(mem_auto_free) char *inner_space = NULL;
    *out = node_create(parser, SCHEMA_FIXED);
    TRY(parse_name(parser, *out, &inner_space, object, space, err));
    const json_t *size = json_object_get(object, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > SCHEMA_FIXED_MAX)
        return FAIL(err, ST_INVALID, "fixed '%.80s' needs the attribute \"size\", 0 to %d",
                    (*out)->name, SCHEMA_FIXED_MAX);
    (*out)->fixed_size = (size_t)json_integer_value(size);
    (*out)->binary_size = json_integer_value(size);
    return ST_OK;
}

static enum status parse_collection(struct parser *parser, struct schema **out,
                                    enum schema_kind kind, const json_t *object, const char *space,
                                    int depth, struct error *err)
{
    const char *attribute = kind == SCHEMA_ARRAY ? "items" : "values";
    const json_t *item = json_object_get(object, attribute);
    if (item == NULL)
        return FAIL(err, ST_INVALID, "%s needs the attribute \"%s\"",
                    kind == SCHEMA_ARRAY ? "an array" : "a map", attribute);
    *out = node_create(parser, kind);
    (*out)->branches = mem_alloc_array(1, sizeof *(*out)->branches);
    (*out)->count = 1;
    return parse_schema(parser, &(*out)->branches[0], item, space, depth + 1, err);
}

static enum status parse_union(struct parser *parser, struct schema **out, const json_t *list,
                               const char *space, int depth, struct error *err)
{
    struct schema *node = *out = node_create(parser, SCHEMA_UNION);
    if (json_array_size(list) == 0)
        return FAIL(err, ST_INVALID, "a union needs a branch");
    AUTO(json_auto_decref) json_t *seen = json_object();
    node->branches = mem_alloc_array(json_array_size(list), sizeof *node->branches);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct schema *branch = NULL;
        TRY(parse_schema(parser, &branch, json_array_get(list, i), space, depth + 1, err));
        if (branch->kind == SCHEMA_UNION)
            return FAIL(err, ST_INVALID, "a union directly within a union");
        char text[SCHEMA_KIND_TEXT_SIZE];
        TRY(add_once(seen, branch->name != NULL ? branch->name : schema_kind_text(branch, text),
                     "union branch", err));
        node->branches[node->count++] = branch;
    }
    return ST_OK;
}

/* ---- logical types: ill-formed ones are ignored, as the specification asks ---- */

/* How many decimal digits every number of `size` bytes two's complement can hold. */
static json_int_t digits_of_size(size_t size)
{
    /* floor((8 size - 1) * log10(2)); beyond 4096 bytes nobody counts */
    if (size == 0 || size > 4096)
        return size == 0 ? 0 : UINT16_MAX;
    return (json_int_t)((8 * size - 1) * UINT64_C(30102999566) / UINT64_C(100000000000));
}

static void apply_decimal(struct schema *node, const json_t *object)
{
    const json_t *precision_json = json_object_get(object, "precision");
    const json_t *scale_json = json_object_get(object, "scale");
    const json_int_t precision = json_integer_value(precision_json);
    const json_int_t scale = json_integer_value(scale_json); /* 0 when absent */
    if (!json_is_integer(precision_json) || precision < 1 ||
        (scale_json != NULL && !json_is_integer(scale_json)))
        return;
    if (scale < 0 || scale > precision)
        return;
    if (node->kind == SCHEMA_FIXED && precision > digits_of_size(node->fixed_size))
        return;
    node->logical = LOGICAL_DECIMAL;
    node->precision = (uint8_t)(precision > UINT8_MAX ? UINT8_MAX : precision);
    node->scale = (uint8_t)(scale > UINT8_MAX ? UINT8_MAX : scale);
}

static void apply_logical(struct schema *node, const json_t *object)
{
    static const struct {
        const char *name;
        enum schema_kind kind;
        enum schema_logical logical;
    } rows[] = {
        { "timestamp-millis", SCHEMA_LONG, LOGICAL_TIMESTAMP_MILLIS },
        { "timestamp-micros", SCHEMA_LONG, LOGICAL_TIMESTAMP_MICROS },
        { "date", SCHEMA_INT, LOGICAL_DATE },
        { "uuid", SCHEMA_STRING, LOGICAL_UUID },
    };
    const char *name = text_of(json_object_get(object, "logicalType"));
    if (name == NULL)
        return;
    if (strcmp(name, "decimal") == 0 && (node->kind == SCHEMA_BYTES || node->kind == SCHEMA_FIXED))
        apply_decimal(node, object);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (node->kind == rows[i].kind && strcmp(rows[i].name, name) == 0)
            node->logical = rows[i].logical;
}

/* ---- any schema ---- */

static enum status parse_object(struct parser *parser, struct schema **out, const json_t *object,
                                const char *space, int depth, struct error *err)
{
    const json_t *type_json = json_object_get(object, "type");
    if (json_is_object(type_json) ||
        json_is_array(type_json)) /* {"type": {...}}: seen in the wild */
        return parse_schema(parser, out, type_json, space, depth + 1, err);
    const char *type;
    TRY(required_text(&type, object, "type", "a schema", err));

    enum schema_kind kind;
    if (strcmp(type, "record") == 0 || strcmp(type, "error") == 0)
        return parse_record(parser, out, object, space, depth, err);
    if (strcmp(type, "enum") == 0)
        return parse_enum(parser, out, object, space, err);
    if (strcmp(type, "array") == 0)
        return parse_collection(parser, out, SCHEMA_ARRAY, object, space, depth, err);
    if (strcmp(type, "map") == 0)
        return parse_collection(parser, out, SCHEMA_MAP, object, space, depth, err);
    if (strcmp(type, "fixed") == 0)
        TRY(parse_fixed(parser, out, object, space, err));
    else if (primitive_of(type, &kind))
        *out = node_create(parser, kind);
    else
        return parse_reference(parser, out, type, space, err);
    apply_logical(*out, object);
    return ST_OK;
}

static enum status parse_schema(struct parser *parser, struct schema **out, const json_t *json,
                                const char *space, int depth, struct error *err)
{
    if (depth > SCHEMA_DEPTH_MAX)
        return FAIL(err, ST_INVALID, "the schema is nested deeper than %d", SCHEMA_DEPTH_MAX);
    if (json_is_object(json))
        return parse_object(parser, out, json, space, depth, err);
    if (json_is_array(json))
        return parse_union(parser, out, json, space, depth, err);
    const char *name = text_of(json);
    if (name == NULL)
        return FAIL(err, ST_INVALID, "a schema is a name, an object or an array");
    return parse_reference(parser, out, name, space, err);
}
