/*
 * task: a pure, single-threaded state machine for one partition: (state, next record) -> (state', outputs).
 *
 * It never sees Kafka, files, threads, clocks or randomness. Whoever drives it (a worker, a backtest, a replay, a test) feeds
 * records in an order and decides when a transaction ends:
 *
 *     task_process ... task_process, task_prepare_commit   -> outputs and the overlay's changes are complete
 *     (make them durable)
 *     task_commit | task_abort
 *
 * overlay_commit / overlay_abort are the driver's, before task_commit / task_abort.
 */
#ifndef WEIR_PROCESSOR_ENGINE_TASK_H
#define WEIR_PROCESSOR_ENGINE_TASK_H

#include <stdint.h>

#include "base/error.h"
#include "processor/steps/outputs.h"
#include "processor/steps/step.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"
#include "state/overlay.h"
#include "state/table.h"

struct task;

struct task_options {
    const struct plan *plan;
    struct overlay *overlay;   /* borrowed */
    struct registry *registry; /* borrowed; may be NULL when nothing is Avro */
    const struct everywhere_table *const *everywhere; /* borrowed; per plan table; may be NULL without tables */
    struct decoder **stream_decoders; /* per plan stream, taken: files are read otherwise; NULL: by the plan's formats */
    int32_t partition_count;   /* 0: placement is not checked */
    enum partitioner partitioner; /* stated, or PARTITIONER_UNKNOWN: learnt and remembered */
    enum alert_mode mode;
    bool alerts_unread;        /* alerts are counted, not written */
    int32_t alert_schema_id;
    uint64_t cache_bytes;      /* of loaded entities, all streams together */
    bool never_aborts;         /* task_abort is not called: entities are written when they leave the cache, not at each commit */
    void (*on_features)(void *context, const struct plan_stream *stream, const struct value *slots, struct bytes key,
                        struct bytes id, int64_t time_us);
    void *on_features_context;
};

/* Reads what the state remembers of itself; ST_REFUSED when the topology changed in a way that its state cannot follow. */
MUST_CHECK enum status task_create(struct task **out, const struct task_options *options, struct error *err);
void task_destroy(struct task **task);

/* A record with this key comes TASK_AHEAD records later: a hint, which changes nothing. */
enum { TASK_AHEAD = ENTITY_LOG_AHEAD };
void task_look_ahead(struct task *task, int source, struct bytes key);

/*
 * One record. A bad one becomes a dead letter and the answer is ST_OK. A RETRY class (the registry) leaves no trace: the same
 * record again later. Anything else: abort the transaction.
 */
MUST_CHECK enum status task_process(struct task *task, const struct input_record *input, struct error *err);

/* A record that is not processed, for a reason outside of it: a dead letter with at most value_max bytes of its value. */
void task_skip(struct task *task, const struct input_record *input, enum status reason, const char *detail, size_t value_max);

/* Fires due timers, forgets what is too old, writes everything into the overlay. */
MUST_CHECK enum status task_prepare_commit(struct task *task, struct error *err);
void task_commit(struct task *task);
void task_abort(struct task *task);

/* Of the running transaction; cleared by commit and abort. */
struct outputs *task_outputs(struct task *task);
const struct step_counters *task_counters(const struct task *task);
/* Newest event time over all streams, us; INT64_MIN: none. */
int64_t task_newest_us(const struct task *task);
uint64_t task_footprint(const struct task *task);
/* What the running transaction holds beside the overlay: outputs, and rows that task_prepare_commit will write. */
uint64_t task_hand_bytes(const struct task *task);
/* The transaction needs more loaded entities than there is memory for: it should end. */
bool task_is_overfull(const struct task *task);

#endif
