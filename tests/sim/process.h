/*
 * process: one simulated process: a log port, a disk with a store on it, a worker, and a stack of
 * its own.
 *
 * It is a coroutine. It can be put aside at every moment: before and after each call of its port,
 * its readers and its store, and whenever it sleeps or waits for records; meanwhile time passes
 * and the other processes go on. It can also die at every moment: from then on each call answers
 * ST_INTERRUPTED, so the code unwinds and gives its memory back without reaching anything any
 * more.
 *
 * All processes live in one thread.
 */
#ifndef WEIR_TESTS_SIM_PROCESS_H
#define WEIR_TESTS_SIM_PROCESS_H

#include "coroutine.h"
#include "disk.h"
#include "ledger.h"
#include "processor/engine/worker.h"

enum { PROCESS_PARTITIONS_MAX = 16 };
enum process_state { PROCESS_READY, PROCESS_ASLEEP, PROCESS_ENDED };

struct process;
/* What the world decides at a moment of a process. */
enum process_fate { FATE_GO_ON, FATE_DIE, FATE_PAUSE };
struct process_hooks {
    enum process_fate (*at_moment)(void *context, struct process *process, int call,
                                   int64_t *pause_us);
    /* After every turn of the worker's loop; not when it is dead. */
    void (*after_turn)(void *context, struct process *process);
    void *context;
};
enum { PROCESS_CALL_DISK = SIM_CALL_COUNT, PROCESS_CALL_COUNT };

struct process_options {
    int number; /* of this process, for the trace */
    int slot;   /* its identity */
    struct sim_cluster *cluster;
    struct ledger *ledger;
    const struct topics *topics;
    struct disk *disk;
    const struct disk_faults *disk_faults;
    struct worker_options worker; /* port, store and clock are filled in here */
    int64_t poll_step_us;         /* how long it waits before it looks again */
    struct process_hooks hooks;
};

struct process_partition { /* what the world has seen of a lane */
    uint64_t nonce;
    bool seen;
    uint64_t target_nonce; /* of M when it last began to restore; 0: nothing was committed */
    bool had_rows;         /* on its disk, with a position, when it started */
};

struct process {
    struct process_options options;
    char name[24];
    enum process_state state;
    int64_t wake_us;
    int64_t frozen_until_us; /* the world's: it is not run until then */
    bool dead;               /* killed: unwinds at its next step */
    bool stop;               /* asked to shut down */
    bool is_frozen, was_frozen, shares_identity, started, must_restart, was_displaced;
    uint64_t moments;
    struct log_port *port;
    struct worker *worker;
    enum status status; /* how it ended */
    struct error error;
    uint64_t checkpoints, recoveries, aborts, commits, rebalances;
    struct process_partition seen[PROCESS_PARTITIONS_MAX];
    struct coroutine *coroutine;
};

void process_start(struct process **out, const struct process_options *options);
/* Runs it until it is put aside or ends. */
void process_run(struct process *process);
/* It dies now, wherever it is, and unwinds. */
void process_kill(struct process *process);
/* It has ended. */
void process_destroy(struct process **process);
/* The one that runs, or NULL. */
struct process *process_current(void);

#endif
