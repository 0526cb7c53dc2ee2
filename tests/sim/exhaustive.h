/*
 * exhaustive: the small world, completely: two keys, three commits, one process that dies at
 * every moment there is (before and after every call of its port, readers and store), in every
 * phase of a checkpoint, and comes back with all, none or some of what its store had not flushed,
 * or without its disk; and then dies again at the moments of its recovery.
 */
#ifndef WEIR_TESTS_SIM_EXHAUSTIVE_H
#define WEIR_TESTS_SIM_EXHAUSTIVE_H

#include "world.h"

struct exhaustive_result {
    uint64_t cases, commits;
    bool failed;
    char why[800];
};
/* `thorough`: the second death at every moment of the recovery, else at every seventh. */
void exhaustive_run(bool thorough, struct exhaustive_result *result);
/* One case again, with a trace. */
bool exhaustive_replay(const char *name);

#endif
