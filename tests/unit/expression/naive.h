/*
 * naive: what an expression means, written down a second time and as plainly as possible: types and
 * values by recursion over the nodes, conversions through text. The oracle of the random tests.
 */
#ifndef WEIR_TESTS_UNIT_EXPRESSION_NAIVE_H
#define WEIR_TESTS_UNIT_EXPRESSION_NAIVE_H

#include "world.h"

struct naive {
    const struct world *world;
    uint64_t divisions_by_zero, overflows;
};

/* Of an expression that compiles, of the functions that the random tests use. */
struct value_type naive_type(const struct node *node);
struct value naive_evaluate(struct naive *naive, const struct node *node);

#endif
