/*
 * worker_state: what the parts of a worker share: the loop (worker.c), how partitions are taken over (opening.c), and the
 * transaction (transaction.c). Private to the engine.
 */
#ifndef WEIR_PROCESSOR_ENGINE_WORKER_STATE_H
#define WEIR_PROCESSOR_ENGINE_WORKER_STATE_H

#include <pthread.h>

#include "processor/engine/job.h"
#include "processor/engine/lane.h"
#include "processor/engine/reference.h"
#include "processor/engine/worker.h"

enum { SMALL_READER_BYTES = 1 << 20 }; /* of a reader that asks questions or reads little */

struct worker {
    struct worker_options options;
    const char *cluster_id;
    int32_t partition_count; /* of the streams */

    struct lane **lanes; /* task lanes by partition, then copy lanes */
    size_t lane_count;
    struct lane **kept; /* of partitions that were revoked: memory that is still right if nobody else gets them */
    size_t kept_count;
    int64_t kept_since_us;
    char (*ended_ids)[COMMIT_OWNER_ID_SIZE]; /* transactional ids of last owners that were ended since the assignment */
    size_t ended_count;
    bool assignment_changed; /* what is read must be told to the port */

    struct log_reader *bounds_reader; /* for questions about offsets, on the worker's thread */
    struct reference_view *reference;
    int64_t *tables_wanted; /* what must be copied before the first event: [table][partition], see tables_ready */
    bool tables_ready;

    /* the transaction in hand */
    size_t polled; /* records of the last poll that was not skipped */
    int64_t first_record_us; /* when its first record was processed; 0: nothing yet */
    int64_t poll_ms;         /* what "now" is for its records */
    size_t records;
    bool hand_closed;        /* commit before anything else is processed: a record stands alone */
    bool releasing;          /* its M says `released` */
    struct buffer staged;    /* records that are made before they are handed over */
    int64_t last_commit_us;
    int64_t checkpoint_began_us; /* the last one, of any lane */
    struct checkpoint_turn *turns; /* to ask whose is next */
    int consecutive_aborts;
    bool producer_dead;      /* a new one is needed before the next transaction */

    struct crash_watch crashes; /* records at which the process died, not committed yet */
    bool joined; /* it has subscribed */
    int64_t fenced_us; /* when the group last gave our place away; 0: never */
    bool shut_down;
    struct worker_stats stats; /* counted by the loop; counters and lanes are made when published */
    pthread_mutex_t stats_lock;
    struct worker_stats published;
    int64_t published_us;
    struct step_counters retired; /* counters of tasks that are gone */
};

static inline int64_t worker_now_us(const struct worker *worker) { return clock_us(&worker->options.clock); }
static inline int worker_job_steps(const struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    return options->threaded ? JOB_THREADED : options->job_steps > 0 ? options->job_steps : 1;
}

/* --- opening.c: taking over what was assigned ------------------------------------------------------------------- */

/* The group gave us these partitions: makes lanes, or takes kept ones, and begins to open them. */
MUST_CHECK enum status opening_assigned(struct worker *worker, const struct log_partition *partitions, size_t count,
                                        struct error *err);
/* Brings every lane a step on that is not ready; looked at every turn. Never waits long: others go on. */
MUST_CHECK enum status opening_tend(struct worker *worker, struct error *err);
/*
 * Something of this lane alone failed, with the text in err. Its memory goes; it is opened again after a pause, or it has
 * failed. Not while it is part of a transaction that has begun. Other than ST_OK: it concerns the whole worker.
 */
MUST_CHECK enum status opening_trouble(struct worker *worker, struct lane *lane, enum status st, struct error *err);
/* The partitions are revoked and what was in hand is committed or taken back: no lane is left; those whose memory may still be
 * right at the next assignment are kept. */
void opening_keep(struct worker *worker);
/* All lanes, also kept ones, go. */
void opening_drop(struct worker *worker);
/* When a lane that waits wants to be looked at again; INT64_MAX: none does. */
int64_t opening_next_us(const struct worker *worker);
/* M of a lane as committed now, stable; *has_metadata false when nothing was ever committed. Positions without an offset are -1.
 * Class RETRY: it could not be learnt within some seconds. */
MUST_CHECK enum status opening_committed(struct worker *worker, struct lane *lane, int64_t *offsets,
                                         struct commit_metadata *metadata, bool *has_metadata, struct error *err);

/* --- transaction.c ------------------------------------------------------------------------------------------------ */

enum commit_reason { COMMIT_INTERVAL, COMMIT_ALERT, COMMIT_LIMIT, COMMIT_CHECKPOINT, COMMIT_REVOKE, COMMIT_SHUT_DOWN };
/* Commits what is in hand: everything touched, claims, checkpoint slices. Handles aborts and unknown outcomes itself: ST_OK
 * also when it was rolled back (then the input is read again). */
MUST_CHECK enum status transaction_commit(struct worker *worker, enum commit_reason reason, struct error *err);
/* Rolls back what is in hand and rewinds every lane to its committed positions. */
void transaction_rewind(struct worker *worker);
bool transaction_is_empty(const struct worker *worker);

/* --- transaction_records.c ---------------------------------------------------------------------------------------- */

/* The lane's checkpoint has something for a transaction that is made for this reason. */
bool transaction_wants_slice(const struct lane *lane, enum commit_reason reason);
/* Hands everything over that the lanes in the transaction write; M of each says what its checkpoint has got to. */
MUST_CHECK enum status transaction_produce(struct worker *worker, enum commit_reason reason, struct error *err);

/* --- worker_isolation.c ---------------------------------------------------------------------------------------------- */

/* A lane is suspected of holding a record that is refused: it alone is read, processed and committed. */
bool worker_isolation_runs(const struct worker *worker);
bool worker_isolation_allows(const struct worker *worker, const struct lane *lane);
/* So many records may be in hand. */
size_t worker_isolation_records_max(const struct worker *worker);
/* What is in hand was refused (class SKIP) as `why` says; before it is taken back. *blamed false: no record is in hand, so none is to
 * blame. Another status than OK: nothing helps. */
MUST_CHECK enum status worker_isolation_blame(struct worker *worker, enum status why, bool *blamed, struct error *err);
/* The lane's records in hand were committed; its committed positions are the new ones. */
void worker_isolation_committed(struct worker *worker, struct lane *lane);

/* --- worker_tables.c ------------------------------------------------------------------------------------------------ */

/* Between transactions: adopts what is there; sets tables_ready once everything wanted at start is in. */
MUST_CHECK enum status worker_tables_tend(struct worker *worker, struct error *err);

/* --- worker_checkpoints.c ---------------------------------------------------------------------------------------------- */

/* Ends, trims after and begins checkpoints; `forced`: whatever has changed, now. */
MUST_CHECK enum status worker_checkpoints_tend(struct worker *worker, bool forced, struct error *err);
/* Over the memory budget: values since the checkpoint wait for the background writer. */
bool worker_checkpoints_lag(const struct worker *worker);

/* --- worker_stats.c ------------------------------------------------------------------------------------------------------ */

void worker_stats_publish(struct worker *worker);
/* Keeps the counters of a lane's task that is going away, if it has one. */
void worker_stats_retire(struct worker *worker, const struct lane *lane);

#endif
