#include "processor/steps/late.h"

#include "base/ensure.h"
#include "processor/steps/frame.h"

/* Only rules that look back, or that compare with the event before, can turn. */
static bool can_turn(const struct plan_rule *rule)
{
    return rule->aggregate_count > 0 || rule->repeat == REPEAT_ON_RISE;
}

static enum status truth_at(struct event *event, size_t position, uint64_t *truth, struct entity_event *remembered,
                            struct error *err)
{
    struct value *slots = event->stream->other_slots;
    TRY(frame_recall(event, position, slots, remembered, err));
    return decision_truth(event, slots, remembered->time_us, false, truth, err);
}

/* Takes away the `on rise` rules that were true at the event before already. */
static void keep_rises(const struct plan *plan, uint64_t *effective, const uint64_t *truth,
                       const uint64_t *truth_before)
{
    memcpy(effective, truth, rule_words(plan) * sizeof *truth);
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].repeat == REPEAT_ON_RISE && rule_in(truth_before, i))
            effective[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
}

/* The event before counts for `on rise` only while it would still be remembered. */
static bool is_near(const struct event *event, int64_t before_us, int64_t time_us)
{
    const struct plan_stream *plan = event->stream->plan;
    return time_us - before_us < plan->look_back_us;
}

/* How many of the newer events the event in hand can change: those whose look-back reaches back to it, and for `on rise` the
 * next one, whose predecessor it becomes. */
static enum status count_changed(struct event *event, size_t newer_count, struct error *err)
{
    size_t reached;
    int64_t last_us;
    event->newer_count = newer_count;
    if (__builtin_add_overflow(event->time_us, event->stream->reach_us - 1, &last_us))
        return ST_OK;
    TRY(entity_position_of(event->entity, last_us, &reached, err));
    event->newer_count = reached > event->position ? reached - event->position : 0;
    if (event->newer_count == 0 && event->stream->has_rises)
        event->newer_count = 1;
    return ST_OK;
}

enum status late_prepare(struct event *event, struct error *err)
{
    const size_t count = entity_event_count(event->entity);
    TRY(entity_position_of(event->entity, event->time_us, &event->position, err));
    event->late = event->position < count;
    if (!event->late)
        return ST_OK;
    event->context->counters->late++;
    if (event->stream->plan->late_own_time)
        return ST_OK;
    TRY(count_changed(event, count - event->position, err));

    const struct plan *plan = event->context->plan;
    const size_t words = rule_words(plan);
    uint64_t *effective = arena_alloc_zeroed(event->context->arena, (event->newer_count + 1) * words * sizeof *effective);
    uint64_t *truth = arena_alloc_zeroed(event->context->arena, 2 * words * sizeof *truth);
    uint64_t *truth_before = truth + words;
    event->truth_before = arena_alloc_zeroed(event->context->arena, words * sizeof *truth);
    event->effective_before = effective;

    int64_t before_us = INT64_MIN;
    struct entity_event remembered;
    if (event->position > 0) {
        TRY(truth_at(event, event->position - 1, truth_before, &remembered, err));
        before_us = remembered.time_us;
        if (is_near(event, before_us, event->time_us))
            memcpy(event->truth_before, truth_before, words * sizeof *truth);
    }
    for (size_t i = 0; i < event->newer_count; i++) {
        TRY(truth_at(event, event->position + i, truth, &remembered, err));
        if (before_us == INT64_MIN || !is_near(event, before_us, remembered.time_us))
            memset(truth_before, 0, words * sizeof *truth);
        keep_rises(plan, effective + i * words, truth, truth_before);
        memcpy(truth_before, truth, words * sizeof *truth);
        before_us = remembered.time_us;
    }
    return ST_OK;
}

enum status late_truth_before(struct event *event, uint64_t *truth, struct error *err)
{
    const struct plan *plan = event->context->plan;
    memset(truth, 0, rule_words(plan) * sizeof *truth);
    if (event->truth_before != NULL) {
        memcpy(truth, event->truth_before, rule_words(plan) * sizeof *truth);
        return ST_OK;
    }
    if (event->position == 0 || !event->stream->has_rises)
        return ST_OK;
    int64_t before_us = INT64_MIN;
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        bool was_true = false;
        if (rule->repeat != REPEAT_ON_RISE || rule->stream != event->stream->plan->number)
            continue;
        TRY(decision_was_true(event, i, &was_true, err));
        if (!was_true)
            continue;
        if (before_us == INT64_MIN) {
            struct entity_event before;
            TRY(entity_event_at(event->entity, event->position - 1, &before, event->stream->columns,
                                event->context->arena, err));
            before_us = before.time_us;
        }
        if (is_near(event, before_us, event->time_us))
            rule_add(truth, i);
    }
    return ST_OK;
}

static enum status identify_again(struct event *event, const struct entity_event *remembered,
                                  const struct value *slots, struct bytes *id, struct error *err)
{
    if (event->stream->plan->id == NULL) {
        *id = bytes_of_string(arena_format(event->context->arena, "%s/%d/%lld", event->input->topic,
                                           event->input->partition, (long long)remembered->offset));
        return ST_OK;
    }
    struct table_lookup tables = { .context = event->context, .as_of_us = remembered->time_us };
    struct expression_context expression = step_expression_context(slots, &tables, err);
    const struct value value = expression_evaluate(event->stream->plan->id, &expression);
    *id = step_value_text(&value, event->context->arena);
    if (id->data == NULL)
        *id = BYTES_LITERAL("");
    return step_expression_finish(event->context, &expression);
}

/* Alerts for the rules that are true at the remembered event now, and were not without the event in hand. */
static enum status raise_turned(struct event *event, const struct entity_event *remembered, size_t position,
                                const uint64_t *now, const uint64_t *before, struct error *err)
{
    const struct plan *plan = event->context->plan;
    struct decision_subject subject = {
        .slots = event->stream->other_slots,
        .event = { .time_us = remembered->time_us, .offset = remembered->offset },
        .position = position,
        .caused_by_hand = true,
    };
    for (size_t i = 0; i < plan->rule_count; i++) {
        bool alerted;
        if (!rule_in(now, i) || rule_in(before, i) || !can_turn(&plan->rules[i]))
            continue;
        TRY(entity_has_alerted(event->entity, position, plan->rules[i].id, &alerted, err));
        if (alerted)
            continue;
        if (subject.event.id.data == NULL)
            TRY(identify_again(event, remembered, subject.slots, &subject.event.id, err));
        TRY(decision_raise(event, &subject, i, err));
    }
    return ST_OK;
}

enum status late_finish(struct event *event, const uint64_t *own_truth, struct error *err)
{
    if (!event->late || event->stream->plan->late_own_time)
        return ST_OK;
    const struct plan *plan = event->context->plan;
    const size_t words = rule_words(plan);
    uint64_t *truth = arena_alloc_zeroed(event->context->arena, 3 * words * sizeof *truth);
    uint64_t *truth_before = truth + words, *effective = truth + 2 * words;
    memcpy(truth_before, own_truth, words * sizeof *truth);
    int64_t before_us = event->time_us;

    for (size_t i = 0; i < event->newer_count; i++) {
        struct entity_event remembered;
        const size_t position = event->position + 1 + i;
        TRY(truth_at(event, position, truth, &remembered, err));
        if (!is_near(event, before_us, remembered.time_us))
            memset(truth_before, 0, words * sizeof *truth);
        keep_rises(plan, effective, truth, truth_before);
        TRY(raise_turned(event, &remembered, position, effective, event->effective_before + i * words, err));
        memcpy(truth_before, truth, words * sizeof *truth);
        before_us = remembered.time_us;
        event->context->counters->reevaluated++;
    }
    if (event->position + 1 + event->newer_count < entity_event_count(event->entity))
        return ST_OK; /* what held at the newest event still holds there */
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].repeat == REPEAT_ON_RISE && plan->rules[i].stream == event->stream->plan->number)
            TRY(decision_keep_true(event, i, rule_in(truth_before, i), err));
    }
    return ST_OK;
}
