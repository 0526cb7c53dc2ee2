/*
 * entity_find_id against a list of all events that came in: through commits, aborts, checkpoints, restarts and evictions,
 * for entities with few events and with many, nothing that is forgotten may show in an answer.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "state/entity_log.h"
#include "task_rows.h"

enum { N, WHO, COLUMNS, EVENTS_MAX = 4000, TEXT_MAX = 48 };

static const struct layout_column columns[COLUMNS] = {
    [N] = { "n", { VALUE_INT, 0, true } },
    [WHO] = { "who", { VALUE_STRING, 0, true } },
};

struct happened {
    int64_t id, time_us;
};

struct world {
    struct prng prng;
    int step;
    struct task_rows rows;
    struct entity_log_spec spec;
    struct entity_log *log;
    struct entity *entity;
    int64_t span_us, late_us, pace_us;
    uint64_t id_count;
    int64_t newest_us, committed_newest_us; /* of all entities */
    struct happened events[EVENTS_MAX];
    size_t count, committed;
    uint64_t found, anew;
};

#define CHECK(w, condition, what) \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d", (what), (w)->prng.seed, (w)->step)

/* Some fit a word of seven bytes. */
static struct value id_value(const struct world *w, int64_t id, char text[TEXT_MAX])
{
    if (w->spec.id == N)
        return value_int(id * 1000003);
    snprintf(text, TEXT_MAX, id % 3 == 0 ? "%" PRId64 : "a payment's id, %" PRId64, id);
    return value_string(bytes_of_string(text));
}

static void acquire(struct world *w)
{
    CHECK(w, entity_log_acquire(w->log, BYTES_LITERAL("k"), &w->entity, NULL) == ST_OK, "acquire");
}

static void open_log(struct world *w)
{
    cr_assert_eq(entity_log_create(&w->log, &w->spec, w->rows.overlay, w->rows.layouts, NULL), ST_OK);
}

static bool has_come(const struct world *w, int64_t id, int64_t time_us)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct happened *event = &w->events[i];
        const int64_t distance_us = event->time_us < time_us ? time_us - event->time_us : event->time_us - time_us;
        if (event->id == id && distance_us <= w->span_us)
            return true;
    }
    return false;
}

static bool was_ever(const struct world *w, int64_t id)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->events[i].id == id)
            return true;
    }
    return false;
}

static void take_event(struct world *w)
{
    char text[TEXT_MAX];
    const int64_t id = (int64_t)prng_below(&w->prng, w->id_count);
    const int64_t back_us = prng_chance(&w->prng, 1, 4) || w->pace_us > w->late_us ? w->late_us : w->pace_us;
    const int64_t time_us = w->newest_us + prng_between(&w->prng, -back_us, w->pace_us);
    const struct value value = id_value(w, id, text);
    bool found;
    acquire(w);
    CHECK(w, entity_find_id(w->entity, &value, time_us, w->span_us, w->newest_us - w->late_us - w->span_us, &found, NULL) ==
                 ST_OK, "find");
    CHECK(w, found == has_come(w, id, time_us), found ? "a new event is held back" : "an id passes again");
    w->found += found;
    w->anew += !found && was_ever(w, id);
    if (found || w->count == EVENTS_MAX)
        return;
    size_t position;
    struct value values[COLUMNS] = { value_null(), value_null() };
    values[w->spec.id] = value;
    const struct entity_event event = { time_us, w->step, values };
    CHECK(w, entity_insert(w->entity, &event, &position, NULL) == ST_OK, "insert");
    w->events[w->count++] = (struct happened){ id, time_us };
    w->newest_us = time_us > w->newest_us ? time_us : w->newest_us;
}

static void commit(struct world *w)
{
    CHECK(w, entity_log_flush(w->log, NULL) == ST_OK, "flush");
    task_rows_commit(&w->rows);
    entity_log_commit(w->log);
    w->committed = w->count;
    w->committed_newest_us = w->newest_us;
}

static void abort_transaction(struct world *w)
{
    task_rows_abort(&w->rows);
    entity_log_abort(w->log);
    w->count = w->committed;
    w->newest_us = w->committed_newest_us;
}

static void take_step(struct world *w)
{
    switch (prng_below(&w->prng, 100)) {
    case 0:
        commit(w);
        entity_log_destroy(&w->log);
        task_rows_restart(&w->rows);
        open_log(w);
        break;
    case 1:
        abort_transaction(w);
        break;
    case 2:
        task_rows_checkpoint_step(&w->rows, &w->prng);
        break;
    case 3: /* others' events */
        w->newest_us += prng_between(&w->prng, 0, w->span_us / 4);
        break;
    default:
        if (w->step % 16 == 0)
            commit(w);
        else
            take_event(w);
    }
}

static void live(uint64_t seed, uint64_t *found, uint64_t *anew)
{
    static struct world w;
    static const int64_t paces[] = { 1, 3, 20, 200 };
    w = (struct world){ .prng = prng_of_seed(seed), .newest_us = 1000000, .committed_newest_us = 1000000 };
    task_rows_open(&w.rows, &(struct overlay_options){ 0 });
    w.span_us = prng_between(&w.prng, 10, 2000);
    w.pace_us = paces[prng_below(&w.prng, 4)];
    w.id_count = 1 + prng_below(&w.prng, 3000);
    w.spec = (struct entity_log_spec){
        .stream = 1, .columns = columns, .column_count = COLUMNS, .measure_count = COLUMNS, .finds_ids = true,
        .id = prng_chance(&w.prng, 1, 2) ? N : WHO, .cache_bytes = prng_below(&w.prng, 2) << 20,
        .look_back_us = prng_between(&w.prng, 0, 2 * w.span_us),
    };
    w.late_us = prng_between(&w.prng, 0, 2 * w.span_us);
    w.spec.retention_us = w.late_us + (w.span_us > w.spec.look_back_us ? w.span_us : w.spec.look_back_us);
    open_log(&w);
    for (w.step = 1; w.step <= 3000; w.step++)
        take_step(&w);
    commit(&w);
    *found += w.found;
    *anew += w.anew;
    entity_log_destroy(&w.log);
    task_rows_close(&w.rows);
}

Test(entity_ids, agree_with_everything_that_ever_happened, .timeout = 120)
{
    const struct prng first = prng_from_env("TEST_SEED", 0);
    uint64_t found = 0, anew = 0;
    if (first.seed != 0) {
        live(first.seed, &found, &anew);
        return;
    }
    for (uint64_t seed = 1; seed <= 60; seed++)
        live(seed, &found, &anew);
    cr_assert_gt(found, 5000);
    cr_assert_gt(anew, 1000);
}
