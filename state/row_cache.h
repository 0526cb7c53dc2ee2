/*
 * row_cache: committed rows that were read lately, present or absent, within a number of bytes.
 * CLOCK: a row that was used since the hand last passed stays for another round.
 *
 * It answers for the store, so whoever changes a row tells the cache in the same breath
 * (row_cache_update): a row that it holds must never be older than the newest committed one. One
 * thread.
 */
#ifndef WEIR_STATE_ROW_CACHE_H
#define WEIR_STATE_ROW_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct row_cache;

/* `bytes_max` counts keys, values and bookkeeping; 0 keeps nothing. */
void row_cache_create(struct row_cache **out, uint64_t bytes_max);
void row_cache_destroy(struct row_cache **cache);

/* false: not known. *value is none when the row is known to be absent; valid until the next call
 * that changes the cache. */
bool row_cache_get(struct row_cache *cache, struct bytes key, struct bytes *value);
/* The same without counting as a use. */
bool row_cache_holds(const struct row_cache *cache, struct bytes key);
/* Keeps the row, if it is not too large for that; value none: absent. */
void row_cache_put(struct row_cache *cache, struct bytes key, struct bytes value);
/* The row has a new committed value: replaces it, or forgets it, if it is held. */
void row_cache_update(struct row_cache *cache, struct bytes key, struct bytes value);
/* It is not known any more. */
void row_cache_remove(struct row_cache *cache, struct bytes key);
/* Forgets rows until no more bytes are held; the limit stays as it is. */
void row_cache_shrink(struct row_cache *cache, uint64_t bytes);
void row_cache_clear(struct row_cache *cache);

size_t row_cache_count(const struct row_cache *cache);
uint64_t row_cache_bytes(const struct row_cache *cache);

#endif
