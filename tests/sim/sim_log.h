/*
 * sim_log: one partition: records and transaction markers, each with an offset; what is aborted,
 * what is undecided, what compaction and DeleteRecords left. Every question costs at most a
 * logarithm of the log's length. Owns its entries; payloads are counted, as readers hold them for a
 * while.
 */
#ifndef WEIR_TESTS_SIM_LOG_H
#define WEIR_TESTS_SIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/engine/log_port.h"

struct sim_payload {
    uint32_t holders;
    struct bytes key, value;
    size_t header_count;
    struct log_header headers[];
};

/* One allocation with a copy of everything; one holder. */
struct sim_payload *sim_payload_create(struct bytes key, struct bytes value,
                                       const struct log_header *headers, size_t header_count);
struct sim_payload *sim_payload_acquire(struct sim_payload *payload);
/* NULL-safe. */
void sim_payload_release(struct sim_payload *payload);

struct sim_entry {
    int64_t offset;
    int64_t timestamp_ms;
    int64_t newest_ms; /* the largest timestamp up to here: a search by time is a bisection */
    struct sim_payload *payload; /* NULL: a marker */
    int64_t span;                /* of its transaction, or -1 */
};

enum sim_outcome { SIM_OPEN, SIM_COMMITTED_SPAN, SIM_ABORTED_SPAN };

/* What one transaction wrote here. Numbered from `span_base` up. */
struct sim_span {
    int64_t producer_id;
    int64_t first;
    enum sim_outcome outcome;
};

/* What the partition knows of a producer. */
struct sim_writer {
    int64_t producer_id;
    int32_t epoch;
    int64_t open_span; /* -1: none */
};

struct sim_partition {
    struct sim_entry *entries; /* [head, head + count) */
    size_t head, count, capacity;
    int64_t start, end; /* the first offset, and behind the last one */
    struct sim_span *spans;
    size_t span_count, span_capacity;
    struct sim_writer *writers;
    size_t writer_count, writer_capacity;
};

void sim_partition_fini(struct sim_partition *partition);
int64_t sim_partition_stable(const struct sim_partition *partition);
/* NULL: it never wrote here. */
struct sim_writer *sim_partition_writer(const struct sim_partition *partition, int64_t producer_id);

/* Outside of transactions. Takes the payload. Returns the offset. */
int64_t sim_partition_append(struct sim_partition *partition, struct sim_payload *payload,
                             int64_t timestamp_ms);
/* Within the producer's transaction, which begins here if it has not. */
int64_t sim_partition_append_open(struct sim_partition *partition, int64_t producer_id,
                                  int32_t epoch, struct sim_payload *payload, int64_t timestamp_ms);
void sim_partition_mark(struct sim_partition *partition, int64_t producer_id, int32_t epoch,
                        bool commit, int64_t timestamp_ms);
void sim_partition_delete(struct sim_partition *partition, int64_t before);
/* Below `bound` (at most the last stable offset) each key keeps its newest committed value. */
void sim_partition_compact(struct sim_partition *partition, int64_t bound, bool tombstones);

/* The index (from 0) of the first entry at or behind the offset; `count` when there is none. */
size_t sim_partition_find(const struct sim_partition *partition, int64_t offset);
static inline const struct sim_entry *sim_partition_at(const struct sim_partition *partition,
                                                       size_t index)
{
    return &partition->entries[partition->head + index];
}
/* Is it a record that was committed, or needed no commit? */
bool sim_partition_is_readable(const struct sim_partition *partition,
                               const struct sim_entry *entry);
/* The offset of the first entry below `end` that is at least as young; -1: none. */
int64_t sim_partition_find_time(const struct sim_partition *partition, int64_t timestamp_ms,
                                int64_t end);

#endif
