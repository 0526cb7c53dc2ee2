/*
 * Row: u8 format = 1 | varint version count, newest first, each: zigzag time | u8 present | varint
 * layout, run columns (present)
 */
#include "state/table.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/keys.h"
#include "state/table_versions.h"

enum { TABLE_FORMAT = 1, VERSION_SIZE_MIN = 2 };

struct table {
    const struct table_spec *spec;
    struct overlay *overlay;
    struct layouts *layouts;
    uint32_t layout;
    struct buffer key, row;
    struct version *versions;
    int64_t *times;
    size_t capacity;
};

struct version {
    bool present;
    uint32_t layout;
    struct bytes columns;
};

enum status table_create(struct table **out, const struct table_spec *spec, struct overlay *overlay,
                         struct layouts *layouts, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(table_destroy) struct table *table = mem_alloc(sizeof *table);
    table->spec = spec;
    table->overlay = overlay;
    table->layouts = layouts;
    TRY(layouts_number(layouts, spec->columns, spec->column_count, &table->layout, err));
    *out = TAKE(table);
    return ST_OK;
}

void table_destroy(struct table **table)
{
    if (*table == NULL)
        return;
    buffer_fini(&(*table)->key);
    buffer_fini(&(*table)->row);
    mem_free((*table)->versions);
    mem_free((*table)->times);
    mem_free(*table);
    *table = NULL;
}

static struct bytes row_key(struct table *table, struct bytes key)
{
    buffer_clear(&table->key);
    buffer_put_u8(&table->key, KEY_TABLE);
    buffer_put_u8(&table->key, table->spec->number);
    buffer_put_run(&table->key, key);
    return buffer_view(&table->key);
}

static void reserve(struct table *table, size_t count)
{
    if (count <= table->capacity)
        return;
    table->capacity = count * 2;
    table->versions = mem_resize_array(table->versions, table->capacity, sizeof *table->versions);
    table->times = mem_resize_array(table->times, table->capacity, sizeof *table->times);
}

static enum status malformed(struct error *err)
{
    return FAIL(err, ST_CORRUPT, "a table's row is malformed");
}

static bool read_version(struct reader *in, int64_t *time_us, struct version *version)
{
    *time_us = reader_zigzag(in);
    const uint8_t present = reader_u8(in);
    const uint64_t layout = present == 1 ? reader_varint(in) : 0;
    *version = (struct version){ .present = present == 1, .layout = (uint32_t)layout };
    version->columns = present == 1 ? reader_run(in) : BYTES_NONE;
    return !in->failed && present <= 1 && layout <= UINT32_MAX;
}

/* Leaves room for one more. */
static enum status read_row(struct table *table, struct bytes row, size_t *count, struct error *err)
{
    *count = 0;
    reserve(table, 1);
    if (row.data == NULL)
        return ST_OK;
    struct reader in = reader_of(row);
    const uint8_t format = reader_u8(&in);
    const uint64_t versions = reader_varint(&in);
    if (in.failed || format != TABLE_FORMAT || versions > TABLE_VERSIONS_MAX ||
        versions > reader_left(&in) / VERSION_SIZE_MIN)
        return malformed(err);
    reserve(table, (size_t)versions + 1);
    for (uint64_t i = 0; i < versions; i++) {
        if (!read_version(&in, &table->times[i], &table->versions[i]) ||
            (i > 0 && table->times[i] > table->times[i - 1]))
            return malformed(err);
    }
    *count = (size_t)versions;
    return reader_done(&in) ? ST_OK : malformed(err);
}

static void write_row(struct table *table, size_t count)
{
    buffer_clear(&table->row);
    buffer_put_u8(&table->row, TABLE_FORMAT);
    buffer_put_varint(&table->row, count);
    for (size_t i = 0; i < count; i++) {
        const struct version *version = &table->versions[i];
        buffer_put_zigzag(&table->row, table->times[i]);
        buffer_put_u8(&table->row, version->present);
        if (!version->present)
            continue;
        buffer_put_varint(&table->row, version->layout);
        buffer_put_run(&table->row, version->columns);
    }
}

static void insert_version(struct table *table, size_t *count, int64_t time_us,
                           const struct version *version)
{
    const size_t at = table_versions_place(table->times, *count, time_us);
    for (size_t i = *count; i > at; i--) {
        table->versions[i] = table->versions[i - 1];
        table->times[i] = table->times[i - 1];
    }
    table->versions[at] = *version;
    table->times[at] = time_us;
    (*count)++;
    *count = table_versions_keep(table->times, *count, table->spec->versions_us);
}

enum status table_put(struct table *table, struct bytes key, int64_t time_us,
                      const struct value *columns, struct error *err)
{
    struct bytes row;
    size_t count;
    TRY(overlay_get(table->overlay, row_key(table, key), &row, err));
    TRY(read_row(table, row, &count, err));
    struct buffer packed;
    buffer_init(&packed);
    if (columns != NULL)
        layout_write_values(&packed, columns, table->spec->column_count);
    const struct version version = { columns != NULL, table->layout, buffer_view(&packed) };
    insert_version(table, &count, time_us, &version);
    /* A deletion keeps its time: an older put that comes late brings nothing back. */
    write_row(table, count);
    buffer_fini(&packed);
    return overlay_put(table->overlay, row_key(table, key), buffer_view(&table->row), err);
}

enum status table_get(struct table *table, struct bytes key, int64_t as_of_us,
                      struct value *columns, bool *found, struct arena *arena, struct error *err)
{
    struct bytes row;
    size_t count;
    *found = false;
    TRY(overlay_get(table->overlay, row_key(table, key), &row, err));
    TRY(read_row(table, row, &count, err));
    const size_t at = table_versions_as_of(table->times, count, table->spec->versions_us, as_of_us);
    if (at >= count || !table->versions[at].present)
        return ST_OK;
    const struct layout_mapping *mapping;
    TRY(layouts_mapping(table->layouts, table->versions[at].layout, table->spec->columns,
                        table->spec->column_count, &mapping, err));
    struct reader in = reader_of(table->versions[at].columns);
    TRY(layout_read_values(mapping, &in, columns, err));
    for (size_t i = 0; i < table->spec->column_count; i++) {
        if (columns[i].kind == VALUE_STRING || columns[i].kind == VALUE_BYTES)
            columns[i].text = arena_copy(arena, columns[i].text);
    }
    *found = true;
    return reader_done(&in) ? ST_OK : malformed(err);
}
