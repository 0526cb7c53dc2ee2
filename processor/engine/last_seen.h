/*
 * last_seen: which record a task processed last of each input, kept in its state. Read again when the
 * partition is taken over, it shows whether the topic is still the one that the committed offset
 * means: a topic that was deleted and made again has other records at the same offsets.
 *
 * The row: [6]['I'] -> u8 format = 1 | varint count | each: run topic | zigzag offset
 *          | zigzag timestamp (ms) | BE64 hash of key and value
 */
#ifndef WEIR_PROCESSOR_ENGINE_LAST_SEEN_H
#define WEIR_PROCESSOR_ENGINE_LAST_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/engine/log_port.h"

struct last_seen {
    bool known;
    int64_t offset;
    int64_t timestamp_ms;
    uint64_t hash;
};

struct bytes last_seen_key(void);
struct last_seen last_seen_of(const struct log_record *record);
/* The same offset is assumed. */
bool last_seen_is(const struct last_seen *seen, const struct log_record *record);

void last_seen_write_head(struct buffer *row, size_t count);
void last_seen_write(struct buffer *row, struct bytes topic, const struct last_seen *seen);
/* The entry of one topic; not known when the row (none is allowed) has none. */
MUST_CHECK enum status last_seen_find(struct last_seen *out, struct bytes row, struct bytes topic,
                                      struct error *err);

#endif
