/*
 * What the layers of the state say of their size against what the heap says. A limit is only worth
 * what its measure is: an estimate that is off by a third makes a ceiling that is off by a third.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "state/entity_log.h"
#include "state/row_cache.h"
#include "task_rows.h"

#ifdef __SANITIZE_ADDRESS__ /* gcc does not bring <sanitizer/allocator_interface.h> */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

enum { ROWS = 20000, VALUE_MAX = 400, ENTITIES = 600, EVENTS_MAX = 60, TEXT = 64 };

static uint64_t heap_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* glibc counts what a thread keeps for its next allocations as in use. */
#ifdef __SANITIZE_ADDRESS__
enum { SLACK = 8 * 1024 };
#else
enum { SLACK = 128 * 1024 };
#endif

/* Within 8 %, and the fixed structures around what grows. */
static void check_said(const char *what, uint64_t said, uint64_t before)
{
    enum { PER_CENT = 8 };
    const uint64_t taken = heap_bytes() - before;
    const uint64_t difference = said > taken ? said - taken : taken - said;
    cr_assert(difference <= taken * PER_CENT / 100 + SLACK,
              "%s: says %" PRIu64 " bytes, takes %" PRIu64, what, said, taken);
}

static struct bytes any_row(struct prng *prng, char key[TEXT], uint8_t value[VALUE_MAX],
                            struct bytes *row)
{
    const size_t size = prng_below(prng, VALUE_MAX);
    memset(value, (int)size, VALUE_MAX);
    *row = bytes_of(value, size);
    return bytes_of(key, (size_t)snprintf(key, TEXT, "k%" PRIu64, prng_below(prng, ROWS)));
}

Test(footprints, rows_of_a_transaction_and_of_a_checkpoint)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    struct place place;
    struct overlay *overlay = NULL;
    const struct overlay_options options = { .cache_bytes = 0 };
    char key[TEXT];
    uint8_t value[VALUE_MAX];
    struct bytes row;
    place_open(&place, false);
    const uint64_t before = heap_bytes();
    overlay_create(&overlay, place.partition, &options);
    for (int i = 0; i < ROWS; i++) {
        const struct bytes k = any_row(&prng, key, value, &row);
        cr_assert_eq(overlay_put(overlay, k, row, NULL), ST_OK);
        if (i % 2000 == 0)
            check_said("a transaction", overlay_footprint(overlay), before);
    }
    overlay_commit(overlay);
    check_said("rows since the checkpoint", overlay_footprint(overlay), before);
    /* What the budget counts leaves out only reserves: blocks begun, arrays that have doubled. */
    cr_assert_leq(overlay_active_bytes(overlay), overlay_footprint(overlay));
    cr_assert_geq(overlay_active_bytes(overlay), overlay_footprint(overlay) * 85 / 100);
    overlay_freeze(overlay);
    check_said("frozen rows", overlay_footprint(overlay), before);
    overlay_thaw(overlay);
    check_said("nothing", overlay_footprint(overlay), before);
    cr_assert_lt(heap_bytes() - before, 1 << 20, "what was dropped is not given back");
    overlay_destroy(&overlay);
    place_close(&place);
}

Test(footprints, cached_rows_keep_to_their_limit)
{
    enum { LIMIT = 1 << 20 };
    struct prng prng = prng_from_env("TEST_SEED", 1);
    struct row_cache *cache = NULL;
    char key[TEXT];
    uint8_t value[VALUE_MAX];
    struct bytes row;
    const uint64_t before = heap_bytes();
    row_cache_create(&cache, LIMIT);
    for (int i = 0; i < 3 * ROWS; i++) {
        const struct bytes k = any_row(&prng, key, value, &row);
        row_cache_put(cache, k, row);
        if (i % 5000 == 0)
            check_said("the cache", row_cache_bytes(cache), before);
    }
    cr_assert_leq(heap_bytes() - before, LIMIT + SLACK);
    cr_assert_gt(row_cache_bytes(cache), LIMIT / 2, "it was never full");
    row_cache_destroy(&cache);
}

/* --- loaded entities ----------------------------------------------------------------------------- */

static const struct layout_column columns[] = {
    { .name = "amount", .type = { .kind = VALUE_INT } },
    { .name = "place", .type = { .kind = VALUE_STRING } },
};
static const struct window_spec windows[] = {
    { .span_us = INT64_C(3600) * 1000 * 1000 },
    { .span_us = INT64_C(86400) * 1000 * 1000, .previous = true },
};
static const struct aggregate_spec aggregates[] = {
    { AGGREGATE_COUNT, 0, -1, -1, .argument_type = { .kind = VALUE_NULL } },
    { AGGREGATE_DISTINCT, 0, 1, -1, .argument_type = { .kind = VALUE_STRING } },
    { AGGREGATE_SUM, 1, 0, -1, .argument_type = { .kind = VALUE_INT } },
    { AGGREGATE_MAX, 1, 0, -1, .argument_type = { .kind = VALUE_INT } },
    { AGGREGATE_MIN, 1, 1, -1, { 1 }, 1, { .kind = VALUE_STRING } },
};
enum { AGGREGATES = sizeof aggregates / sizeof aggregates[0] };

static void add_event(struct entity_log *log, struct prng *prng, int64_t offset, struct arena *arena)
{
    char key[TEXT], place[TEXT];
    size_t position;
    struct entity *entity;
    struct value results[AGGREGATES];
    const size_t size =
        (size_t)snprintf(key, TEXT, "customer-%" PRIu64, prng_below(prng, ENTITIES));
    snprintf(place, TEXT, "place %" PRIu64, prng_below(prng, 30));
    const struct value values[] = {
        value_int((int64_t)prng_below(prng, 1000)),
        { .kind = VALUE_STRING, .text = bytes_of_string(place) },
    };
    const struct entity_event event = { .time_us = offset * 1000 * 1000, .offset = offset,
                                        .columns = values };
    cr_assert_eq(entity_log_acquire(log, bytes_of(key, size), &entity, NULL), ST_OK);
    cr_assert_eq(entity_insert(entity, &event, &position, NULL), ST_OK);
    cr_assert_eq(entity_aggregates(entity, position, results, arena, NULL), ST_OK);
    arena_reset(arena);
}

static struct entity_log_spec spec_of(uint64_t cache_bytes)
{
    return (struct entity_log_spec){
        .columns = columns,
        .column_count = 2,
        .measure_count = 2,
        .windows = windows,
        .window_count = 2,
        .aggregates = aggregates,
        .aggregate_count = AGGREGATES,
        .retention_us = INT64_C(100000) * 1000 * 1000,
        .look_back_us = INT64_C(90000) * 1000 * 1000,
        .cache_bytes = cache_bytes,
    };
}

static void commit(struct task_rows *rows, struct entity_log *log)
{
    cr_assert_eq(layouts_prepare(rows->layouts, NULL), ST_OK);
    cr_assert_eq(entity_log_flush(log, NULL), ST_OK);
    task_rows_commit(rows);
    entity_log_commit(log);
}

Test(footprints, loaded_entities)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    struct task_rows rows;
    struct entity_log *log = NULL;
    struct arena *arena = NULL;
    const struct overlay_options options = { .cache_bytes = 0 };
    const struct entity_log_spec spec = spec_of(UINT64_C(1) << 30);
    task_rows_open(&rows, &options);
    arena_create(&arena, 4096);
    int64_t offset = 0;
    cr_assert_eq(entity_log_create(&log, &spec, rows.overlay, rows.layouts, NULL), ST_OK);
    const uint64_t before = heap_bytes() - entity_log_footprint(log); /* what it works with does not grow */
    uint64_t rows_before = overlay_footprint(rows.overlay);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++)
            add_event(log, &prng, offset++, arena);
        commit(&rows, log);
        check_said("entities",
                   entity_log_footprint(log) + overlay_footprint(rows.overlay) - rows_before +
                       arena_footprint(arena),
                   before);
    }
    entity_log_destroy(&log);
    arena_destroy(&arena);
    task_rows_close(&rows);
}

/* 20,000 records of one transaction load entities from their rows: those that the transaction does
 * not need go, and when it needs them all it says so. */
Test(footprints, a_transaction_does_not_grow_the_entities)
{
    enum { LIMIT = 360 * 1024, HAND = 10 };
    struct prng prng = prng_from_env("TEST_SEED", 1);
    struct task_rows rows;
    struct entity_log *log = NULL;
    struct arena *arena = NULL;
    const struct overlay_options options = { .cache_bytes = 0 };
    const struct entity_log_spec spec = spec_of(LIMIT);
    task_rows_open(&rows, &options);
    arena_create(&arena, 4096);
    cr_assert_eq(entity_log_create(&log, &spec, rows.overlay, rows.layouts, NULL), ST_OK);
    int overfull = 0;
    uint64_t most = 0;
    int64_t offset = 0;
    for (int i = 0, hand = 0; i < 20000; i++, hand++) {
        add_event(log, &prng, offset++, arena);
        most = entity_log_footprint(log) > most ? entity_log_footprint(log) : most;
        if (hand >= HAND && entity_log_is_overfull(log)) {
            cr_assert_gt(entity_log_touched_bytes(log), 0);
            commit(&rows, log);
            cr_assert_eq(entity_log_touched_bytes(log), 0);
            cr_assert_leq(entity_log_footprint(log), LIMIT, "a commit does not help");
            overfull++;
            hand = 0;
        }
    }
    cr_assert_gt(overfull, 1, "it was never too much");
    cr_assert_leq(most, LIMIT * 15 / 10, "%" PRIu64 " bytes at most", most);
    commit(&rows, log);
    entity_log_destroy(&log);
    arena_destroy(&arena);
    task_rows_close(&rows);
}
