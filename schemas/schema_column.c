/* schema_column: the scalar places of a schema and their names (the second half of schema.h). */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "schemas/schema.h"

static enum status unknown_path(const struct schema *root, const char *path, struct error *err);

static const char *const kind_names[] = {
    [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
    [SCHEMA_LONG] = "long",   [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
    [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",   [SCHEMA_RECORD] = "record",
    [SCHEMA_ENUM] = "enum",   [SCHEMA_ARRAY] = "array",     [SCHEMA_MAP] = "map",
    [SCHEMA_FIXED] = "fixed", [SCHEMA_UNION] = "union",
};

const char *schema_kind_text(const struct schema *schema, char out[SCHEMA_KIND_TEXT_SIZE])
{
    if (schema->name != NULL)
        snprintf(out, SCHEMA_KIND_TEXT_SIZE, "%s '%.80s'", kind_names[schema->kind], schema->name);
    else if (schema->kind == SCHEMA_UNION)
        snprintf(out, SCHEMA_KIND_TEXT_SIZE, "a union of %zu types", schema->count);
    else
        snprintf(out, SCHEMA_KIND_TEXT_SIZE, "%s", kind_names[schema->kind]);
    return out;
}

bool schema_scalar_type(const struct schema *schema, struct value_type *out)
{
    *out = (struct value_type){ .kind = VALUE_NULL };
    switch (schema->kind) {
    case SCHEMA_BOOLEAN:
        out->kind = VALUE_BOOL;
        return true;
    case SCHEMA_INT:
        out->kind = schema->logical == LOGICAL_DATE ? VALUE_TIMESTAMP : VALUE_INT;
        return true;
    case SCHEMA_LONG:
        out->kind = schema->logical == LOGICAL_NONE ? VALUE_INT : VALUE_TIMESTAMP;
        return true;
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        out->kind = VALUE_DOUBLE;
        return true;
    case SCHEMA_STRING:
    case SCHEMA_ENUM:
        out->kind = VALUE_STRING;
        return true;
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        out->kind = schema->logical == LOGICAL_DECIMAL ? VALUE_DECIMAL : VALUE_BYTES;
        out->scale = schema->scale;
        return schema->scale <= DECIMAL_SCALE_MAX;
    case SCHEMA_NULL:
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
    case SCHEMA_UNION:
        return false;
    }
    UNREACHABLE();
}

const struct schema *schema_without_null(const struct schema *schema, bool *nullable)
{
    if (schema->kind != SCHEMA_UNION)
        return schema;
    const struct schema *left = NULL;
    size_t others = 0;
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->branches[i]->kind == SCHEMA_NULL)
            *nullable = true;
        else if (others++ == 0)
            left = schema->branches[i];
    }
    if (others > 1)
        return NULL;
    return left != NULL ? left : schema->branches[0]; /* ["null"] alone */
}

static enum status not_scalar(const struct schema *schema, const char *path, struct error *err)
{
    char text[SCHEMA_KIND_TEXT_SIZE];
    if (schema->logical == LOGICAL_DECIMAL)
        return FAIL(err, ST_INVALID, "'%.200s' is a decimal of scale %u; at most %d are supported",
                    path, (unsigned)schema->scale, DECIMAL_SCALE_MAX);
    return FAIL(err, ST_INVALID, "'%.200s' is no single value: it is %s%s", path,
                schema_kind_text(schema, text),
                schema->kind == SCHEMA_RECORD ? " (name a field of it)" : "");
}

static const struct schema_field *find_field(const struct schema *record, const char *name,
                                             size_t size)
{
    for (size_t i = 0; record->kind == SCHEMA_RECORD && i < record->count; i++)
        if (bytes_equal(bytes_of_string(record->fields[i].name), bytes_of(name, size)))
            return &record->fields[i];
    return NULL;
}

enum status schema_find_column(const struct schema *root, const char *path,
                               struct schema_column *out, struct error *err)
{
    *out = (struct schema_column){ .sensitive = false };
    bool nullable = false;
    const struct schema *at = schema_without_null(root, &nullable);
    const struct schema *whole = root;
    for (const char *rest = path; *rest != '\0';) {
        const size_t size = strcspn(rest, ".");
        if (at == NULL)
            return not_scalar(whole, path, err);
        const struct schema_field *field = find_field(at, rest, size);
        if (field == NULL || (rest[size] == '.' && rest[size + 1] == '\0'))
            return unknown_path(root, path, err);
        out->sensitive |= field->sensitive;
        whole = field->type;
        at = schema_without_null(whole, &nullable);
        rest += size + (rest[size] == '.');
    }
    if (*path == '\0')
        return unknown_path(root, path, err);
    if (at == NULL || (at->kind != SCHEMA_NULL && !schema_scalar_type(at, &out->type)))
        return not_scalar(at == NULL ? whole : at, path, err);
    out->type.nullable = nullable || at->kind == SCHEMA_NULL;
    return ST_OK;
}

/* ---- all columns ---- */

struct walk {
    char path[SCHEMA_PATH_MAX];
    size_t columns_left;
    size_t fields_left; /* records without scalars, nested again and again, must end too */
    void (*each)(void *context, const char *path, const struct schema_column *column);
    void *context;
};

static void walk_schema(struct walk *walk, const struct schema *schema, size_t path_size, int depth,
                        struct schema_column column);

static void walk_field(struct walk *walk, const struct schema_field *field, size_t path_size,
                       int depth, struct schema_column column)
{
    const size_t name_size = strlen(field->name);
    if (path_size + name_size + 2 > sizeof walk->path)
        return;
    if (path_size > 0)
        walk->path[path_size++] = '.';
    memcpy(walk->path + path_size, field->name, name_size + 1);
    column.sensitive |= field->sensitive;
    walk_schema(walk, field->type, path_size + name_size, depth + 1, column);
}

static void walk_schema(struct walk *walk, const struct schema *schema, size_t path_size, int depth,
                        struct schema_column column)
{
    bool nullable = column.type.nullable;
    schema = schema_without_null(schema, &nullable);
    if (schema == NULL)
        return;
    if (schema->kind == SCHEMA_RECORD && depth < SCHEMA_COLUMN_DEPTH_MAX) {
        column.type.nullable = nullable;
        for (size_t i = 0; i < schema->count && walk->columns_left > 0 && walk->fields_left > 0;
             i++) {
            walk->fields_left--;
            walk_field(walk, &schema->fields[i], path_size, depth, column);
        }
    } else if (depth > 0 && schema_scalar_type(schema, &column.type) && walk->columns_left > 0) {
        column.type.nullable = nullable;
        walk->columns_left--;
        walk->each(walk->context, walk->path, &column);
    }
}

void schema_each_column(const struct schema *root,
                        void (*each)(void *context, const char *path,
                                     const struct schema_column *column),
                        void *context)
{
    enum { FIELDS_MAX = 16 * SCHEMA_COLUMNS_MAX };
    struct walk walk = { .columns_left = SCHEMA_COLUMNS_MAX,
                         .fields_left = FIELDS_MAX,
                         .each = each,
                         .context = context };
    walk_schema(&walk, root, 0, 0, (struct schema_column){ .sensitive = false });
}

/* ---- what could have been meant ---- */

enum { SUGGESTIONS_MAX = 3, DISTANCE_TEXT_MAX = 64, KNOWN_MAX = 8 };

struct suggestions {
    const char *wanted;
    char *paths[SUGGESTIONS_MAX]; /* nearest first */
    size_t distances[SUGGESTIONS_MAX];
    struct buffer known;
    size_t known_count;
};

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * How many letters must be changed, added or left out (Levenshtein), of the first
 * DISTANCE_TEXT_MAX.
 */
static size_t edit_distance(const char *a, const char *b)
{
    const size_t a_size = least_of(strlen(a), DISTANCE_TEXT_MAX),
                 b_size = least_of(strlen(b), DISTANCE_TEXT_MAX);
    size_t row[DISTANCE_TEXT_MAX + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            const size_t above = row[j];
            row[j] = least_of(least_of(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_size];
}

/* "country" is near "customer.address.country", whatever the path before it. */
static size_t distance_to(const char *wanted, const char *path)
{
    const char *last = strrchr(path, '.');
    const size_t whole = edit_distance(wanted, path);
    return last == NULL ? whole : least_of(whole, edit_distance(wanted, last + 1));
}

static void suggest(void *context, const char *path, const struct schema_column *column)
{
    (void)column;
    struct suggestions *all = context;
    if (all->known_count < KNOWN_MAX)
        buffer_printf(&all->known, "%s%s", all->known_count == 0 ? "" : ", ", path);
    all->known_count++;

    const size_t distance = distance_to(all->wanted, path);
    if (distance > strlen(all->wanted) / 3 + 1)
        return;
    size_t at = SUGGESTIONS_MAX;
    while (at > 0 && (all->paths[at - 1] == NULL || all->distances[at - 1] > distance))
        at--;
    if (at == SUGGESTIONS_MAX)
        return;
    mem_free(all->paths[SUGGESTIONS_MAX - 1]);
    memmove(&all->paths[at + 1], &all->paths[at], (SUGGESTIONS_MAX - 1 - at) * sizeof *all->paths);
    memmove(&all->distances[at + 1], &all->distances[at],
            (SUGGESTIONS_MAX - 1 - at) * sizeof *all->distances);
    all->paths[at] = mem_copy_string(path);
    all->distances[at] = distance;
}

static enum status unknown_path(const struct schema *root, const char *path, struct error *err)
{
    struct suggestions all = { .wanted = path };
    buffer_init(&all.known);
    schema_each_column(root, suggest, &all);

    struct buffer near;
    buffer_init(&near);
    for (size_t i = 0; i < SUGGESTIONS_MAX && all.paths[i] != NULL; i++) {
        buffer_printf(&near, "%s'%s'", i == 0 ? "" : " or ", all.paths[i]);
        mem_free(all.paths[i]);
    }
    const enum status status =
        near.size > 0 ? FAIL(err, ST_NOT_FOUND, "the schema has no '%.120s'; did you mean %.200s?",
                             path, buffer_text(&near))
                      : FAIL(err, ST_NOT_FOUND, "the schema has no '%.120s'; it has %.200s%s", path,
                             all.known_count == 0 ? "no columns" : buffer_text(&all.known),
                             all.known_count > KNOWN_MAX ? ", ..." : "");
    buffer_fini(&near);
    buffer_fini(&all.known);
    return status;
}
