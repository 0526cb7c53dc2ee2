/* fields: what is computed of the event alone and the tables as of its time, in order. */
#include "processor/steps/step.h"

static enum status fields_process(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    struct value *slots = event->stream->slots;
    struct table_lookup tables = { .context = event->context, .as_of_us = event->time_us };
    struct expression_context expression = step_expression_context(slots, &tables, err);
    for (size_t i = plan->decoder_column_count; i < plan->named_count; i++) {
        const struct plan_field *field = &plan->slots_named[i];
        slots[field->slot] = expression_evaluate(field->program, &expression);
    }
    return step_expression_finish(event->context, &expression);
}

const struct step_type step_fields = { .name = "fields", .process = fields_process };
