/*
 * sim: the real worker, recovery, checkpoint and task code in several simulated processes on a
 * simulated cluster: one thread, virtual time, one seed per world.
 *
 *     sim [--seeds N] [--from SEED] [--seconds S] [--exhaustive | --thorough] [--directed]
 *     sim --seed SEED        one world again, with a trace
 *     sim --case CASE        one case of the exhaustive small world again, with a trace
 *     sim --schedule S       one directed schedule again, with a trace
 *
 * Without options: some seeds, the directed schedules and the exhaustive small world. The last
 * line sums up; the exit code is 1 when a world fails, and then a line says how to run it again.
 */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "directed.h"
#include "exhaustive.h"

enum { KEPT_BYTES = 256 << 20 };

struct options {
    uint64_t seeds, from, seed;
    int64_t seconds;
    const char *case_name, *schedule;
    bool one, exhaustive, thorough, directed;
};

struct sums {
    uint64_t seeds, failed, commits, records, alerts, deletes, crashes, freezes, restores,
        checkpoints, recoveries, aborts, rebalances, lost_disks, tampered, cases, schedules,
        moments;
};

static void usage(void)
{
    fprintf(stderr, "usage: sim [--seeds N] [--from SEED] [--seconds S] [--exhaustive | "
                    "--thorough] [--directed]\n"
                    "       sim --seed SEED\n"
                    "       sim --case CASE\n"
                    "       sim --schedule SCHEDULE\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    if (text == NULL || *text == '\0')
        usage();
    const uint64_t value = strtoull(text, &end, 0);
    if (*end != '\0')
        usage();
    return value;
}

static struct options parse(int argc, char **argv)
{
    struct options options = { .from = 1 };
    if (argc == 1)
        options = (struct options){ .from = 1, .seeds = 300, .exhaustive = true, .directed = true };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(name, "--exhaustive") == 0) {
            options.exhaustive = true;
            continue;
        }
        if (strcmp(name, "--thorough") == 0) {
            options.exhaustive = options.thorough = true;
            continue;
        }
        if (strcmp(name, "--directed") == 0) {
            options.directed = true;
            continue;
        }
        i++;
        if (strcmp(name, "--seeds") == 0) {
            options.seeds = number(value);
        } else if (strcmp(name, "--from") == 0) {
            options.from = number(value);
        } else if (strcmp(name, "--seconds") == 0) {
            options.seconds = (int64_t)number(value);
        } else if (strcmp(name, "--seed") == 0) {
            options.seed = number(value);
            options.one = true;
        } else if (strcmp(name, "--case") == 0 && value != NULL) {
            options.case_name = value;
        } else if (strcmp(name, "--schedule") == 0 && value != NULL) {
            options.schedule = value;
        } else {
            usage();
        }
    }
    if (options.seconds > 0 && options.seeds == 0)
        options.seeds = UINT64_MAX;
    return options;
}

static void add(struct sums *sums, const struct world_result *result)
{
    sums->seeds++;
    sums->failed += result->failed;
    sums->commits += result->commits;
    sums->records += result->records;
    sums->alerts += result->alerts;
    sums->deletes += result->deletes;
    sums->crashes += result->crashes;
    sums->freezes += result->freezes;
    sums->restores += result->restores;
    sums->checkpoints += result->checkpoints;
    sums->recoveries += result->recoveries;
    sums->aborts += result->aborts;
    sums->rebalances += result->rebalances;
    sums->lost_disks += result->lost_disks;
    sums->tampered += result->tampered;
    sums->moments += result->moments;
}

/* An assertion of the code under test: the seed must still be known. */
static volatile uint64_t seed_in_hand;

static void on_abort(int signal_number)
{
    fprintf(stdout,
            "seed %" PRIu64 " aborted: an assertion failed\nrun again: sim --seed %" PRIu64 "\n",
            seed_in_hand, seed_in_hand);
    fflush(stdout);
    signal(signal_number, SIG_DFL);
}

static bool run_seed(uint64_t seed, bool trace, struct sums *sums)
{
    seed_in_hand = seed;
    struct world_settings settings;
    struct world_result result;
    world_draw(&settings, seed);
    settings.trace = trace;
    world_run(&settings, &result);
    add(sums, &result);
    if (result.failed)
        printf("seed %" PRIu64 " failed: %s\nrun again: sim --seed %" PRIu64 "\n", seed, result.why,
               seed);
    return !result.failed;
}

static void run_seeds(const struct options *options, struct sums *sums)
{
    const struct clock clock = clock_real();
    const int64_t started_us = clock_us(&clock);
    for (uint64_t i = 0; i < options->seeds && sums->failed == 0; i++) {
        if (options->seconds > 0 && clock_us(&clock) - started_us > options->seconds * 1000000)
            return;
        run_seed(options->from + i, false, sums);
    }
}

static void run_exhaustive(const struct options *options, struct sums *sums)
{
    struct exhaustive_result result;
    exhaustive_run(options->thorough, &result);
    sums->cases += result.cases;
    sums->commits += result.commits;
    sums->failed += result.failed;
    if (result.failed)
        printf("the small world failed: %s\nrun again: sim --case CASE\n", result.why);
}

static void run_directed(struct sums *sums)
{
    char why[800];
    sums->schedules += directed_run(&sums->commits, why, sizeof why);
    if (why[0] == '\0')
        return;
    sums->failed++;
    printf("a directed schedule failed: %s\n", why);
}

int main(int argc, char **argv)
{
    const struct options options = parse(argc, argv);
    struct sums sums = { .seeds = 0 };
    signal(SIGABRT, on_abort);
    /* Worlds come and go by the thousand: their memory is kept for the next. */
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    log_set_level(options.one || options.case_name != NULL || options.schedule != NULL
                      ? LOG_LEVEL_DEBUG
                      : LOG_LEVEL_OFF);
    if (options.case_name != NULL)
        return exhaustive_replay(options.case_name) ? 0 : 1;
    if (options.schedule != NULL)
        return directed_replay(options.schedule) ? 0 : 1;
    if (options.one)
        run_seed(options.seed, true, &sums);
    run_seeds(&options, &sums);
    if (options.directed && sums.failed == 0)
        run_directed(&sums);
    if (options.exhaustive && sums.failed == 0)
        run_exhaustive(&options, &sums);
    coroutine_pool_fini();
    fixture_fini();
    const double seconds = (double)clock_process_cpu_us() / 1e6; /* others use the machine, too */
    printf("sim: seeds=%" PRIu64 " cases=%" PRIu64 " schedules=%" PRIu64 " failed=%" PRIu64
           " commits=%" PRIu64 " records=%" PRIu64 " alerts=%" PRIu64 " deletes=%" PRIu64
           " crashes=%" PRIu64 " freezes=%" PRIu64 " lost_disks=%" PRIu64 " restores=%" PRIu64
           " checkpoints=%" PRIu64 " recoveries=%" PRIu64 " aborts=%" PRIu64 " rebalances=%" PRIu64
           " tampered=%" PRIu64 " moments=%" PRIu64 " cpu_seconds=%.1f commits_per_second=%.0f\n",
           sums.seeds, sums.cases, sums.schedules, sums.failed, sums.commits, sums.records,
           sums.alerts, sums.deletes, sums.crashes, sums.freezes, sums.lost_disks, sums.restores,
           sums.checkpoints, sums.recoveries, sums.aborts, sums.rebalances, sums.tampered,
           sums.moments, seconds,
           (double)sums.commits / seconds);
    return sums.failed == 0 ? 0 : 1;
}
