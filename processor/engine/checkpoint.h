/*
 * checkpoint: one task's write-behind. Freezing takes the values since the last checkpoint; they then go, each key once, to the
 * changelog (in slices, inside the worker's transactions) and to the store (a background job, sorted, position last). The frozen map
 * goes when both are done and the last slice's transaction is known to be committed.
 *
 * The slice cursor belongs to the transaction: an abort takes it back.
 */
#ifndef WEIR_PROCESSOR_ENGINE_CHECKPOINT_H
#define WEIR_PROCESSOR_ENGINE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/job.h"
#include "state/changelog.h"
#include "state/commit_metadata.h"
#include "state/overlay.h"

struct checkpoint {
    struct overlay *overlay;       /* borrowed */
    struct store_partition *store; /* borrowed */
    struct state_identity identity;
    int job_steps; /* of the writer, as in job.h */
    size_t write_rows_max;         /* in one write to the store; 0: 5000 */

    bool running;            /* a frozen map exists */
    struct commit_checkpoint target; /* what M will say when it is complete */
    uint64_t target_nonce;
    size_t sent;             /* frozen rows in transactions that are committed */
    size_t pending_sent;     /* with those of the transaction in hand */
    size_t planned;          /* where the slice ends that it takes */
    bool ended, pending_ended; /* the end mark likewise */
    int64_t started_us;

    struct job *write_job;
    bool written;            /* the store has the rows and the position */
    /* the background job's */
    struct store_row *rows;
    size_t row_count, row_next;
    bool sorted, flush_wanted;
    struct commit_checkpoint flushed_target; /* what the store is known to keep if the process dies; owner: worker */
    int64_t flushed_us;
};

/* One record of the changelog to be produced. */
typedef enum status checkpoint_emit_fn(void *context, struct bytes key, struct bytes value, struct error *err);

void checkpoint_init(struct checkpoint *checkpoint, struct overlay *overlay, struct store_partition *store,
                     const struct state_identity *identity, int job_steps);
/* Joins the job. The frozen map stays as it is. */
void checkpoint_fini(struct checkpoint *checkpoint);
/* Joins the job and takes the frozen values back: the next checkpoint writes them all again. Between transactions. */
void checkpoint_give_up(struct checkpoint *checkpoint);

/* Freezes; between transactions only. `committed` is M as committed: the checkpoint's position. */
void checkpoint_start(struct checkpoint *checkpoint, const struct commit_metadata *committed, int64_t tail_offset,
                      bool flush, int64_t now_us);
/* Something of it wants to go into a transaction. */
bool checkpoint_wants_slice(const struct checkpoint *checkpoint);
/* At least one row, then until one of these is reached. */
struct slice_limit {
    size_t rows;
    uint64_t bytes; /* in the client's queue */
};
/* How far the slice goes that the transaction in hand takes. true: to the end; M of this transaction must carry
 * checkpoint->target. */
bool checkpoint_plan_slice(struct checkpoint *checkpoint, const struct slice_limit *limit);
/* Adds the next rows of it to the transaction, at most so many; after the last row of all, identity and end mark. */
MUST_CHECK enum status checkpoint_slice(struct checkpoint *checkpoint, size_t rows_max, checkpoint_emit_fn *emit,
                                        void *context, struct error *err);
void checkpoint_commit(struct checkpoint *checkpoint);
void checkpoint_abort(struct checkpoint *checkpoint);
/* Looks after the background job, and thaws when all is done (*finished). */
MUST_CHECK enum status checkpoint_tend(struct checkpoint *checkpoint, int64_t now_us, bool *finished,
                                       struct error *err);

#endif
