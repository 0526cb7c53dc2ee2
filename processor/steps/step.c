/* The chain, and what steps share: evaluating expressions of a task and looking up its tables. */
#include "processor/steps/step.h"

#include <inttypes.h>

#include "base/ensure.h"

#define STEP(name) extern const struct step_type step_##name;
#include "processor/steps/steps.def"
#undef STEP

static const struct step_type *const chain[] = {
#define STEP(name) &step_##name,
#include "processor/steps/steps.def"
#undef STEP
};

enum status steps_run(struct step_context *context, struct stream_state *stream, const struct input_record *input,
                      struct error *err)
{
    struct event event = { .context = context, .stream = stream, .input = input };
    for (size_t i = 0; i < sizeof chain / sizeof chain[0] && !event.done; i++)
        TRY(chain[i]->process(&event, err));
    return ST_OK;
}

struct bytes step_event_id(struct event *event)
{
    struct arena *arena = event->context->arena;
    if (event->id.data != NULL)
        return event->id;
    if (event->stream->plan->id != NULL)
        event->id = step_value_text(&event->id_value, arena);
    else
        event->id = bytes_of_string(arena_format(arena, "%s/%" PRId32 "/%" PRId64, event->input->topic,
                                                 event->input->partition, event->input->offset));
    return event->id;
}

struct bytes step_value_text(const struct value *v, struct arena *arena)
{
    if (value_is_null(v))
        return BYTES_NONE;
    if (v->kind == VALUE_STRING)
        return v->text;
    if (v->kind == VALUE_INT) { /* keys and ids that are numbers: once or twice per record */
        char *digits = arena_alloc(arena, INT64_TEXT_SIZE);
        return bytes_of(digits, (size_t)int64_format(digits, v->i));
    }
    struct buffer text;
    buffer_init(&text);
    value_format(&text, v);
    const struct bytes copy = arena_copy(arena, buffer_view(&text));
    buffer_fini(&text);
    return copy;
}

static bool find_row(struct step_context *context, int table, struct bytes key, int64_t as_of_us,
                     struct value *columns, enum status *st, struct error *err)
{
    bool found = false;
    *st = ST_OK;
    if (context->everywhere[table] != NULL)
        return everywhere_table_get(context->everywhere[table], key, as_of_us, columns);
    *st = table_get(context->tables[table], key, as_of_us, columns, &found, context->arena, err);
    return found;
}

static enum status lookup(void *tables, int table, const struct value *key, int column, struct value *out, bool *found,
                          struct error *err)
{
    const struct table_lookup *lookup_of = tables;
    struct step_context *context = lookup_of->context;
    ENSURE(table >= 0 && (size_t)table < context->plan->table_count);
    const size_t column_count = context->plan->tables[table].spec.column_count;
    ENSURE(column < (int)column_count);

    *found = false;
    if (out != NULL)
        *out = value_null();
    if (value_is_null(key))
        return ST_OK;
    struct value *columns = arena_alloc(context->arena, (column_count + 1) * sizeof *columns);
    enum status st;
    *found = find_row(context, table, step_value_text(key, context->arena), lookup_of->as_of_us, columns, &st, err);
    if (*found && column >= 0)
        *out = columns[column];
    return st;
}

struct expression_context step_expression_context(const struct value *slots, struct table_lookup *tables,
                                                  struct error *err)
{
    return (struct expression_context){
        .slots = slots, .arena = tables->context->arena, .lookup = lookup, .tables = tables, .err = err,
    };
}

enum status step_expression_finish(struct step_context *context, struct expression_context *expression)
{
    context->counters->divisions_by_zero += expression->divisions_by_zero;
    context->counters->overflows += expression->overflows;
    return expression->failure;
}

enum status step_event_entity(struct event *event, struct error *err)
{
    if (event->entity != NULL)
        return ST_OK;
    return entity_log_acquire(event->stream->log, event->key, &event->entity, err);
}
