/*
 * job_live: the job's payments on a fixed schedule, whatever becomes of them: open loop. An event's time is when the
 * schedule says that it is sent, so that a sender that is late hides nothing (no coordinated omission).
 *
 *     job_live BROKERS PAYMENTS SCHEMA_ID USERS uniform|mandelbrot|zipf SEED STEP_MS BLOCKED_EVERY LINGER_MS EXPECTED
 *
 * Does what its standard input says, a line each, and answers on standard output:
 *
 *     load COUNT                        as fast as it goes            loaded COUNT
 *     pace RATE:SECONDS[,RATE:SECONDS]  one schedule after the other, without a pause between
 *                                                                     started START_US
 *                                                                     phase FIRST COUNT RATE START_US   for each
 *                                                                     late P50_US P99_US P999_US MAX_US
 *
 * Event FIRST + i of a phase is due at START_US + i / RATE, on the monotonic clock; START_US is the first phase's.
 * "late": how long after that it was handed to the client. EXPECTED has everything that was sent before the answer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/memory.h"
#include "job_feed.h"

enum {
    PHASES_MAX = 16,
    LINE_MAX_SIZE = 256,
    LEAD_US = 50 * 1000, /* from the command to the first event */
    LATE_BUCKETS = 1 << 20, /* of 10 us: 10 s */
    LATE_BUCKET_US = 10,
};

struct phase {
    uint64_t rate, seconds, first;
    int64_t start_us;
};

struct live {
    struct job_feed *feed;
    struct clock clock;
    uint32_t *late; /* a histogram */
    int64_t late_max_us;
};

static void refuse(const char *line)
{
    fprintf(stderr, "job_live: not a command: %s\n", line);
    exit(2);
}

/* --- lateness ---------------------------------------------------------------------------------------------------- */

static void note_late(struct live *live, int64_t late_us)
{
    int64_t bucket = late_us / LATE_BUCKET_US;
    if (late_us > live->late_max_us)
        live->late_max_us = late_us;
    live->late[bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1]++;
}

static int64_t late_us_at(const struct live *live, uint64_t count, double share)
{
    uint64_t below = 0;
    for (int64_t i = 0; i < LATE_BUCKETS; i++) {
        below += live->late[i];
        if ((double)below >= share * (double)count)
            return i * LATE_BUCKET_US;
    }
    return live->late_max_us;
}

static void forget_late(struct live *live)
{
    memset(live->late, 0, LATE_BUCKETS * sizeof *live->late);
    live->late_max_us = 0;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void load(struct live *live, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        job_feed_pay(live->feed);
    job_feed_flush(live->feed);
    printf("loaded %" PRIu64 "\n", count);
}

/* Sleeps until the event is due, not after each: what became due meanwhile is sent at once. */
static void pace_phase(struct live *live, struct phase *phase)
{
    const uint64_t count = phase->rate * phase->seconds;
    phase->first = job_feed_paid(live->feed);
    int64_t now_us = clock_us(&live->clock);
    for (uint64_t i = 0; i < count; i++) {
        const int64_t due_us = phase->start_us + (int64_t)(i * 1000000 / phase->rate);
        while (now_us < due_us) {
            clock_sleep_us(&live->clock, due_us - now_us);
            now_us = clock_us(&live->clock);
        }
        job_feed_pay(live->feed);
        note_late(live, now_us - due_us);
        now_us = clock_us(&live->clock);
    }
}

static size_t read_phases(const char *text, struct phase *phases)
{
    size_t count = 0;
    char *end = (char *)(uintptr_t)text;
    do {
        if (count == PHASES_MAX)
            refuse(text);
        struct phase *phase = &phases[count++];
        phase->rate = strtoull(count == 1 ? end : end + 1, &end, 10);
        if (*end != ':' || phase->rate == 0)
            refuse(text);
        phase->seconds = strtoull(end + 1, &end, 10);
    } while (*end == ',');
    if (*end != '\n' && *end != '\0')
        refuse(text);
    return count;
}

static void pace(struct live *live, const char *text)
{
    struct phase phases[PHASES_MAX];
    const size_t count = read_phases(text, phases);
    uint64_t events = 0;
    int64_t start_us = clock_us(&live->clock) + LEAD_US;
    forget_late(live);
    printf("started %" PRId64 "\n", start_us);
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        phases[i].start_us = start_us;
        pace_phase(live, &phases[i]);
        start_us += (int64_t)phases[i].seconds * 1000000;
        events += phases[i].rate * phases[i].seconds;
    }
    job_feed_flush(live->feed);
    for (size_t i = 0; i < count; i++)
        printf("phase %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n", phases[i].first,
               phases[i].rate * phases[i].seconds, phases[i].rate, phases[i].start_us);
    printf("late %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", late_us_at(live, events, 0.5),
           late_us_at(live, events, 0.99), late_us_at(live, events, 0.999), live->late_max_us);
}

int main(int argc, char **argv)
{
    if (argc != 11) {
        fprintf(stderr, "job_live BROKERS PAYMENTS SCHEMA_ID USERS DISTRIBUTION SEED STEP_MS BLOCKED_EVERY LINGER_MS "
                        "EXPECTED\n");
        return 2;
    }
    const char *topics[] = { argv[2] };
    const struct job_feed_options options = {
        .program = "job_live",
        .brokers = argv[1],
        .topics = topics,
        .topic_count = 1,
        .linger_ms = argv[9],
        .schema_id = (int32_t)strtol(argv[3], NULL, 10),
        .expected = argv[10],
        .job = {
            .seed = strtoull(argv[6], NULL, 10),
            .users = (uint32_t)strtoul(argv[4], NULL, 10),
            .distribution = job_users_of(argv[5]),
            .start_ms = JOB_START_MS,
            .step_ms = strtod(argv[7], NULL),
            .attack_every = JOB_ATTACK_EVERY,
            .blocked_every = (uint32_t)strtoul(argv[8], NULL, 10),
        },
    };
    struct live live = { .clock = clock_real(), .late = mem_alloc_array(LATE_BUCKETS, sizeof *live.late) };
    char line[LINE_MAX_SIZE];
    prctl(PR_SET_TIMERSLACK, 1); /* by default a sleep may be 50 us longer */
    job_feed_open(&live.feed, &options);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "load ", 5) == 0)
            load(&live, strtoull(line + 5, NULL, 10));
        else if (strncmp(line, "pace ", 5) == 0)
            pace(&live, line + 5);
        else
            refuse(line);
        fflush(stdout);
    }
    job_feed_close(&live.feed);
    mem_free(live.late);
    return 0;
}
