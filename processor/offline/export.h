/*
 * export: a range of a topology's input, from Kafka into an Avro file whose records keep topic, partition, offset and timestamp,
 * and the schemas that its Avro records need beside it. `weir backtest` reads it back.
 *
 * Streams: the range, and before it, marked as warm-up, what its events may look back to (what the stream remembers before a
 * time, everything before an offset), so that a backtest of the file decides as it was decided then. Tables: everything up to their
 * end, since an older row may be looked up. Everywhere tables come first in the file, then partition after partition streams and
 * co-partitioned tables in the order of a worker: by timestamp, a table's row before an event of the same time.
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
    bool cold;                     /* no warm-up */
    const char *path;              /* FILE.avro; schemas go to FILE.schemas/ */
};

struct export_result {
    uint64_t records, bytes, schemas;
    uint64_t warm_up; /* of the records */
};

MUST_CHECK enum status export_run(struct export_result *out, const struct export_options *options, struct error *err);

#endif
