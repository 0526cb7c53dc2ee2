/*
 * map: from bytes to a value of fixed size, for the tables of this process: groups, caches, names.
 *
 * Owns copies of the keys, and the values, which it frees without looking into them: what a value
 * points to is the caller's. Iteration goes in the order of insertion, or renewal, so it is the same on every
 * machine. One owner, one thread. A key is never none (data == NULL); it may be empty.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct map;

/* `value_size` may be 0: then it is a set. */
void map_create(struct map **out, size_t value_size);
void map_destroy(struct map **map);

/*
 * The value, 16-byte aligned, or NULL. It does not move: valid until its key is removed, clear or
 * destroy.
 */
void *map_find(const struct map *map, struct bytes key);
/*
 * The value of the key, put in zeroed if it was not there; `is_new` (NULL is allowed) tells
 * which.
 */
void *map_insert(struct map *map, struct bytes key, bool *is_new);
/* The key of a value that is in the map; valid as long as the value. */
struct bytes map_key_of(const struct map *map, const void *value);
/* false when the key was not there. A key that is inserted again comes last. */
bool map_remove(struct map *map, struct bytes key);
/* Removes everything; keeps the slots, unless they were far too many. */
void map_clear(struct map *map);

/*
 * For looking ahead: a key's hash, with the place where it would be on its way into the processor's cache; and the value
 * of a key with that hash, another's perhaps, whose memory this does not touch. NULL: there is none.
 */
uint64_t map_expect(const struct map *map, struct bytes key);
void *map_peek(const struct map *map, uint64_t hash);
/* A value that is in the map, what a look for its key reads and what its order is in, on their way into the processor's
 * cache. */
void map_prefetch(const struct map *map, const void *value);

/* The values in the order of iteration. NULL: there is none. */
void *map_oldest(const struct map *map);
void *map_newer(const void *value);
/* Puts the value where it would be if its key had just been inserted. Not while iterating. */
void map_renew(struct map *map, void *value);
/* What renewing the value will change beside it, on its way into the processor's cache. */
void map_prefetch_renewal(const void *value);

size_t map_count(const struct map *map);
/* Bytes held, keys and values included, without the allocator's own overhead. */
size_t map_footprint(const struct map *map);

/*
 *     struct map_iterator it = map_iterate(map);
 *     while (map_next(&it))
 *         use(it.key, it.value);
 *
 * Oldest first. While iterating, only the key that `it` stands on may be removed; what is inserted
 * may or may not be seen.
 */
struct map_iterator {
    struct bytes key; /* valid as long as the value */
    void *value;
    const struct map *map; /* this and the next are private */
    void *ahead;
};
struct map_iterator map_iterate(const struct map *map);
bool map_next(struct map_iterator *it);

#endif
