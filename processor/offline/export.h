/*
 * export: a range of a topology's input, from Kafka into an Avro file whose records keep topic, partition, offset and timestamp,
 * and the schemas that its Avro records need beside it. `weir backtest` reads it back.
 *
 * Streams: the range. Tables: everything up to its end, since an older row may be looked up; they come first in the file, then
 * each partition's records in order.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_EXPORT_H
#define WEIR_PROCESSOR_OFFLINE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/log_port.h"
#include "processor/engine/topics.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"

/* One end of the range: a time, or an offset for every partition; neither: the beginning, or what is there now. */
struct export_bound {
    bool has_time, has_offset;
    int64_t time_ms, offset;
};

struct export_options {
    const struct plan *plan;
    const struct topics *topics;
    struct log_reader *reader;     /* borrowed */
    struct registry *registry;     /* borrowed; NULL without Avro inputs */
    const int32_t *partition_counts; /* per topic of `topics`; inputs only */
    struct export_bound from, to;  /* from included, to not */
    const char *path;              /* FILE.avro; schemas go to FILE.schemas/ */
};

struct export_result {
    uint64_t records, bytes, schemas;
};

MUST_CHECK enum status export_run(struct export_result *out, const struct export_options *options, struct error *err);

#endif
