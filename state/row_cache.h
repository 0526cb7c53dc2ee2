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
/* The same, and it is not known any more from then on. */
bool row_cache_take(struct row_cache *cache, struct bytes key, struct bytes *value);
/* Like row_cache_get without counting as a use. */
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

/*
 * For looking ahead: a key's hash, with its place on its way into the processor's cache; some time later the number of a
 * row with that hash, another's perhaps, or ROW_NUMBER_NONE (row_index.h); and then the row's beginning.
 */
uint32_t row_cache_expect(const struct row_cache *cache, struct bytes key);
uint32_t row_cache_peek(const struct row_cache *cache, uint32_t hash);
void row_cache_prefetch(const struct row_cache *cache, uint32_t number);

size_t row_cache_count(const struct row_cache *cache);
uint64_t row_cache_bytes(const struct row_cache *cache);

#endif
