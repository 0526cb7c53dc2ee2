#include "exhaustive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How checkpoints lie against the three commits: by interval, by rows per slice and per write, and
 * by how many of the writes are done between two looks: with all of them the store has a checkpoint
 * before a transaction has. */
static const int64_t intervals_ms[] = { 1, 4, 8, 14, 1000 };
static const struct {
    size_t rows;
    int job_steps;
} paces[] = { { 1, 1 }, { 4, 2 }, { 1000, 1000 } };

struct small_case {
    size_t interval, pace;
    uint64_t crash_at, again_after;
    int ending; /* disk_survival, or 3: the disk is lost */
};
enum { ENDINGS = 4, AGAIN_STRIDE = 7 };

static void settle(struct world_settings *out, const struct small_case *which, bool trace)
{
    *out = (struct world_settings){
        .seed = 1,
        .slots = 1,
        .fixture = { .partitions = 1,
                     .everywhere_partitions = 1,
                     .users = 2,
                     .events = 6,
                     .step_ms_max = 2000 },
        .commit_interval_ms = 1,
        .alert_floor_us = 1,
        .checkpoint_interval_ms = intervals_ms[which->interval],
        .slice_rows = paces[which->pace].rows,
        .write_rows = paces[which->pace].rows,
        .job_steps = paces[which->pace].job_steps,
        .records_max = 2,
        .partitioner = PARTITIONER_MURMUR2,
        .burst_max = 2,
        .gap_us_max = 3000,
        .note_one_in = 1,
        .poll_step_us = 1000,
        .straight = true,
        .exact = true,
        .crash_at = which->crash_at,
        .crash_again_after = which->again_after,
        .survival = which->ending < 3 ? (enum disk_survival)which->ending : DISK_KEEP_NONE,
        .crash_loses_disk = which->ending == 3,
        .trace = trace,
    };
}

static bool run_case(const struct small_case *which, bool trace, struct exhaustive_result *result,
                     struct world_result *world)
{
    struct world_settings settings;
    settle(&settings, which, trace);
    world_run(&settings, world);
    result->cases++;
    result->commits += world->commits;
    if (!world->failed)
        return true;
    result->failed = true;
    snprintf(result->why, sizeof result->why, "case %zu:%zu:%" PRIu64 ":%" PRIu64 ":%d: %s",
             which->interval, which->pace, which->crash_at, which->again_after, which->ending,
             world->why);
    return false;
}

/* Every moment of the recovery from this crash, until there is none any more. */
static bool crash_again(struct small_case which, uint64_t stride, struct exhaustive_result *result)
{
    struct world_result world;
    for (uint64_t again = 1;; again += stride) {
        which.again_after = again;
        if (!run_case(&which, false, result, &world))
            return false;
        if (!world.crash_again_reached)
            return true;
    }
}

static bool crash_everywhere(struct small_case which, bool thorough,
                             struct exhaustive_result *result)
{
    struct world_result world;
    for (which.crash_at = 1;; which.crash_at++) {
        if (!run_case(&which, false, result, &world))
            return false;
        if (!world.crash_reached)
            return true;
        const bool again = thorough || which.crash_at % AGAIN_STRIDE == (uint64_t)which.ending;
        if (again && !crash_again(which, thorough ? 1 : AGAIN_STRIDE, result))
            return false;
    }
}

void exhaustive_run(bool thorough, struct exhaustive_result *result)
{
    *result = (struct exhaustive_result){ .cases = 0 };
    struct small_case which = { .interval = 0 };
    for (which.interval = 0; which.interval < sizeof intervals_ms / sizeof intervals_ms[0];
         which.interval++) {
        for (which.pace = 0; which.pace < sizeof paces / sizeof paces[0]; which.pace++) {
            for (which.ending = 0; which.ending < ENDINGS; which.ending++) {
                if (!crash_everywhere(which, thorough, result))
                    return;
            }
        }
    }
}

bool exhaustive_replay(const char *name)
{
    struct small_case which;
    struct exhaustive_result result = { .cases = 0 };
    struct world_result world;
    if (sscanf(name, "%zu:%zu:%" SCNu64 ":%" SCNu64 ":%d", &which.interval, &which.pace,
               &which.crash_at, &which.again_after, &which.ending) != 5 ||
        which.interval >= sizeof intervals_ms / sizeof intervals_ms[0] ||
        which.pace >= sizeof paces / sizeof paces[0]) {
        fprintf(stderr, "a case looks like 0:0:12:0:1\n");
        return false;
    }
    const bool fine = run_case(&which, true, &result, &world);
    printf("%s\n", fine ? "fine" : result.why);
    return fine;
}
