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

enum { SLOTS_MIN = 4, KEPT_BYTES = 1024, NARROW_COUNT_MAX = 15 };
_Static_assert(NARROW_COUNT_MAX == (1 << (64 - CODE_BITS)) - 1, "a code and its number are a word");
static const uint64_t CODE_MASK = (UINT64_C(1) << CODE_BITS) - 1, ONE = UINT64_C(1) << CODE_BITS;

/* --- slots -------------------------------------------------------------------------------------- */

static inline uint64_t code_at(const struct code_counts *counts, size_t i)
{
    return counts->is_wide ? counts->wide[i].code : counts->narrow[i] & CODE_MASK;
}

static inline uint64_t count_at(const struct code_counts *counts, size_t i)
{
    return counts->is_wide ? counts->wide[i].count : counts->narrow[i] >> CODE_BITS;
}

/* The number fits. */
static inline void set_slot(struct code_counts *counts, size_t i, uint64_t code, uint64_t count)
{
    if (counts->is_wide)
        counts->wide[i] = (struct code_count){ code, count };
    else
        counts->narrow[i] = code | count << CODE_BITS;
}

/* Of as many bits as all sizes. */
static inline size_t slot_count(const struct code_counts *counts)
{
    return counts->slot_count;
}

static inline size_t home_of(const struct code_counts *counts, uint64_t code)
{
    const uint64_t mixed = code * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    return (size_t)(mixed >> 32) & (slot_count(counts) - 1);
}

/* Where the code is, or the empty slot where it belongs; there is always an empty one. */
static inline size_t slot_of(const struct code_counts *counts, uint64_t code)
{
    size_t i = home_of(counts, code);
    for (uint64_t found = code_at(counts, i); found != 0 && found != code; found = code_at(counts, i))
        i = (i + 1) & (slot_count(counts) - 1);
    return i;
}

static size_t table_bytes(const struct code_counts *counts)
{
    return slot_count(counts) * (counts->is_wide ? sizeof *counts->wide : sizeof *counts->narrow);
}

/* --- tables ------------------------------------------------------------------------------------- */

static void make_table(struct code_counts *counts, size_t slots, bool is_wide)
{
    counts->slot_count = (uint32_t)slots & (UINT32_MAX >> 1);
    counts->is_wide = is_wide;
    counts->narrow = mem_alloc(table_bytes(counts)); /* or as wide */
}

/* The same codes in another table. */
static void rebuild(struct code_counts *counts, size_t slots, bool is_wide)
{
    const struct code_counts old = *counts;
    make_table(counts, slots, is_wide);
    for (size_t i = 0; i < slot_count(&old); i++) {
        const uint64_t code = code_at(&old, i);
        if (code != 0)
            set_slot(counts, slot_of(counts, code), code, count_at(&old, i));
    }
    mem_free(old.narrow);
}

/* A table of the one code that is there, if it is. */
static void leave_only(struct code_counts *counts)
{
    const uint64_t only = counts->only, count = counts->used;
    make_table(counts, SLOTS_MIN, count > NARROW_COUNT_MAX);
    counts->used = count > 0;
    if (count > 0)
        set_slot(counts, slot_of(counts, only), only, count);
}

void code_counts_fini(struct code_counts *counts)
{
    if (counts->slot_count > 0)
        mem_free(counts->narrow);
    *counts = (struct code_counts){ .used = 0 };
}

void code_counts_clear(struct code_counts *counts)
{
    const size_t bytes = table_bytes(counts);
    if (bytes > KEPT_BYTES)
        code_counts_fini(counts);
    else if (bytes > 0 && counts->used > 0)
        memset(counts->narrow, 0, bytes);
    counts->used = 0;
}

/* --- codes -------------------------------------------------------------------------------------- */

static inline bool is_full(const struct code_counts *counts)
{
    const size_t slots = slot_count(counts);
    return counts->used >= slots - slots / 4;
}

/* Where the code is or belongs, in a table that has room for it so many times. */
static size_t slot_for(struct code_counts *counts, uint64_t code, uint64_t count)
{
    if (is_full(counts) && code_at(counts, slot_of(counts, code)) == 0)
        rebuild(counts, 2 * slot_count(counts), counts->is_wide);
    if (count > NARROW_COUNT_MAX && !counts->is_wide)
        rebuild(counts, slot_count(counts), true);
    return slot_of(counts, code);
}

static void add_to_table(struct code_counts *counts, uint64_t code)
{
    size_t i = slot_for(counts, code, 1);
    const uint64_t count = count_at(counts, i) + 1;
    if (count > NARROW_COUNT_MAX && !counts->is_wide)
        i = slot_for(counts, code, count);
    counts->used += count == 1;
    set_slot(counts, i, code, count);
}

/* false: not to the table as it is. */
static inline bool add_as_it_is(struct code_counts *counts, uint64_t code)
{
    if (counts->slot_count == 0) {
        const bool is_only = counts->used == 0 || (counts->only == code && counts->used < UINT32_MAX);
        counts->only = is_only ? code : counts->only;
        counts->used += is_only;
        return is_only;
    }
    if (counts->is_wide)
        return false;
    uint64_t *slot = &counts->narrow[slot_of(counts, code)];
    if (*slot >> CODE_BITS == NARROW_COUNT_MAX || (*slot == 0 && is_full(counts)))
        return false;
    counts->used += *slot == 0;
    *slot = (*slot == 0 ? code : *slot) + ONE;
    return true;
}

size_t code_counts_add(struct code_counts *counts, uint64_t code)
{
    ENSURE(code != 0 && code >> CODE_BITS == 0);
    if (add_as_it_is(counts, code))
        return 0;
    const size_t before = code_counts_footprint(counts);
    if (counts->slot_count == 0)
        leave_only(counts);
    add_to_table(counts, code);
    return code_counts_footprint(counts) - before;
}

static void vacate(struct code_counts *counts, size_t hole)
{
    const size_t mask = slot_count(counts) - 1;
    size_t i = (hole + 1) & mask;
    for (uint64_t code = code_at(counts, i); code != 0; code = code_at(counts, i)) {
        const size_t home = home_of(counts, code);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            set_slot(counts, hole, code, count_at(counts, i));
            hole = i;
        }
        i = (i + 1) & mask;
    }
    set_slot(counts, hole, 0, 0);
}

void code_counts_remove(struct code_counts *counts, uint64_t code)
{
    if (counts->slot_count == 0) {
        ENSURE(counts->used > 0 && counts->only == code);
        counts->used--;
        return;
    }
    const size_t i = slot_of(counts, code);
    ENSURE(code != 0 && code_at(counts, i) == code);
    const uint64_t count = count_at(counts, i) - 1;
    if (count > 0)
        return set_slot(counts, i, code, count);
    counts->used--;
    vacate(counts, i);
}

bool code_counts_has(const struct code_counts *counts, uint64_t code)
{
    if (counts->slot_count == 0)
        return counts->used > 0 && counts->only == code;
    return code_at(counts, slot_of(counts, code)) == code;
}

void code_counts_set(struct code_counts *counts, uint64_t code, uint64_t count)
{
    ENSURE(code != 0 && code >> CODE_BITS == 0 && count > 0 && !code_counts_has(counts, code));
    if (counts->slot_count == 0 && counts->used == 0 && count <= UINT32_MAX) {
        counts->only = code;
        counts->used = (uint32_t)count;
        return;
    }
    if (counts->slot_count == 0)
        leave_only(counts);
    set_slot(counts, slot_for(counts, code, count), code, count);
    counts->used++;
}

bool code_counts_next(const struct code_counts *counts, struct code_counts_cursor *cursor)
{
    if (counts->slot_count == 0) {
        cursor->code = counts->only;
        cursor->count = counts->used;
        return cursor->next++ == 0 && counts->used > 0;
    }
    while (cursor->next < slot_count(counts)) {
        const uint32_t i = cursor->next++;
        cursor->code = code_at(counts, i);
        cursor->count = count_at(counts, i);
        if (cursor->code != 0)
            return true;
    }
    return false;
}

void code_counts_prefetch(const struct code_counts *counts)
{
    enum { SMALL_BYTES = 512 };
    const size_t bytes = table_bytes(counts);
    if (bytes > 0 && bytes <= SMALL_BYTES)
        bytes_prefetch(bytes_of(counts->narrow, bytes));
}

size_t code_counts_footprint(const struct code_counts *counts)
{
    return mem_size_of(table_bytes(counts));
}
