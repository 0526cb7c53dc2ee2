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
/* From then on no event can come that the alert would hold back, however late it may be: once it is over, forget it. */
static inline int64_t snooze_end_us(int64_t last_alert_us, int64_t repeat_us, int64_t accept_late_us)
{
    int64_t end_us;
    const bool never = __builtin_add_overflow(last_alert_us, repeat_us, &end_us) ||
                       __builtin_add_overflow(end_us, accept_late_us, &end_us);
    return never ? INT64_MAX : end_us;
}
MUST_CHECK enum status snooze_get(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                                  struct snooze *out, struct error *err);
/* { INT64_MIN, false } forgets. */
MUST_CHECK enum status snooze_put(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                                  const struct snooze *snooze, struct error *err);

#endif
