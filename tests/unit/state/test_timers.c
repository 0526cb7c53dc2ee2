#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "places.h"
#include "state/timers.h"

/*
 * The model: deadlines as a set of (due, key number), committed and current. All kinds are 1 or 2,
 * the parity of the key's number.
 */
enum { DUES = 40, KEYS = 6, DUE_BASE = -15 };

struct world {
    struct place place;
    struct overlay *overlay;
    struct timers *timers;
    struct prng prng;
    int step;
    bool current[DUES][KEYS];
    bool committed[DUES][KEYS];
    /* while firing: */
    int64_t now_us;
    int64_t last_us;
    bool adds_while_firing;
};

#define CHECK(w, condition, what) \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d", (what), (w)->prng.seed, (w)->step)

static const int64_t unit_us = 1000000;

static int64_t due_of(int number)
{
    return (number + DUE_BASE) * unit_us;
}

static struct bytes key_of(int number)
{
    static const char *const keys[KEYS] = { "", "a", "ab", "b", "ba", "c" };
    return bytes_of_string(keys[number]);
}

static void add(struct world *w, int due, int key)
{
    CHECK(w,
          timers_add(w->timers, due_of(due), (enum timer_kind)(1 + key % 2), key_of(key), NULL) ==
              ST_OK,
          "add");
    w->current[due][key] = true;
}

static void do_add(struct world *w)
{
    add(w, (int)prng_below(&w->prng, DUES), (int)prng_below(&w->prng, KEYS));
}

static enum status on_fire(void *context, int64_t due_us, enum timer_kind kind, struct bytes key,
                           struct error *err)
{
    (void)err;
    struct world *w = context;
    int number = 0;
    while (number < KEYS && !bytes_equal(key_of(number), key))
        number++;
    const int due = (int)(due_us / unit_us) - DUE_BASE;
    CHECK(w, number < KEYS && due >= 0 && due < DUES && due_of(due) == due_us, "fires a stranger");
    CHECK(w, w->current[due][number], "fires what is not there");
    CHECK(w, (int)kind == 1 + number % 2, "kind");
    CHECK(w, due_us <= w->now_us && due_us >= w->last_us, "order");
    w->current[due][number] = false;
    w->last_us = due_us;
    if (w->adds_while_firing && prng_chance(&w->prng, 1, 2)) {
        const int new_due = (int)prng_below(&w->prng, DUES),
                  new_key = (int)prng_below(&w->prng, KEYS);
        add(w, new_due, new_key);
    }
    return ST_OK;
}

static size_t count_due(const struct world *w)
{
    size_t count = 0;
    for (int due = 0; due < DUES && due_of(due) <= w->now_us; due++)
        for (int key = 0; key < KEYS; key++)
            count += w->current[due][key];
    return count;
}

static void do_fire(struct world *w)
{
    w->now_us = due_of((int)prng_below(&w->prng, DUES)) + (int64_t)prng_below(&w->prng, 2);
    w->last_us = INT64_MIN;
    w->adds_while_firing = prng_chance(&w->prng, 1, 3);
    const size_t max = (size_t)prng_below(&w->prng, 8);
    const size_t due = count_due(w);
    size_t fired = 0;
    CHECK(w, timers_fire(w->timers, w->now_us, max, on_fire, w, &fired, NULL) == ST_OK, "fire");
    CHECK(w, fired == (due < max ? due : max), "number fired");
}

static void do_commit(struct world *w)
{
    overlay_commit(w->overlay);
    memcpy(w->committed, w->current, sizeof w->committed);
}

static void do_abort(struct world *w)
{
    overlay_abort(w->overlay);
    timers_abort(w->timers);
    memcpy(w->current, w->committed, sizeof w->current);
}

static void do_restart(struct world *w)
{
    do_abort(w);
    timers_destroy(&w->timers);
    CHECK(w, timers_create(&w->timers, w->overlay, NULL) == ST_OK, "create");
}

static void open_world(struct world *w)
{
    place_open(&w->place, false);
    overlay_create(&w->overlay, w->place.partition, &(struct overlay_options){ 0 });
    cr_assert_eq(timers_create(&w->timers, w->overlay, NULL), ST_OK);
}

static void close_world(struct world *w)
{
    timers_destroy(&w->timers);
    overlay_destroy(&w->overlay);
    place_close(&w->place);
}

Test(timers, agree_with_a_set)
{
    static void (*const steps[])(struct world *) = { do_add,    do_add,   do_add,    do_fire,
                                                     do_commit, do_abort, do_restart };
    static struct world w;
    w.prng = prng_from_env("TEST_SEED", 41);
    open_world(&w);
    for (w.step = 0; w.step < 20000; w.step++)
        steps[prng_below(&w.prng, sizeof steps / sizeof steps[0])](&w);
    close_world(&w);
}

/* A store that counts its scans. */
static int scans;
static const struct store_type *real;

static enum status counted_scan(struct store_partition *partition, struct bytes from,
                                struct bytes to, store_row_fn *each, void *context,
                                struct error *err)
{
    scans++;
    return real->scan(partition, from, to, each, context, err);
}

Test(timers, asking_when_nothing_is_due_does_not_search)
{
    static struct world w;
    size_t fired;
    open_world(&w);
    struct store_type counting = *w.place.partition->type;
    real = w.place.partition->type;
    counting.scan = counted_scan;
    w.place.partition->type = &counting;

    w.now_us = INT64_MAX;
    w.last_us = INT64_MIN;
    add(&w, 20, 0);
    cr_assert_eq(timers_fire(w.timers, due_of(10), 10, on_fire, &w, &fired, NULL), ST_OK);
    cr_assert_eq(scans, 1, "after a start it does not know yet");
    for (int i = 0; i < 20; i++)
        cr_assert_eq(timers_fire(w.timers, due_of(i), 10, on_fire, &w, &fired, NULL), ST_OK);
    cr_assert_eq(scans, 1);
    cr_assert_eq(timers_fire(w.timers, due_of(20), 10, on_fire, &w, &fired, NULL), ST_OK);
    cr_assert(fired == 1 && scans == 2);
    cr_assert_eq(timers_fire(w.timers, due_of(39), 10, on_fire, &w, &fired, NULL), ST_OK);
    cr_assert_eq(scans, 2, "there are none left");
    w.place.partition->type = real;
    close_world(&w);
}

static enum status fail_second(void *context, int64_t due_us, enum timer_kind kind,
                               struct bytes key, struct error *err)
{
    (void)due_us;
    (void)kind;
    (void)key;
    return ++*(int *)context == 2 ? FAIL(err, ST_TOO_LARGE, "no") : ST_OK;
}

Test(timers, a_failure_keeps_the_rest)
{
    static struct world w;
    int calls = 0;
    size_t fired;
    open_world(&w);
    for (int due = 0; due < 4; due++)
        add(&w, due, 1);
    cr_assert_eq(timers_fire(w.timers, due_of(9), 10, fail_second, &calls, &fired, NULL),
                 ST_TOO_LARGE);
    cr_assert_eq(timers_fire(w.timers, due_of(9), 10, fail_second, &calls, &fired, NULL), ST_OK);
    cr_assert_eq(fired, 2);
    close_world(&w);
}
