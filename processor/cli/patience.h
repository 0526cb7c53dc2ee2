/*
 * patience: what needs Kafka while a process starts is tried again while brokers are away or busy: a pod that starts
 * before them, or in the middle of a failure, waits instead of ending. One thread.
 */
#ifndef WEIR_PROCESSOR_CLI_PATIENCE_H
#define WEIR_PROCESSOR_CLI_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct patience {
    struct clock clock;
    const atomic_bool *stop; /* set: no more */
    int64_t deadline_us;
};

/* Begins to count: two minutes. */
void patience_init(struct patience *patience, const struct clock *clock, const atomic_bool *stop);
/* After a failure: says what is waited for and waits a moment; false when it is of another kind, or it was too long. */
bool patience_lasts(const struct patience *patience, const struct error *err);
/* The failure after which it did not last; none for who was told to stop while it waited: nothing had begun. */
enum status patience_result(const struct patience *patience, enum status failure);

#endif
