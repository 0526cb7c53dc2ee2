#include "processor/topology/lookback.h"

#include <string.h>

#include "base/ensure.h"
#include "processor/topology/measure.h"

enum { LOOKBACK_DAYS_MAX = 3660 };

static const int64_t lookback_max_us = (int64_t)LOOKBACK_DAYS_MAX * 24 * 3600 * 1000000;

static const struct lookback_function functions[] = {
    { "count", AGGREGATE_COUNT, TAKES_ANYTHING },
    { "sum", AGGREGATE_SUM, TAKES_EXACT_NUMBERS },
    { "avg", AGGREGATE_AVG, TAKES_EXACT_NUMBERS },
    { "min", AGGREGATE_MIN, TAKES_ORDERED },
    { "max", AGGREGATE_MAX, TAKES_ORDERED },
    { "stddev", AGGREGATE_STDDEV, TAKES_EXACT_NUMBERS },
    { "distinct", AGGREGATE_DISTINCT, TAKES_ANYTHING },
    { "first", AGGREGATE_FIRST, TAKES_ANYTHING },
    { "last", AGGREGATE_LAST, TAKES_ANYTHING },
};

static const struct lookback_function *find_function(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

/* ---- what the call says ---- */

static enum status check_stream(const struct frame *frame, const struct aggregate_call *call,
                                struct expression_position *position, struct error *err)
{
    if (call->stream == NULL || strcmp(call->stream, frame->stream->name) == 0)
        return ST_OK;
    *position = call->stream_position;
    return FAIL(err, ST_INVALID,
                "there is no stream '%s'; look-backs over another stream than '%s' are not"
                " supported yet by this version",
                call->stream, frame->stream->name);
}

/* A span of time. */
static enum status check_time_span(const struct aggregate_call *call, struct error *err)
{
    if (call->span_us <= 0 || call->span_us > lookback_max_us)
        return FAIL(err, ST_INVALID, "a look-back is longer than 0 and at most %dd",
                    LOOKBACK_DAYS_MAX);
    if (call->delay_us < 0 || call->delay_us > lookback_max_us)
        return FAIL(err, ST_INVALID, "a delay lies between 0s and %dd", LOOKBACK_DAYS_MAX);
    return ST_OK;
}

/* A span of events. */
static enum status check_count_span(const struct frame *frame, const struct aggregate_call *call,
                                    struct error *err)
{
    if (call->span_events < 1 || call->span_events > ENTITY_SPAN_EVENTS_MAX)
        return FAIL(err, ST_INVALID,
                    "a span of events lies between 1 and %d; a time has a unit: 30s, 10m, 24h, 7d",
                    ENTITY_SPAN_EVENTS_MAX);
    if (call->delay_us > 0)
        return FAIL(err, ST_INVALID, "a delay goes with a span of time, not with one of events");
    if (frame->stream->remember_us == 0)
        return FAIL(err, ST_INVALID,
                    "how old may the last %lld events be? Say how long events are kept: give stream"
                    " '%s' a 'remember: { for: 30d }'",
                    (long long)call->span_events, frame->stream->name);
    return ST_OK;
}

static enum status check_span(const struct frame *frame, const struct aggregate_call *call,
                              struct expression_position *position, struct error *err)
{
    ENSURE(call->has_over); /* the scope does not make it optional */
    *position = call->span_position;
    if (call->span_us == 0 && call->span_events != 0)
        TRY(check_count_span(frame, call, err));
    else
        TRY(check_time_span(call, err));
    *position = call->position;
    return ST_OK;
}

static bool is_listed(const struct aggregate_call *call, const char *name)
{
    for (size_t i = 0; i < call->by_count; i++)
        if (strcmp(call->by[i], name) == 0)
            return true;
    return false;
}

/* A group is inside one entity only when it names the whole key. */
static enum status check_key_is_listed(const struct plan_stream *stream,
                                       const struct aggregate_call *call,
                                       struct expression_position *position, struct error *err)
{
    if (call->by_count == 0)
        return ST_OK;
    *position = call->by_positions[0];
    for (size_t i = 0; i < stream->key_column_count; i++)
        if (!is_listed(call, stream->key_columns[i]))
            return FAIL(err, ST_INVALID,
                        "'by %s' without the stream's key '%s' groups the events of several keys:"
                        " that needs a repartition hop, which this version does not run yet;"
                        " list the key too (by %s, %s), or leave this out",
                        call->by[0], stream->key_text, stream->key_columns[i], call->by[0]);
    return ST_OK;
}

/* ---- window, type, text ---- */

static int plan_window(struct frame *frame, const struct aggregate_call *call)
{
    const struct window_spec wanted = { .span_us = call->span_us,
                                        .span_events = call->span_us > 0 ? 0 : call->span_events,
                                        .delay_us = call->delay_us,
                                        .previous = call->previous };
    for (size_t i = 0; i < frame->window_count; i++) {
        const struct window_spec *window = &frame->windows[i];
        if (window->span_us == wanted.span_us && window->span_events == wanted.span_events &&
            window->delay_us == wanted.delay_us && window->previous == wanted.previous)
            return (int)i;
    }
    frame->windows[frame->window_count] = wanted;
    return (int)frame->window_count++;
}

/* Holds the current event at least, so that there is something to aggregate. */
static bool is_never_empty(const struct aggregate_call *call, const struct aggregate_spec *spec)
{
    return !call->previous && call->delay_us == 0 && call->condition == NULL &&
           !spec->argument_type.nullable;
}

static struct value_type result_type(const struct aggregate_call *call,
                                     const struct aggregate_spec *spec)
{
    struct value_type type = spec->argument_type;
    switch (spec->kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_DISTINCT:
        return (struct value_type){ .kind = VALUE_INT };
    case AGGREGATE_SUM:
        type.nullable = type.kind == VALUE_INT; /* when 64 bits do not hold it */
        return type;
    case AGGREGATE_AVG:
    case AGGREGATE_STDDEV:
        type = (struct value_type){ .kind = VALUE_DOUBLE };
        break;
    default:
        break;
    }
    type.nullable = !is_never_empty(call, spec);
    return type;
}

static void put_duration(struct buffer *text, int64_t duration_us)
{
    const struct value duration = value_duration(duration_us);
    value_format(text, &duration);
}

static const char *call_text(struct frame *frame, const struct aggregate_call *call)
{
    struct buffer text;
    buffer_init(&text);
    buffer_printf(&text, "%s(", call->function);
    if (call->argument != NULL)
        buffer_printf(&text, "%s ", loader_node_text(frame->loader, call->argument));
    if (call->condition != NULL)
        buffer_printf(&text, "where %s ", loader_node_text(frame->loader, call->condition));
    buffer_printf(&text, "over %s", call->previous ? "previous " : "");
    if (call->span_us > 0)
        put_duration(&text, call->span_us);
    else
        buffer_printf(&text, "%lld", (long long)call->span_events);
    if (call->delay_us > 0) {
        buffer_put_string(&text, " delay ");
        put_duration(&text, call->delay_us);
    }
    for (size_t i = 0; i < call->by_count; i++)
        buffer_printf(&text, "%s%s", i == 0 ? " by " : ", ", call->by[i]);
    buffer_put_string(&text, ")");
    const char *copy = arena_copy_string(frame->loader->arena, buffer_text(&text));
    buffer_fini(&text);
    return copy;
}

/* ---- the aggregate ---- */

static bool find_same(struct unit *unit, const char *text, struct scope_name *out)
{
    struct frame *frame = unit->frame;
    for (size_t i = 0; i < frame->aggregate_count; i++) {
        if (strcmp(frame->aggregates[i].text, text) != 0)
            continue;
        unit->sensitive |= frame->aggregates[i].sensitive;
        *out = (struct scope_name){ frame->aggregates[i].slot, frame->aggregates[i].type };
        return true;
    }
    return false;
}

static void add_aggregate(struct unit *unit, const struct plan_aggregate *aggregate,
                          struct scope_name *out)
{
    struct frame *frame = unit->frame;
    const size_t index = frame->aggregate_count++;
    frame->aggregates[index] = *aggregate;
    frame->aggregates[index].slot = frame->aggregate_base + (int)index;
    unit->sensitive |= aggregate->sensitive;
    *out = (struct scope_name){ frame->aggregates[index].slot, aggregate->type };
}

/* Argument, condition and group; what they find out goes to the unit. */
static enum status plan_measures(struct unit *unit, struct plan_aggregate *aggregate,
                                 const struct lookback_function *function,
                                 const struct aggregate_call *call,
                                 struct expression_position *position, struct error *err)
{
    struct frame *frame = unit->frame;
    struct unit measure = { .kind = UNIT_MEASURE, .loader = frame->loader, .frame = frame };
    enum status status =
        measure_argument(&measure, &aggregate->spec, function, call, position, err);
    if (status == ST_OK)
        status = measure_condition(&measure, &aggregate->spec, call, position, err);
    if (status == ST_OK)
        status = check_key_is_listed(frame->stream, call, position, err);
    if (status == ST_OK)
        status = measure_group(&measure, &aggregate->spec, call, position, err);
    aggregate->sensitive = measure.sensitive;
    if (measure.refusal != NULL)
        unit->refusal = measure.refusal;
    if (measure.poisoned && !unit->poisoned) {
        unit->poisoned = true;
        unit->diagnostic = measure.diagnostic;
    }
    return status;
}

enum status lookback_plan(struct unit *unit, const struct aggregate_call *call,
                          struct scope_name *out, struct expression_position *position,
                          struct error *err)
{
    struct frame *frame = unit->frame;
    const struct lookback_function *function = find_function(call->function);
    ENSURE(function != NULL);
    *position = call->position;
    TRY(check_stream(frame, call, position, err));
    TRY(check_span(frame, call, position, err));
    struct plan_aggregate aggregate = { .text = call_text(frame, call),
                                        .spec.kind = function->kind };
    if (find_same(unit, aggregate.text, out))
        return ST_OK;
    if (frame->aggregate_count == AGGREGATES_MAX)
        return FAIL(err, ST_INVALID, "more than %d different look-backs", AGGREGATES_MAX);
    TRY(plan_measures(unit, &aggregate, function, call, position, err));
    *out = (struct scope_name){ .type = { .kind = VALUE_NULL, .nullable = true } };
    if (unit->poisoned)
        return ST_OK; /* whatever fits: nothing of this will run */
    aggregate.spec.window = plan_window(frame, call);
    aggregate.type = result_type(call, &aggregate.spec);
    add_aggregate(unit, &aggregate, out);
    return ST_OK;
}

int64_t lookback_longest_us(const struct window_spec *windows, size_t count)
{
    int64_t longest_us = 0;
    for (size_t i = 0; i < count; i++)
        if (windows[i].span_us + windows[i].delay_us > longest_us)
            longest_us = windows[i].span_us + windows[i].delay_us;
    return longest_us;
}

int lookback_find_counted(const struct window_spec *windows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (windows[i].span_events > 0)
            return (int)i;
    return -1;
}
