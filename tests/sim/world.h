/*
 * world: one simulated world from one seed: a cluster, some identities ("slots") with a process
 * and a disk each, input that arrives, and everything that goes wrong. Every seed draws its own
 * habits (a swarm): some worlds crash all the time, some never, some lose answers, some disks.
 *
 * A world ends like this: everything heals, and all input must be committed within a bounded
 * virtual time; then one process alone must restore everything, once from a disk and once from
 * nothing; then the ledger judges.
 */
#ifndef WEIR_TESTS_SIM_WORLD_H
#define WEIR_TESTS_SIM_WORLD_H

#include "process.h"

/* Chances in 10,000 per step of the scheduler, unless it says otherwise. */
struct world_habits {
    uint32_t crash, freeze, stop, rebalance, compact, crash_all;
    uint32_t pause;     /* per moment: the process is put aside */
    uint32_t lost_disk; /* per restart */
    uint32_t twin;      /* per freeze: a second process takes the identity meanwhile */
    int64_t freeze_us_max, down_us_max, pause_us_max;
};

/* What may happen to a process that makes this call, there. */
enum world_happens {
    FOCUS_FREEZE,
    FOCUS_REBALANCE,
    FOCUS_DEATH,
    FOCUS_DISPLACED /* an old join of its own takes its place in the group; once in its life */
};
enum world_when {
    FOCUS_ALWAYS,
    FOCUS_CLAIMED,  /* it has claimed all that it opened: M names it */
    FOCUS_DECIDING, /* it asks what became of its transaction */
};
struct world_focus {
    int call;        /* sim_call, or PROCESS_CALL_DISK */
    enum world_when when;
    uint32_t chance; /* in 10,000 moments; 0: none */
    enum world_happens happens;
    int64_t freeze_us_max;
};
enum { WORLD_FOCUS_MAX = 3 };

struct world_settings {
    uint64_t seed;
    struct world_focus focus[WORLD_FOCUS_MAX];
    uint32_t note_one_in; /* turns, that what a process holds to be its state is noted */
    struct fixture_options fixture;
    int slots;
    struct world_habits habits;
    struct sim_faults faults;
    struct disk_faults disk_faults;
    int64_t session_timeout_us, transaction_timeout_us;
    bool outlasts; /* transactions: what is committed must be readable long before they time out */
    int64_t commit_interval_ms, alert_floor_us, checkpoint_interval_ms;
    size_t slice_rows, write_rows, records_max;
    uint64_t active_bytes_max; /* 0: so much that nothing here reaches it */
    uint64_t entity_cache_bytes; /* 0: all entities fit */
    int job_steps; /* how fast restores and background writes are against the rest */
    enum partitioner partitioner;
    int burst_max;      /* records that arrive together */
    int64_t gap_us_max; /* between bursts */
    int64_t poll_step_us;
    bool straight;
    bool trace;

    /* the small world: the one process dies at this moment, with this much of what was not
     * flushed */
    uint64_t crash_at, crash_again_after;
    enum disk_survival survival;
    bool crash_loses_disk;
    bool exact; /* no chance besides: exhaustive */
};

struct world_result {
    bool failed;
    char why[700];
    uint64_t commits, crashes, freezes, restores, checkpoints, recoveries, aborts, rebalances;
    uint64_t alerts, dead_letters, deletes, records, lost_disks, moments;
    uint64_t tampered; /* partitions */
    bool crash_reached, crash_again_reached;
};

/* The habits of a seed. */
void world_draw(struct world_settings *out, uint64_t seed);
void world_run(const struct world_settings *settings, struct world_result *result);

#endif
