#include "state/row_slab.h"

#include <string.h>

#include "base/ensure.h"

/*
 * Class c <= 8 has pieces of 16 c bytes. Above 128 = 2^7 bytes, the classes of 2^k < size <= 2^(k +
 * 1) are 2^k + q 2^(k - 2) for q = 1..4, all multiples of 16.
 */
enum {
    STEP = 16,
    SMALL_CLASSES = 8,
    SMALL_MAX = SMALL_CLASSES * STEP,
    SMALL_MAX_LOG2 = 7,
    SIZE_MAX_LOG2 = 31
};
_Static_assert(SMALL_CLASSES *STEP == 1 << SMALL_MAX_LOG2, "the two kinds of classes meet");
_Static_assert(SMALL_CLASSES + 4 * (SIZE_MAX_LOG2 - SMALL_MAX_LOG2) < ROW_SLAB_CLASSES,
               "the largest class has a place");

struct size_class {
    size_t number;
    size_t size;
};

static struct size_class class_of(size_t size)
{
    ENSURE(size > 0 && size <= (size_t)1 << SIZE_MAX_LOG2);
    if (size <= SMALL_MAX) {
        const size_t number = (size + STEP - 1) / STEP;
        return (struct size_class)
        {
            number, number *STEP
        };
    }
    const size_t log2 = 63 - (size_t)__builtin_clzll(size - 1);
    const size_t base = (size_t)1 << log2, quarter = base / 4;
    const size_t q = (size - base + quarter - 1) / quarter;
    return (struct size_class){ SMALL_CLASSES + 4 * (log2 - SMALL_MAX_LOG2) + q,
                                base + q * quarter };
}

void row_slab_init(struct row_slab *slab, size_t block_bytes)
{
    *slab = (struct row_slab){ 0 };
    arena_create(&slab->arena, block_bytes);
}

void row_slab_fini(struct row_slab *slab)
{
    arena_destroy(&slab->arena);
}

void *row_slab_take(struct row_slab *slab, size_t size, size_t *granted)
{
    const struct size_class size_class = class_of(size);
    *granted = size_class.size;
    void *piece = slab->spare[size_class.number];
    if (piece != NULL) {
        memcpy(&slab->spare[size_class.number], piece, sizeof piece); /* the next spare one */
        return piece;
    }
    slab->bytes += size_class.size;
    return arena_alloc(slab->arena, size_class.size);
}

void row_slab_give(struct row_slab *slab, void *piece, size_t granted)
{
    const struct size_class size_class = class_of(granted);
    ENSURE(size_class.size == granted);
    memcpy(piece, &slab->spare[size_class.number], sizeof piece);
    slab->spare[size_class.number] = piece;
}

void row_slab_reset(struct row_slab *slab)
{
    arena_reset(slab->arena);
    slab->bytes = 0;
    memset(slab->spare, 0, sizeof slab->spare);
}

size_t row_slab_footprint(const struct row_slab *slab)
{
    return arena_footprint(slab->arena);
}
