#include "processor/topology/measure.h"

#include <string.h>

#include "base/ensure.h"

/*
 * A column that is remembered is its own measure; anything else is computed. While the memory is
 * not laid out its places are those of all names, so computed measures start behind them.
 */
static size_t first_computed(const struct frame *frame)
{
    return frame->laid_out ? frame->stream->remembered_count : frame->count;
}

static enum status add_measure(struct unit *unit, const struct node *node, int *out,
                               struct value_type *type, struct expression_position *position,
                               struct error *err)
{
    struct frame *frame = unit->frame;
    const struct scope scope = unit_scope(unit);
    *position = node_position(node);
    struct expression *compiled = NULL;
    TRY(expression_compile(&compiled, node, &scope, position, err));
    struct expression *program = plan_memory_keep_expression(frame->loader->programs, &compiled);
    *type = expression_type(program);
    struct scope_name column;
    const char *name = node_name(node);
    if (name != NULL && scope.find_name(unit, name, &column)) {
        *out = column.slot;
        return ST_OK;
    }
    const char *text = loader_node_text(frame->loader, node);
    size_t i = 0;
    while (i < frame->measure_count && strcmp(frame->measures[i].text, text) != 0)
        i++;
    if (i == frame->measure_count)
        frame->measures[frame->measure_count++] =
            (struct plan_measure){ .program = program, .type = *type, .text = text };
    *out = (int)(first_computed(frame) + i);
    return ST_OK;
}

static enum status check_argument(const struct lookback_function *function, struct value_type type,
                                  const char *text, struct error *err)
{
    char type_text[VALUE_TYPE_TEXT_SIZE];
    const bool is_exact = type.kind == VALUE_INT || type.kind == VALUE_DECIMAL;
    if (type.kind == VALUE_NULL)
        return FAIL(err, ST_INVALID, "%s of null is nothing", function->name);
    if (function->takes == TAKES_EXACT_NUMBERS && type.kind == VALUE_DOUBLE)
        return FAIL(err, ST_INVALID,
                    "%s of a double depends on the order of the events: say how many digits count:"
                    " %s(decimal(%s, 2) ...)",
                    function->name, function->name, text);
    if (function->takes == TAKES_EXACT_NUMBERS && !is_exact)
        return FAIL(err, ST_INVALID, "%s takes an integer or a decimal; '%s' is %s", function->name,
                    text, value_type_text(type, type_text));
    if (function->takes == TAKES_ORDERED && (type.kind == VALUE_BOOL || type.kind == VALUE_BYTES))
        return FAIL(err, ST_INVALID, "%s takes something that has an order; '%s' is %s",
                    function->name, text, value_type_text(type, type_text));
    return ST_OK;
}

enum status measure_argument(struct unit *measure, struct aggregate_spec *spec,
                             const struct lookback_function *function,
                             const struct aggregate_call *call,
                             struct expression_position *position, struct error *err)
{
    spec->argument = -1;
    if (call->argument == NULL) {
        ENSURE(function->kind == AGGREGATE_COUNT); /* the parser wants it for all others */
        return ST_OK;
    }
    TRY(add_measure(measure, call->argument, &spec->argument, &spec->argument_type, position, err));
    if (measure->poisoned)
        return ST_OK;
    *position = call->argument_position;
    TRY(check_argument(function, spec->argument_type,
                       loader_node_text(measure->loader, call->argument), err));
    *position = call->position;
    return ST_OK;
}

enum status measure_condition(struct unit *measure, struct aggregate_spec *spec,
                              const struct aggregate_call *call,
                              struct expression_position *position, struct error *err)
{
    spec->condition = -1;
    if (call->condition == NULL)
        return ST_OK;
    struct value_type type;
    TRY(add_measure(measure, call->condition, &spec->condition, &type, position, err));
    if (measure->poisoned || type.kind == VALUE_BOOL)
        return ST_OK;
    char text[VALUE_TYPE_TEXT_SIZE];
    *position = node_position(call->condition);
    return FAIL(err, ST_INVALID, "'where' takes a condition that is true or false; this is %s",
                value_type_text(type, text));
}

int measure_id(struct unit *measure, const struct node *id)
{
    int index;
    struct value_type type;
    struct expression_position position;
    struct error err;
    const enum status compiled = add_measure(measure, id, &index, &type, &position, &err);
    ENSURE(compiled == ST_OK);
    return index;
}

/* ---- group ---- */

/*
 * The key is equal for all events of an entity; that holds for a column that is the key, not for a
 * part of it.
 */
static bool is_the_key(const struct plan_stream *stream, const char *name)
{
    return stream->key_text != NULL && strcmp(stream->key_text, name) == 0;
}

enum status measure_group(struct unit *measure, struct aggregate_spec *spec,
                          const struct aggregate_call *call, struct expression_position *position,
                          struct error *err)
{
    const struct scope scope = unit_scope(measure);
    for (size_t i = 0; i < call->by_count; i++) {
        struct scope_name found;
        *position = call->by_positions[i];
        for (size_t j = 0; j < i; j++)
            if (strcmp(call->by[i], call->by[j]) == 0)
                return FAIL(err, ST_INVALID, "'by' names '%s' twice", call->by[i]);
        if (is_the_key(measure->frame->stream, call->by[i]))
            continue;
        const bool was_sensitive = measure->sensitive;
        if (!scope.find_name(measure, call->by[i], &found))
            return FAIL(err, ST_INVALID, "%s",
                        measure->refusal != NULL
                            ? measure->refusal
                            : arena_format(measure->loader->arena,
                                           "'by %s': there is no such column or field",
                                           call->by[i]));
        measure->sensitive = was_sensitive; /* how many there are in a group does not show which */
        if (spec->group_count == AGGREGATE_GROUP_MAX)
            return FAIL(err, ST_INVALID, "'by' takes at most %d names beside the key",
                        AGGREGATE_GROUP_MAX);
        spec->group[spec->group_count++] = found.slot;
    }
    return ST_OK;
}
