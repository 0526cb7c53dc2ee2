/*
 * late: an event that arrives after newer ones of its entity. It is evaluated at its own time like any other; then each newer
 * remembered event is evaluated again, and a rule that turns true there alerts once, naming the late event.
 *
 * "Turns true" compares the same event with and without the late one, under the same tables and rules: so before the
 * insertion the newer events are evaluated as they stood, after it once more. A rule that has alerted on an event never
 * alerts on it again. For `repeat: on rise` what counts is being true where the event before is not.
 */
#ifndef WEIR_PROCESSOR_STEPS_LATE_H
#define WEIR_PROCESSOR_STEPS_LATE_H

#include "processor/steps/decision.h"

/* Before the insertion: notes where the event will go, and what holds at the newer events without it. */
MUST_CHECK enum status late_prepare(struct event *event, struct error *err);
/* After the event's own rules: evaluates the newer events again. `own_truth`: the rules true at the event itself. */
MUST_CHECK enum status late_finish(struct event *event, const uint64_t *own_truth, struct error *err);
/* For the event in hand: the rules true at the event before it (as far as `on rise` rules need to know). */
MUST_CHECK enum status late_truth_before(struct event *event, uint64_t *truth, struct error *err);

#endif
