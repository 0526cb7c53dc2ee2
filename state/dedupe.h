/*
 * dedupe: has this id been seen within the last `span`? Exact (128-bit hashes of ids), by event
 * time.
 *
 * Rows: [3][stream u8][id hash 16] -> varint event time; and, per minute of event time and
 * transaction, an expiry list [3][stream u8 | 0x80][minute BE64][sequence BE64] -> the hashes
 * added, so that forgetting needs no scan of all ids.
 */
#ifndef WEIR_STATE_DEDUPE_H
#define WEIR_STATE_DEDUPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "state/overlay.h"

struct dedupe;
MUST_CHECK enum status dedupe_create(struct dedupe **out, uint8_t stream, int64_t span_us,
                                     struct overlay *borrowed, struct error *err);
void dedupe_destroy(struct dedupe **dedupe);
/* *duplicate: the id was seen at a time within span_us of time_us (either way). Otherwise
 * remembers it at time_us. */
MUST_CHECK enum status dedupe_check(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                                    bool *duplicate, struct error *err);
void dedupe_prefetch_key(const struct dedupe *dedupe, struct hash128 id, struct buffer *out);
/* Forgets ids older than stream_time - span (a bounded number of rows per call; call it before
 * every flush). */
MUST_CHECK enum status dedupe_expire(struct dedupe *dedupe, int64_t stream_time_us,
                                     struct error *err);
/* Writes the transaction's expiry lists into the overlay. */
MUST_CHECK enum status dedupe_flush(struct dedupe *dedupe, struct error *err);
void dedupe_commit(struct dedupe *dedupe);
void dedupe_abort(struct dedupe *dedupe);

#endif
