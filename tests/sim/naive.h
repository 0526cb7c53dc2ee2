/*
 * naive: two of the rules judged by brute force over the input, without any of weir's code: an
 * event that is not too late and whose id is new counts; the rule holds at an event when the
 * count (the sum) of the events of its user in the window that ends at it is above the limit. A
 * late event changes the newer ones. So, at the end, an event has an alert exactly if the rule
 * holds there.
 */
#ifndef WEIR_TESTS_SIM_NAIVE_H
#define WEIR_TESTS_SIM_NAIVE_H

#include <stddef.h>

#include "fixture.h"

struct naive_alerts {
    const char **velocity, **burst; /* ids of events, in no order; the arena's */
    size_t velocity_count, burst_count;
};
/* The good and bad records of one partition of the stream, in order of offsets. */
void naive_judge(struct naive_alerts *out, const struct fixture_record *const *records,
                 size_t count, struct arena *arena);

#endif
