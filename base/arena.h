/*
 * arena: memory that is given back all at once. Allocation is a pointer bump; reset keeps the
 * largest blocks so that a steady state allocates nothing. One owner, one thread.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena;

/* `block_bytes` is the size of a block; larger requests get a block of their own. */
void arena_create(struct arena **out, size_t block_bytes);
void arena_destroy(struct arena **arena);

/* 16-byte aligned, not zeroed; valid until reset or destroy. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_alloc_zeroed(struct arena *arena, size_t size);
struct bytes arena_copy(struct arena *arena, struct bytes source); /* none stays none */
char *arena_copy_string(struct arena *arena, const char *s);
__attribute__((format(printf, 2, 3))) char *arena_format(struct arena *arena, const char *format,
                                                         ...);

/* Gives everything back; keeps the blocks for reuse. */
void arena_reset(struct arena *arena);
/* Bytes held in blocks. */
size_t arena_footprint(const struct arena *arena);

/* Undo to a point: everything allocated after the mark is given back. */
struct arena_mark {
    void *block;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

#endif
