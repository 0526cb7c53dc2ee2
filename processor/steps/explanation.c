#include "processor/steps/explanation.h"

#include <string.h>

static const char masked[] = "***";

static struct bytes keep_text(struct arena *arena, const struct value *v)
{
    if (value_is_null(v))
        return BYTES_NONE;
    struct buffer text;
    buffer_init(&text);
    value_format(&text, v);
    const struct bytes kept = arena_copy(arena, buffer_view(&text));
    buffer_fini(&text);
    return kept;
}

/* What stands for a sensitive key or id: the same for the same text, and not the text. */
static struct bytes keep_name(struct arena *arena, struct bytes name, bool sensitive)
{
    if (!sensitive)
        return arena_copy(arena, name);
    char hex[33];
    hash128_hex(hash128(name), hex);
    return bytes_of_string(arena_format(arena, "#%s", hex));
}

static void explain_operands(struct arena *arena, const struct plan_rule *rule, struct alert *alert,
                             struct expression_context *expression)
{
    struct alert_operand *operands = arena_alloc_zeroed(arena, (rule->operand_count + 1) * sizeof *operands);
    for (size_t i = 0; i < rule->operand_count; i++) {
        const struct plan_operand *plan = &rule->operands[i];
        operands[i].operand = plan->left_text;
        operands[i].comparison = plan->comparison;
        const struct value left = expression_evaluate(plan->left, expression);
        operands[i].value = plan->sensitive ? bytes_of_string(masked) : keep_text(arena, &left);
        if (plan->right == NULL) {
            operands[i].limit = bytes_of_string(plan->right_text);
            continue;
        }
        const struct value right = expression_evaluate(plan->right, expression);
        operands[i].limit = plan->sensitive ? bytes_of_string(masked) : keep_text(arena, &right);
    }
    alert->operands = operands;
    alert->operand_count = rule->operand_count;
}

static struct bytes render_message(struct arena *arena, const struct plan_rule *rule,
                                   struct expression_context *expression)
{
    if (rule->message == NULL)
        return bytes_of_string(rule->name);
    if (rule->message_sensitive)
        return bytes_of_string(masked);
    struct buffer text;
    buffer_init(&text);
    template_render(rule->message, &text, expression);
    const struct bytes kept = arena_copy(arena, buffer_view(&text));
    buffer_fini(&text);
    return kept;
}

/* The newest events of all the rule's aggregates together, without doubles. */
struct contributors {
    struct {
        size_t position;
        struct alert_contributor event;
    } found[2 * ALERT_CONTRIBUTORS_MAX];
    size_t count;
};

static void contributors_take(void *context, size_t position, int64_t time_us, int64_t offset)
{
    struct contributors *all = context;
    size_t at = all->count;
    while (at > 0 && all->found[at - 1].position < position)
        at--;
    if (at > 0 && all->found[at - 1].position == position)
        return;
    if (all->count == sizeof all->found / sizeof all->found[0]) {
        if (at == all->count)
            return;
        all->count--;
    }
    memmove(&all->found[at + 1], &all->found[at], (all->count - at) * sizeof all->found[0]);
    all->found[at].position = position;
    all->found[at].event = (struct alert_contributor){ .offset = offset, .time_us = time_us };
    all->count++;
}

static enum status explain_contributors(struct event *event, const struct decision_subject *subject, struct arena *arena,
                                        struct alert *alert, struct error *err)
{
    struct contributors all = { .count = 0 };
    for (size_t i = 0; i < alert->rule->aggregate_count; i++) {
        size_t total;
        TRY(entity_contributors(event->entity, (size_t)alert->rule->aggregates[i], subject->position,
                                ALERT_CONTRIBUTORS_MAX, contributors_take, &all, &total, err));
        if (total > alert->contributor_total)
            alert->contributor_total = total;
    }
    if (all.count > ALERT_CONTRIBUTORS_MAX)
        all.count = ALERT_CONTRIBUTORS_MAX;
    struct alert_contributor *events = arena_alloc(arena, (all.count + 1) * sizeof *events);
    for (size_t i = 0; i < all.count; i++)
        events[i] = all.found[i].event;
    alert->contributors = events;
    alert->contributor_count = all.count;
    return ST_OK;
}

enum status explanation_make(struct event *event, const struct decision_subject *subject, size_t rule,
                             const struct alert **out, struct error *err)
{
    struct step_context *context = event->context;
    struct arena *arena = outputs_arena(context->outputs);
    struct alert *alert = arena_alloc_zeroed(arena, sizeof *alert);
    alert->topology = context->plan->name;
    alert->rule = &context->plan->rules[rule];
    alert->stream = event->stream->plan->name;
    alert->topic = event->stream->plan->topic;
    alert->partition = event->input->partition;
    const struct plan_stream *stream = event->stream->plan;
    alert->entity = keep_name(arena, event->key, stream->key_sensitive);
    alert->event = subject->event;
    alert->event.id = keep_name(arena, subject->event.id, stream->id_sensitive);
    alert->mode = context->mode;
    if (subject->caused_by_hand) {
        alert->has_cause = true;
        alert->cause = (struct alert_event){ .id = keep_name(arena, step_event_id(event), stream->id_sensitive), .time_us = event->time_us,
                                             .offset = event->input->offset };
    }
    alert_compute_id(alert);

    struct table_lookup tables = { .context = context, .as_of_us = subject->event.time_us };
    struct expression_context expression = step_expression_context(subject->slots, &tables, err);
    explain_operands(arena, alert->rule, alert, &expression);
    alert->message = render_message(arena, alert->rule, &expression);
    TRY(explain_contributors(event, subject, arena, alert, err));
    *out = alert;
    return expression.failure;
}
