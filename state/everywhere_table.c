/* The tables that every task sees: one copy per worker, in memory. */
#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "state/table.h"
#include "state/table_versions.h"

struct everywhere_row {
    int64_t *times;
    struct value **versions; /* NULL: deleted; a version's text lies behind its values */
    size_t count;
};

struct everywhere_table {
    const struct table_spec *spec;
    struct map *rows; /* key -> struct everywhere_row */
    uint64_t bytes;   /* of all versions */
    size_t present;   /* rows whose newest version is no deletion */
};

void everywhere_table_create(struct everywhere_table **out, const struct table_spec *spec)
{
    ENSURE(*out == NULL);
    struct everywhere_table *table = mem_alloc(sizeof *table);
    table->spec = spec;
    map_create(&table->rows, sizeof(struct everywhere_row));
    *out = table;
}

static bool is_text(const struct value *v)
{
    return v->kind == VALUE_STRING || v->kind == VALUE_BYTES;
}

static size_t columns_size(const struct everywhere_table *table, const struct value *columns)
{
    size_t size = table->spec->column_count * sizeof *columns;
    for (size_t i = 0; i < table->spec->column_count; i++)
        size += is_text(&columns[i]) ? columns[i].text.size : 0;
    return size;
}

static size_t version_footprint(const struct everywhere_table *table, const struct value *columns)
{
    return sizeof(int64_t) + sizeof columns + (columns == NULL ? 0 : columns_size(table, columns));
}

static void free_versions(struct everywhere_table *table, struct everywhere_row *row, size_t from)
{
    for (size_t i = from; i < row->count; i++) {
        table->bytes -= version_footprint(table, row->versions[i]);
        mem_free(row->versions[i]);
    }
    row->count = from;
}

void everywhere_table_destroy(struct everywhere_table **table)
{
    if (*table == NULL)
        return;
    struct map_iterator it = map_iterate((*table)->rows);
    while (map_next(&it)) {
        struct everywhere_row *row = it.value;
        free_versions(*table, row, 0);
        mem_free(row->times);
        mem_free(row->versions);
    }
    map_destroy(&(*table)->rows);
    mem_free(*table);
    *table = NULL;
}

static struct value *copy_columns(const struct everywhere_table *table, const struct value *columns)
{
    const size_t count = table->spec->column_count;
    struct value *copy = mem_alloc(columns_size(table, columns));
    uint8_t *text = (uint8_t *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = columns[i];
        if (!is_text(&columns[i]))
            continue;
        if (columns[i].text.size > 0)
            memcpy(text, columns[i].text.data, columns[i].text.size);
        copy[i].text.data = text;
        text += columns[i].text.size;
    }
    return copy;
}

static bool is_present(const struct everywhere_row *row)
{
    return row->count > 0 && row->versions[0] != NULL;
}

void everywhere_table_put(struct everywhere_table *table, struct bytes key, int64_t time_us,
                          const struct value *columns)
{
    struct everywhere_row *row = map_insert(table->rows, key, NULL);
    const bool was_present = is_present(row);
    row->times = mem_resize_array(row->times, row->count + 1, sizeof *row->times);
    row->versions = mem_resize_array(row->versions, row->count + 1, sizeof *row->versions);
    const size_t at = table_versions_place(row->times, row->count, time_us);
    for (size_t i = row->count; i > at; i--) {
        row->times[i] = row->times[i - 1];
        row->versions[i] = row->versions[i - 1];
    }
    row->times[at] = time_us;
    row->versions[at] = columns == NULL ? NULL : copy_columns(table, columns);
    row->count++;
    table->bytes += version_footprint(table, row->versions[at]);
    free_versions(table, row,
                  table_versions_keep(row->times, row->count, table->spec->versions_us));
    table->present += is_present(row);
    table->present -= was_present;
}

bool everywhere_table_get(const struct everywhere_table *table, struct bytes key, int64_t as_of_us,
                          struct value *columns)
{
    const struct everywhere_row *row = map_find(table->rows, key);
    if (row == NULL)
        return false;
    const size_t at =
        table_versions_as_of(row->times, row->count, table->spec->versions_us, as_of_us);
    if (at >= row->count || row->versions[at] == NULL)
        return false;
    memcpy(columns, row->versions[at], table->spec->column_count * sizeof *columns);
    return true;
}

size_t everywhere_table_count(const struct everywhere_table *table)
{
    return table->present;
}

uint64_t everywhere_table_footprint(const struct everywhere_table *table)
{
    return sizeof *table + map_footprint(table->rows) + table->bytes;
}
