/*
 * Any bytes as a row of the state: the first byte says which one they replace (0 the head of an
 * entity, 1 one of its chunks, 2 a table's row, 3 a layout), the others are the row. It is read or
 * corrupt, never with more memory than its size allows, and what was read can be written and read
 * again.
 */
#include <stdint.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "state/entity_log.h"
#include "state/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS = 20, CHUNK_EVENTS = 3, COLUMNS = 3, READ_MAX = 200, INPUT_MAX = 64 * 1024 };

static const struct bytes key = BYTES_LITERAL("k");
static const struct bytes head_key = { (const uint8_t *)"\1\1\1k", 5 };
static const struct bytes chunk_key = { (const uint8_t *)"\1\1\1k\1\0\0\0\0\0\0\0\2", 13 };
static const struct bytes table_key = { (const uint8_t *)"\2\1\1k", 4 };
static const struct bytes layout_key = { (const uint8_t *)"\6L\0\0\0\1", 6 };

static const struct layout_column columns[COLUMNS] = {
    { "n", { VALUE_INT, 0, true } },
    { "who", { VALUE_STRING, 0, true } },
    { "price", { VALUE_DECIMAL, 2, true } },
};
/* A topology later: a column less, one more, one of another type. */
static const struct layout_column later_columns[COLUMNS] = {
    { "who", { VALUE_STRING, 0, true } },
    { "n", { VALUE_BOOL, 0, true } },
    { "since", { VALUE_TIMESTAMP, 0, true } },
};
static const struct window_spec windows[] = { { .span_us = 1000000 }, { .span_events = 4 } };
static const struct aggregate_spec aggregates[] = {
    { AGGREGATE_DISTINCT, 0, 0, -1, { 1 }, 1, { VALUE_INT, 0, true } },
    { AGGREGATE_LAST, 1, 1, -1, { 0 }, 0, { VALUE_STRING, 0, true } },
};
enum { AGGREGATES = 2 };

static struct fuzz {
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct arena *arena;
    struct entity_log_spec spec, later;
    struct table_spec table;
} fuzz;

static void must(enum status status)
{
    ENSURE(status == ST_OK);
}

/* --- the good state --------------------------------------------------------------------------- */

static void write_entity(struct layouts *layouts)
{
    struct entity_log *log = NULL;
    struct entity *entity;
    must(entity_log_create(&log, &fuzz.spec, fuzz.overlay, layouts, NULL));
    must(entity_log_acquire(log, key, &entity, NULL));
    for (int64_t i = 0; i < EVENTS; i++) {
        const struct value values[COLUMNS] = { value_int(i * i),
                                               i % 5 == 0 ? value_null()
                                                          : value_string(BYTES_LITERAL("somebody")),
                                               value_decimal(i * 1000, 2) };
        const struct entity_event event = { 1000 * i * i, i, values };
        size_t position;
        must(entity_insert(entity, &event, &position, NULL));
        if (i % 3 == 0)
            must(entity_set_alerted(entity, position, (uint32_t)i, NULL));
    }
    must(entity_log_flush(log, NULL));
    entity_log_destroy(&log);
}

static void write_table(struct layouts *layouts)
{
    struct table *table = NULL;
    must(table_create(&table, &fuzz.table, fuzz.overlay, layouts, NULL));
    for (int64_t i = 0; i < 4; i++) {
        const struct value values[COLUMNS] = { value_int(i), value_string(BYTES_LITERAL("a")),
                                               value_decimal(i, 2) };
        must(table_put(table, key, i, i == 2 ? NULL : values, NULL));
    }
    table_destroy(&table);
}

static void start(void)
{
    static const struct overlay_options options = { .cache_bytes = 1 << 16 };
    struct layouts *layouts = NULL;
    store_open_memory(&fuzz.store);
    must(fuzz.store->type->partition_open(fuzz.store, &fuzz.partition, "fuzz", NULL));
    overlay_create(&fuzz.overlay, fuzz.partition, &options);
    arena_create(&fuzz.arena, 4096);
    fuzz.spec = (struct entity_log_spec){
        .stream = 1,
        .columns = columns,
        .column_count = COLUMNS,
        .measure_count = COLUMNS,
        .windows = windows,
        .window_count = 2,
        .aggregates = aggregates,
        .aggregate_count = AGGREGATES,
        .look_back_us = 1000000,
        .retention_us = INT64_MAX,
        .chunk_events = CHUNK_EVENTS,
        .cache_bytes = 1 << 20,
    };
    fuzz.later = fuzz.spec;
    fuzz.later.columns = later_columns;
    fuzz.later.aggregate_count = 0;
    fuzz.table = (struct table_spec){ 1, columns, COLUMNS, 100 };
    must(layouts_open(&layouts, fuzz.overlay, NULL));
    write_entity(layouts);
    write_table(layouts);
    layouts_close(&layouts);
    overlay_commit(fuzz.overlay);
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum status read_events(struct entity *entity, const struct entity_log_spec *spec)
{
    const size_t count = entity_event_count(entity);
    for (size_t i = 0; i < count && i < READ_MAX; i++) {
        struct value values[COLUMNS], results[AGGREGATES];
        struct entity_event event;
        bool alerted;
        const size_t position = i % 2 == 0 ? i : count - 1 - i;
        TRY(entity_event_at(entity, position, &event, values, fuzz.arena, NULL));
        TRY(entity_has_alerted(entity, position, 3, &alerted, NULL));
        if (spec->aggregate_count > 0)
            TRY(entity_aggregates(entity, position, results, fuzz.arena, NULL));
    }
    return ST_OK;
}

static enum status change_events(struct entity *entity)
{
    const struct value values[COLUMNS] = { value_null(), value_null(), value_null() };
    const struct entity_event event = { 5000, 7, values };
    size_t position;
    if (entity_event_count(entity) > 0)
        TRY(entity_set_alerted(entity, 0, 77, NULL));
    return entity_insert(entity, &event, &position, NULL);
}

/* Reads all and changes something; count: how many events there are then. */
static enum status use_entity(const struct entity_log_spec *spec, size_t *count, size_t size)
{
    AUTO(layouts_close) struct layouts *layouts = NULL;
    AUTO(entity_log_destroy) struct entity_log *log = NULL;
    struct entity *entity;
    TRY(layouts_open(&layouts, fuzz.overlay, NULL));
    TRY(entity_log_create(&log, spec, fuzz.overlay, layouts, NULL));
    int64_t told_us, newest_us;
    bool deleted;
    const enum status told = entity_log_expire(log, key, INT64_MIN, &deleted, &told_us, NULL);
    TRY(entity_log_acquire(log, key, &entity, NULL));
    must(told); /* by the row alone */
    must(entity_log_expire(log, key, INT64_MIN, &deleted, &newest_us, NULL));
    ENSURE(!deleted && told_us == newest_us);
    ENSURE(entity_log_footprint(log) < 64 * size + 64 * 1024);
    TRY(read_events(entity, spec));
    TRY(change_events(entity));
    *count = entity_event_count(entity);
    must(entity_log_flush(log, NULL));
    return ST_OK;
}

static enum status use_table(void)
{
    AUTO(layouts_close) struct layouts *layouts = NULL;
    AUTO(table_destroy) struct table *table = NULL;
    struct value values[COLUMNS];
    bool found;
    TRY(layouts_open(&layouts, fuzz.overlay, NULL));
    TRY(table_create(&table, &fuzz.table, fuzz.overlay, layouts, NULL));
    for (int64_t t = -1; t < 6; t++)
        TRY(table_get(table, key, t, values, &found, fuzz.arena, NULL));
    return table_put(table, key, 2, NULL, NULL);
}

static void check(enum status status)
{
    ENSURE(status == ST_OK || status == ST_CORRUPT);
}

static void use(const struct entity_log_spec *spec, size_t size)
{
    size_t count = 0, again = 0;
    const enum status status = use_entity(spec, &count, size);
    check(status);
    if (status != ST_OK)
        return;
    if (count <= READ_MAX) /* every chunk was read */
        must(use_entity(spec, &again, size + 1024));
    ENSURE(count > READ_MAX || again == count + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bytes *const keys[] = { &head_key, &chunk_key, &table_key, &layout_key };
    if (fuzz.store == NULL)
        start();
    if (size == 0 || size > INPUT_MAX)
        return 0;
    const struct bytes row = bytes_of(data + 1, size - 1);
    for (int later = 0; later < 2; later++) {
        must(overlay_put(fuzz.overlay, *keys[data[0] % 4], row, NULL));
        use(later ? &fuzz.later : &fuzz.spec, size);
        check(use_table());
        overlay_abort(fuzz.overlay);
        arena_reset(fuzz.arena);
    }
    return 0;
}
