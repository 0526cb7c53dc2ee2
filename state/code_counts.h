/*
 * code_counts: how often each of some 64-bit codes is there. For distinct(...) over values that fit a word
 * (entity_facts.h): mostly a handful, so it is one small table of its own per entity, and nothing else. And for the
 * hashes of many ids (entity_ids.c).
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_CODE_COUNTS_H
#define WEIR_STATE_CODE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_count;
/* All zero: empty. */
struct code_counts {
    struct code_count *slots;
    uint32_t slot_count; /* a power of two, or 0 */
    uint32_t distinct;   /* codes that are there */
};

void code_counts_fini(struct code_counts *counts);
/* Back to empty; keeps a small table. */
void code_counts_clear(struct code_counts *counts);
void code_counts_add(struct code_counts *counts, uint64_t code); /* not 0 */
/* The code must be there. */
void code_counts_remove(struct code_counts *counts, uint64_t code);
bool code_counts_has(const struct code_counts *counts, uint64_t code);
/* Bytes of the heap. */
size_t code_counts_footprint(const struct code_counts *counts);

#endif
