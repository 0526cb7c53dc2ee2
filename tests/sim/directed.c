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
    void (*besides)(struct world_settings *settings); /* what else is so; or NULL */
};

enum { LONG_US = 20 * 1000 * 1000, SESSION_US = 1000 * 1000, MARKERS_US = 200 * 1000 };

#define FROZEN(where, chance_in_10000, us) \
    { .call = (where), .chance = (chance_in_10000), .happens = FOCUS_FREEZE, .freeze_us_max = (us) }
#define DIES(where, chance_in_10000) \
    { .call = (where), .chance = (chance_in_10000), .happens = FOCUS_DEATH }

/* The background writer is done before anything else is; what it wrote survives. */
static void writes_at_once(struct world_settings *settings)
{
    settings->job_steps = 1000;
    settings->write_rows = settings->slice_rows = 1000;
    settings->checkpoint_interval_ms = 5;
    settings->survival = DISK_KEEP_ALL;
}

static void writes_slowly(struct world_settings *settings)
{
    settings->job_steps = 1;
    settings->write_rows = 5;
    settings->slice_rows = 1000;
    settings->checkpoint_interval_ms = 5;
    settings->survival = DISK_KEEP_ALL;
    settings->habits.stop = 10;
    settings->habits.crash = 40;
}

/* Who finds its rows damaged loads the changelog at once, and what is on its way is its own. */
static void is_damaged(struct world_settings *settings)
{
    settings->slots = 1;
    settings->disk_faults.corrupt = 100;
    settings->commit_interval_ms = 1;
    settings->checkpoint_interval_ms = 5;
    settings->slice_rows = settings->write_rows = 1000;
    settings->job_steps = 1000;
}

/* It has much of a checkpoint still to send, and often needs a new producer. */
static void is_amid_a_checkpoint(struct world_settings *settings)
{
    settings->slice_rows = 10;
    settings->checkpoint_interval_ms = 5;
    settings->job_steps = 1000;
    settings->faults.response_lost = 200;
    settings->habits.crash = 0;
}

/* It dies with a checkpoint half sent and has it sent again behind the end mark; what it sent first is compacted. */
static void sends_again_what_is_compacted(struct world_settings *settings)
{
    settings->slice_rows = 2;
    settings->checkpoint_interval_ms = 5;
    settings->commit_interval_ms = 1;
    settings->job_steps = 1000;
    settings->fixture.users = 20;
    settings->habits.crash = 200;
    settings->habits.stop = 0;
    settings->habits.compact = 500;
}

/* Nobody waits for a time-out, and nobody dies where M does not name him yet. */
static void outlasts_transactions(struct world_settings *settings)
{
    settings->outlasts = true;
    settings->transaction_timeout_us = INT64_C(1000) * 3600 * 1000 * 1000;
    settings->habits.crash = settings->habits.crash_all = settings->habits.stop = 0;
    settings->disk_faults = (struct disk_faults){ .write_fails = 0 };
}

/* One process copies what the other decides with; transactions are large. */
static void has_an_everywhere_table(struct world_settings *settings)
{
    settings->fixture.variant = FIXTURE_TABLE_EVERYWHERE;
    settings->fixture.everywhere_partitions = 2;
    settings->fixture.table = 300;
    settings->commit_interval_ms = 20;
    settings->alert_floor_us = 50 * 1000;
    settings->records_max = 20;
    settings->burst_max = 4;
    settings->gap_us_max = 5000;
    settings->poll_step_us = 2000;
}

static void knows_much_and_restarts(struct world_settings *settings)
{
    has_an_everywhere_table(settings);
    settings->slots = 1;
    settings->fixture.table = 500;
    settings->fixture.events = 600;
    settings->habits.crash = 200;
    settings->job_steps = 1000;
}

/* The last rows of the table are no good: only its end marks say that nothing is missing, and
 * they come once. */
static void fails_at_the_mark(struct world_settings *settings)
{
    has_an_everywhere_table(settings);
    settings->slots = 1;
    settings->fixture.table = 0;
    settings->fixture.rows_first = 3;
    settings->fixture.broken_row_one_in = 1;
    settings->faults.abortable = 1000;
    settings->habits.crash = settings->habits.rebalance = settings->habits.stop = 0;
}

/* There is always a transaction of somebody on the group's offsets, for minutes. */
static void never_ends(struct world_settings *settings)
{
    settings->fixture.events = 4000;
    settings->gap_us_max = 100 * 1000;
    settings->commit_interval_ms = 1;
    settings->alert_floor_us = 1;
    settings->checkpoint_interval_ms = 1000;
    settings->habits.crash = settings->habits.stop = settings->habits.rebalance = 0;
}

/* What it had may be another's by the time it has joined again. */
static void others_come_and_go(struct world_settings *settings)
{
    settings->slots = 3;
    settings->fixture.partitions = 3;
    settings->fixture.events = 600;
    settings->session_timeout_us = 100 * 1000;
    settings->habits.crash = 100;
    settings->habits.stop = 100;
}

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
      .focus = { { .call = PROCESS_CALL_DISK, .chance = 300, .happens = FOCUS_REBALANCE } },
      .besides = writes_slowly },
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
    /* It comes back with a producer that nobody has fenced, when another has completed checkpoints. */
    { .name = "frozen when it opens a producer amid a checkpoint",
      .seeds = 40,
      .focus = { FROZEN(SIM_PRODUCER_OPEN, 2000, LONG_US) },
      .besides = is_amid_a_checkpoint },
    /* 2 */
    { .name = "its rows are damaged, markers come late",
      .seeds = 80,
      .markers_us = MARKERS_US,
      .besides = is_damaged },
    /* 2b */
    { .name = "dies amid a checkpoint, and rows are compacted",
      .seeds = 100,
      .down_us = 1000,
      .lost_disk = 3000,
      .besides = sends_again_what_is_compacted },
    /* 1: the local rows are as new as the last transaction, the last checkpoint is older. */
    { .name = "dies when the store has a checkpoint, later with its disk",
      .seeds = 40,
      .focus = { DIES(PROCESS_CALL_DISK, 400) },
      .down_us = 1000,
      .lost_disk = 3000,
      .besides = writes_at_once },
    /* 14 */
    { .name = "decides while a table comes", .seeds = 20, .besides = has_an_everywhere_table },
    { .name = "restarts with a large table",
      .seeds = 20,
      .down_us = 1000,
      .besides = knows_much_and_restarts },
    /* 19: what it left open would hold back everything that is committed after it; it stays away,
     * and no transaction times out. */
    { .name = "dies with a transaction open and stays away",
      .seeds = 30,
      .focus = { { .call = SIM_SEND_OFFSETS, .when = FOCUS_CLAIMED, .chance = 200, .happens = FOCUS_DEATH } },
      .down_us = INT64_C(3600) * 1000 * 1000,
      .besides = outlasts_transactions },
    /* Who comes back asks what became of its transaction, and there is no moment at which Kafka would say it. */
    { .name = "frozen at commit, and the next one always has something open",
      .seeds = 10,
      .focus = { FROZEN(SIM_COMMIT, 100, LONG_US),
                 { .call = SIM_COMMITTED, .when = FOCUS_DECIDING, .chance = 5000, .happens = FOCUS_FREEZE,
                   .freeze_us_max = 5 * LONG_US } },
      .markers_us = 5 * MARKERS_US,
      .besides = never_ends },
    /* The group says that another process has its name; there is none. */
    { .name = "an old join takes its place",
      .seeds = 30,
      .focus = { { .call = SIM_POLL, .chance = 200, .happens = FOCUS_DISPLACED },
                 { .call = SIM_COMMIT, .chance = 500, .happens = FOCUS_DISPLACED },
                 { .call = SIM_READER_POLL, .chance = 200, .happens = FOCUS_DISPLACED } },
      .down_us = 300 * 1000,
      .besides = others_come_and_go },
    { .name = "an end mark is rolled back", .seeds = 20, .besides = fails_at_the_mark },
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
    if (schedule->besides != NULL)
        schedule->besides(out);
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
