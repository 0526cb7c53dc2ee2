/*
 * directed: schedules that chance finds too rarely, each for a hole of the protocol that has one
 * way in.
 */
#ifndef WEIR_TESTS_SIM_DIRECTED_H
#define WEIR_TESTS_SIM_DIRECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs them all; how many. `why` is empty, or says which failed and how. */
uint64_t directed_run(uint64_t *commits, char *why, size_t size);
/* One again, with a trace. */
bool directed_replay(const char *name);

#endif
