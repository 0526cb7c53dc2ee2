/* Open addressing with linear probing; a removal shifts the run behind it back (Knuth, vol. 3, 6.4, algorithm R). */
#include "state/code_counts.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/memory.h"

struct code_count {
    uint64_t code; /* 0: empty */
    uint64_t count;
};

enum { SLOTS_MIN = 4, KEPT_SLOTS = 64 };

static size_t home_of(const struct code_counts *counts, uint64_t code)
{
    const uint64_t mixed = code * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    return (size_t)(mixed >> 32) & (counts->slot_count - 1);
}

/* Where the code is, or the empty slot where it belongs; there is always an empty one. */
static struct code_count *slot_of(const struct code_counts *counts, uint64_t code)
{
    size_t i = home_of(counts, code);
    while (counts->slots[i].code != 0 && counts->slots[i].code != code)
        i = (i + 1) & (counts->slot_count - 1);
    return &counts->slots[i];
}

static void resize(struct code_counts *counts, uint32_t slot_count)
{
    struct code_count *old = counts->slots;
    const uint32_t old_count = counts->slot_count;
    counts->slots = mem_alloc_array(slot_count, sizeof *counts->slots);
    counts->slot_count = slot_count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].code != 0)
            *slot_of(counts, old[i].code) = old[i];
    }
    if (old_count > 0)
        mem_free(old);
}

/* Of the one code that is there. */
static void make_table(struct code_counts *counts)
{
    const struct code_count only = { counts->only, counts->used };
    resize(counts, SLOTS_MIN);
    *slot_of(counts, only.code) = only;
    counts->used = 1;
}

void code_counts_fini(struct code_counts *counts)
{
    if (counts->slot_count > 0)
        mem_free(counts->slots);
    *counts = (struct code_counts){ .used = 0 };
}

void code_counts_clear(struct code_counts *counts)
{
    if (counts->slot_count > KEPT_SLOTS)
        code_counts_fini(counts);
    if (counts->slot_count > 0 && counts->used > 0)
        memset(counts->slots, 0, counts->slot_count * sizeof *counts->slots);
    counts->used = 0;
}

static void add_to_table(struct code_counts *counts, uint64_t code)
{
    if (counts->used >= counts->slot_count - counts->slot_count / 4)
        resize(counts, 2 * counts->slot_count);
    struct code_count *slot = slot_of(counts, code);
    counts->used += slot->code == 0;
    slot->code = code;
    slot->count++;
}

void code_counts_add(struct code_counts *counts, uint64_t code)
{
    ENSURE(code != 0);
    if (counts->slot_count > 0)
        return add_to_table(counts, code);
    if (counts->used == 0 || (counts->only == code && counts->used < UINT32_MAX)) {
        counts->only = code;
        counts->used++;
        return;
    }
    make_table(counts);
    add_to_table(counts, code);
}

static void vacate(struct code_counts *counts, size_t hole)
{
    const size_t mask = counts->slot_count - 1;
    for (size_t i = (hole + 1) & mask; counts->slots[i].code != 0; i = (i + 1) & mask) {
        const size_t home = home_of(counts, counts->slots[i].code);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            counts->slots[hole] = counts->slots[i];
            hole = i;
        }
    }
    counts->slots[hole] = (struct code_count){ 0 };
}

void code_counts_remove(struct code_counts *counts, uint64_t code)
{
    if (counts->slot_count == 0) {
        ENSURE(counts->used > 0 && counts->only == code);
        counts->used--;
        return;
    }
    struct code_count *slot = slot_of(counts, code);
    ENSURE(slot->code != 0 && code != 0);
    if (--slot->count > 0)
        return;
    counts->used--;
    vacate(counts, (size_t)(slot - counts->slots));
}

bool code_counts_has(const struct code_counts *counts, uint64_t code)
{
    if (counts->slot_count == 0)
        return counts->used > 0 && counts->only == code;
    return slot_of(counts, code)->code == code;
}

void code_counts_set(struct code_counts *counts, uint64_t code, uint64_t count)
{
    ENSURE(code != 0 && count > 0 && !code_counts_has(counts, code));
    if (counts->slot_count == 0 && counts->used == 0 && count <= UINT32_MAX) {
        counts->only = code;
        counts->used = (uint32_t)count;
        return;
    }
    code_counts_add(counts, code); /* there is a table now */
    if (counts->slot_count == 0)
        make_table(counts);
    slot_of(counts, code)->count = count;
}

bool code_counts_next(const struct code_counts *counts, struct code_counts_cursor *cursor)
{
    if (counts->slot_count == 0) {
        cursor->code = counts->only;
        cursor->count = counts->used;
        return cursor->next++ == 0 && counts->used > 0;
    }
    while (cursor->next < counts->slot_count) {
        const struct code_count *slot = &counts->slots[cursor->next++];
        if (slot->code == 0)
            continue;
        cursor->code = slot->code;
        cursor->count = slot->count;
        return true;
    }
    return false;
}

void code_counts_prefetch(const struct code_counts *counts)
{
    enum { SMALL = 32 };
    if (counts->slot_count > 0 && counts->slot_count <= SMALL)
        bytes_prefetch(bytes_of(counts->slots, counts->slot_count * sizeof *counts->slots));
}

size_t code_counts_footprint(const struct code_counts *counts)
{
    return mem_size_of(counts->slot_count * sizeof *counts->slots);
}
