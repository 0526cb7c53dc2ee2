/* json_plan: builds the tree of wanted places and finds names in it. */
#include "schemas/json_plan.h"

#include <jansson.h>
#include <string.h>

#include "base/ensure.h"
#include "schemas/json_scalar.h"

enum { SIZE_BIT_MAX = 63 };

struct plan_builder {
    struct arena *arena;
    size_t column_count;
};

static enum status add_column(const struct plan_builder *builder, struct json_node *root, uint32_t slot,
                              const struct decoder_column *column, struct error *err);
static enum status fill_defaults(const struct plan_builder *builder, struct json_node *node, struct error *err);

/* ---- nodes ---- */

static struct bytes branch_name(const struct schema *schema)
{
    static const char *const names[] = {
        [SCHEMA_NULL] = "null",     [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
        [SCHEMA_LONG] = "long",     [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
        [SCHEMA_BYTES] = "bytes",   [SCHEMA_STRING] = "string",   [SCHEMA_ARRAY] = "array",
        [SCHEMA_MAP] = "map",       [SCHEMA_UNION] = "union",
    };
    const bool named = schema->kind == SCHEMA_RECORD || schema->kind == SCHEMA_ENUM || schema->kind == SCHEMA_FIXED;
    return bytes_of_string(named ? schema->name : names[schema->kind]);
}

static void add_names(struct json_node *node, struct arena *arena)
{
    const struct schema *schema = node->schema;
    size_t count = schema->count;
    for (size_t i = 0; i < schema->count; i++)
        count += schema->fields[i].alias_count;
    node->names = arena_alloc(arena, count * sizeof *node->names);
    for (size_t i = 0; i < schema->count; i++) /* before all aliases: a field's own name wins */
        node->names[node->name_count++] = (struct json_name){ bytes_of_string(schema->fields[i].name), i };
    for (size_t i = 0; i < schema->count; i++)
        for (size_t k = 0; k < schema->fields[i].alias_count; k++)
            node->names[node->name_count++] =
                (struct json_name){ bytes_of_string(schema->fields[i].aliases[k]), i };
    for (size_t i = 0; i < node->name_count; i++) {
        const size_t size = node->names[i].text.size;
        node->name_sizes |= UINT64_C(1) << (size < SIZE_BIT_MAX ? size : SIZE_BIT_MAX);
    }
    node->fields = arena_alloc_zeroed(arena, schema->count * sizeof *node->fields);
}

/* Takes a union with null apart; any other union of several types is no place for a column. */
static enum status open_union(struct json_node *node, const struct schema *schema, struct error *err)
{
    node->schema = schema;
    node->nullable = schema->kind == SCHEMA_NULL;
    if (schema->kind != SCHEMA_UNION)
        return ST_OK;
    node->in_union = true;
    const struct schema *other = NULL;
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->branches[i]->kind == SCHEMA_NULL)
            node->nullable = true;
        else if (other == NULL)
            other = schema->branches[i];
        else
            return FAIL(err, ST_INVALID, "field '%s' is a union of several types", node->path);
    }
    if (other != NULL)
        node->schema = other;
    else
        node->schema = schema->count > 0 ? schema->branches[0] : schema;
    return ST_OK;
}

static enum status node_create(const struct plan_builder *builder, struct json_node **out,
                               const struct schema *schema, const char *path, struct error *err)
{
    struct json_node *node = arena_alloc_zeroed(builder->arena, sizeof *node);
    node->path = path;
    TRY(open_union(node, schema, err));
    node->branch = branch_name(node->schema);
    node->slots = arena_alloc(builder->arena, builder->column_count * sizeof *node->slots);
    if (node->schema->kind == SCHEMA_RECORD)
        add_names(node, builder->arena);
    *out = node;
    return ST_OK;
}

enum status json_plan_build(struct json_node **out, const struct schema *reader,
                            const struct decoder_column *columns, size_t column_count,
                            struct arena *arena, struct error *err)
{
    ENSURE(column_count < UINT32_MAX);
    if (reader->kind != SCHEMA_RECORD)
        return FAIL(err, ST_INVALID, "the schema of a JSON stream must be a record");
    const struct plan_builder builder = { .arena = arena, .column_count = column_count };
    TRY(node_create(&builder, out, reader, "", err));
    for (size_t i = 0; i < column_count; i++)
        TRY(add_column(&builder, *out, (uint32_t)i, &columns[i], err));
    return fill_defaults(&builder, *out, err);
}

static size_t own_field(const struct json_node *node, struct bytes name)
{
    for (size_t i = 0; i < node->schema->count; i++)
        if (bytes_equal(node->names[i].text, name))
            return i;
    return JSON_NO_FIELD;
}

static bool is_scalar(enum schema_kind kind)
{
    return kind != SCHEMA_RECORD && kind != SCHEMA_ARRAY && kind != SCHEMA_MAP && kind != SCHEMA_UNION;
}

static enum status add_column(const struct plan_builder *builder, struct json_node *root, uint32_t slot,
                              const struct decoder_column *column, struct error *err)
{
    struct json_node *node = root;
    node->slots[node->slot_count++] = slot;
    for (const char *at = column->path, *end; at != NULL; at = *end == '.' ? end + 1 : NULL) {
        end = at + strcspn(at, ".");
        const size_t field = node->schema->kind == SCHEMA_RECORD
                                 ? own_field(node, bytes_of(at, (size_t)(end - at)))
                                 : JSON_NO_FIELD;
        if (field == JSON_NO_FIELD)
            return FAIL(err, ST_INVALID, "the schema has no field '%s'", column->path);
        if (node->fields[field] == NULL) {
            const struct bytes path = bytes_of(column->path, (size_t)(end - column->path));
            const char *name = arena_format(builder->arena, "%.*s", (int)path.size, (const char *)path.data);
            TRY(node_create(builder, &node->fields[field], node->schema->fields[field].type, name, err));
        }
        node = node->fields[field];
        node->slots[node->slot_count++] = slot;
    }
    if (!is_scalar(node->schema->kind))
        return FAIL(err, ST_INVALID, "field '%s' is no scalar", column->path);
    node->type = column->type;
    return ST_OK;
}

/* ---- defaults ---- */

/* What the columns below `node` are when it is `json`; `values` has one place per column of the plan. */
static enum status default_values(const struct plan_builder *builder, const struct json_node *node,
                                  const json_t *json, struct value *values, struct error *err)
{
    if (json_is_null(json)) {
        for (size_t i = 0; i < node->slot_count; i++)
            values[node->slots[i]] = value_null();
        return ST_OK;
    }
    if (node->schema->kind != SCHEMA_RECORD) {
        struct value value;
        if (json_scalar_default(&value, json, node->schema, node->type, builder->arena, err) != ST_OK)
            return error_prefix(err, "field '%s'", node->path);
        for (size_t i = 0; i < node->slot_count; i++)
            values[node->slots[i]] = value;
        return ST_OK;
    }
    for (size_t i = 0; i < node->schema->count; i++) {
        const struct schema_field *field = &node->schema->fields[i];
        if (node->fields[i] == NULL)
            continue;
        const json_t *member = json_object_get(json, field->name);
        if (member == NULL && field->has_default)
            member = field->default_value;
        if (member == NULL)
            return FAIL(err, ST_INVALID, "the default of '%s' lacks '%s'", node->path, field->name);
        TRY(default_values(builder, node->fields[i], member, values, err));
    }
    return ST_OK;
}

static enum status fill_defaults(const struct plan_builder *builder, struct json_node *node, struct error *err)
{
    if (node->schema->kind != SCHEMA_RECORD)
        return ST_OK;
    for (size_t i = 0; i < node->schema->count; i++) {
        struct json_node *child = node->fields[i];
        if (child == NULL)
            continue;
        TRY(fill_defaults(builder, child, err));
        if (!node->schema->fields[i].has_default)
            continue;
        struct value *values = arena_alloc(builder->arena, builder->column_count * sizeof *values);
        TRY(default_values(builder, child, node->schema->fields[i].default_value, values, err));
        child->defaults = arena_alloc(builder->arena, child->slot_count * sizeof *child->defaults);
        for (size_t k = 0; k < child->slot_count; k++)
            child->defaults[k] = values[child->slots[k]];
    }
    return ST_OK;
}

/* ---- names ---- */

/* Producers write their fields in one order: the name that stood here last time is tried first. */
size_t json_plan_field(struct json_node *node, struct bytes name, size_t ordinal)
{
    const struct json_name *names = node->names;
    const bool remembered = ordinal < JSON_ORDER_MAX && node->name_count > 0;
    if (remembered && bytes_equal(names[node->order[ordinal]].text, name))
        return names[node->order[ordinal]].field;
    if ((node->name_sizes >> (name.size < SIZE_BIT_MAX ? name.size : SIZE_BIT_MAX) & 1) == 0)
        return JSON_NO_FIELD;
    for (size_t i = 0; i < node->name_count; i++) {
        if (!bytes_equal(names[i].text, name))
            continue;
        if (remembered && i <= UINT16_MAX)
            node->order[ordinal] = (uint16_t)i;
        return names[i].field;
    }
    return JSON_NO_FIELD;
}
