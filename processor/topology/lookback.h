/*
 * lookback: one aggregate call of an expression -> a window over the entity's memory, a measure, a
 * condition, a group. Calls that mean the same share one aggregate, windows and measures that are
 * the same are one.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOOKBACK_H
#define WEIR_PROCESSOR_TOPOLOGY_LOOKBACK_H

#include "processor/topology/frame_scope.h"

/*
 * Gives the aggregate's slot and type. Errors are in err, at *position if that is more than the
 * call's.
 */
MUST_CHECK enum status lookback_plan(struct unit *unit, const struct aggregate_call *call,
                                     struct scope_name *out, struct expression_position *position,
                                     struct error *err);

/* How far back the longest window of the stream reaches, by time. */
int64_t lookback_longest_us(const struct window_spec *windows, size_t count);
/* A window that counts events, or -1: how long they are kept must be said. */
int lookback_find_counted(const struct window_spec *windows, size_t count);

#endif
