/*
 * sorted_numbers: a multiset of 64-bit numbers in order, for as few as can be moved about. Private to the state of
 * aggregates. One thread.
 */
#ifndef WEIR_STATE_SORTED_NUMBERS_H
#define WEIR_STATE_SORTED_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct sorted_numbers {
    int64_t *items; /* ascending */
    uint32_t count, capacity;
};

void sorted_numbers_fini(struct sorted_numbers *numbers);
void sorted_numbers_add(struct sorted_numbers *numbers, int64_t x);
/* It must be there. */
void sorted_numbers_remove(struct sorted_numbers *numbers, int64_t x);
/* Bytes of the heap. */
size_t sorted_numbers_footprint(const struct sorted_numbers *numbers);

#endif
