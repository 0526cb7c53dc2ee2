/*
 * Row: [6]['L'][number BE32] -> u8 format = 1 | varint column count, each: run name, u8 kind, u8
 * scale, u8 nullable.
 */
#include "state/layouts.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "state/keys.h"

enum { LAYOUT_FORMAT = 1, COLUMNS_MAX = 4096 };

struct layout {
    uint32_t number;
    bool committed;                /* its row survives an abort */
    bool stored;                   /* the overlay has its row */
    struct layout_column *columns; /* names owned */
    size_t count;
};

struct layouts {
    struct overlay *overlay;
    struct layout **items;
    size_t count;
    struct layout_mapping **mappings;
    size_t mapping_count;
};

/* from[i]: where the stored column i goes, -1: skipped. Absent ones of the target are null. */
struct layout_mapping {
    const struct layout *layout;
    const struct layout_column *columns;
    size_t column_count;
    int *from;
    bool same;
};

/* --- rows ------------------------------------------------------------------------------------- */

enum { ROW_KEY_SIZE = 6 };

static struct bytes row_key(uint32_t number, uint8_t key[ROW_KEY_SIZE])
{
    key[0] = KEY_TASK;
    key[1] = 'L';
    for (int i = 0; i < 4; i++)
        key[2 + i] = (uint8_t)(number >> (24 - 8 * i));
    return bytes_of(key, ROW_KEY_SIZE);
}

static enum status store_layout(struct layouts *layouts, struct layout *layout, struct error *err)
{
    uint8_t key[ROW_KEY_SIZE];
    struct buffer row;
    buffer_init(&row);
    buffer_put_u8(&row, LAYOUT_FORMAT);
    buffer_put_varint(&row, layout->count);
    for (size_t i = 0; i < layout->count; i++) {
        buffer_put_run(&row, bytes_of_string(layout->columns[i].name));
        buffer_put_u8(&row, (uint8_t)layout->columns[i].type.kind);
        buffer_put_u8(&row, layout->columns[i].type.scale);
        buffer_put_u8(&row, layout->columns[i].type.nullable);
    }
    const enum status st =
        overlay_put(layouts->overlay, row_key(layout->number, key), buffer_view(&row), err);
    buffer_fini(&row);
    layout->stored = st == ST_OK;
    return st;
}

static void free_layout(struct layout *layout)
{
    for (size_t i = 0; i < layout->count; i++)
        mem_free((void *)layout->columns[i].name);
    mem_free(layout->columns);
    mem_free(layout);
}

static enum status read_columns(struct layout *layout, struct reader *in, struct error *err)
{
    const uint64_t count = reader_varint(in);
    if (in->failed || count > COLUMNS_MAX)
        return FAIL(err, ST_CORRUPT, "a layout's row is malformed");
    layout->columns = mem_alloc_array((size_t)count + 1, sizeof *layout->columns);
    for (uint64_t i = 0; i < count; i++) {
        const struct bytes name = reader_run(in);
        const uint8_t kind = reader_u8(in), scale = reader_u8(in), nullable = reader_u8(in);
        if (in->failed || kind >= VALUE_KIND_COUNT || scale > DECIMAL_SCALE_MAX || nullable > 1)
            return FAIL(err, ST_CORRUPT, "a layout's row is malformed");
        layout->columns[layout->count++] = (struct layout_column){
            mem_copy_string_n((const char *)name.data, name.size),
            { .kind = (enum value_kind)kind, .scale = scale, .nullable = nullable == 1 },
        };
    }
    return reader_done(in) ? ST_OK : FAIL(err, ST_CORRUPT, "a layout's row is malformed");
}

static struct layout *add_layout(struct layouts *layouts, uint32_t number)
{
    struct layout *layout = mem_alloc(sizeof *layout);
    layout->number = number;
    layouts->items = mem_resize_array(layouts->items, layouts->count + 1, sizeof *layouts->items);
    layouts->items[layouts->count++] = layout;
    return layout;
}

struct loading {
    struct layouts *layouts;
    enum status st;
    struct error *err;
};

static bool load_row(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    struct reader name = reader_of(bytes_of(key.data + 2, key.size - 2));
    const uint32_t number = reader_be32(&name);
    struct reader in = reader_of(value);
    struct layout *layout = add_layout(loading->layouts, number);
    layout->stored = layout->committed = true;
    /* The last number has no next one. */
    if (!reader_done(&name) || number == 0 || number == UINT32_MAX ||
        reader_u8(&in) != LAYOUT_FORMAT)
        loading->st = FAIL(loading->err, ST_CORRUPT, "a layout's row is malformed");
    else
        loading->st = read_columns(layout, &in, loading->err);
    return loading->st == ST_OK;
}

enum status layouts_open(struct layouts **out, struct overlay *overlay, struct error *err)
{
    static const uint8_t from[] = { KEY_TASK, 'L' }, to[] = { KEY_TASK, 'L' + 1 };
    ENSURE(*out == NULL);
    AUTO(layouts_close) struct layouts *layouts = mem_alloc(sizeof *layouts);
    layouts->overlay = overlay;
    struct loading loading = { layouts, ST_OK, err };
    TRY(overlay_scan(overlay, bytes_of(from, sizeof from), bytes_of(to, sizeof to), load_row,
                     &loading, err));
    TRY(loading.st);
    *out = TAKE(layouts);
    return ST_OK;
}

void layouts_close(struct layouts **layouts_ref)
{
    struct layouts *layouts = TAKE(*layouts_ref);
    if (layouts == NULL)
        return;
    for (size_t i = 0; i < layouts->mapping_count; i++) {
        mem_free(layouts->mappings[i]->from);
        mem_free(layouts->mappings[i]);
    }
    for (size_t i = 0; i < layouts->count; i++)
        free_layout(layouts->items[i]);
    mem_free(layouts->mappings);
    mem_free(layouts->items);
    mem_free(layouts);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool same_type(struct value_type a, struct value_type b)
{
    return a.kind == b.kind && a.scale == b.scale;
}

static bool same_columns(const struct layout *layout, const struct layout_column *columns,
                         size_t count)
{
    if (layout->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(layout->columns[i].name, columns[i].name) != 0 ||
            !same_type(layout->columns[i].type, columns[i].type))
            return false;
    }
    return true;
}

enum status layouts_number(struct layouts *layouts, const struct layout_column *columns,
                           size_t count, uint32_t *number, struct error *err)
{
    uint32_t next = 1;
    for (size_t i = 0; i < layouts->count; i++) {
        struct layout *layout = layouts->items[i];
        if (same_columns(layout, columns, count)) {
            *number = layout->number;
            return layout->stored ? ST_OK : store_layout(layouts, layout, err);
        }
        if (layout->number >= next)
            next = layout->number + 1;
    }
    ENSURE(count <= COLUMNS_MAX);
    struct layout *layout = add_layout(layouts, next);
    layout->columns = mem_alloc_array(count + 1, sizeof *layout->columns);
    for (size_t i = 0; i < count; i++)
        layout->columns[layout->count++] =
            (struct layout_column){ mem_copy_string(columns[i].name), columns[i].type };
    *number = next;
    return store_layout(layouts, layout, err);
}

void layouts_abort(struct layouts *layouts)
{
    for (size_t i = 0; i < layouts->count; i++)
        layouts->items[i]->stored = layouts->items[i]->committed;
}

void layouts_commit(struct layouts *layouts)
{
    for (size_t i = 0; i < layouts->count; i++)
        layouts->items[i]->committed = layouts->items[i]->stored;
}

enum status layouts_prepare(struct layouts *layouts, struct error *err)
{
    for (size_t i = 0; i < layouts->count; i++) {
        if (!layouts->items[i]->stored)
            TRY(store_layout(layouts, layouts->items[i], err));
    }
    return ST_OK;
}

/* --- mappings --------------------------------------------------------------------------------- */

static int find_column(const struct layout_column *columns, size_t count,
                       const struct layout_column *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, wanted->name) == 0)
            return same_type(columns[i].type, wanted->type) ? (int)i : -1;
    }
    return -1;
}

static struct layout_mapping *make_mapping(const struct layout *layout,
                                           const struct layout_column *columns, size_t count)
{
    struct layout_mapping *mapping = mem_alloc(sizeof *mapping);
    *mapping =
        (struct layout_mapping){ .layout = layout, .columns = columns, .column_count = count };
    mapping->from = mem_alloc_array(layout->count + 1, sizeof *mapping->from);
    for (size_t i = 0; i < layout->count; i++)
        mapping->from[i] = find_column(columns, count, &layout->columns[i]);
    mapping->same = same_columns(layout, columns, count);
    return mapping;
}

enum status layouts_mapping(struct layouts *layouts, uint32_t number,
                            const struct layout_column *columns, size_t count,
                            const struct layout_mapping **out, struct error *err)
{
    for (size_t i = 0; i < layouts->mapping_count; i++) {
        const struct layout_mapping *mapping = layouts->mappings[i];
        if (mapping->layout->number == number && mapping->columns == columns &&
            mapping->column_count == count) {
            *out = mapping;
            return ST_OK;
        }
    }
    for (size_t i = 0; i < layouts->count; i++) {
        if (layouts->items[i]->number != number)
            continue;
        struct layout_mapping *mapping = make_mapping(layouts->items[i], columns, count);
        layouts->mappings = mem_resize_array(layouts->mappings, layouts->mapping_count + 1,
                                             sizeof *layouts->mappings);
        layouts->mappings[layouts->mapping_count++] = mapping;
        *out = mapping;
        return ST_OK;
    }
    return FAIL(err, ST_CORRUPT, "a row was written with layout %u, which is not known", number);
}

void layout_write_values(struct buffer *out, const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        value_write(out, &values[i]);
}

enum status layout_read_values(const struct layout_mapping *mapping, struct reader *in,
                               struct value *out, struct error *err)
{
    const struct layout *layout = mapping->layout;
    if (mapping->same) {
        for (size_t i = 0; i < layout->count; i++)
            TRY(value_read(&out[i], in, layout->columns[i].type, err));
        return ST_OK;
    }
    for (size_t i = 0; i < mapping->column_count; i++)
        out[i] = value_null();
    for (size_t i = 0; i < layout->count; i++) {
        struct value v;
        TRY(value_read(&v, in, layout->columns[i].type, err));
        if (mapping->from[i] >= 0)
            out[mapping->from[i]] = v;
    }
    return ST_OK;
}
