/*
 * worker: one thread that owns one log port and the tasks of the partitions it is assigned. It drives the tasks and runs the
 * commit protocol (docs/exactly-once.md): outputs, tail, journal and input offsets in one transaction, state merged only
 * after it succeeded; one way back for crash, abort, unknown outcome and fencing.
 *
 * Everything it needs is a port or a value; it starts threads only through job.h.
 */
#ifndef WEIR_PROCESSOR_ENGINE_WORKER_H
#define WEIR_PROCESSOR_ENGINE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "processor/engine/crash_watch.h"
#include "processor/engine/log_port.h"
#include "processor/engine/standby.h"
#include "processor/engine/topics.h"
#include "processor/steps/outputs.h"
#include "processor/steps/step.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"
#include "state/store.h"

enum start_at { START_EARLIEST, START_LATEST, START_TIME };

struct worker_options {
    const struct plan *plan;
    const struct topics *topics;
    struct log_port *port;     /* borrowed */
    struct store *store;       /* borrowed, shared by the workers of a process */
    struct registry *registry; /* borrowed, shared */
    struct standby *standby;   /* borrowed, shared; NULL: nobody else writes the store */
    struct clock clock;
    int number;                /* of this worker in its process, for logs */
    bool hands_over;           /* when it stops: others stand by, so it leaves them little to read, and soon */
    bool threaded;             /* restores and background writes on threads of their own */
    int job_steps;             /* of them with each look when they are not; 0: 1 */
    int32_t alert_schema_id;
    enum start_at start;       /* where a stream without committed offsets starts; tables always from the beginning */
    int64_t start_ms;          /* START_TIME */
    enum partitioner partitioner; /* stated, or PARTITIONER_UNKNOWN to learn it */

    int64_t commit_interval_ms;   /* 0: 100 */
    int64_t alert_floor_us;       /* least time between commits when an alert waits; 0: 2000 */
    int64_t checkpoint_interval_ms; /* 0: 10000 */
    size_t checkpoint_slice_rows; /* of a checkpoint in one transaction; 0: 2000 and twice the records, 50000 in a hurry */
    size_t checkpoint_write_rows; /* of a checkpoint in one write to the store; 0: 5000 */
    size_t transaction_records_max; /* 0: 100000 */
    uint64_t transaction_bytes_max; /* 0: 32 MiB */
    uint64_t queued_bytes_max;    /* of records that were read and cannot be processed yet; 0: 16 MiB */
    uint64_t active_bytes_max;    /* of all tasks: a checkpoint starts at three quarters; 0: 64 MiB */
    uint64_t entity_cache_bytes;  /* of all tasks; 0: 64 MiB */
    uint64_t row_cache_bytes;     /* of all tasks; 0: 16 MiB */

    struct in_hand *in_hand;             /* borrowed: where the record in hand is noted; or NULL */
    const struct crash_watch *crashes;   /* copied: where the process died before; or NULL */
    /* Called on the worker's thread when such a record is committed, processed or as a dead letter; or NULL. */
    void (*on_crash_passed)(void *context, const struct crash_suspect *suspect);
    void *on_crash_passed_context;

    /* Called on the worker's thread after an output's transaction committed; or NULL. */
    void (*on_output)(void *context, const struct output *output);
    void *on_output_context;
};

struct worker;

MUST_CHECK enum status worker_create(struct worker **out, const struct worker_options *options, struct error *err);
void worker_destroy(struct worker **worker);

/* One turn of the loop: polls at most timeout_us, processes, commits when due. A status other than OK ends the worker. */
MUST_CHECK enum status worker_turn(struct worker *worker, int64_t timeout_us, struct error *err);
/* Turns until *stop is set, then commits, checkpoints and lets go. ST_OK after a clean stop. */
MUST_CHECK enum status worker_run(struct worker *worker, const atomic_bool *stop, struct error *err);
/* Commits what is processed, takes a last checkpoint, releases the partitions, leaves. */
MUST_CHECK enum status worker_shut_down(struct worker *worker, struct error *err);

struct worker_lane_stats {
    const char *kind;  /* "task" or "copy" */
    int32_t partition;
    const char *state; /* "restoring", "ready", ... */
    bool ready, failed;
    enum status failure; /* why it waits or has failed; ST_OK: it does not */
    char trouble[320];
    uint64_t seq;
    int64_t newest_us;      /* event time */
    int64_t restored_rows;
    uint64_t active_bytes;
};

enum { WORKER_LANES_MAX = 512 };

/* A copy of the worker's figures; the names of counters are the metrics' (processor/ops). Any thread. */
struct worker_stats {
    uint64_t records, commits, aborts, recoveries, checkpoints, rebalances;
    uint64_t records_dropped; /* delivered twice or out of place by the client, and dropped */
    uint64_t output_bytes, tail_bytes, changelog_bytes, journal_bytes;
    uint64_t partitions_touched; /* topic partitions written, summed over transactions */
    struct step_counters counters; /* summed over tasks; the rule arrays have plan->rule_count items, owned here */
    struct histogram commit_us;
    struct worker_lane_stats *lanes;
    size_t lane_count, lanes_ready;
    uint64_t lanes_kept; /* tasks that went on with what was in memory after a rebalance */
    bool waiting_for_tables;
    char trouble[200]; /* what it waits for, or empty */
};
void worker_stats_copy(struct worker *worker, struct worker_stats *out);
/*
 * WORKER_STUCK: it has partitions, and every one has failed for a reason that does not pass; `why` is the first one's. The
 * worker goes on looking, but when no other worker has work either the process can as well end. Any thread.
 */
enum worker_condition { WORKER_JOINING, WORKER_IDLE, WORKER_WORKS, WORKER_STUCK };
enum worker_condition worker_condition(struct worker *worker, struct error *why);
void worker_stats_fini(struct worker_stats *stats);

#endif
