/*
 * explanation: fills an alert with what led to it: the rendered message, every operand of the condition with its limit, the
 * contributing events. Values of sensitive columns are masked.
 */
#ifndef WEIR_PROCESSOR_STEPS_EXPLANATION_H
#define WEIR_PROCESSOR_STEPS_EXPLANATION_H

#include "processor/steps/decision.h"

/* The alert lives in the outputs' arena. */
MUST_CHECK enum status explanation_make(struct event *event, const struct decision_subject *subject, size_t rule,
                                        const struct alert **out, struct error *err);

#endif
