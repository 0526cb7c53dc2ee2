/*
 * conformance_groups: random stories of a group: members come, go, die, take each other's place,
 * commit while they are asked to give up what they hold. Each has a group of its own on both sides.
 */
#ifndef WEIR_TESTS_KAFKA_CONFORMANCE_GROUPS_H
#define WEIR_TESTS_KAFKA_CONFORMANCE_GROUPS_H

#include "conformance_side.h"

/* false: something differed; the story ends with it. */
bool groups_run(struct world *world, uint64_t seed, struct text *story);

#endif
