/*
 * export_cursor: the records of one partition from an offset to another, one after the other.
 *
 * Several cursors share one reader: a cursor that has run dry takes the reader for a chunk and lets it go
 * again, so what waits in memory is bounded, however different the partitions are. Borrows the reader.
 * One thread.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_EXPORT_CURSOR_H
#define WEIR_PROCESSOR_OFFLINE_EXPORT_CURSOR_H

#include <stdint.h>

#include "base/error.h"
#include "processor/engine/log_port.h"

struct export_cursor {
    struct log_reader *reader;
    struct log_partition at;
    const char *topic;
    int64_t next, to; /* what is not read yet; nothing when next >= to */
    struct log_record *records;
    size_t head, count, capacity;
};

void export_cursor_init(struct export_cursor *cursor, struct log_reader *borrowed, struct log_partition at,
                        const char *topic, int64_t from, int64_t to);
/* Gives back what waits. */
void export_cursor_fini(struct export_cursor *cursor);
/* The next record, or NULL at the end; valid until it is passed. */
MUST_CHECK enum status export_cursor_front(struct export_cursor *cursor, const struct log_record **out,
                                           struct error *err);
void export_cursor_pass(struct export_cursor *cursor);

#endif
