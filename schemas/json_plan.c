/* json_plan: builds the tree of wanted places and finds names in it. */
#include "schemas/json_plan.h"

#include <string.h>

#include "base/ensure.h"
#include "schemas/schema_default.h"

enum { SIZE_BIT_MAX = 63 };

struct plan_builder {
    struct arena *arena;
    const struct decoder_column *columns;
    size_t column_count;
};

static enum status add_column(const struct plan_builder *builder, struct json_node *root,
                              uint32_t slot, struct error *err);
static enum status fill_defaults(const struct plan_builder *builder, struct json_node *node,
                                 struct error *err);

/* ---- nodes ---- */

static struct bytes branch_name(const struct schema *schema)
{
    static const char *const names[] = {
        [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
        [SCHEMA_LONG] = "long",   [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
        [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",   [SCHEMA_ARRAY] = "array",
        [SCHEMA_MAP] = "map",     [SCHEMA_UNION] = "union",
    };
    const bool named = schema->kind == SCHEMA_RECORD || schema->kind == SCHEMA_ENUM ||
                       schema->kind == SCHEMA_FIXED;
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
        node->names[node->name_count++] =
            (struct json_name){ bytes_of_string(schema->fields[i].name), i };
    for (size_t i = 0; i < schema->count; i++)
        for (size_t k = 0; k < schema->fields[i].alias_count; k++)
            node->names[node->name_count++] =
                (struct json_name){ bytes_of_string(schema->fields[i].aliases[k]), i };
    for (size_t i = 0; i < node->name_count; i++) {
        const size_t size = node->names[i].text.size;
        node->name_sizes |= UINT64_C(1) << (size < SIZE_BIT_MAX ? size : SIZE_BIT_MAX);
    }
    node->fields = arena_alloc_zeroed(arena, schema->count * sizeof(struct json_node *));
}

/* Takes a union with null apart; any other union of several types is no place for a column. */
static enum status open_union(struct json_node *node, const struct schema *schema,
                              struct error *err)
{
    node->in_union = schema->kind == SCHEMA_UNION;
    node->nullable = schema->kind == SCHEMA_NULL;
    node->schema = schema_without_null(schema, &node->nullable);
    if (node->schema == NULL)
        return FAIL(err, ST_INVALID, "field '%s' is a union of several types", node->path);
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
    const struct plan_builder builder = { .arena = arena,
                                          .columns = columns,
                                          .column_count = column_count };
    TRY(node_create(&builder, out, reader, "", err));
    for (size_t i = 0; i < column_count; i++)
        TRY(add_column(&builder, *out, (uint32_t)i, err));
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
    return kind != SCHEMA_RECORD && kind != SCHEMA_ARRAY && kind != SCHEMA_MAP &&
           kind != SCHEMA_UNION;
}

static enum status add_column(const struct plan_builder *builder, struct json_node *root,
                              uint32_t slot, struct error *err)
{
    const struct decoder_column *column = &builder->columns[slot];
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
            const char *name =
                arena_format(builder->arena, "%.*s", (int)path.size, (const char *)path.data);
            TRY(node_create(builder, &node->fields[field], node->schema->fields[field].type, name,
                            err));
        }
        node = node->fields[field];
        node->slots[node->slot_count++] = slot;
    }
    if (!is_scalar(node->schema->kind))
        return FAIL(err, ST_INVALID, "field '%s' is no scalar", column->path);
    return ST_OK;
}

/* ---- defaults ---- */

/* A column's path below the node's: "" when it is the node itself. */
static const char *rest_of_path(const struct json_node *node, const char *path)
{
    path += strlen(node->path);
    return *path == '.' ? path + 1 : path;
}

static enum status fill_defaults(const struct plan_builder *builder, struct json_node *node,
                                 struct error *err)
{
    for (size_t i = 0; i < node->schema->count && node->fields != NULL; i++) {
        struct json_node *child = node->fields[i];
        const struct schema_field *field = &node->schema->fields[i];
        if (child == NULL)
            continue;
        TRY(fill_defaults(builder, child, err));
        if (!field->has_default)
            continue;
        child->defaults = arena_alloc(builder->arena, child->slot_count * sizeof *child->defaults);
        for (size_t k = 0; k < child->slot_count; k++) {
            const char *rest = rest_of_path(child, builder->columns[child->slots[k]].path);
            TRY(schema_default_value(&child->defaults[k], field, rest, builder->arena, err));
        }
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
