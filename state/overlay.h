/*
 * overlay: one task's rows as the task sees them, in layers over the store:
 *
 *     values of this transaction -> values since the last checkpoint (active) -> frozen values
 *         -> cache -> store
 *
 * The five calls get, put, append, delete, scan are all that a store of a task (entity log, table,
 * timers ...) needs; the tail, the changelog, RocksDB and recovery work on rows without knowing
 * what they mean.
 *
 * The store never sees uncommitted values: abort throws the first layer away, commit merges it into
 * `active`. A checkpoint freezes `active`; the frozen map is then written to the changelog in
 * slices by the worker and to the store by a background thread, and dropped (thawed) when both are
 * done. The cache keeps committed rows (also "absent"), bounded, CLOCK; a merge updates or drops
 * its entry, never leaves an old one.
 *
 * Owned and used by the worker's thread; the background writer only reads the frozen map through
 * overlay_frozen_row while it is frozen. Borrows the partition.
 */
#ifndef WEIR_STATE_OVERLAY_H
#define WEIR_STATE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "state/row_change.h"
#include "state/store.h"

struct overlay;

/* A row's key is a key of the changelog topic and is repeated with every fragment of its value
 * in the tail. */
enum { OVERLAY_KEY_BYTES_MAX = 32 * 1024, OVERLAY_ROW_BYTES_MAX = 900 * 1024 };

struct overlay_options {
    uint64_t cache_bytes;
    size_t row_bytes_max; /* a larger row is ST_TOO_LARGE in put; 0: OVERLAY_ROW_BYTES_MAX */
};

void overlay_create(struct overlay **out, struct store_partition *borrowed,
                    const struct overlay_options *options);
void overlay_destroy(struct overlay **overlay);

/* --- what stores use ------------------------------------------------------------------------- */

/* *value is none when the key is absent; valid until the next call on this overlay. */
MUST_CHECK enum status overlay_get(struct overlay *overlay, struct bytes key, struct bytes *value,
                                   struct error *err);
/* Copies. The key is not empty and does not start with 0x00 (reserved for the changelog's own
 * records). ST_TOO_LARGE: the row, or its key (OVERLAY_KEY_BYTES_MAX), is; nothing was changed. */
MUST_CHECK enum status overlay_put(struct overlay *overlay, struct bytes key, struct bytes value,
                                   struct error *err);
/*
 * The same for a row of `position` bytes that gets longer by `more`, where only that is to be written to the tail.
 * The caller has put the whole row in this epoch. false: it must put the whole row again (it was changed by this
 * transaction already, or would be too large).
 */
bool overlay_append(struct overlay *overlay, struct bytes key, size_t position, struct bytes more);
/*
 * Counts checkpoints, from 1. A row that the task puts whole is in the tail after the last one, so what follows it in
 * the same epoch may build on it: whoever replays the tail from a checkpoint comes past the whole row first.
 */
uint32_t overlay_epoch(const struct overlay *overlay);
/* A tombstone is kept even when nobody holds the key: a restore must see it. */
void overlay_delete(struct overlay *overlay, struct bytes key);
/* Ascending over from <= key < to over all layers, tombstones applied. `each` must not change
 * the overlay. */
MUST_CHECK enum status overlay_scan(struct overlay *overlay, struct bytes from, struct bytes to,
                                    store_row_fn *each, void *context, struct error *err);

/* --- what the worker uses: the transaction --------------------------------------------------- */

/* The rows changed in this transaction, in the order in which their keys first were. Valid until the next call. */
void overlay_changes(struct overlay *overlay, const struct row_change **changes, size_t *count);
uint64_t overlay_changes_bytes(const struct overlay *overlay);
void overlay_commit(struct overlay *overlay); /* merge into active and the cache */
void overlay_abort(struct overlay *overlay);

/* --- checkpoints ----------------------------------------------------------------------------- */

/* Replay of a tail row at open: into `active`, over what is there. Only with no transaction
 * values. */
void overlay_replay(struct overlay *overlay, struct bytes key, struct bytes value);
/* The same of a row that grew. *fits false: it is not so long, so this is not the state that the tail belongs to. */
MUST_CHECK enum status overlay_replay_append(struct overlay *overlay, struct bytes key, size_t position,
                                             struct bytes more, bool *fits, struct error *err);
uint64_t overlay_active_bytes(const struct overlay *overlay); /* keys, values and bookkeeping */
size_t overlay_active_count(const struct overlay *overlay);
uint64_t overlay_frozen_bytes(const struct overlay *overlay);
/* active becomes frozen; nothing may be frozen. */
void overlay_freeze(struct overlay *overlay);
bool overlay_is_frozen(const struct overlay *overlay);
size_t overlay_frozen_count(const struct overlay *overlay);
/* Row i of the frozen map in a fixed order (not sorted). Safe from the background thread while
 * frozen. */
struct store_row overlay_frozen_row(const struct overlay *overlay, size_t i);
/* Drops the frozen map: its rows are in the store now. */
void overlay_thaw(struct overlay *overlay);
/* The checkpoint failed or was given up: frozen rows go back under active (active's are newer). */
void overlay_unfreeze(struct overlay *overlay);
/* Forgets all layers and the cache (the store was dropped, or the task is let go). */
void overlay_clear(struct overlay *overlay);

uint64_t overlay_footprint(const struct overlay *overlay); /* bytes of memory of all layers */

#endif
