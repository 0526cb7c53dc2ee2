/*
 * row_map: rows in memory by key: one layer of the overlay, and the memory store. A row that is put
 * without a value says "deleted"; a row never leaves the map but with all others.
 *
 * Three ways in: by key (hash), by number in the order in which keys were first put, and sorted,
 * from a key on. Keys with different first bytes (different stores) are sorted apart, and only once
 * somebody scans them: timers are found among 100,000 rows of entities without looking at these.
 *
 * A value that fits replaces the old one in place, else the row moves and leaves its place to other
 * rows of this map; the bytes counted include such places.
 *
 * One thread. While nothing is put, another thread may read rows by number.
 */
#ifndef WEIR_STATE_ROW_MAP_H
#define WEIR_STATE_ROW_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "state/row_index.h"
#include "state/row_order.h"
#include "state/store.h"

struct row_map;

/* `block_bytes`: what is asked of the allocator at a time. */
void row_map_create(struct row_map **out, size_t block_bytes);
void row_map_destroy(struct row_map **map);

/* false: the map says nothing about the key. *value is none when it says "deleted"; valid until
 * the key is put again. */
bool row_map_get(const struct row_map *map, struct bytes key, struct bytes *value);
/* Copies; the key is not empty; both may be views of rows of this map. */
uint32_t row_map_put(struct row_map *map, struct bytes key, struct bytes value); /* its number */
/* The same in two steps: what expect gave starts on its way into the processor's cache, and put needs it. */
uint32_t row_map_expect(const struct row_map *map, struct bytes key);
void row_map_expect_hash(const struct row_map *map, uint32_t hash); /* as expect gave it, also of another map */
uint32_t row_map_put_expected(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value);
/*
 * Between the two, each with a few other keys' steps in between: what is there of the row follows. peek gives its number,
 * or another's, or ROW_NUMBER_NONE; the others take that.
 */
uint32_t row_map_peek_number(const struct row_map *map, uint32_t hash);
void row_map_prefetch_row(const struct row_map *map, uint32_t number);
void row_map_prefetch_end(const struct row_map *map, uint32_t number);
/* The row is there, not deleted, and `position` bytes long: `more` comes behind them. It is no view of this map. */
void row_map_grow_expected(struct row_map *map, uint32_t hash, struct bytes key, size_t position, struct bytes more);
/* The map says nothing about the key. */
uint32_t row_map_add_expected(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value);
/* ROW_NUMBER_NONE: the map says nothing about the key. */
uint32_t row_map_number(const struct row_map *map, uint32_t hash, struct bytes key);
size_t row_map_count(const struct row_map *map);
struct store_row row_map_row(const struct row_map *map, size_t number);
uint32_t row_map_hash(const struct row_map *map, size_t number); /* of its key, as expect gives it */
/* Keeps the memory for the next rows. */
void row_map_clear(struct row_map *map);

/* Bytes that the rows and their bookkeeping take; what an empty map holds in reserve does not
 * count. */
uint64_t row_map_bytes(const struct row_map *map);
/* Bytes asked of the allocator. */
uint64_t row_map_footprint(const struct row_map *map);

/* Ascending over from <= key < to; to none: to the end. The map must not change meanwhile. */
struct row_map_cursor {
    struct row_map *map;
    struct bytes to;
    int store; /* first byte of the keys that `rows` goes over */
    struct row_order_cursor rows;
    const struct row_node *node; /* NULL at the end */
};
void row_map_seek(struct row_map_cursor *cursor, struct row_map *map, struct bytes from,
                  struct bytes to);
/* false at the end. */
bool row_map_peek(const struct row_map_cursor *cursor, struct store_row *row);
void row_map_next(struct row_map_cursor *cursor);

#endif
