/* features: the event joins its entity's log, and its look-back is computed. Late ones are prepared first (late.h). Where
 * nothing looks back there is no entity. */
#include "processor/steps/frame.h"
#include "processor/steps/late.h"

static enum status remember(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    struct value *columns = event->stream->columns;
    for (size_t i = 0; i < plan->remembered_count; i++)
        columns[i] = event->stream->slots[plan->remembered[i]];
    const struct entity_event remembered = {
        .time_us = event->time_us, .offset = event->input->offset, .columns = columns,
    };
    return entity_insert(event->entity, &remembered, &event->position, err);
}

/* An entity that falls silent is forgotten by event time: one timer, armed when it is new. */
static enum status arm_expiry(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    struct buffer key;
    buffer_init(&key);
    buffer_put_u8(&key, (uint8_t)plan->number);
    buffer_put_bytes(&key, event->key);
    const enum status st = timers_add(event->context->timers, event->time_us + plan->retention_us,
                                      TIMER_ENTITY_EXPIRY, buffer_view(&key), err);
    buffer_fini(&key);
    return st;
}

static enum status join_entity(struct event *event, struct error *err)
{
    TRY(step_event_entity(event, err));
    const bool is_new = entity_event_count(event->entity) == 0;
    TRY(late_prepare(event, err));
    TRY(remember(event, err));
    return is_new ? arm_expiry(event, err) : ST_OK;
}

static enum status features_process(struct event *event, struct error *err)
{
    struct step_context *context = event->context;
    struct stream_state *stream = event->stream;
    if (stream->plan->retention_us > 0)
        TRY(join_entity(event, err));
    if (event->time_us > stream->newest_us)
        stream->newest_us = event->time_us;
    context->counters->events++;

    TRY(frame_complete(event, event->position, event->time_us, stream->slots, err));
    if (context->on_features != NULL)
        context->on_features(context->on_features_context, stream->plan, stream->slots, event->key, step_event_id(event),
                             event->time_us);
    return ST_OK;
}

const struct step_type step_features = { .name = "features", .process = features_process };
