/* dedupe: the same id within the stream's time counts once. It is remembered when the event is taken (features). */
#include "processor/steps/step.h"

static enum status dedupe_process(struct event *event, struct error *err)
{
    if (event->stream->dedupe == NULL)
        return ST_OK;
    event->id_hash = hash128(step_event_id(event));
    bool duplicate = false;
    TRY(dedupe_check(event->stream->dedupe, event->id_hash, event->time_us, &duplicate, err));
    if (duplicate) {
        event->context->counters->duplicates++;
        event->done = true;
    }
    return ST_OK;
}

const struct step_type step_dedupe = { .name = "dedupe", .process = dedupe_process };
