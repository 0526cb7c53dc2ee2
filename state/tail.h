/*
 * tail: the write-ahead log's records. One transaction of a task writes the new value of every row
 * that it changed, or what is new at the end of one, packed into one Kafka record or a few of at most TAIL_RECORD_BYTES; a
 * row larger than that is split into fragments over consecutive records.
 *
 * A record (value; the key is empty):
 *     u8 format = 2 | BE32 part | BE32 part count | run metadata text (commit_metadata.h)
 *     | BE32 entry count | inputs, in part 0 only | entries
 * Inputs:
 *     varint count | each: run topic | varint partition | zigzag next offset
 * An entry:
 *     u8 kind (0 put, 1 delete, 2 fragment, 3 last fragment, 4 append) | run key
 *     | varint position, for append only | run value, not for delete
 * The fragments of a row follow each other, with nothing between them. What is appended goes behind the first
 * `position` bytes of the row (row_change.h); a large one is several entries. The counts make every truncation
 * visible. To change it: raise `format`, read both; format 1 has no appends.
 */
#ifndef WEIR_STATE_TAIL_H
#define WEIR_STATE_TAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "state/commit_metadata.h"
#include "state/row_change.h"

enum { TAIL_RECORD_BYTES = 900 * 1000 };

struct tail_input {
    struct bytes topic;
    int32_t partition;
    int64_t next_offset;
};

/* Borrows everything. */
struct tail_transaction {
    const struct commit_metadata *metadata;
    const struct tail_input *inputs;
    size_t input_count;
    const struct row_change *changes;
    size_t change_count;
};

/* Calls `emit` once per record, in order; a transaction without rows gives one record.
 * `record_bytes_max` 0: TAIL_RECORD_BYTES. */
typedef enum status tail_emit_fn(void *context, struct bytes record, struct error *err);
MUST_CHECK enum status tail_write(const struct tail_transaction *transaction,
                                  size_t record_bytes_max, tail_emit_fn *emit, void *context,
                                  struct error *err);

/*
 * Reads the records of one tail in order and hands out whole transactions: a transaction's rows are
 * delivered only when its last part was read, and `done` once after them. Parts of a transaction
 * that never ended (cannot happen behind read_committed) are ST_CORRUPT. ST_CORRUPT for everything
 * malformed: a tail is never partly believed.
 */
struct tail_reader;
struct tail_reader_events {
    enum status (*row)(void *context, const struct row_change *change, struct error *err);
    /* all rows of metadata->seq were delivered */
    enum status (*done)(void *context, const struct commit_metadata *metadata,
                        const struct tail_input *inputs, size_t input_count, struct error *err);
    /* asked before a transaction's rows are delivered; false: skip its rows and `done` */
    bool (*wanted)(void *context, const struct commit_metadata *metadata);
    void *context;
};
void tail_reader_create(struct tail_reader **out, const struct tail_reader_events *events);
MUST_CHECK enum status tail_reader_feed(struct tail_reader *reader, struct bytes record,
                                        struct error *err);
void tail_reader_destroy(struct tail_reader **reader);
/* The metadata of one record alone (its part does not matter). */
MUST_CHECK enum status tail_peek(struct commit_metadata *out, struct bytes record,
                                 struct error *err);

#endif
