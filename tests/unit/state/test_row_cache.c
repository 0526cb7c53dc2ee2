/*
 * row_cache: whatever it answers is the newest it was told, it stays within its bytes, and what is
 * used stays longest.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "row_model.h"
#include "state/row_cache.h"
#include "state/row_index.h"

struct world {
    struct row_cache *cache;
    struct prng prng;
    int step;
    uint64_t bytes_max;
    uint32_t next_version;
    struct row_model model;
    uint64_t hits;
};

#define CHECK(w, condition, what)                                                                  \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d max=%" PRIu64, (what), (w)->prng.seed, \
              (w)->step, (w)->bytes_max)

static void check_get(struct world *w)
{
    const int key = model_any_key(&w->prng);
    struct bytes value;
    const bool held = row_cache_holds(w->cache, model_key(key));
    CHECK(w, row_cache_get(w->cache, model_key(key), &value) == held, "holds");
    if (!held)
        return;
    CHECK(w, bytes_equal(value, model_value(w->model.versions[key])), "an old value");
    w->hits++;
}

static void do_put(struct world *w)
{
    const int key = model_any_key(&w->prng);
    row_cache_put(w->cache, model_key(key), model_value(w->model.versions[key]));
}

static void do_update(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const bool held = row_cache_holds(w->cache, model_key(key));
    w->model.versions[key] = prng_chance(&w->prng, 1, 4) ? 0 : w->next_version++;
    row_cache_update(w->cache, model_key(key), model_value(w->model.versions[key]));
    CHECK(w, held || !row_cache_holds(w->cache, model_key(key)), "an update adds");
}

static void do_clear(struct world *w)
{
    if (!prng_chance(&w->prng, 1, 100))
        return;
    row_cache_clear(w->cache);
    CHECK(w, row_cache_count(w->cache) == 0 && row_cache_bytes(w->cache) == 0, "clear");
}

static void do_remove(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const size_t before = row_cache_count(w->cache);
    const bool held = row_cache_holds(w->cache, model_key(key));
    row_cache_remove(w->cache, model_key(key));
    CHECK(w, !row_cache_holds(w->cache, model_key(key)), "it is still there");
    CHECK(w, row_cache_count(w->cache) == before - held, "another one went");
}

static void do_take(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const bool held = row_cache_holds(w->cache, model_key(key));
    struct bytes value;
    CHECK(w, row_cache_take(w->cache, model_key(key), &value) == held, "holds");
    CHECK(w, !held || bytes_equal(value, model_value(w->model.versions[key])), "an old value");
    CHECK(w, !row_cache_holds(w->cache, model_key(key)), "it is still there");
    w->hits += held;
}

/* What a look ahead says is only about time, but it must be about a row that is there. */
static void do_expect(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const uint32_t number = row_cache_peek(w->cache, row_cache_expect(w->cache, model_key(key)));
    CHECK(w, number != ROW_NUMBER_NONE || !row_cache_holds(w->cache, model_key(key)), "nothing is expected of it");
    row_cache_prefetch(w->cache, number);
}

static void do_shrink(struct world *w)
{
    if (!prng_chance(&w->prng, 1, 20))
        return;
    const uint64_t bytes = prng_below(&w->prng, w->bytes_max + 1);
    const uint64_t before = row_cache_bytes(w->cache);
    row_cache_shrink(w->cache, bytes);
    CHECK(w, row_cache_bytes(w->cache) <= bytes, "it did not shrink");
    CHECK(w, before > bytes || row_cache_bytes(w->cache) == before, "it shrank though it had no need to");
}

static uint64_t run(uint64_t bytes_max)
{
    static void (*const steps[])(struct world *) = { check_get, check_get, check_get, do_put,
                                                     do_put,    do_update, do_clear,
                                                     do_remove, do_shrink, do_take, do_expect };
    static struct world w;
    w = (struct world){ .bytes_max = bytes_max, .next_version = 1 };
    w.prng = prng_from_env("TEST_SEED", 31 + bytes_max);
    row_cache_create(&w.cache, bytes_max);
    for (w.step = 0; w.step < 60000; w.step++) {
        steps[prng_below(&w.prng, sizeof steps / sizeof steps[0])](&w);
        CHECK(&w, row_cache_bytes(w.cache) <= bytes_max, "bytes");
    }
    row_cache_destroy(&w.cache);
    return w.hits;
}

Test(row_cache, never_gives_an_old_value_and_stays_within_its_bytes)
{
    static const uint64_t sizes[] = { 0, 100, 700, 3000, 10000, 1 << 20 };
    uint64_t hits_before = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint64_t hits = run(sizes[i]);
        cr_expect_geq(hits, hits_before, "a larger cache answers less");
        hits_before = hits;
    }
    cr_assert_gt(hits_before, 8000);
}

static struct bytes number_key(char out[24], int number)
{
    return bytes_of(out, (size_t)snprintf(out, 24, "\1%08d", number));
}

static bool touch(struct row_cache *cache, int number)
{
    char key[24];
    struct bytes value;
    if (row_cache_get(cache, number_key(key, number), &value))
        return true;
    row_cache_put(cache, number_key(key, number), BYTES_LITERAL("a value of some length"));
    return false;
}

/* Ten hot rows among a stream of others that come once. */
Test(row_cache, what_is_used_again_stays)
{
    struct row_cache *cache = NULL;
    int hot_hits = 0;
    row_cache_create(&cache, 10000);
    for (int i = 0; i < 10000; i++) {
        hot_hits += touch(cache, i % 10);
        touch(cache, 1000 + i);
    }
    cr_assert_gt(hot_hits, 9900, "%d", hot_hits);
    row_cache_destroy(&cache);
}

Test(row_cache, what_is_no_longer_used_goes)
{
    struct row_cache *cache = NULL;
    char key[24];
    row_cache_create(&cache, 10000);
    for (int i = 0; i < 100; i++)
        touch(cache, 1);
    for (int i = 0; i < 1000; i++)
        touch(cache, 1000 + i);
    cr_assert(!row_cache_holds(cache, number_key(key, 1)));
    cr_assert(row_cache_holds(cache, number_key(key, 1999)));
    row_cache_destroy(&cache);
}

Test(row_cache, a_row_that_would_displace_too_much_is_not_kept)
{
    struct row_cache *cache = NULL;
    static uint8_t value[10000];
    char key[24];
    row_cache_create(&cache, 10000);
    for (int i = 0; i < 50; i++)
        touch(cache, i);
    const size_t before = row_cache_count(cache);
    row_cache_put(cache, number_key(key, 100), bytes_of(value, 5000));
    cr_assert(!row_cache_holds(cache, number_key(key, 100)));
    /* One that grows that large is forgotten: it must not stay with its old value. */
    row_cache_update(cache, number_key(key, 1), bytes_of(value, sizeof value));
    cr_assert(!row_cache_holds(cache, number_key(key, 1)));
    cr_assert_eq(row_cache_count(cache), before - 1);
    row_cache_destroy(&cache);
}

Test(row_cache, a_value_that_shrank_gives_its_memory_back)
{
    struct row_cache *cache = NULL;
    static uint8_t value[1000];
    char key[24];
    row_cache_create(&cache, 1 << 20);
    for (int i = 0; i < 100; i++)
        row_cache_put(cache, number_key(key, i), bytes_of(value, sizeof value));
    const uint64_t large = row_cache_bytes(cache);
    for (int i = 0; i < 100; i++)
        row_cache_update(cache, number_key(key, i), BYTES_NONE);
    cr_assert_eq(row_cache_count(cache), 100);
    cr_assert_lt(row_cache_bytes(cache), large - 100 * 900);
    row_cache_destroy(&cache);
}
