/*
 * row_map against an array, and what it promises about bytes and order beyond that.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "row_model.h"
#include "state/row_map.h"

struct world {
    struct row_map *map;
    struct prng prng;
    int step;
    uint32_t next_version;
    struct row_model model;
    bool is_in[MODEL_KEYS]; /* present or deleted */
    int numbers[MODEL_KEYS];
    int count;
    uint64_t bytes_before;
};

#define CHECK(w, condition, what) \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d", (what), (w)->prng.seed, (w)->step)

static void do_put(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const uint32_t version = prng_chance(&w->prng, 1, 4) ? 0 : w->next_version++;
    row_map_put(w->map, model_key(key), model_value(version));
    if (!w->is_in[key])
        w->numbers[w->count++] = key;
    w->is_in[key] = true;
    w->model.versions[key] = version;
}

static void do_grow(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const uint32_t version = w->model.versions[key], grown = version == 0 ? 0 : model_grown(version);
    if (!w->is_in[key] || grown == 0)
        return;
    const size_t size = model_value(version).size;
    row_map_grow_expected(w->map, row_map_expect(w->map, model_key(key)), model_key(key), size, model_end(grown, size));
    w->model.versions[key] = grown;
}

static void check_get(struct world *w)
{
    const int key = model_any_key(&w->prng);
    struct bytes value = BYTES_LITERAL("untouched");
    CHECK(w, row_map_get(w->map, model_key(key), &value) == w->is_in[key], "get: known");
    if (w->is_in[key])
        CHECK(w, bytes_equal(value, model_value(w->model.versions[key])), "get: value");
}

static void check_rows(struct world *w)
{
    CHECK(w, row_map_count(w->map) == (size_t)w->count, "count");
    for (int i = 0; i < w->count; i++) {
        const struct store_row row = row_map_row(w->map, (size_t)i);
        CHECK(w, bytes_equal(row.key, model_key(w->numbers[i])), "row: key");
        CHECK(w, bytes_equal(row.value, model_value(w->model.versions[w->numbers[i]])), "row");
        CHECK(w, row_map_hash(w->map, (size_t)i) == row_map_expect(w->map, row.key), "row: hash");
    }
}

static void check_scan(struct world *w)
{
    const struct bytes from = model_any_limit(&w->prng), to = model_any_limit(&w->prng);
    struct row_map_cursor cursor;
    struct store_row row;
    row_map_seek(&cursor, w->map, from, to);
    for (int key = 0; key < MODEL_KEYS; key++) {
        if (!w->is_in[key] || bytes_compare(model_key(key), from) < 0 ||
            (to.data != NULL && bytes_compare(model_key(key), to) >= 0))
            continue;
        CHECK(w, row_map_peek(&cursor, &row), "scan ends too early");
        CHECK(w, bytes_equal(row.key, model_key(key)), "scan: key");
        CHECK(w, bytes_equal(row.value, model_value(w->model.versions[key])), "scan: value");
        row_map_next(&cursor);
    }
    CHECK(w, !row_map_peek(&cursor, &row), "scan goes on");
}

/* Bytes only grow, by no less than what new keys and values take. */
static void check_bytes(struct world *w)
{
    uint64_t least = 0;
    for (int key = 0; key < MODEL_KEYS; key++)
        if (w->is_in[key])
            least += model_key(key).size + model_value(w->model.versions[key]).size;
    const uint64_t bytes = row_map_bytes(w->map);
    CHECK(w, bytes >= least && bytes >= w->bytes_before, "bytes");
    CHECK(w, (bytes == 0) == (w->count == 0), "bytes of nothing");
    CHECK(w, row_map_footprint(w->map) >= bytes, "footprint");
    w->bytes_before = bytes;
}

static void do_clear(struct world *w)
{
    if (!prng_chance(&w->prng, 1, 10))
        return;
    row_map_clear(w->map);
    w->count = 0;
    w->bytes_before = 0;
    memset(w->is_in, 0, sizeof w->is_in);
    CHECK(w, row_map_bytes(w->map) == 0, "bytes after clear");
}

Test(row_map, agrees_with_an_array)
{
    static void (*const steps[])(struct world *) = {
        do_put,     do_put,     do_put,     do_put,     check_get,   check_get,
        do_grow,    do_grow,    do_grow,    do_grow,    do_grow,     do_grow,
        check_rows, check_rows, check_scan, check_scan, check_bytes, do_clear,
    };
    static struct world w = { .next_version = 1 };
    w.prng = prng_from_env("TEST_SEED", 21);
    row_map_create(&w.map, 4096);
    for (w.step = 0; w.step < 50000; w.step++)
        steps[prng_below(&w.prng, sizeof steps / sizeof steps[0])](&w);
    row_map_destroy(&w.map);
}

static struct bytes text_key(char out[32], char store, uint64_t number)
{
    return bytes_of(out, (size_t)snprintf(out, 32, "%c%012" PRIu64, store, number));
}

Test(row_map, stays_ordered_while_it_grows_in_any_order)
{
    enum { KEYS = 20000 };
    struct prng prng = prng_from_env("TEST_SEED", 3);
    struct row_map *map = NULL;
    row_map_create(&map, 1 << 16);
    for (uint64_t i = 0; i < KEYS; i++) {
        char key[32], from[32];
        struct row_map_cursor cursor;
        struct store_row row, next;
        /* 7919 is prime: all numbers below KEYS, far apart. */
        row_map_put(map, text_key(key, 1, i * 7919 % KEYS), BYTES_LITERAL("v"));
        if (!prng_chance(&prng, 1, 50))
            continue;
        row_map_seek(&cursor, map, text_key(from, 1, prng_below(&prng, KEYS)), BYTES_NONE);
        for (int k = 0; k < 20 && row_map_peek(&cursor, &row); k++) {
            row_map_next(&cursor);
            cr_assert(!row_map_peek(&cursor, &next) || bytes_compare(row.key, next.key) < 0);
        }
    }
    struct row_map_cursor all;
    struct store_row row;
    row_map_seek(&all, map, BYTES_NONE, BYTES_NONE);
    for (uint64_t i = 0; i < KEYS; i++, row_map_next(&all)) {
        char key[32];
        cr_assert(row_map_peek(&all, &row) && bytes_equal(row.key, text_key(key, 1, i)));
    }
    row_map_destroy(&map);
}

Test(row_map, a_value_that_fits_takes_no_more_bytes)
{
    struct row_map *map = NULL;
    uint8_t value[400] = { 0 };
    row_map_create(&map, 4096);
    row_map_put(map, BYTES_LITERAL("\1hot"), bytes_of(value, 300));
    const uint64_t before = row_map_bytes(map);
    for (size_t size = 300; size-- > 0;)
        row_map_put(map, BYTES_LITERAL("\1hot"), bytes_of(value, size));
    row_map_put(map, BYTES_LITERAL("\1hot"), BYTES_NONE);
    row_map_put(map, BYTES_LITERAL("\1hot"), bytes_of(value, 300));
    cr_assert_eq(row_map_bytes(map), before);
    row_map_put(map, BYTES_LITERAL("\1hot"), bytes_of(value, 400));
    const uint64_t grown = row_map_bytes(map);
    cr_assert_gt(grown, before);
    row_map_put(map, BYTES_LITERAL("\1hot"), bytes_of(value, 400));
    cr_assert_eq(row_map_bytes(map), grown);
    row_map_destroy(&map);
}

Test(row_map, a_value_that_grows_all_the_time_wastes_a_bounded_share)
{
    struct row_map *map = NULL;
    static uint8_t value[100000];
    row_map_create(&map, 1 << 16);
    for (size_t size = 1; size <= sizeof value; size += 7)
        row_map_put(map, BYTES_LITERAL("\1growing"), bytes_of(value, size));
    cr_assert_lt(row_map_bytes(map), 8 * sizeof value);
    row_map_destroy(&map);
}

Test(row_map, rows_take_over_the_places_that_others_outgrew)
{
    struct row_map *map = NULL;
    static uint8_t value[2000];
    char key[32];
    uint64_t peak = 0;
    row_map_create(&map, 1 << 16);
    for (uint64_t i = 0; i < 1000; i++) {
        for (size_t size = 0; size <= sizeof value; size += 100)
            row_map_put(map, text_key(key, 1, i), bytes_of(value, size));
        peak += sizeof value;
    }
    cr_assert_lt(row_map_bytes(map), peak + peak / 4);
    row_map_destroy(&map);
}

Test(row_map, keys_and_values_may_be_views_of_its_own_rows)
{
    struct row_map *map = NULL;
    struct bytes value;
    row_map_create(&map, 4096);
    row_map_put(map, BYTES_LITERAL("\1a"), BYTES_LITERAL("\1abcdefghij"));
    cr_assert(row_map_get(map, BYTES_LITERAL("\1a"), &value));
    row_map_put(map, value, value);
    row_map_put(map, BYTES_LITERAL("\1a"), bytes_of(value.data + 1, value.size - 1));
    cr_assert(row_map_get(map, BYTES_LITERAL("\1a"), &value));
    cr_assert(bytes_equal(value, BYTES_LITERAL("abcdefghij")));
    cr_assert(row_map_get(map, BYTES_LITERAL("\1abcdefghij"), &value));
    cr_assert(bytes_equal(value, BYTES_LITERAL("\1abcdefghij")));
    row_map_destroy(&map);
}

/* What a checkpoint does: rows are read by number while the owner gets and scans. */
static void *sum_rows(void *context)
{
    const struct row_map *map = context;
    static size_t sum;
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < row_map_count(map); i++)
            sum += row_map_row(map, i).value.size;
    return &sum;
}

Test(row_map, can_be_read_by_number_while_its_owner_reads)
{
    struct row_map *map = NULL;
    pthread_t thread;
    void *sum;
    char key[32];
    row_map_create(&map, 1 << 16);
    for (uint64_t i = 0; i < 5000; i++)
        row_map_put(map, text_key(key, (char)(1 + i % 3), i * 31 % 5000), BYTES_LITERAL("1234"));
    cr_assert_eq(pthread_create(&thread, NULL, sum_rows, map), 0);
    for (uint64_t i = 0; i < 2000; i++) {
        struct row_map_cursor cursor;
        struct store_row row;
        struct bytes value;
        (void)row_map_get(map, text_key(key, 1, i), &value);
        row_map_seek(&cursor, map, text_key(key, 2, i), BYTES_NONE);
        (void)row_map_peek(&cursor, &row);
    }
    cr_assert_eq(pthread_join(thread, &sum), 0);
    cr_assert_eq(*(size_t *)sum, 20 * 5000 * 4);
    row_map_destroy(&map);
}
