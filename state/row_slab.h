/*
 * row_slab: memory for the nodes of one row_map, given back all at once. Sizes are rounded up to
 * classes (steps of 16 bytes, then four per power of two), and a piece that is given back alone
 * serves the next one of its class: rows that outgrow their place leave it to others. One thread.
 */
#ifndef WEIR_STATE_ROW_SLAB_H
#define WEIR_STATE_ROW_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum { ROW_SLAB_CLASSES = 112 };

struct row_slab {
    struct arena *arena;
    uint64_t bytes; /* of all pieces that were ever taken, also those given back since */
    void *spare[ROW_SLAB_CLASSES];
};

void row_slab_init(struct row_slab *slab, size_t block_bytes);
void row_slab_fini(struct row_slab *slab);
/* At least `size` bytes, 1 <= size <= 2^31; *granted says how many. 16-byte aligned, not zeroed. */
void *row_slab_take(struct row_slab *slab, size_t size, size_t *granted);
/* `granted` as it was told. */
void row_slab_give(struct row_slab *slab, void *piece, size_t granted);
/* Everything is given back; the memory is kept. */
void row_slab_reset(struct row_slab *slab);
/* Bytes asked of the allocator. */
size_t row_slab_footprint(const struct row_slab *slab);

#endif
