/* rules: which conditions hold at the event, and the alerts that follow, at newer events too when this one is late. */
#include "processor/steps/late.h"

static enum status raise_own(struct event *event, const uint64_t *truth, const uint64_t *truth_before,
                             struct error *err)
{
    const struct plan *plan = event->context->plan;
    if (rules_none(plan, truth))
        return ST_OK;
    const struct decision_subject subject = {
        .slots = event->stream->slots,
        .event = { .id = step_event_id(event), .time_us = event->time_us, .offset = event->input->offset },
        .position = event->position,
    };
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (!rule_in(truth, i) || (plan->rules[i].repeat == REPEAT_ON_RISE && rule_in(truth_before, i)))
            continue;
        TRY(decision_raise(event, &subject, i, err));
    }
    return ST_OK;
}

static enum status keep_rises_in_order(struct event *event, const uint64_t *truth, struct error *err)
{
    const struct plan *plan = event->context->plan;
    if (event->late || !event->stream->has_rises)
        return ST_OK; /* the newest event is another one: late_finish keeps what is true there */
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].repeat == REPEAT_ON_RISE && plan->rules[i].stream == event->stream->plan->number)
            TRY(decision_keep_true(event, i, rule_in(truth, i), err));
    }
    return ST_OK;
}

static enum status rules_process(struct event *event, struct error *err)
{
    const size_t words = rule_words(event->context->plan);
    uint64_t *truth = event->stream->truth;
    uint64_t *truth_before = truth + words;
    TRY(decision_truth(event, event->stream->slots, event->time_us, true, truth, err));
    TRY(late_truth_before(event, truth_before, err));
    TRY(raise_own(event, truth, truth_before, err));
    TRY(keep_rises_in_order(event, truth, err));
    return late_finish(event, truth, err);
}

const struct step_type step_rules = { .name = "rules", .process = rules_process };
