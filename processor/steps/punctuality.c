/*
 * punctuality: neither from the future (a forged or broken clock would drag the partition's time along) nor older than what
 * the stream still remembers completely.
 */
#include "processor/steps/step.h"

static enum status refuse(enum status status, const char *what, int64_t by_us, const char *key, int64_t limit_us,
                          struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    const struct value by = value_duration(by_us);
    const struct value limit = value_duration(limit_us);
    value_format(&text, &by);
    buffer_printf(&text, " %s, more than %s: ", what, key);
    value_format(&text, &limit);
    const enum status st = FAIL(err, status, "the event is %s", buffer_text(&text));
    buffer_fini(&text);
    return st;
}

static enum status punctuality_process(struct event *event, struct error *err)
{
    const struct plan_stream *plan = event->stream->plan;
    int64_t ahead_us, behind_us;
    if (event->time_us < 0 || event->time_us > INT64_MAX / 4)
        return FAIL(err, ST_NULL_TIME, "the event's time is not between 1970 and the year 75000");
    if (__builtin_mul_overflow(event->input->reference_ms, 1000, &ahead_us) ||
        __builtin_sub_overflow(event->time_us, ahead_us, &ahead_us))
        return FAIL(err, ST_FUTURE, "the event's time is out of range");
    if (plan->max_ahead_us > 0 && ahead_us > plan->max_ahead_us)
        return refuse(ST_FUTURE, "ahead of the clock", ahead_us, "max_ahead", plan->max_ahead_us, err);
    if (event->stream->newest_us == INT64_MIN)
        return ST_OK;
    behind_us = event->stream->newest_us - event->time_us;
    if (behind_us > plan->accept_late_us)
        return refuse(ST_LATE, "behind the newest of its partition", behind_us, "accept_late", plan->accept_late_us,
                      err);
    return ST_OK;
}

const struct step_type step_punctuality = { .name = "punctuality", .process = punctuality_process };
