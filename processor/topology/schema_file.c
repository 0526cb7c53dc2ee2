#include "processor/topology/schema_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/topology/section.h"

/*
 * The whole file; false when it cannot be opened. A file larger than a schema may be is cut, and
 * will not parse.
 */
static bool read_file(struct buffer *out, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t got = 1;
    while (got > 0 && out->size <= SCHEMA_TEXT_MAX) {
        uint8_t block[4096];
        got = fread(block, 1, sizeof block, file);
        buffer_put(out, block, got);
    }
    (void)fclose(file);
    return true;
}

static bool read_beside(struct buffer *out, const char *beside, const char *name)
{
    const char *slash = beside == NULL || name[0] == '/' ? NULL : strrchr(beside, '/');
    if (slash == NULL)
        return read_file(out, name);
    AUTO(mem_auto_free) char *path = mem_format("%.*s/%s", (int)(slash - beside), beside, name);
    return read_file(out, path);
}

static bool find_schema(const struct loader *loader, const char *name, struct buffer *out)
{
    const struct topology_options *options = loader->options;
    if (read_beside(out, loader->file, name))
        return true;
    if (options->schemas_directory != NULL && name[0] != '/') {
        AUTO(mem_auto_free) char *path = mem_format("%s/%s", options->schemas_directory, name);
        if (read_file(out, path))
            return true;
    }
    struct bytes content = BYTES_NONE;
    if (options->find_embedded == NULL || !options->find_embedded(options->context, name, &content))
        return false;
    buffer_put_bytes(out, content);
    return true;
}

static void refuse_missing(struct loader *loader, const struct yaml_node *value)
{
    const char *directory = loader->options->schemas_directory;
    diagnose(loader->diagnostics, value->position,
             "schema '%s' was found neither beside the topology file nor %s%s", value->text,
             directory == NULL ? "elsewhere: --schemas DIR names another directory" : "in ",
             directory == NULL ? "" : directory);
}

struct schema_document *schema_file_load(struct loader *loader, const struct yaml_node *map,
                                         const char **file)
{
    *file = section_text(loader, map, "schema");
    if (*file == NULL)
        return NULL;
    const struct yaml_node *value = yaml_map_find(map, "schema");
    struct buffer text;
    buffer_init(&text);
    struct schema_document *document = NULL;
    struct error err = { 0 };
    if (!find_schema(loader, *file, &text))
        refuse_missing(loader, value);
    else if (schema_parse(&document, buffer_text(&text), text.size, &err) != ST_OK)
        diagnose(loader->diagnostics, value->position, "%s: %s", *file, err.text);
    buffer_fini(&text);
    if (document == NULL)
        return NULL;
    return plan_memory_keep_document(loader->memory, &document);
}

/* ---- columns ---- */

struct collector {
    struct loader *loader;
    struct schema_file_columns *columns;
    size_t found;
};

static void collect(void *context, const char *path, const struct schema_column *column)
{
    struct collector *collector = context;
    if (collector->found++ >= COLUMNS_MAX)
        return;
    struct schema_file_columns *columns = collector->columns;
    columns->paths[columns->count] = arena_copy_string(collector->loader->arena, path);
    columns->columns[columns->count++] = *column;
}

struct schema_file_columns schema_file_columns(struct loader *loader, const struct yaml_node *map,
                                               const struct schema_document *document)
{
    struct schema_file_columns columns = { 0 };
    if (document == NULL)
        return columns;
    const struct yaml_node *value = yaml_map_find(map, "schema");
    const struct schema *root = schema_root(document);
    if (root->kind != SCHEMA_RECORD) {
        diagnose(loader->diagnostics, value->position,
                 "%s: an event is a record, not something else", value->text);
        return columns;
    }
    columns.paths = arena_alloc(loader->arena, COLUMNS_MAX * sizeof columns.paths[0]);
    columns.columns = arena_alloc(loader->arena, COLUMNS_MAX * sizeof columns.columns[0]);
    struct collector collector = { .loader = loader, .columns = &columns };
    schema_each_column(root, collect, &collector);
    if (collector.found > COLUMNS_MAX || collector.found == 0) {
        diagnose(loader->diagnostics, value->position,
                 "%s has %zu columns; a stream or table reads 1 to %d", value->text,
                 collector.found, COLUMNS_MAX);
        columns.count = 0;
    }
    return columns;
}
