/*
 * nearest_name: "did you mean": the nearest of the offered names by edit distance.
 *
 *     struct nearest_name nearest = { .wanted = "amout" };
 *     nearest_name_offer(&nearest, "amount"); ... for every candidate
 *     nearest.best is "amount", or NULL when none is near
 *
 * Insertions, deletions, substitutions and swaps of neighbours count one each, a difference in case
 * nothing. Near is a third of the wanted name's length, at least one. Ties: the first offered.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_NEAREST_NAME_H
#define WEIR_PROCESSOR_EXPRESSION_NEAREST_NAME_H

#include <stddef.h>

/* Borrows the names. */
struct nearest_name {
    const char *wanted;
    const char *best;
    size_t best_distance;
};
void nearest_name_offer(struct nearest_name *nearest, const char *candidate);

#endif
