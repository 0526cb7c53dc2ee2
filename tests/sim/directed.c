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
    int64_t markers_us, down_us; /* how late markers are, how long a process is dead; 0: as drawn */
    uint32_t lost_disk, rebalance, pause; /* world_habits */
};

enum { LONG_US = 20 * 1000 * 1000, SESSION_US = 1000 * 1000, MARKERS_US = 200 * 1000 };

#define FROZEN(where, chance_in_10000, us) \
    { .call = (where), .chance = (chance_in_10000), .happens = FOCUS_FREEZE, .freeze_us_max = (us) }
#define DIES(where, chance_in_10000) \
    { .call = (where), .chance = (chance_in_10000), .happens = FOCUS_DEATH }

static const struct schedule schedules[] = {
    /* 3: frozen around the commit; another commits the same seq; then it comes back and asks
     * what became of its own. */
    { .name = "frozen at commit", .seeds = 30, .focus = { FROZEN(SIM_COMMIT, 300, LONG_US) } },
    { .name = "frozen at the offsets",
      .seeds = 20,
      .focus = { FROZEN(SIM_SEND_OFFSETS, 300, LONG_US) } },
    /* 6: revoked and given back in the middle of a checkpoint's write behind. */
    { .name = "rebalanced while the store is written",
      .seeds = 30,
      .focus = { { .call = PROCESS_CALL_DISK, .chance = 300, .happens = FOCUS_REBALANCE } } },
    /* 20: frozen before trimming, and trims under one who restores slowly. */
    { .name = "trims late under a reader",
      .seeds = 40,
      .focus = { FROZEN(SIM_DELETE_RECORDS, 3000, LONG_US), FROZEN(SIM_READER_POLL, 500, LONG_US) } },
    { .name = "trims as the next one reads",
      .seeds = 40,
      .focus = { FROZEN(SIM_DELETE_RECORDS, 2000, SESSION_US + SESSION_US / 2) },
      .rebalance = 30,
      .pause = 3000 },
    { .name = "frozen while it restores",
      .seeds = 20,
      .focus = { FROZEN(SIM_READER_POLL, 800, LONG_US), FROZEN(SIM_COMMITTED, 500, LONG_US) } },
    { .name = "frozen when it opens a producer",
      .seeds = 20,
      .focus = { FROZEN(SIM_PRODUCER_OPEN, 3000, LONG_US), FROZEN(SIM_END_FOREIGN, 3000, LONG_US) } },
    /* 2: the offsets are stable, the changelog's and the tail's last records are not yet. */
    { .name = "dies at commit, markers come late",
      .seeds = 30,
      .focus = { DIES(SIM_COMMIT, 200) },
      .markers_us = MARKERS_US,
      .down_us = 1000 },
    { .name = "dies at commit with its disk, markers come late",
      .seeds = 30,
      .focus = { DIES(SIM_COMMIT, 200) },
      .markers_us = MARKERS_US,
      .down_us = 1000,
      .lost_disk = 10000 },
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
    out->session_timeout_us = SESSION_US;
    out->transaction_timeout_us = 5 * 1000 * 1000;
    out->checkpoint_interval_ms = seed % 2 == 0 ? 5 : 50;
    out->gap_us_max = 30 * 1000;
    out->habits.freeze = 0;
    out->habits.twin = 0;
    out->habits.lost_disk = schedule->lost_disk;
    out->habits.crash = 10;
    out->habits.rebalance = schedule->rebalance > 0 ? schedule->rebalance : seed % 3 == 0 ? 10 : 0;
    if (schedule->pause > 0) {
        out->habits.pause = schedule->pause;
        out->habits.pause_us_max = 50 * 1000;
    }
    if (schedule->markers_us > 0)
        out->faults.marker_delay_us_max = schedule->markers_us;
    if (schedule->down_us > 0)
        out->habits.down_us_max = schedule->down_us;
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
