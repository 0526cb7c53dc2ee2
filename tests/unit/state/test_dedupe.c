/*
 * dedupe against the whole history: a list of all events that were no duplicates. When transactions
 * end, how often expiry is called, aborts and restarts must not show in an answer.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "places.h"
#include "state/dedupe.h"

enum { HISTORY_MAX = 40000 };

struct sighting {
    uint64_t id;
    int64_t time_us;
};

struct history {
    size_t count; /* only the list's first `count` are valid: an abort cuts it */
    int64_t newest_us;
};

struct world {
    struct place place;
    struct overlay *overlay;
    struct dedupe *dedupe;
    struct prng prng;
    int step;
    int64_t span_us;
    int64_t now_us; /* event time moves on around it */
    int64_t pace_us;
    uint64_t id_count;
    struct sighting *accepted;
    struct history current;
    struct history committed;
    size_t duplicates;
    size_t anew; /* ids that were seen before, but do not count any more */
};

#define CHECK(w, condition, what)                                                   \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d span=%" PRId64, (what), \
              (w)->prng.seed, (w)->step, (w)->span_us)

static const uint8_t stream = 3;

static struct hash128 hash_of(uint64_t id)
{
    return hash128(bytes_of(&id, sizeof id));
}

static void check_one(struct world *w)
{
    const uint64_t id = prng_below(&w->prng, w->id_count);
    const int64_t back_us = prng_chance(&w->prng, 1, 3) ? 3 * w->span_us / 2 : w->span_us / 20;
    w->now_us += prng_between(&w->prng, 0, w->pace_us);
    const int64_t time_us = w->now_us - (int64_t)prng_below(&w->prng, (uint64_t)back_us + 1);

    bool expected = false, seen = false, duplicate = false;
    for (size_t i = 0; i < w->current.count; i++) {
        const struct sighting *old = &w->accepted[i];
        const int64_t distance =
            old->time_us < time_us ? time_us - old->time_us : old->time_us - time_us;
        seen |= old->id == id;
        expected |= old->id == id && distance <= w->span_us &&
                    old->time_us >= w->current.newest_us - w->span_us;
    }
    CHECK(w, dedupe_check(w->dedupe, hash_of(id), time_us, &duplicate, NULL) == ST_OK, "check");
    if (!duplicate)
        CHECK(w, dedupe_remember(w->dedupe, hash_of(id), time_us, NULL) == ST_OK, "remember");
    CHECK(w, duplicate == expected, expected ? "a duplicate passes" : "a new event is held back");
    if (time_us > w->current.newest_us)
        w->current.newest_us = time_us;
    w->duplicates += duplicate;
    w->anew += seen && !duplicate;
    if (duplicate)
        return;
    cr_assert_lt(w->current.count, HISTORY_MAX);
    w->accepted[w->current.count++] = (struct sighting){ id, time_us };
}

static void do_expire(struct world *w)
{
    /* The engine's idea of the stream's time may lag behind or run ahead. */
    const int64_t time_us = w->now_us + prng_between(&w->prng, -w->span_us, w->span_us);
    CHECK(w, dedupe_expire(w->dedupe, time_us, NULL) == ST_OK, "expire");
}

static void do_flush(struct world *w)
{
    CHECK(w, dedupe_flush(w->dedupe, NULL) == ST_OK, "flush");
}

static void do_commit(struct world *w)
{
    if (prng_chance(&w->prng, 4, 5))
        do_expire(w);
    do_flush(w);
    overlay_commit(w->overlay);
    dedupe_commit(w->dedupe);
    w->committed = w->current;
}

static void do_abort(struct world *w)
{
    if (prng_chance(&w->prng, 1, 2))
        do_expire(w);
    if (prng_chance(&w->prng, 1, 2))
        do_flush(w);
    overlay_abort(w->overlay);
    dedupe_abort(w->dedupe);
    w->current = w->committed;
}

static void open_dedupe(struct world *w)
{
    cr_assert_eq(dedupe_create(&w->dedupe, stream, w->span_us, w->overlay, NULL), ST_OK);
}

static void do_restart(struct world *w)
{
    overlay_abort(w->overlay);
    dedupe_destroy(&w->dedupe);
    open_dedupe(w);
    w->current = w->committed;
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    (void)value;
    cr_assert(key.data[0] == 3 && (key.data[1] & 0x7f) == stream);
    ++*(size_t *)context;
    return true;
}

static size_t count_rows(struct world *w)
{
    size_t count = 0;
    cr_assert_eq(overlay_scan(w->overlay, BYTES_NONE, BYTES_NONE, count_row, &count, NULL), ST_OK);
    return count;
}

static int64_t minute_of(int64_t time_us)
{
    const int64_t minute_us = 60 * INT64_C(1000000);
    return time_us / minute_us - (time_us % minute_us < 0);
}

static bool check_is_needed(void *context, struct bytes key, struct bytes value)
{
    const struct world *w = context;
    const int64_t end = minute_of(w->current.newest_us - w->span_us);
    if (key.size == 2)
        return true; /* the counter */
    struct reader in = reader_of((key.data[1] & 0x80) != 0 ? bytes_of(key.data + 2, 8) : value);
    const int64_t minute = (key.data[1] & 0x80) != 0
                               ? (int64_t)(reader_be64(&in) ^ (UINT64_C(1) << 63))
                               : minute_of(reader_zigzag(&in));
    CHECK(w, minute >= end, "a row that nobody needs");
    return true;
}

/* Once nothing is left to expire, there are only rows of minutes that may still count. */
static void check_all_else_is_forgotten(struct world *w)
{
    do_flush(w);
    for (size_t before = SIZE_MAX; count_rows(w) < before;) {
        before = count_rows(w);
        CHECK(w, dedupe_expire(w->dedupe, INT64_MAX, NULL) == ST_OK, "expire");
    }
    cr_assert_eq(overlay_scan(w->overlay, BYTES_NONE, BYTES_NONE, check_is_needed, w, NULL), ST_OK);
}

static void run(struct world *w, int64_t span_us, int64_t pace_us, uint64_t id_count, int steps)
{
    *w = (struct world){ .span_us = span_us, .pace_us = pace_us, .id_count = id_count };
    w->prng = prng_from_env("TEST_SEED", 51 + id_count);
    static struct sighting accepted[HISTORY_MAX];
    w->accepted = accepted;
    w->now_us = prng_chance(&w->prng, 1, 2) ? 1700000000000000 : -span_us;
    w->current.newest_us = w->committed.newest_us = INT64_MIN / 2;
    place_open(&w->place, false);
    overlay_create(&w->overlay, w->place.partition, &(struct overlay_options){ 0 });
    open_dedupe(w);
    for (w->step = 0; w->step < steps; w->step++) {
        if (prng_chance(&w->prng, 1, 40))
            do_commit(w);
        else if (prng_chance(&w->prng, 1, 300))
            do_abort(w);
        else if (prng_chance(&w->prng, 1, 500))
            do_restart(w);
        else if (prng_chance(&w->prng, 1, 100))
            do_flush(w);
        else
            check_one(w);
    }
    check_all_else_is_forgotten(w);
    cr_assert_gt(w->duplicates, (size_t)steps / 100);
    cr_assert_gt(w->anew, (size_t)steps / 100);
    dedupe_destroy(&w->dedupe);
    overlay_destroy(&w->overlay);
    place_close(&w->place);
}

Test(dedupe, agrees_with_the_whole_history, .timeout = 300)
{
    static struct world w;
    run(&w, INT64_C(600) * 1000000, 500000, 2000, 12000);     /* ten minutes */
    run(&w, INT64_C(30) * 1000000, 200000, 300, 12000);       /* less than a minute */
    run(&w, INT64_C(86400) * 1000000, 60000000, 3000, 12000); /* a day */
    run(&w, INT64_C(600) * 1000000, 120000000, 500, 12000);   /* of which a transaction has many */
    run(&w, 1, 1, 3, 6000);
}

static struct world small;

static void open_small(void)
{
    small = (struct world){ .span_us = INT64_C(60) * 1000000, .prng = prng_of_seed(1) };
    place_open(&small.place, false);
    overlay_create(&small.overlay, small.place.partition, &(struct overlay_options){ 0 });
    open_dedupe(&small);
}

static void close_small(void)
{
    dedupe_destroy(&small.dedupe);
    overlay_destroy(&small.overlay);
    place_close(&small.place);
}

static bool is_duplicate(uint64_t id, int64_t time_us)
{
    bool duplicate = false;
    cr_assert_eq(dedupe_check(small.dedupe, hash_of(id), time_us, &duplicate, NULL), ST_OK);
    if (!duplicate)
        cr_assert_eq(dedupe_remember(small.dedupe, hash_of(id), time_us, NULL), ST_OK);
    return duplicate;
}

Test(dedupe, the_span_is_inclusive_and_goes_both_ways, .init = open_small, .fini = close_small)
{
    cr_expect(!is_duplicate(1, 0));
    cr_expect(is_duplicate(1, small.span_us));
    cr_expect(!is_duplicate(1, small.span_us + 1));
    cr_expect(is_duplicate(1, 1), "an older one of an id that is known");
    cr_expect(!is_duplicate(2, 1));
}

Test(dedupe, the_ends_of_time_do_no_harm, .init = open_small, .fini = close_small)
{
    cr_expect(!is_duplicate(1, INT64_MIN));
    cr_expect(is_duplicate(1, INT64_MIN + 5));
    cr_expect(!is_duplicate(1, INT64_MAX));
    cr_expect(is_duplicate(1, INT64_MAX - 5));
    cr_expect(!is_duplicate(1, 0), "too late to be known, and not remembered");
    cr_expect(!is_duplicate(1, 0));
    do_commit(&small);
    cr_assert_eq(dedupe_expire(small.dedupe, INT64_MAX, NULL), ST_OK);
    cr_expect(is_duplicate(1, INT64_MAX));
}

Test(dedupe, what_was_aborted_is_not_written_later, .init = open_small, .fini = close_small)
{
    const struct row_change *rows;
    size_t count;
    cr_assert(!is_duplicate(1, 0));
    do_abort(&small);
    do_flush(&small);
    overlay_changes(small.overlay, &rows, &count);
    cr_assert_eq(count, 0);
}

/* A list is cut when it is long, and all of them are forgotten. */
Test(dedupe, many_ids_of_one_minute, .init = open_small, .fini = close_small, .timeout = 60)
{
    enum { IDS = 10000 };
    for (uint64_t id = 0; id < IDS; id++)
        cr_assert(!is_duplicate(id, (int64_t)id));
    do_flush(&small);
    overlay_commit(small.overlay);
    dedupe_commit(small.dedupe);
    cr_assert_eq(count_rows(&small), IDS + 3 + 1);
    for (uint64_t id = 0; id < IDS; id++)
        cr_assert(is_duplicate(id, IDS));
    cr_assert(!is_duplicate(IDS, 10 * small.span_us));
    do_flush(&small);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(dedupe_expire(small.dedupe, INT64_MAX, NULL), ST_OK);
    cr_assert_eq(count_rows(&small), 1 + 1 + 1);
}

Test(dedupe, forgets_faster_than_ids_come_in, .init = open_small, .fini = close_small,
     .timeout = 60)
{
    enum { PER_TRANSACTION = 20000, TRANSACTIONS = 8 };
    uint64_t id = 0;
    for (int t = 0; t < TRANSACTIONS; t++) {
        for (int i = 0; i < PER_TRANSACTION; i++)
            cr_assert(!is_duplicate(id++, t * small.span_us + i));
        cr_assert_eq(dedupe_expire(small.dedupe, INT64_MAX, NULL), ST_OK);
        do_flush(&small);
        overlay_commit(small.overlay);
        dedupe_commit(small.dedupe);
    }
    cr_assert_lt(count_rows(&small), 4 * PER_TRANSACTION);
}

Test(dedupe, damaged_rows_are_corrupt, .init = open_small, .fini = close_small)
{
    AUTO(buffer_fini) struct buffer key = { 0 };
    bool duplicate;
    dedupe_prefetch_key(small.dedupe, hash_of(7), &key);
    cr_assert_eq(overlay_put(small.overlay, buffer_view(&key), BYTES_LITERAL("\1"), NULL), ST_OK);
    cr_expect_eq(dedupe_check(small.dedupe, hash_of(7), 0, &duplicate, NULL), ST_CORRUPT);
    const struct bytes counter = BYTES_LITERAL("\3\x83");
    cr_assert_eq(overlay_put(small.overlay, counter, BYTES_LITERAL("\1\1\1"), NULL), ST_OK);
    dedupe_abort(small.dedupe);
    cr_expect_eq(dedupe_check(small.dedupe, hash_of(8), 0, &duplicate, NULL), ST_CORRUPT);
}
