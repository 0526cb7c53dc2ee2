/*
 * decision: which rules are true of a frame, and what follows: repetition and the alert with its explanation.
 * Sets of rules are bit sets of rule_words(plan) words, indexed like plan->rules.
 */
#ifndef WEIR_PROCESSOR_STEPS_DECISION_H
#define WEIR_PROCESSOR_STEPS_DECISION_H

#include "processor/steps/step.h"

static inline size_t rule_words(const struct plan *plan) { return (plan->rule_count + 63) / 64; }
static inline bool rule_in(const uint64_t *set, size_t rule) { return (set[rule / 64] >> (rule % 64)) & 1; }
static inline bool rules_none(const struct plan *plan, const uint64_t *set)
{
    uint64_t any = 0;
    for (size_t i = 0; i < rule_words(plan); i++)
        any |= set[i];
    return any == 0;
}
static inline void rule_add(uint64_t *set, size_t rule) { set[rule / 64] |= UINT64_C(1) << (rule % 64); }

/* The rules of the event's stream whose condition is true of the frame, whatever their repetition. `count_unknown`: nulls are counted
 * (once per event, not on re-evaluation). */
MUST_CHECK enum status decision_truth(struct event *event, const struct value *slots, int64_t time_us,
                                      bool count_unknown, uint64_t *truth, struct error *err);

/* What an alert is about: the event in hand or a remembered one. */
struct decision_subject {
    const struct value *slots;
    struct alert_event event;
    size_t position;
    bool caused_by_hand; /* the event in hand is late and made the rule true at this one */
};
/* Raises the rule's alert unless its repetition holds it back. */
MUST_CHECK enum status decision_raise(struct event *event, const struct decision_subject *subject, size_t rule,
                                      struct error *err);

/* `on rise`: was the rule true at the entity's newest event, and keeping it. */
MUST_CHECK enum status decision_was_true(struct event *event, size_t rule, bool *was_true, struct error *err);
MUST_CHECK enum status decision_keep_true(struct event *event, size_t rule, bool is_true, struct error *err);

#endif
