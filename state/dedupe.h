/*
 * dedupe: has this id been seen within the last `span`? By event time, exact but for collisions of
 * 128-bit hashes.
 *
 * An event at time t is a duplicate when an event with the same id that was none was seen at a time
 * within span of t, either way, and not more than span before the newest event seen so far (one
 * that was taken, or a duplicate). The second half is what makes forgetting invisible: what no longer counts may be gone already or not,
 * depending on when transactions ended.
 *
 * Rows of a stream (a number below 0x80):
 *     [3][stream][hash of the id, 16]
 *         -> zigzag time_us | varint sequence of its list
 *     [3][stream | 0x80][minute of time_us, BE64, sign bit flipped][sequence BE64]
 *         -> the hashes of one list, 16 each
 *     [3][stream | 0x80]
 *         -> zigzag newest time_us | varint next sequence
 *
 * The lists, one per minute and transaction (more if they get long), say what to forget without a
 * look at the ids: an id is in exactly one list, and when it counts anew it moves.
 *
 * One task's thread. Borrows the overlay.
 */
#ifndef WEIR_STATE_DEDUPE_H
#define WEIR_STATE_DEDUPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "state/overlay.h"

struct dedupe;
MUST_CHECK enum status dedupe_create(struct dedupe **out, uint8_t stream, int64_t span_us,
                                     struct overlay *borrowed, struct error *err);
void dedupe_destroy(struct dedupe **dedupe);
/* Changes nothing when it is no duplicate: what refuses the event later leaves no trace here. */
MUST_CHECK enum status dedupe_check(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                                    bool *duplicate, struct error *err);
/* The id counts at time_us: for an event that the last dedupe_check let through and that was
 * taken. */
MUST_CHECK enum status dedupe_remember(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                                       struct error *err);
/* Appends the key that dedupe_check will get, for overlay_prefetch. */
void dedupe_prefetch_key(const struct dedupe *dedupe, struct hash128 id, struct buffer *out);
/* Forgets ids that no longer count and are older than stream_time_us - span, a bounded number
 * per call (but more than came in since the last). Call it before every flush. */
MUST_CHECK enum status dedupe_expire(struct dedupe *dedupe, int64_t stream_time_us,
                                     struct error *err);
/* Writes the transaction's lists into the overlay; before the tail record is made. */
MUST_CHECK enum status dedupe_flush(struct dedupe *dedupe, struct error *err);
/* After overlay_commit / overlay_abort. */
void dedupe_commit(struct dedupe *dedupe);
void dedupe_abort(struct dedupe *dedupe);

#endif
