#include "processor/steps/frame.h"

static enum status compute_features(struct event *event, int64_t time_us, struct value *slots, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    struct table_lookup tables = { .context = event->context, .as_of_us = time_us };
    struct expression_context expression = step_expression_context(slots, &tables, err);
    for (size_t i = 0; i < plan->computed_count; i++)
        slots[plan->computed[i]->slot] = expression_evaluate(plan->computed[i]->program, &expression);
    return step_expression_finish(event->context, &expression);
}

enum status frame_complete(struct event *event, size_t position, int64_t time_us, struct value *slots,
                           struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    if (plan->aggregate_count > 0) /* their slots lie side by side */
        TRY(entity_aggregates(event->entity, position, &slots[plan->aggregates[0].slot], event->context->arena, err));
    return plan->computed_count > 0 ? compute_features(event, time_us, slots, err) : ST_OK;
}

enum status frame_recall(struct event *event, size_t position, struct value *slots, struct entity_event *remembered,
                         struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    for (size_t i = 0; i < plan->slot_count; i++)
        slots[i] = value_null();
    TRY(entity_event_at(event->entity, position, remembered, event->stream->columns, event->context->arena, err));
    for (size_t i = 0; i < plan->remembered_count; i++)
        slots[plan->remembered[i]] = event->stream->columns[i];
    return frame_complete(event, position, remembered->time_us, slots, err);
}
