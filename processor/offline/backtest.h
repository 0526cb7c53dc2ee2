/*
 * backtest: files through the same task that runs live, as fast as one core goes. State is in memory and thrown away.
 *
 * Records of an export go to the task of their partition, in the file's order, everywhere
 * tables to all tasks; what is marked as warm-up fills the state and is not reported. Any other file is one partition of the first stream: placement is not checked, and max_ahead is
 * measured from the record's own timestamp where it has one.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_BACKTEST_H
#define WEIR_PROCESSOR_OFFLINE_BACKTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/steps/outputs.h"
#include "processor/steps/step.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"

struct backtest_options {
    const struct plan *plan;
    const char *const *inputs; /* paths, read one after another */
    size_t input_count;
    struct registry *registry; /* for exported Avro records; or NULL */
    const char *label;         /* a CSV column that says whether an event was fraud; or NULL */
    bool label_required;       /* ST_INVALID when no file has that column */
    enum partitioner partitioner;
    uint64_t cache_bytes; /* of loaded entities; 0: 1 GiB */
    bool alerts_unread;   /* on_output does not look at alerts: they are counted only */
    /* In input order; or NULL. */
    void (*on_output)(void *context, const struct output *output);
    void (*on_features)(void *context, const struct plan_stream *stream, const struct value *slots,
                        struct bytes key, struct bytes id, int64_t time_us);
    void *context;
};

struct backtest_rule {
    uint64_t alerts;
    uint64_t hits;   /* events of this rule that the label calls fraud */
    uint64_t events; /* distinct events that it alerted on */
};

struct backtest_result {
    uint64_t records, bytes;
    uint64_t warm_up; /* of the records: before the range of an export; they count nowhere else */
    struct step_counters counters; /* summed; rule arrays as in plan->rules, owned */
    struct backtest_rule *rules;   /* per plan rule, then one for all rules together; owned */
    bool labelled;
    uint64_t frauds; /* events that the label calls fraud */
    int64_t elapsed_us, cpu_us;
    size_t partitions;
};

MUST_CHECK enum status backtest_run(struct backtest_result *out,
                                    const struct backtest_options *options, struct error *err);
void backtest_result_fini(struct backtest_result *result);

#endif
