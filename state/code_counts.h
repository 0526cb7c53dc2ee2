/*
 * code_counts: how often each of some codes of CODE_BITS is there. For distinct(...) over values that fit a word
 * (entity_facts.h): mostly one and sometimes a handful, so a single one needs no memory of its own, and several are one
 * small table per entity. And for the hashes of many ids (entity_ids.c). Where no code is there more than a few times, as
 * mostly, its number is in the same word as the code; the table turns wider when one is.
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_CODE_COUNTS_H
#define WEIR_STATE_CODE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CODE_BITS = 60 };

struct code_count;
/* All zero: empty. */
struct code_counts {
    union {
        uint64_t *narrow; /* a code, and its number above it */
        struct code_count *wide;
        uint64_t only; /* without a table */
    };
    uint32_t slot_count : 31; /* a power of two, or 0: there is no table */
    uint32_t is_wide : 1;
    uint32_t used;       /* codes in the table; without one: how often `only` is there */
};

/* Codes that are there. */
static inline uint32_t code_counts_distinct(const struct code_counts *counts)
{
    return counts->slot_count > 0 ? counts->used : counts->used > 0;
}

void code_counts_fini(struct code_counts *counts);
/* Back to empty; keeps a small table. */
void code_counts_clear(struct code_counts *counts);
/* Not 0, nor of more bits. Returns how many more bytes its footprint has now. */
size_t code_counts_add(struct code_counts *counts, uint64_t code);
/* The code must be there. */
void code_counts_remove(struct code_counts *counts, uint64_t code);
bool code_counts_has(const struct code_counts *counts, uint64_t code);
/* For a code that is not there yet; count > 0. */
void code_counts_set(struct code_counts *counts, uint64_t code, uint64_t count);
/* One after the other, from a cursor that is all zero; false: that was all. */
struct code_counts_cursor {
    uint64_t code, count;
    uint32_t next;
};
bool code_counts_next(const struct code_counts *counts, struct code_counts_cursor *cursor);
/* The table, if it is a small one, on its way into the processor's cache. */
void code_counts_prefetch(const struct code_counts *counts);
/* Bytes of the heap. */
size_t code_counts_footprint(const struct code_counts *counts);

#endif
