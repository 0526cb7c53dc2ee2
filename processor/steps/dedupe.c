/* dedupe: the same id of the same key within the stream's time counts once. The events that are remembered say it. */
#include "processor/steps/step.h"

static enum status dedupe_process(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    bool duplicate = false;
    if (plan->dedupe_us == 0)
        return ST_OK;
    /* An event that is accepted is late by accept_late at most. */
    const int64_t oldest_us = time_before(event->stream->newest_us, plan->accept_late_us + plan->dedupe_us);
    TRY(step_event_entity(event, err));
    TRY(entity_find_id(event->entity, &event->id_value, event->time_us, plan->dedupe_us, oldest_us, &duplicate, err));
    if (duplicate) {
        event->context->counters->duplicates++;
        event->done = true;
    }
    return ST_OK;
}

const struct step_type step_dedupe = { .name = "dedupe", .process = dedupe_process };
