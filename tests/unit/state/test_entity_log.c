/*
 * The entity log against entity_model: random topologies and events (late ones, ties, bursts,
 * nulls), evaluated at any place, through commits, aborts, checkpoints, restarts, evictions and
 * expiry. Each life is lived with caches of several sizes, which must write the same rows.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "entity_model.h"
#include "state/entity.h"
#include "task_rows.h"

enum { CACHES = 4, KEYS = 24, RULES = 4, SPECS_MAX = 64 };

static const char *const keys[KEYS] = { "", "u", "u1", "a key that is longer than the others", "v00", "v01", "v02",
                                        "v03", "v04", "v05", "v06", "v07", "v08", "v09", "v10", "v11", "v12", "v13", "v14",
                                        "v15", "v16", "v17", "v18", "v19" };

struct world {
    struct prng prng, names; /* the other is of keys to come, which change nothing */
    int step;
    struct task_rows rows;
    struct entity_log *log;
    struct model_pool pool;
    struct model_spec *spec;
    struct model_spec *specs[SPECS_MAX]; /* mappings borrow their columns */
    size_t spec_count;
    struct model_entity current[KEYS], committed[KEYS];
    bool touched[KEYS];
    int64_t unit_us, next_offset;
    struct arena *values; /* of the model's events */
    struct arena *arena;
    uint64_t unevaluated; /* of 16 events so many are not evaluated at once */
    uint64_t results;
    uint64_t away; /* chunks met that had left their rests to their rows */
};

#define CHECK(w, condition, what)                                                      \
    do {                                                                               \
        if (!(condition))                                                              \
            cr_assert_fail("%s: TEST_SEED=%" PRIu64 " step=%d cache=%" PRIu64, (what), \
                           (w)->prng.seed, (w)->step, (w)->spec->log.cache_bytes);     \
    } while (0)

/* --- evaluation ----------------------------------------------------------------------------- */

static int64_t newest_us(const struct model_entity *entity)
{
    return entity->count == 0 ? INT64_MIN : entity->events[entity->count - 1].time_us;
}

/* How many events the log has forgotten that the model still has. They must be old enough. */
static size_t forgotten(struct world *w, const struct model_entity *model,
                        const struct entity *entity)
{
    const size_t count = entity_event_count(entity);
    CHECK(w, count <= model->count, "more events than there ever were");
    const size_t gone = model->count - count;
    CHECK(w,
          gone == 0 ||
              newest_us(model) - model->events[gone - 1].time_us > w->spec->log.retention_us,
          "an event was forgotten too early");
    return gone;
}

/* Whether every window of the event at e is still remembered completely. */
static bool is_complete(const struct world *w, const struct model_entity *model, size_t e,
                        size_t gone)
{
    const int64_t accepted_us = w->spec->log.retention_us - w->spec->log.look_back_us;
    return e >= gone && (gone == 0 || model->events[e].time_us >= newest_us(model) - accepted_us);
}

static void check_result(struct world *w, const struct model_entity *model, size_t e, size_t i,
                         const struct value *found)
{
    const struct aggregate_spec *aggregate = &w->spec->aggregates[i];
    const struct value expected = model_result(w->spec, aggregate, model, e);
    w->results++;
    if (value_same(&expected, found))
        return;
    struct buffer text;
    buffer_init(&text);
    value_format(&text, &expected);
    buffer_put_string(&text, " expected, found ");
    value_format(&text, found);
    const struct window_spec *window = &w->spec->windows[aggregate->window];
    cr_assert_fail("TEST_SEED=%" PRIu64 " step=%d cache=%" PRIu64
                   ": aggregate %zu (kind %d, argument %d, condition "
                   "%d, %d groups, span %" PRIi64 " us %" PRIi64 " events, delay %" PRIi64
                   ", previous %d) at %zu of "
                   "%zu: %s",
                   w->prng.seed, w->step, w->spec->log.cache_bytes, i, (int)aggregate->kind,
                   aggregate->argument, aggregate->condition, aggregate->group_count,
                   window->span_us, window->span_events, window->delay_us, window->previous, e,
                   model->count, buffer_text(&text));
}

struct contributors {
    struct world *world;
    const struct model_entity *model;
    size_t gone;
    size_t members[MODEL_EVENTS_MAX];
    size_t count, max, seen;
};

static void check_contributor(void *context, size_t position, int64_t time_us, int64_t offset)
{
    struct contributors *c = context;
    CHECK(c->world, c->seen < c->count && c->seen < c->max, "too many contributors");
    const size_t member = c->members[c->seen++];
    CHECK(c->world, position + c->gone == member, "a contributor's position");
    CHECK(c->world, time_us == c->model->events[member].time_us, "a contributor's time");
    CHECK(c->world, offset == c->model->events[member].offset, "a contributor's offset");
}

static void check_contributors(struct world *w, struct entity *entity,
                               const struct model_entity *model, size_t e, size_t gone)
{
    static struct contributors c;
    const size_t i = prng_below(&w->prng, w->spec->log.aggregate_count);
    c = (struct contributors){
        .world = w, .model = model, .gone = gone, .max = prng_below(&w->prng, 40)
    };
    c.count = model_members(w->spec, &w->spec->aggregates[i], model, e, c.members);
    size_t total;
    CHECK(w, entity_contributors(entity, i, e - gone, c.max, check_contributor, &c, &total, NULL) == ST_OK && total == c.count,
          "contributors");
    CHECK(w, c.seen == (c.count < c.max ? c.count : c.max), "too few contributors");
}

static void check_event(struct world *w, struct entity *entity, const struct model_event *model,
                        size_t position)
{
    struct entity_event found;
    struct value columns[POOL], expected[POOL];
    CHECK(w, entity_event_at(entity, position, &found, columns, w->arena, NULL) == ST_OK,
          "event_at");
    CHECK(w, found.time_us == model->time_us && found.offset == model->offset, "time and offset");
    model_columns(w->spec, model, expected);
    for (size_t i = 0; i < w->spec->log.column_count; i++)
        CHECK(w, value_same(&expected[i], &columns[i]), "a column");
}

static bool model_has_alerted(const struct model_event *event, uint32_t rule)
{
    for (size_t i = 0; i < event->alerted_count; i++) {
        if (event->alerted[i] == rule)
            return true;
    }
    return false;
}

static void check_alerted(struct world *w, struct entity *entity, struct model_event *model,
                          size_t position)
{
    const uint32_t rule = UINT32_C(0x01020304) * (1 + (uint32_t)prng_below(&w->prng, RULES));
    bool alerted;
    CHECK(w, entity_has_alerted(entity, position, rule, &alerted, NULL) == ST_OK, "has_alerted");
    CHECK(w, alerted == model_has_alerted(model, rule), "alerted");
    if (!prng_chance(&w->prng, 1, 4))
        return;
    CHECK(w, entity_set_alerted(entity, position, rule, NULL) == ST_OK, "set_alerted");
    if (!alerted)
        model->alerted[model->alerted_count++] = rule;
}

static void check_results(struct world *w, struct entity *entity, const struct model_entity *model,
                          size_t e, size_t gone)
{
    struct value results[MODEL_AGGREGATES_MAX];
    arena_reset(w->arena);
    CHECK(w, entity_aggregates(entity, e - gone, results, w->arena, NULL) == ST_OK, "aggregates");
    for (size_t i = 0; i < w->spec->log.aggregate_count; i++)
        check_result(w, model, e, i, &results[i]);
}

static void check_at(struct world *w, struct entity *entity, struct model_entity *model, size_t e)
{
    const size_t gone = forgotten(w, model, entity);
    if (!is_complete(w, model, e, gone))
        return;
    check_results(w, entity, model, e, gone);
    if (w->spec->log.aggregate_count > 0 && prng_chance(&w->prng, 1, 4))
        check_contributors(w, entity, model, e, gone);
    if (prng_chance(&w->prng, 1, 3))
        check_event(w, entity, &model->events[e], e - gone);
    if (!prng_chance(&w->prng, 1, 3))
        return;
    check_alerted(w, entity, &model->events[e], e - gone);
    if (prng_chance(&w->prng, 1, 4)) /* nothing changes by an alert */
        check_results(w, entity, model, e, gone);
}

/* --- what happens --------------------------------------------------------------------------- */

static struct entity *acquire(struct world *w, int key)
{
    struct entity *entity = NULL;
    CHECK(w, entity_log_acquire(w->log, bytes_of_string(keys[key]), &entity, NULL) == ST_OK,
          "acquire");
    w->touched[key] = true;
    for (size_t i = 0; i < entity->sealed_count; i++)
        w->away += entity->sealed[i].rests_away;
    return entity;
}

static int64_t any_time(struct world *w, const struct model_entity *model)
{
    const struct entity_log_spec *spec = &w->spec->log;
    const int64_t accepted_us = spec->retention_us - spec->look_back_us;
    if (model->count == 0)
        return prng_between(&w->prng, 1, 100) * w->unit_us;
    int64_t time_us = newest_us(model);
    if (prng_chance(&w->prng, 3, 10))
        return time_us - prng_between(&w->prng, 0, accepted_us / w->unit_us) * w->unit_us;
    switch (prng_below(&w->prng, 40)) {
    case 0:
        time_us += spec->look_back_us + prng_between(&w->prng, -1, 1);
        break;
    case 1:
        time_us += spec->retention_us + prng_between(&w->prng, 0, 2) * w->unit_us;
        break;
    case 2:
        time_us += 1;
        break;
    default:
        time_us += prng_between(&w->prng, 0, 2) * w->unit_us;
    }
    return time_us;
}

static void do_insert(struct world *w, int key)
{
    struct model_entity *model = &w->current[key];
    struct entity *entity = acquire(w, key);
    if (model->count == MODEL_EVENTS_MAX)
        return;
    struct model_event event = { .time_us = any_time(w, model), .offset = w->next_offset++ };
    struct value columns[POOL];
    model_any_values(&event, &w->pool, &w->prng, w->values);
    model_columns(w->spec, &event, columns);
    size_t before = 0, position = 0;
    CHECK(w, entity_position_of(entity, event.time_us, &before, NULL) == ST_OK, "position_of");
    const struct entity_event given = { event.time_us, event.offset, columns };
    CHECK(w, entity_insert(entity, &given, &position, NULL) == ST_OK, "insert");
    const size_t e = model_insert(model, &event);
    CHECK(w, before == position && position + forgotten(w, model, entity) == e, "position");
    if (prng_chance(&w->prng, w->unevaluated, 16))
        return;
    check_at(w, entity, model, e);
    /* The newer ones again, as a late event asks for. */
    for (size_t later = e + 1; later < model->count && prng_chance(&w->prng, 3, 4); later++)
        check_at(w, entity, model, later);
}

static void do_look(struct world *w, int key)
{
    struct model_entity *model = &w->current[key];
    struct entity *entity = acquire(w, key);
    forgotten(w, model, entity);
    if (model->count > 0)
        check_at(w, entity, model, prng_below(&w->prng, model->count));
}

/* Keys that may come, or may not; what is loaded and kept of them may go meanwhile. */
static void look_ahead(struct world *w)
{
    for (uint64_t n = prng_below(&w->names, 4); n > 0; n--)
        entity_log_look_ahead(w->log, bytes_of_string(keys[prng_below(&w->names, KEYS)]));
}

static void do_expire(struct world *w, int key)
{
    struct model_entity *model = &w->current[key];
    const int64_t reference_us = model->count == 0 ? 0 : newest_us(model);
    const int64_t before_us = reference_us + prng_between(&w->prng, -3, 1);
    bool deleted;
    int64_t found_us;
    CHECK(w,
          entity_log_expire(w->log, bytes_of_string(keys[key]), before_us, &deleted, &found_us,
                            NULL) == ST_OK,
          "expire");
    w->touched[key] = true;
    CHECK(w, deleted == (newest_us(model) < before_us), "deleted");
    CHECK(w, found_us == newest_us(model), "newest");
    if (deleted)
        model->count = 0;
}

static void copy_touched(struct world *w, struct model_entity *to, const struct model_entity *from)
{
    for (int i = 0; i < KEYS; i++) {
        if (!w->touched[i])
            continue;
        memcpy(to[i].events, from[i].events, from[i].count * sizeof *from[i].events);
        to[i].count = from[i].count;
        w->touched[i] = false;
    }
}

/* Expired events go, but for those that share a chunk with an event that counts. */
static void check_forgetting(struct world *w)
{
    for (int i = 0; i < KEYS; i++) {
        if (!w->touched[i])
            continue;
        struct entity *entity = acquire(w, i);
        const struct model_entity *model = &w->current[i];
        const size_t gone = forgotten(w, model, entity);
        size_t expired = 0;
        while (expired < model->count &&
               newest_us(model) - model->events[expired].time_us > w->spec->log.retention_us)
            expired++;
        CHECK(w,
              expired - gone <=
                  4 * (w->spec->log.chunk_events == 0 ? 16 : w->spec->log.chunk_events),
              "expired events stay");
    }
}

/* --- rows ----------------------------------------------------------------------------------- */

enum { CHUNKS_SEEN_MAX = MODEL_EVENTS_MAX };

struct rows_seen {
    struct world *world;
    uint64_t listed[CHUNKS_SEEN_MAX]; /* by the head row that came last */
    size_t listed_count, found;
    struct bytes head_key;
    uint8_t key[64];
    size_t heads;
};

static void read_directory(struct rows_seen *seen, struct bytes head)
{
    struct reader in = reader_of(head);
    (void)reader_u8(&in);
    (void)reader_varint(&in); /* the next number */
    seen->listed_count = (size_t)reader_varint(&in);
    CHECK(seen->world, seen->listed_count <= CHUNKS_SEEN_MAX, "too many chunks");
    for (size_t i = 0; i < seen->listed_count; i++) {
        seen->listed[i] = reader_varint(&in);
        (void)reader_varint(&in);
        (void)reader_zigzag(&in);
        (void)reader_varint(&in);
    }
}

/* Heads and chunks of one key are neighbours, the head first. */
static bool see_row(void *context, struct bytes key, struct bytes value)
{
    struct rows_seen *seen = context;
    if (key.data[0] != 1)
        return true;
    const size_t size = 2 + 1 + (size_t)key.data[2]; /* without the last part; keys are short */
    CHECK(seen->world, key.data[1] == seen->world->spec->log.stream, "another stream's row");
    if (key.data[size] == 0) {
        CHECK(seen->world, seen->found == seen->listed_count, "a chunk's row is missing");
        read_directory(seen, value);
        memcpy(seen->key, key.data, size);
        seen->head_key = bytes_of(seen->key, size);
        seen->found = 0;
        seen->heads++;
        return true;
    }
    CHECK(seen->world, bytes_equal(seen->head_key, bytes_of(key.data, size)),
          "a chunk without head");
    struct reader in = reader_of(bytes_of(key.data + size + 1, key.size - size - 1));
    const uint64_t number = reader_be64(&in);
    size_t i = 0;
    while (i < seen->listed_count && seen->listed[i] != number)
        i++;
    CHECK(seen->world, i < seen->listed_count, "a chunk that its head does not list");
    seen->found++;
    return true;
}

/* Every chunk row is listed by its head and the other way round; what has expired has no rows. */
static void check_rows(struct world *w)
{
    static struct rows_seen seen;
    size_t heads = 0;
    seen = (struct rows_seen){ .world = w };
    task_rows_each(&w->rows, see_row, &seen);
    CHECK(w, seen.found == seen.listed_count, "a chunk's row is missing");
    for (int i = 0; i < KEYS; i++)
        heads += w->committed[i].count > 0;
    CHECK(w, seen.heads == heads, "heads");
}

/* --- transactions --------------------------------------------------------------------------- */

static void commit(struct world *w)
{
    CHECK(w, entity_log_flush(w->log, NULL) == ST_OK, "flush");
    task_rows_commit(&w->rows);
    entity_log_commit(w->log);
    copy_touched(w, w->committed, w->current);
    if (!w->spec->log.never_aborts) /* then rows lag behind what is loaded */
        check_rows(w);
    CHECK(w, w->spec->log.cache_bytes > 0 || entity_log_footprint(w->log) < 4096,
          "the cache is not trimmed");
}

static void abort_transaction(struct world *w)
{
    if (w->spec->log.never_aborts)
        return commit(w);
    if (prng_chance(&w->prng, 1, 3))
        CHECK(w, entity_log_flush(w->log, NULL) == ST_OK, "flush");
    task_rows_abort(&w->rows);
    entity_log_abort(w->log);
    copy_touched(w, w->current, w->committed);
}

static void open_log(struct world *w)
{
    cr_assert_eq(entity_log_create(&w->log, &w->spec->log, w->rows.overlay, w->rows.layouts, NULL),
                 ST_OK);
}

static void restart(struct world *w)
{
    commit(w);
    if (w->spec->log.never_aborts)
        return; /* nor does it stop and go on */
    entity_log_destroy(&w->log);
    task_rows_restart(&w->rows);
    if (w->spec_count < SPECS_MAX && prng_chance(&w->prng, 1, 2)) { /* another topology */
        struct model_spec *spec = malloc(sizeof *spec);
        *spec = *w->spec;
        model_pool_change(&w->pool, &w->prng);
        model_spec_init(spec, &w->pool, w->unit_us, &w->prng);
        w->specs[w->spec_count++] = w->spec = spec;
    }
    open_log(w);
}

static void take_step(struct world *w)
{
    const int key = (int)prng_below(&w->prng, KEYS);
    look_ahead(w);
    switch (prng_below(&w->prng, 100)) {
    case 0:
    case 1:
        restart(w);
        break;
    case 2:
    case 3:
        abort_transaction(w);
        break;
    case 4:
    case 5:
    case 6:
        task_rows_checkpoint_step(&w->rows, &w->prng);
        break;
    case 7:
    case 8:
        do_expire(w, key);
        break;
    case 9: /* more than once is allowed, and shows what is kept */
        CHECK(w, entity_log_flush(w->log, NULL) == ST_OK, "flush");
        check_forgetting(w);
        break;
    default:
        if (w->step % 8 == 0)
            commit(w);
        else if (prng_chance(&w->prng, 1, 4))
            do_look(w, key);
        else
            for (int n = prng_chance(&w->prng, 1, 20) ? 40 : 1; n > 0; n--)
                do_insert(w, key);
    }
}

static void world_init(struct world *w, uint64_t seed, uint64_t cache_bytes, bool never_aborts)
{
    static const size_t sizes[] = { 0, 90, 400 };
    *w = (struct world){ .prng = prng_of_seed(seed), .names = prng_of_seed(seed) };
    const struct overlay_options options = { .cache_bytes = prng_below(&w->prng, 2) * 8192 };
    task_rows_open(&w->rows, &options);
    arena_create(&w->values, 64 * 1024);
    arena_create(&w->arena, 4096);
    w->unit_us = prng_chance(&w->prng, 1, 3) ? 1 : 1000;
    w->spec = calloc(1, sizeof *w->spec);
    w->specs[w->spec_count++] = w->spec;
    struct entity_log_spec *log = &w->spec->log;
    log->stream = (uint8_t)prng_below(&w->prng, 3);
    log->look_back_us = prng_between(&w->prng, 1, 60) * w->unit_us;
    log->retention_us = log->look_back_us + prng_between(&w->prng, 0, 30) * w->unit_us;
    log->chunk_events = (size_t)prng_between(&w->prng, 2, 32);
    if (prng_chance(&w->prng, 1, 8))
        log->chunk_events = 0;
    log->chunk_bytes = sizes[prng_below(&w->prng, 3)];
    log->cache_bytes = cache_bytes;
    log->never_aborts = never_aborts;
    w->unevaluated = prng_chance(&w->prng, 1, 3) ? 15 : 2;
    model_pool_init(&w->pool, &w->prng);
    model_spec_init(w->spec, &w->pool, w->unit_us, &w->prng);
    open_log(w);
    for (int i = 0; i < KEYS; i++) {
        w->current[i].events = calloc(MODEL_EVENTS_MAX, sizeof(struct model_event));
        w->committed[i].events = calloc(MODEL_EVENTS_MAX, sizeof(struct model_event));
    }
}

static void world_fini(struct world *w)
{
    entity_log_destroy(&w->log);
    task_rows_close(&w->rows);
    arena_destroy(&w->values);
    arena_destroy(&w->arena);
    for (size_t i = 0; i < w->spec_count; i++)
        free(w->specs[i]);
    for (int i = 0; i < KEYS; i++) {
        free(w->current[i].events);
        free(w->committed[i].events);
    }
}

/* What was met in the end: rows that grew, and chunks without rests. */
struct met {
    uint64_t appends, away;
};

/* Returns how many results were compared. */
static uint64_t live_with(uint64_t seed, uint64_t cache_bytes, bool never_aborts, uint64_t *digest, struct met *met)
{
    static struct world w;
    world_init(&w, seed, cache_bytes, never_aborts);
    for (w.step = 1; w.step <= 1000; w.step++)
        take_step(&w);
    commit(&w);
    *digest = w.rows.digest;
    met->appends += w.rows.appends;
    met->away += w.away;
    const uint64_t results = w.results;
    world_fini(&w);
    return results;
}

static uint64_t live(uint64_t seed, struct met *met)
{
    static const uint64_t caches[CACHES] = { 0, 30000, 100000, UINT64_C(1) << 30 };
    uint64_t digests[CACHES], lagging, results = 0;
    for (int i = 0; i < CACHES; i++) {
        results += live_with(seed, caches[i], false, &digests[i], met);
        results += live_with(seed, caches[i], true, &lagging, met);
    }
    for (int i = 1; i < CACHES; i++)
        cr_assert_eq(digests[0], digests[i], "rows depend on the cache: TEST_SEED=%" PRIu64, seed);
    return results;
}

Test(entity_log, agrees_with_everything_that_ever_happened, .timeout = 120)
{
    const struct prng first = prng_from_env("TEST_SEED", 0);
    struct met met = { 0 };
    uint64_t results = first.seed == 0 ? 0 : live(first.seed, &met);
    for (uint64_t seed = 1; first.seed == 0 && (seed <= 20 || results < 300000); seed++)
        results += live(seed, &met);
    cr_assert_gt(met.appends, 1000, "rows hardly grow: %" PRIu64, met.appends);
    cr_assert(first.seed != 0 || met.away > 1000, "hardly a chunk was without its rests: %" PRIu64, met.away);
    cr_log_info("%" PRIu64 " results", results);
}
