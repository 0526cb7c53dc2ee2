#include "directed.h"

#include <inttypes.h>
#include <stdio.h>

#include "world.h"

/* A family of worlds of one or two owners of one partition, in which one thing happens much too
 * often. */
struct schedule {
    const char *name;
    struct world_focus focus[WORLD_FOCUS_MAX];
    int seeds;
};

static const int64_t LONG_US = 20 * 1000 * 1000;

static const struct schedule schedules[] = {
    /* 3: frozen around the commit; another commits the same seq; then it comes back and asks
     * what became of its own. */
    { "frozen at commit", { { SIM_COMMIT, 300, LONG_US, false } }, 30 },
    { "frozen at the offsets", { { SIM_SEND_OFFSETS, 300, LONG_US, false } }, 20 },
    /* 6: revoked and given back in the middle of a checkpoint's write behind. */
    { "rebalanced while the store is written", { { PROCESS_CALL_DISK, 300, 0, true } }, 30 },
    /* 20: frozen before trimming, and trims under one who restores slowly. */
    { "trims late under a reader",
      { { SIM_DELETE_RECORDS, 3000, LONG_US, false }, { SIM_READER_POLL, 500, LONG_US, false } },
      40 },
    { "frozen while it restores",
      { { SIM_READER_POLL, 800, LONG_US, false }, { SIM_COMMITTED, 500, LONG_US, false } },
      20 },
    { "frozen when it opens a producer",
      { { SIM_PRODUCER_OPEN, 3000, LONG_US, false }, { SIM_END_FOREIGN, 3000, LONG_US, false } },
      20 },
};

static void settle(struct world_settings *out, const struct schedule *schedule, uint64_t seed)
{
    world_draw(out, seed);
    for (int i = 0; i < WORLD_FOCUS_MAX; i++)
        out->focus[i] = schedule->focus[i];
    out->slots = 2;
    out->fixture.partitions = 1;
    out->fixture.events = 300;
    out->note_one_in = 2;
    out->session_timeout_us = 1000 * 1000;
    out->transaction_timeout_us = 5 * 1000 * 1000;
    out->checkpoint_interval_ms = seed % 2 == 0 ? 5 : 50;
    out->gap_us_max = 30 * 1000;
    out->habits.freeze = 0;
    out->habits.twin = 0;
    out->habits.lost_disk = 0;
    out->habits.crash = 10;
    out->habits.rebalance = seed % 3 == 0 ? 10 : 0;
}

bool directed_replay(const char *name)
{
    struct world_settings settings;
    struct world_result result;
    size_t which;
    uint64_t seed;
    if (sscanf(name, "%zu:%" SCNu64, &which, &seed) != 2 ||
        which >= sizeof schedules / sizeof schedules[0]) {
        fprintf(stderr, "a schedule looks like 0:12\n");
        return false;
    }
    settle(&settings, &schedules[which], seed);
    settings.trace = true;
    world_run(&settings, &result);
    printf("%s\n", result.failed ? result.why : "fine");
    return !result.failed;
}

uint64_t directed_run(uint64_t *commits, char *why, size_t size)
{
    uint64_t count = 0;
    why[0] = '\0';
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        for (int seed = 1; seed <= schedules[i].seeds; seed++) {
            struct world_settings settings;
            struct world_result result;
            settle(&settings, &schedules[i], (uint64_t)seed);
            world_run(&settings, &result);
            *commits += result.commits;
            count++;
            if (!result.failed)
                continue;
            snprintf(why, size, "%s: %s; run again: sim --schedule %zu:%d", schedules[i].name,
                     result.why, i, seed);
            return count;
        }
    }
    return count;
}
