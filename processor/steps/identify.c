/* identify: whose event it is (key), which one (id), and when it happened (time). */
#include "processor/steps/step.h"

enum { KEY_BYTES_MAX = 4096 };

static enum status find_key(struct event *event, struct expression_context *expression, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    const struct value key = expression_evaluate(plan->key, expression);
    event->key = step_value_text(&key, event->context->arena);
    if (event->key.size == 0)
        return FAIL(err, ST_NULL_KEY, "the stream's key (%s) is null or empty", plan->key_text);
    if (event->key.size > KEY_BYTES_MAX)
        return FAIL(err, ST_TOO_LARGE, "the stream's key (%s) has %zu bytes, more than %d", plan->key_text,
                    event->key.size, KEY_BYTES_MAX);
    return ST_OK;
}

/* The text of an id is made when somebody asks for it (step_event_id): most events raise no alert. */
static enum status find_id(struct event *event, struct expression_context *expression, struct error *err)
{
    if (event->stream->plan->id == NULL)
        return ST_OK;
    event->id_value = expression_evaluate(event->stream->plan->id, expression);
    if (event->id_value.kind == VALUE_INT)
        return ST_OK;
    event->id = step_value_text(&event->id_value, event->context->arena);
    if (event->id.size == 0)
        return FAIL(err, ST_NULL_ID, "the event's id is null or empty");
    if (event->id.size > KEY_BYTES_MAX)
        return FAIL(err, ST_TOO_LARGE, "the event's id has %zu bytes, more than %d", event->id.size, KEY_BYTES_MAX);
    return ST_OK;
}

static enum status find_time(struct event *event, struct expression_context *expression, struct error *err)
{
    if (event->stream->plan->time == NULL) {
        if (event->input->timestamp_ms < 0 || event->input->timestamp_ms > INT64_MAX / 1000)
            return FAIL(err, ST_NULL_TIME, "the record has no timestamp");
        event->time_us = event->input->timestamp_ms * 1000;
        return ST_OK;
    }
    const struct value time = expression_evaluate(event->stream->plan->time, expression);
    if (time.kind != VALUE_TIMESTAMP)
        return FAIL(err, ST_NULL_TIME, "the event's time is null");
    event->time_us = time.i;
    return ST_OK;
}

static enum status identify_process(struct event *event, struct error *err)
{
    struct table_lookup tables = { .context = event->context };
    struct expression_context expression = step_expression_context(event->stream->slots, &tables, err);
    TRY(find_key(event, &expression, err));
    TRY(find_id(event, &expression, err));
    TRY(find_time(event, &expression, err));
    return step_expression_finish(event->context, &expression);
}

const struct step_type step_identify = { .name = "identify", .process = identify_process };
