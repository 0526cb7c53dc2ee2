/* dedupe: the same id of the same key within the stream's time counts once. The events that are remembered say it. */
#include "processor/steps/step.h"

/* What no event that is accepted looks at any more: it is late by accept_late at most. */
static int64_t oldest_us(const struct plan_stream *plan, int64_t newest_us)
{
    int64_t oldest;
    return __builtin_sub_overflow(newest_us, plan->accept_late_us + plan->dedupe_us, &oldest) ? INT64_MIN : oldest;
}

static enum status dedupe_process(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    bool duplicate = false;
    if (plan->dedupe_us == 0)
        return ST_OK;
    TRY(step_event_entity(event, err));
    TRY(entity_find_id(event->entity, &event->id_value, event->time_us, plan->dedupe_us,
                       oldest_us(plan, event->stream->newest_us), &duplicate, err));
    if (duplicate) {
        event->context->counters->duplicates++;
        event->done = true;
    }
    return ST_OK;
}

const struct step_type step_dedupe = { .name = "dedupe", .process = dedupe_process };
