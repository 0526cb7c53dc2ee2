/* dedupe: the same id of the same key within the stream's time counts once. The events that are remembered say it. */
#include "processor/steps/step.h"

static enum status dedupe_process(struct event *event, struct error *err)
{
    const int64_t span_us = event->stream->plan->dedupe_us;
    bool duplicate = false;
    if (span_us == 0)
        return ST_OK;
    TRY(step_event_entity(event, err));
    TRY(entity_find_id(event->entity, &event->id_value, event->time_us, span_us, event->stream->newest_us, &duplicate, err));
    if (duplicate) {
        event->context->counters->duplicates++;
        event->done = true;
    }
    return ST_OK;
}

const struct step_type step_dedupe = { .name = "dedupe", .process = dedupe_process };
