/*
 * snooze: what a rule remembers of an entity between events, for `repeat:`.
 *
 * Row: [5][rule id BE32][varint key size][key]
 *      -> zigzag time of the last alert in us (INT64_MIN: none)
 *         | u8 the rule was true at the newest event
 *
 * There is no row when there is nothing to remember.
 */
#ifndef WEIR_STATE_SNOOZE_H
#define WEIR_STATE_SNOOZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "state/overlay.h"

struct snooze {
    int64_t last_alert_us; /* INT64_MIN: none */
    bool was_true;
};
MUST_CHECK enum status snooze_get(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                                  struct snooze *out, struct error *err);
/* { INT64_MIN, false } forgets. */
MUST_CHECK enum status snooze_put(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                                  const struct snooze *snooze, struct error *err);

#endif
