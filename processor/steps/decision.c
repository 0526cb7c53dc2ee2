#include "processor/steps/decision.h"

#include "processor/steps/explanation.h"
#include "schemas/avro_writer.h"
#include "state/snooze.h"

enum status decision_truth(struct event *event, const struct value *slots, int64_t time_us, bool count_unknown,
                           uint64_t *truth, struct error *err)
{
    struct step_context *context = event->context;
    const struct plan_stream *stream = event->stream->plan;
    struct table_lookup tables = { .context = context, .as_of_us = time_us };
    struct expression_context expression = step_expression_context(slots, &tables, err);
    memset(truth, 0, rule_words(context->plan) * sizeof *truth);
    const struct plan_condition *end = stream->conditions + stream->condition_count;
    for (const struct plan_condition *condition = stream->conditions; condition < end; condition++) {
        if (condition->is_screened && !expression_screen_passes(&condition->screen, slots))
            continue;
        const struct value holds = expression_evaluate(condition->when, &expression);
        if (holds.kind == VALUE_BOOL && holds.b)
            rule_add(truth, condition->rule);
        else if (value_is_null(&holds) && count_unknown)
            context->counters->rule_unknown[condition->rule]++;
    }
    return step_expression_finish(context, &expression);
}

enum status decision_was_true(struct event *event, size_t rule, bool *was_true, struct error *err)
{
    struct snooze snooze;
    TRY(snooze_get(event->context->overlay, event->context->plan->rules[rule].id, event->key, &snooze, err));
    *was_true = snooze.was_true;
    return ST_OK;
}

enum status decision_keep_true(struct event *event, size_t rule, bool is_true, struct error *err)
{
    const uint32_t id = event->context->plan->rules[rule].id;
    struct snooze snooze;
    TRY(snooze_get(event->context->overlay, id, event->key, &snooze, err));
    if (snooze.was_true == is_true)
        return ST_OK;
    snooze.was_true = is_true;
    return snooze_put(event->context->overlay, id, event->key, &snooze, err);
}

/* One deadline for as long as there is an alert: when it is over and the last one is newer, the task sets the next. */
static enum status arm_expiry(struct event *event, const struct plan_rule *rule, int64_t last_alert_us, struct error *err)
{
    AUTO(buffer_fini) struct buffer key = { 0 };
    buffer_put_be32(&key, rule->id);
    buffer_put_bytes(&key, event->key);
    const int64_t end_us = snooze_end_us(last_alert_us, rule->repeat_us, event->stream->plan->accept_late_us);
    return timers_add(event->context->timers, end_us, TIMER_SNOOZE_EXPIRY, buffer_view(&key), err);
}

/* `once per D`: held back while the entity's last alert by this rule lies less than D away, either way. */
static enum status take_turn(struct event *event, const struct plan_rule *rule, int64_t time_us, bool *allowed,
                             struct error *err)
{
    *allowed = true;
    if (rule->repeat != REPEAT_ONCE_PER)
        return ST_OK;
    struct snooze snooze;
    TRY(snooze_get(event->context->overlay, rule->id, event->key, &snooze, err));
    if (snooze.last_alert_us != INT64_MIN) {
        const int64_t distance_us = time_us - snooze.last_alert_us;
        *allowed = distance_us >= rule->repeat_us || -distance_us >= rule->repeat_us;
    }
    if (!*allowed || time_us <= snooze.last_alert_us)
        return ST_OK;
    if (snooze.last_alert_us == INT64_MIN)
        TRY(arm_expiry(event, rule, time_us, err));
    snooze.last_alert_us = time_us;
    return snooze_put(event->context->overlay, rule->id, event->key, &snooze, err);
}

static void emit(struct event *event, const struct alert *alert)
{
    struct step_context *context = event->context;
    struct outputs *outputs = context->outputs;
    struct output *output = outputs_append(outputs, OUTPUT_ALERT);
    struct buffer *value = outputs_scratch(outputs);
    if (context->plan->alerts.format == FORMAT_AVRO) {
        avro_write_framing(value, context->alert_schema_id);
        alert_write_avro(value, alert);
    } else {
        alert_write_json(value, alert);
    }
    output->key = alert->entity;
    output->value = arena_copy(outputs_arena(outputs), buffer_view(value));
    output->alert = alert;
    outputs_complete(outputs, output);
}

/* What counting alerts needs of one. */
static void count_alert(struct event *event, const struct decision_subject *subject, size_t rule)
{
    struct outputs *outputs = event->context->outputs;
    struct alert *alert = arena_alloc_zeroed(outputs_arena(outputs), sizeof *alert);
    alert->rule = &event->context->plan->rules[rule];
    alert->event = (struct alert_event){ .time_us = subject->event.time_us, .offset = subject->event.offset };
    struct output *output = outputs_append(outputs, OUTPUT_ALERT);
    output->alert = alert;
    outputs_complete(outputs, output);
}

static enum status write_alert(struct event *event, const struct decision_subject *subject, size_t rule,
                               struct error *err)
{
    const struct alert *alert;
    TRY(explanation_make(event, subject, rule, &alert, err));
    emit(event, alert);
    return ST_OK;
}

enum status decision_raise(struct event *event, const struct decision_subject *subject, size_t rule,
                           struct error *err)
{
    struct step_context *context = event->context;
    bool allowed;
    TRY(take_turn(event, &context->plan->rules[rule], subject->event.time_us, &allowed, err));
    if (!allowed)
        return ST_OK;
    if (event->entity != NULL && !event->stream->plan->late_own_time)
        TRY(entity_set_alerted(event->entity, subject->position, context->plan->rules[rule].id, err));
    if (context->alerts_unread)
        count_alert(event, subject, rule);
    else
        TRY(write_alert(event, subject, rule, err));
    context->counters->alerts++;
    context->counters->rule_alerts[rule]++;
    return ST_OK;
}
