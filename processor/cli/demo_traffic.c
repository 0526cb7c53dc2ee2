/*
 * The time that payments carry is up to a minute behind the clock: it is chosen so that a full minute
 * comes soon after the start, and the attack that straddles one need not be waited for.
 */
#include "processor/cli/demo_traffic.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HISTORY_MS = 6 * 60 * MINUTE_MS,
    BEFORE_FULL_MINUTE_MS = 18 * SECOND_MS,
    SLOW_BURN_MS = 22 * 15 * MINUTE_MS, /* from its first payment to the last */
    SLOW_BURNS = 30,                    /* one ends every minute */
    USERS_MIN = 20 * 1000,
    USERS_MAX = 500 * 1000,
    USERS_PER_RATE = 60,
    CATCH_UP_MS = 120 * SECOND_MS,
    DRAIN_MS = 10 * SECOND_MS,
    SETTLE_US = 500 * 1000,
    LOOK_US = 20 * 1000,
    WAIT_STEP_US = 1000
};
static const double history_per_second = 1;

struct demo_traffic {
    struct demo_traffic_options options;
    struct clock clock;
    struct generator *generator;
    int64_t live_ms; /* the first live payment's time */
    int64_t began_us;
    pthread_t thread;
    bool started;
    atomic_bool stop, done;
    enum status status;
    struct error error;
};

/* When in a minute's round which attack begins; the slow burn began hours ago. */
static const struct {
    enum generator_attack attack;
    int64_t after_ms;
} round_of_attacks[] = {
    { ATTACK_straddle, 500 },
    { ATTACK_out_of_order_straddle, 600 },
    { ATTACK_velocity, 1000 },
    { ATTACK_test_then_spend, 2000 },
    { ATTACK_high_amount, 4000 },
    { ATTACK_impossible_travel, 5000 },
    { ATTACK_blocked_merchant, 7000 },
    { ATTACK_new_device, 10000 },
    { ATTACK_location_mismatch, 13000 },
};

/* --- life ----------------------------------------------------------------------------------------- */

static uint32_t users_for(double per_second)
{
    const double users = per_second * USERS_PER_RATE;
    if (users < USERS_MIN)
        return USERS_MIN;
    return users > USERS_MAX ? USERS_MAX : (uint32_t)users;
}

enum status demo_traffic_create(struct demo_traffic **out,
                                const struct demo_traffic_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(demo_traffic_destroy) struct demo_traffic *traffic = mem_alloc(sizeof *traffic);
    traffic->options = *options;
    traffic->clock = clock_real();
    const int64_t now_ms = clock_wall_ms(&traffic->clock);
    traffic->live_ms = (now_ms + BEFORE_FULL_MINUTE_MS) / MINUTE_MS * MINUTE_MS -
                       BEFORE_FULL_MINUTE_MS;
    const struct generator_options generator = {
        .seed = options->seed,
        .user_count = users_for(options->per_second),
        .start_ms = traffic->live_ms - HISTORY_MS,
        .per_second = history_per_second,
        .out_of_order_share = 0.02,
        .late_share = 0.005,
        .duplicate_share = 0.005,
        .poison_share = options->poison_share,
        .encoding = traffic_encoding(options->traffic),
    };
    TRY(generator_create(&traffic->generator, &generator, err));
    /* Before the workers look how much of the tables they must know before the first event. */
    TRY(traffic_write_tables(options->traffic, traffic->generator, err));
    *out = TAKE(traffic);
    return ST_OK;
}

void demo_traffic_destroy(struct demo_traffic **traffic_ref)
{
    struct demo_traffic *traffic = TAKE(*traffic_ref);
    if (traffic == NULL)
        return;
    ENSURE(!traffic->started);
    generator_destroy(&traffic->generator);
    mem_free(traffic);
}

const atomic_bool *demo_traffic_done(const struct demo_traffic *traffic)
{
    return &traffic->done;
}

static bool must_stop(struct demo_traffic *traffic)
{
    return atomic_load(&traffic->stop) || atomic_load(traffic->options.interrupted);
}

struct demo_totals demo_traffic_totals(const struct service *service)
{
    struct demo_totals totals = { .records = 0 };
    for (size_t i = 0; i < service_worker_count(service); i++) {
        struct worker_stats stats;
        service_stats((struct service *)(uintptr_t)service, i, &stats);
        totals.records += stats.records;
        totals.duplicates += stats.counters.duplicates;
        totals.reevaluated += stats.counters.reevaluated;
        worker_stats_fini(&stats);
    }
    return totals;
}

/* --- the thread ----------------------------------------------------------------------------------- */

static enum status send(struct demo_traffic *traffic, const struct generator_event *event,
                        struct error *err)
{
    demo_board_sent(traffic->options.board, event);
    return traffic_write(traffic->options.traffic, event, err);
}

/* Until the workers have processed what was sent, or the time is over, or somebody interrupts. */
static void wait_for_workers(struct demo_traffic *traffic, int64_t timeout_ms)
{
    const int64_t end_us = clock_us(&traffic->clock) + timeout_ms * 1000;
    const uint64_t wanted = traffic_delivered(traffic->options.traffic);
    while (demo_traffic_totals(traffic->options.service).records < wanted &&
           clock_us(&traffic->clock) < end_us && !atomic_load(&traffic->stop))
        clock_sleep_us(&traffic->clock, LOOK_US);
}

/* Fills `next` with the first live event. */
static enum status send_history(struct demo_traffic *traffic, struct generator_event *next,
                                struct error *err)
{
    struct generator *generator = traffic->generator;
    for (int i = 0; i < SLOW_BURNS; i++)
        generator_attack_at(generator, ATTACK_slow_burn,
                            traffic->live_ms - SLOW_BURN_MS + i * (int64_t)MINUTE_MS);
    for (;;) {
        generator_next(generator, next);
        if (next->arrival_ms >= traffic->live_ms)
            return traffic_flush(traffic->options.traffic, err);
        TRY(send(traffic, next, err));
    }
}

static void begin_round(struct demo_traffic *traffic, int64_t round_ms)
{
    for (size_t i = 0; i < sizeof round_of_attacks / sizeof round_of_attacks[0]; i++)
        generator_attack_at(traffic->generator, round_of_attacks[i].attack,
                            round_ms + round_of_attacks[i].after_ms);
}

/* Until the event is due. false: the demo is over. */
static bool wait_for(struct demo_traffic *traffic, int64_t arrival_ms)
{
    const int64_t due_us = traffic->began_us + (arrival_ms - traffic->live_ms) * 1000;
    const int64_t seconds = traffic->options.seconds;
    const int64_t end_us =
        seconds == 0 ? INT64_MAX : traffic->began_us + seconds * SECOND_MS * 1000;
    int64_t now_us = clock_us(&traffic->clock);
    while (now_us < due_us && now_us < end_us && !must_stop(traffic)) {
        clock_sleep_us(&traffic->clock,
                       due_us - now_us < WAIT_STEP_US ? due_us - now_us : WAIT_STEP_US);
        now_us = clock_us(&traffic->clock);
    }
    return now_us < end_us && !must_stop(traffic);
}

static enum status send_live(struct demo_traffic *traffic, struct generator_event *event,
                             struct error *err)
{
    int64_t round_ms = traffic->live_ms;
    generator_set_rate(traffic->generator, traffic->options.per_second);
    demo_board_go_live(traffic->options.board);
    traffic->began_us = clock_us(&traffic->clock);
    while (wait_for(traffic, event->arrival_ms)) {
        TRY(send(traffic, event, err));
        if (event->arrival_ms >= round_ms) {
            begin_round(traffic, round_ms);
            round_ms += MINUTE_MS;
        }
        generator_next(traffic->generator, event);
    }
    return ST_OK;
}

static enum status send_all(struct demo_traffic *traffic, struct error *err)
{
    struct generator_event event;
    TRY(send_history(traffic, &event, err));
    wait_for_workers(traffic, CATCH_UP_MS);
    if (must_stop(traffic))
        return ST_OK;
    TRY(send_live(traffic, &event, err));
    TRY(traffic_flush(traffic->options.traffic, err));
    wait_for_workers(traffic, DRAIN_MS);
    clock_sleep_us(&traffic->clock, SETTLE_US); /* the last commit */
    return ST_OK;
}

static void *run(void *argument)
{
    struct demo_traffic *traffic = argument;
    traffic->status = send_all(traffic, &traffic->error);
    atomic_store(&traffic->done, true);
    return NULL;
}

void demo_traffic_start(struct demo_traffic *traffic)
{
    ENSURE(!traffic->started);
    ENSURE(pthread_create(&traffic->thread, NULL, run, traffic) == 0);
    traffic->started = true;
}

enum status demo_traffic_join(struct demo_traffic *traffic, struct error *err)
{
    atomic_store(&traffic->stop, true);
    if (traffic->started)
        pthread_join(traffic->thread, NULL);
    traffic->started = false;
    if (traffic->status != ST_OK)
        *err = traffic->error;
    return traffic->status;
}
