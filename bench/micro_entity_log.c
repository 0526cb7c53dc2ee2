/*
 * What one event costs the entity log: insert it and take all aggregates, on entities that are
 * loaded, with rows written at every commit. `micro_entity_log [events]`
 *
 * The topology is the usual one: how many and how much in an hour and a day, how many different
 * merchants, what is normal for this user, the last place.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/ensure.h"
#include "base/random.h"
#include "state/entity_log.h"

enum { COLUMNS = 5, WINDOWS = 3, AGGREGATES = 5, BATCH = 1000, MERCHANTS = 5000 };
enum { AMOUNT, MERCHANT, COUNTRY, DECLINED, CARD };

static const int64_t minute_us = INT64_C(60) * 1000 * 1000;

static const struct layout_column columns[COLUMNS] = {
    [AMOUNT] = { "amount", { VALUE_DECIMAL, 2, false } },
    [MERCHANT] = { "merchant_id", { VALUE_STRING, 0, false } },
    [COUNTRY] = { "country", { VALUE_STRING, 0, true } },
    [DECLINED] = { "declined", { VALUE_BOOL, 0, false } },
    [CARD] = { "card_id", { VALUE_STRING, 0, false } },
};

struct scene {
    const char *name;
    int users;
    int64_t step_us; /* between two events of one user, on average */
    int64_t spans_min[WINDOWS];
    int late_per_mille;
    uint64_t cache_bytes;
    bool looks_ahead;
};

static const struct scene scenes[] = {
    { "1,000 users, 1 h and 24 h", 1000, 20, { 60, 1440, 1440 }, 0, UINT64_C(1) << 32, false },
    { "1,000 users, 5 % late", 1000, 20, { 60, 1440, 1440 }, 50, UINT64_C(1) << 32, false },
    { "1,000 users, 30 days", 1000, 60, { 60, 1440, 43200 }, 0, UINT64_C(1) << 32, false },
    { "one merchant, 1 h and 24 h", 1, 1, { 60, 1440, 1440 }, 0, UINT64_C(1) << 32, false },
    { "20 merchants, 30 days", 20, 1, { 60, 1440, 43200 }, 0, UINT64_C(1) << 32, false },
    { "1,000 users, no cache", 1000, 20, { 60, 1440, 1440 }, 0, 0, false },
    { "100,000 users, 12 events each", 100000, 120, { 60, 1440, 1440 }, 0, UINT64_C(1) << 32, false },
    { "the same, looking ahead", 100000, 120, { 60, 1440, 1440 }, 0, UINT64_C(1) << 32, true },
};

struct bench {
    const struct scene *scene;
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct layouts *layouts;
    struct window_spec windows[WINDOWS];
    struct aggregate_spec aggregates[AGGREGATES];
    struct entity_log_spec spec;
    struct entity_log *log;
    struct arena *arena;
    struct prng prng;
    int64_t *now_us;
    uint64_t coming[ENTITY_LOG_AHEAD]; /* the users of the next events */
    uint64_t evaluated, row_bytes;
    double seconds_flush;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* one thread, no waiting */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(enum status st)
{
    ENSURE(st == ST_OK);
}

static void bench_open(struct bench *bench, const struct scene *scene)
{
    static const struct overlay_options options = { .cache_bytes = 64 << 20 };
    static const struct aggregate_spec aggregates[AGGREGATES] = {
        { AGGREGATE_COUNT, 0, -1, -1, { 0 }, 0, { 0 } },
        { AGGREGATE_SUM, 1, AMOUNT, -1, { 0 }, 0, { VALUE_DECIMAL, 2, false } },
        { AGGREGATE_DISTINCT, 1, MERCHANT, -1, { 0 }, 0, { VALUE_STRING, 0, false } },
        { AGGREGATE_AVG, 2, AMOUNT, -1, { 0 }, 0, { VALUE_DECIMAL, 2, false } },
        { AGGREGATE_COUNT, 0, -1, DECLINED, { CARD }, 1, { 0 } },
    };
    *bench = (struct bench){ .scene = scene, .prng = prng_of_seed(7) };
    store_open_memory(&bench->store);
    must(bench->store->type->partition_open(bench->store, &bench->partition, "bench", NULL));
    overlay_create(&bench->overlay, bench->partition, &options);
    must(layouts_open(&bench->layouts, bench->overlay, NULL));
    for (int i = 0; i < WINDOWS; i++)
        bench->windows[i] =
            (struct window_spec){ .span_us = scene->spans_min[i] * minute_us, .previous = i == 2 };
    for (int i = 0; i < AGGREGATES; i++)
        bench->aggregates[i] = aggregates[i];
    const int64_t look_back_us = scene->spans_min[2] * minute_us;
    bench->spec = (struct entity_log_spec){
        .columns = columns,
        .column_count = COLUMNS,
        .measure_count = COLUMNS,
        .windows = bench->windows,
        .window_count = WINDOWS,
        .aggregates = bench->aggregates,
        .aggregate_count = AGGREGATES,
        .look_back_us = look_back_us,
        .retention_us = look_back_us + 60 * minute_us,
        .cache_bytes = scene->cache_bytes,
    };
    must(entity_log_create(&bench->log, &bench->spec, bench->overlay, bench->layouts, NULL));
    arena_create(&bench->arena, 4096);
    bench->now_us = calloc((size_t)scene->users, sizeof *bench->now_us);
}

static void bench_close(struct bench *bench)
{
    entity_log_destroy(&bench->log);
    layouts_close(&bench->layouts);
    overlay_destroy(&bench->overlay);
    bench->partition->type->partition_close(bench->partition);
    store_close(&bench->store);
    arena_destroy(&bench->arena);
    free(bench->now_us);
}

static struct bytes names[MERCHANTS]; /* "m_00000000" and so on */

static void make_names(void)
{
    static char text[MERCHANTS][16];
    for (unsigned i = 0; i < MERCHANTS; i++)
        names[i] = bytes_of(text[i], (size_t)snprintf(text[i], 16, "m_%08u", i));
}

static void any_columns(struct bench *bench, struct value *values)
{
    static const char *const countries[] = { "DE", "FR", "US" };
    struct prng *prng = &bench->prng;
    values[AMOUNT] = value_decimal(prng_between(prng, 1, 100000), 2);
    values[MERCHANT] = value_string(names[prng_below(prng, MERCHANTS)]);
    values[COUNTRY] = value_string(bytes_of(countries[prng_below(prng, 3)], 2));
    values[DECLINED] = value_bool(prng_chance(prng, 1, 10));
    values[CARD] = value_string(names[prng_below(prng, 3)]);
}

static uint64_t next_user(struct bench *bench, int64_t offset)
{
    uint64_t *place = &bench->coming[offset % ENTITY_LOG_AHEAD];
    const uint64_t user = *place;
    *place = prng_below(&bench->prng, (uint64_t)bench->scene->users);
    if (bench->scene->looks_ahead)
        entity_log_look_ahead(bench->log, bytes_of(place, sizeof *place));
    return user;
}

static void one_event(struct bench *bench, int64_t offset)
{
    const uint64_t user = next_user(bench, offset);
    const int64_t step_us = bench->scene->step_us * minute_us;
    struct value values[COLUMNS], results[AGGREGATES];
    any_columns(bench, values);
    int64_t *now_us = &bench->now_us[user];
    *now_us += prng_between(&bench->prng, 0, 2 * step_us);
    const bool late = prng_below(&bench->prng, 1000) < (uint64_t)bench->scene->late_per_mille;
    const struct entity_event event = { late ? *now_us - 30 * minute_us : *now_us, offset, values };
    struct entity *entity;
    size_t position;
    must(entity_log_acquire(bench->log, bytes_of(&user, sizeof user), &entity, NULL));
    must(entity_insert(entity, &event, &position, NULL));
    const size_t end = entity_event_count(entity);
    for (; position < end; position++, bench->evaluated++)
        must(entity_aggregates(entity, position, results, bench->arena, NULL));
    arena_reset(bench->arena);
}

static void commit(struct bench *bench)
{
    const double start = now();
    must(entity_log_flush(bench->log, NULL));
    bench->row_bytes += overlay_changes_bytes(bench->overlay);
    bench->seconds_flush += now() - start;
    overlay_commit(bench->overlay);
    entity_log_commit(bench->log);
}

static void run(const struct scene *scene, int64_t events)
{
    struct bench bench;
    bench_open(&bench, scene);
    int64_t offset = 0;
    const int64_t warm = events / 2;
    double start = 0;
    for (; offset < warm + events; offset++) {
        if (offset == warm) {
            bench.evaluated = bench.row_bytes = 0;
            bench.seconds_flush = 0;
            start = now();
        }
        one_event(&bench, offset);
        if (offset % BATCH == BATCH - 1)
            commit(&bench);
    }
    const double seconds = now() - start;
    printf(
        "%-30s %6.0f ns an event, %4.0f of them the flush, %5.2f evaluations, %4.0f bytes written, "
        "%" PRIu64 " MB\n",
        scene->name, 1e9 * seconds / (double)events, 1e9 * bench.seconds_flush / (double)events,
        (double)bench.evaluated / (double)events, (double)bench.row_bytes / (double)events,
        entity_log_footprint(bench.log) >> 20);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    const int64_t events = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000;
    make_names();
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        run(&scenes[i], events);
    return 0;
}
