/*
 * The overlay against a model that knows nothing of layers: what is committed, what the transaction
 * sees, and what the store was given. Checkpoints, restarts and caches must not be visible.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "places.h"
#include "row_model.h"
#include "state/overlay.h"

struct world {
    struct place place;
    struct overlay *overlay;
    struct overlay_options options;
    struct prng prng;
    int step;
    uint32_t next_version;
    struct row_model current; /* what the task sees */
    struct row_model committed;
    struct row_model stored;    /* what the store holds */
    struct row_model frozen;    /* versions at the freeze */
    bool touched[MODEL_KEYS];   /* in this transaction */
    int touched_first[MODEL_KEYS]; /* the same, in the order in which they came */
    size_t touched_count;
    bool in_active[MODEL_KEYS]; /* committed since the freeze */
    bool in_frozen[MODEL_KEYS];
    bool is_frozen;
    size_t frozen_written; /* rows of the frozen map that the store has */
    uint64_t appends, appends_given, appends_replayed;
};

#define CHECK(world, condition, what)                                                           \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d cache=%" PRIu64 " disk=%d", (what), \
              (world)->prng.seed, (world)->step, (world)->options.cache_bytes,                  \
              (world)->place.on_disk)

static void check_get(struct world *w)
{
    const int key = model_any_key(&w->prng);
    struct bytes value;
    CHECK(w, overlay_get(w->overlay, model_key(key), &value, NULL) == ST_OK, "get fails");
    CHECK(w, bytes_equal(value, model_value(w->current.versions[key])), "get");
}

static void note_touched(struct world *w, int key)
{
    if (!w->touched[key])
        w->touched_first[w->touched_count++] = key;
    w->touched[key] = true;
}

static void do_put(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const uint32_t version = w->next_version++;
    CHECK(w, overlay_put(w->overlay, model_key(key), model_value(version), NULL) == ST_OK, "put");
    w->current.versions[key] = version;
    note_touched(w, key);
}

/* Of a row that is whole in this epoch; a second time in a transaction it must be put. */
static void do_append(struct world *w)
{
    const int key = model_any_key(&w->prng);
    const uint32_t version = w->current.versions[key], grown = version == 0 ? 0 : model_grown(version);
    if (grown == 0 || w->committed.versions[key] == 0 || !w->in_active[key] || model_value(version).size == 0)
        return;
    const size_t position = model_value(version).size;
    const bool appended = overlay_append(w->overlay, model_key(key), position, model_end(grown, position));
    CHECK(w, appended == !w->touched[key], "append");
    if (!appended)
        return;
    w->appends++;
    w->current.versions[key] = grown;
    note_touched(w, key);
}

static void do_delete(struct world *w)
{
    const int key = model_any_key(&w->prng);
    overlay_delete(w->overlay, model_key(key));
    w->current.versions[key] = 0;
    note_touched(w, key);
}

struct scan_check {
    struct world *world;
    int next; /* key number from which the scan has not delivered yet */
    struct bytes to;
    int rows_left;
};

static bool check_scanned(void *context, struct bytes key, struct bytes value)
{
    struct scan_check *check = context;
    const int number = model_number(key);
    CHECK(check->world, number >= check->next, "scan goes back or gives a foreign key");
    CHECK(check->world, check->rows_left > 0, "scan goes on after it was stopped");
    CHECK(check->world, check->to.data == NULL || bytes_compare(key, check->to) < 0, "scan end");
    for (; check->next < number; check->next++)
        CHECK(check->world, check->world->current.versions[check->next] == 0, "scan misses a key");
    CHECK(check->world, value.data != NULL, "scan gives a deleted row");
    CHECK(check->world, bytes_equal(value, model_value(check->world->current.versions[number])),
          "scan gives another value");
    check->next = number + 1;
    return --check->rows_left > 0;
}

static void check_scan(struct world *w)
{
    const struct bytes from = model_any_limit(&w->prng);
    struct scan_check check = { w, 0, model_any_limit(&w->prng), MODEL_KEYS };
    if (prng_chance(&w->prng, 1, 3))
        check.rows_left = (int)prng_between(&w->prng, 1, 5);
    while (check.next < MODEL_KEYS && bytes_compare(model_key(check.next), from) < 0)
        check.next++;
    CHECK(w, overlay_scan(w->overlay, from, check.to, check_scanned, &check, NULL) == ST_OK,
          "scan");
    if (check.rows_left == 0)
        return;
    for (; check.next < MODEL_KEYS; check.next++)
        CHECK(w,
              w->current.versions[check.next] == 0 ||
                  (check.to.data != NULL && bytes_compare(model_key(check.next), check.to) >= 0),
              "scan ends too early");
}

static void check_change(struct world *w, const struct row_change *change, int key)
{
    const uint32_t now = w->current.versions[key];
    if (change->position == 0) {
        CHECK(w, bytes_equal(change->value, model_value(now)), "changes: a whole row");
        return;
    }
    CHECK(w, change->position == model_value(w->committed.versions[key]).size, "changes: a position");
    CHECK(w, bytes_equal(change->value, model_end(now, change->position)), "changes: an end");
    w->appends_given++;
}

static void do_commit(struct world *w)
{
    const struct row_change *rows;
    size_t count;
    overlay_changes(w->overlay, &rows, &count);
    CHECK(w, count == w->touched_count, "changes: another number than were made");
    for (size_t i = 0; i < count; i++) {
        const int key = w->touched_first[i];
        CHECK(w, bytes_equal(rows[i].key, model_key(key)), "changes: keys");
        check_change(w, &rows[i], key);
        w->in_active[key] = true;
        w->touched[key] = false;
    }
    w->touched_count = 0;
    CHECK(w, (overlay_changes_bytes(w->overlay) > 0) == (count > 0), "changes: bytes");
    overlay_commit(w->overlay);
    w->committed = w->current;
    CHECK(w, overlay_changes_bytes(w->overlay) == 0, "changes after a commit");
}

static void do_abort(struct world *w)
{
    overlay_abort(w->overlay);
    w->current = w->committed;
    w->touched_count = 0;
    for (int key = 0; key < MODEL_KEYS; key++)
        w->touched[key] = false;
}

static size_t count_true(const bool flags[MODEL_KEYS])
{
    size_t count = 0;
    for (int key = 0; key < MODEL_KEYS; key++)
        count += flags[key];
    return count;
}

static void check_counts(struct world *w)
{
    CHECK(w, overlay_active_count(w->overlay) == count_true(w->in_active), "active count");
    CHECK(w, overlay_frozen_count(w->overlay) == count_true(w->in_frozen), "frozen count");
    CHECK(w, overlay_is_frozen(w->overlay) == w->is_frozen, "is frozen");
    CHECK(w, (overlay_active_bytes(w->overlay) > 0) == (count_true(w->in_active) > 0), "bytes");
    CHECK(w, (overlay_frozen_bytes(w->overlay) > 0) == (count_true(w->in_frozen) > 0), "bytes");
}

static void check_frozen_rows(struct world *w)
{
    bool seen[MODEL_KEYS] = { 0 };
    for (size_t i = 0; i < overlay_frozen_count(w->overlay); i++) {
        const struct store_row row = overlay_frozen_row(w->overlay, i);
        const int key = model_number(row.key);
        CHECK(w, key >= 0 && w->in_frozen[key] && !seen[key], "frozen keys");
        CHECK(w, bytes_equal(row.value, model_value(w->frozen.versions[key])), "frozen values");
        seen[key] = true;
    }
}

static void do_freeze(struct world *w)
{
    if (w->is_frozen)
        return;
    overlay_freeze(w->overlay);
    w->is_frozen = true;
    w->frozen = w->committed;
    w->frozen_written = 0;
    for (int key = 0; key < MODEL_KEYS; key++) {
        w->in_frozen[key] = w->in_active[key];
        w->in_active[key] = false;
    }
}

static int compare_rows(const void *a, const void *b)
{
    return bytes_compare(((const struct store_row *)a)->key, ((const struct store_row *)b)->key);
}

/* A part of the frozen map reaches the store, as it would from the background. */
static void do_write_behind(struct world *w)
{
    struct store_row rows[MODEL_KEYS];
    size_t count = 0;
    const size_t frozen = overlay_frozen_count(w->overlay);
    for (size_t wanted = 1 + prng_below(&w->prng, 40);
         count < wanted && w->frozen_written < frozen;)
        rows[count++] = overlay_frozen_row(w->overlay, w->frozen_written++);
    qsort(rows, count, sizeof rows[0], compare_rows);
    CHECK(w,
          w->place.partition->type->write(w->place.partition, rows, count, BYTES_NONE, NULL) ==
              ST_OK,
          "write");
    for (size_t i = 0; i < count; i++) {
        const int key = model_number(rows[i].key);
        w->stored.versions[key] = w->frozen.versions[key];
    }
}

static void do_thaw(struct world *w)
{
    if (!w->is_frozen)
        return;
    check_frozen_rows(w);
    while (w->frozen_written < overlay_frozen_count(w->overlay))
        do_write_behind(w);
    overlay_thaw(w->overlay);
    w->is_frozen = false;
    for (int key = 0; key < MODEL_KEYS; key++)
        w->in_frozen[key] = false;
}

static void do_unfreeze(struct world *w)
{
    if (!w->is_frozen)
        return;
    overlay_unfreeze(w->overlay);
    w->is_frozen = false;
    for (int key = 0; key < MODEL_KEYS; key++) {
        w->in_active[key] |= w->in_frozen[key];
        w->in_frozen[key] = false;
    }
}

/* While the task was elsewhere its rows changed, and what the store has is of no use. */
static void change_elsewhere(struct world *w)
{
    for (int i = 0; i < 10; i++)
        w->committed.versions[model_any_key(&w->prng)] =
            prng_chance(&w->prng, 1, 2) ? 0 : w->next_version++;
    CHECK(w, w->place.partition->type->partition_drop(w->place.partition, NULL) == ST_OK, "drop");
    w->stored = (struct row_model){ 0 };
}

/* As it was put, or as it grew: behind the row in the store if that is as long. */
static void replay(struct world *w, int key)
{
    const uint32_t now = w->committed.versions[key], before = now == 0 ? 0 : model_before_growth(now);
    const size_t position = before == 0 ? 0 : model_value(before).size;
    if (position == 0 || prng_chance(&w->prng, 1, 2)) {
        overlay_replay(w->overlay, model_key(key), model_value(now));
        return;
    }
    bool fits;
    if (w->stored.versions[key] != before)
        overlay_replay(w->overlay, model_key(key), model_value(before));
    const size_t wrong = position > 1 && prng_chance(&w->prng, 1, 2) ? position - 1 : position + 1;
    CHECK(w,
          overlay_replay_append(w->overlay, model_key(key), wrong, BYTES_LITERAL("x"), &fits, NULL) == ST_OK,
          "replay of what does not fit");
    CHECK(w, !fits, "it cannot fit");
    CHECK(w,
          overlay_replay_append(w->overlay, model_key(key), position, model_end(now, position), &fits, NULL) ==
              ST_OK,
          "replay of an append");
    CHECK(w, fits, "it must fit");
    w->appends_replayed++;
}

/* The process dies; the tail brings back what the store lacks, and some that it has. */
static void do_restart(struct world *w)
{
    if (prng_chance(&w->prng, 1, 4)) {
        overlay_destroy(&w->overlay);
        place_reopen(&w->place);
        overlay_create(&w->overlay, w->place.partition, &w->options);
    } else {
        overlay_clear(w->overlay);
    }
    if (prng_chance(&w->prng, 1, 3))
        change_elsewhere(w);
    w->is_frozen = false;
    w->current = w->committed;
    w->touched_count = 0;
    for (int key = 0; key < MODEL_KEYS; key++) {
        w->touched[key] = w->in_frozen[key] = w->in_active[key] = false;
        const bool needed = w->stored.versions[key] != w->committed.versions[key];
        if (!needed && !prng_chance(&w->prng, 1, 10))
            continue;
        if (prng_chance(&w->prng, 1, 4)) /* an older one comes first */
            overlay_replay(w->overlay, model_key(key), model_value(w->stored.versions[key]));
        replay(w, key);
        w->in_active[key] = true;
    }
}

static void do_step(struct world *w)
{
    static void (*const often[])(struct world *) = { check_get, check_get, check_get, do_put,
                                                     do_put,    do_append, do_append, do_append,
                                                     do_append, do_delete, check_scan };
    static void (*const rarely[])(struct world *) = {
        do_commit,       do_commit, do_commit, do_abort,    check_counts,      do_freeze,
        do_write_behind, do_thaw,   do_thaw,   do_unfreeze, check_frozen_rows,
    };
    if (prng_chance(&w->prng, 1, 300))
        do_restart(w);
    else if (prng_chance(&w->prng, 1, 8))
        rarely[prng_below(&w->prng, sizeof rarely / sizeof rarely[0])](w);
    else
        often[prng_below(&w->prng, sizeof often / sizeof often[0])](w);
}

static void run(struct world *w, bool on_disk, uint64_t cache_bytes, int steps)
{
    *w = (struct world){ .options = { .cache_bytes = cache_bytes }, .next_version = 1 };
    w->prng = prng_from_env("TEST_SEED", 1 + cache_bytes + on_disk);
    place_open(&w->place, on_disk);
    overlay_create(&w->overlay, w->place.partition, &w->options);
    for (w->step = 0; w->step < steps; w->step++)
        do_step(w);
    CHECK(w, w->appends > w->appends_given && w->appends_given > 0 && w->appends_replayed > 0, "appends");
    overlay_destroy(&w->overlay);
    place_close(&w->place);
}

static const uint64_t cache_sizes[] = { 0, 400, 3000, 1 << 20 };

Test(overlay, hides_layers_checkpoints_and_restarts_over_memory, .timeout = 300)
{
    static struct world w;
    for (size_t i = 0; i < sizeof cache_sizes / sizeof cache_sizes[0]; i++)
        run(&w, false, cache_sizes[i], 60000);
}

Test(overlay, hides_layers_checkpoints_and_restarts_over_a_disk, .timeout = 300)
{
    static struct world w;
    run(&w, true, 0, 6000);
    run(&w, true, 3000, 6000);
}
