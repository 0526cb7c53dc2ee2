/*
 * reference_task: one task over state in memory that never fails, with the everywhere tables as
 * of any offset of the reference topic: what the ledger compares with.
 */
#ifndef WEIR_TESTS_SIM_REFERENCE_TASK_H
#define WEIR_TESTS_SIM_REFERENCE_TASK_H

#include "fixture.h"
#include "processor/engine/task.h"
#include "sim_cluster.h"
#include "state/store.h"

struct reference_task {
    const struct plan *plan;
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct task *task;
    struct everywhere_table **everywhere;
    struct decoder **decoders;
    struct arena *arena;
};

struct reference_task_options {
    int variant;
    int32_t partitions;
    enum partitioner partitioner;
};
void reference_task_init(struct reference_task *reference,
                         const struct reference_task_options *options);
void reference_task_fini(struct reference_task *reference);
/* A record of the reference topic. */
void reference_task_adopt(struct reference_task *reference, struct bytes record);
void reference_task_feed(struct reference_task *reference, const struct fixture_record *record,
                         int64_t reference_ms);
/* Then task_outputs and the overlay's changes are complete; end with reference_task_commit. */
void reference_task_prepare(struct reference_task *reference);
void reference_task_commit(struct reference_task *reference);

#endif
