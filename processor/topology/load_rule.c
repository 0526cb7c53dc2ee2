#include "processor/topology/load_rule.h"

#include <string.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "processor/topology/load_expression.h"
#include "processor/topology/section.h"

/* ---- options ---- */

static void load_repeat(struct loader *loader, struct plan_rule *rule, const struct yaml_node *node)
{
    static const char once_per[] = "once per ";
    const struct yaml_node *value = section_value(loader, node, "repeat");
    if (value == NULL)
        return;
    if (value->kind == YAML_SCALAR && strcmp(value->text, "every") == 0) {
        rule->repeat = REPEAT_EVERY;
    } else if (value->kind == YAML_SCALAR && strcmp(value->text, "on rise") == 0) {
        rule->repeat = REPEAT_ON_RISE;
    } else if (value->kind == YAML_SCALAR &&
               strncmp(value->text, once_per, sizeof once_per - 1) == 0 &&
               duration_parse(&rule->repeat_us, value->text + sizeof once_per - 1) &&
               rule->repeat_us > 0) {
        rule->repeat = REPEAT_ONCE_PER;
    } else {
        diagnose(loader->diagnostics, value->position,
                 "'repeat' is 'every', 'once per DURATION' (once per 10m) or 'on rise'");
    }
}

static void check_id(struct loader *loader, const struct plan_rule *rule,
                     const struct yaml_node *name)
{
    const struct plan *plan = loader->plan;
    for (size_t i = 0; i < plan->rule_count; i++)
        if (plan->rules[i].id == rule->id)
            diagnose(loader->diagnostics, name->position,
                     "the names '%s' and '%s' get the same number in the state: rename one of the"
                     " rules",
                     plan->rules[i].name, rule->name);
}

static void load_rule(struct loader *loader, const struct yaml_pair *pair)
{
    static const char *const severities[] = { "low", "medium", "high", "critical", NULL };
    struct plan_rule *rule = &loader->plan->rules[loader->plan->rule_count];
    rule->name = arena_copy_string(loader->arena, pair->key->text);
    rule->id = (uint32_t)hash64(bytes_of_string(rule->name));
    rule->version = 1;
    rule->severity =
        (enum severity)section_choice(loader, pair->value, "severity", severities, SEVERITY_LOW);
    load_repeat(loader, rule, pair->value);
    check_id(loader, rule, pair->key);
    loader->plan->rule_count++;
}

void load_rule_options(struct loader *loader, const struct yaml_node *rules)
{
    if (!section_check_names(loader, rules, "'rules'", RULES_MAX))
        return;
    loader->plan->rules =
        arena_alloc_zeroed(loader->arena, (rules->count + 1) * sizeof loader->plan->rules[0]);
    for (size_t i = 0; i < rules->count; i++)
        if (section_check_name(loader, rules->pairs[i].key, "a rule") &&
            section_check(loader, &section_rule, rules->pairs[i].key, rules->pairs[i].value))
            load_rule(loader, &rules->pairs[i]);
}

/* ---- condition and message ---- */

static struct unit rule_unit(struct frame *frame)
{
    return (struct unit){ .kind = UNIT_EVENT,
                          .loader = frame->loader,
                          .frame = frame,
                          .replayed = !frame->stream->late_own_time };
}

/* The error that the condition waits for should say so: nothing else is wrong with the rule. */
static void note_dependent(struct frame *frame, const struct unit *unit, size_t errors_before,
                           const struct plan_rule *rule)
{
    if (unit->poisoned && frame->loader->diagnostics->errors == errors_before)
        diagnose_more(frame->loader->diagnostics, unit->diagnostic, "; rule '%s' depends on it",
                      rule->name);
}

static void load_when(struct frame *frame, struct plan_rule *rule, const struct yaml_pair *pair)
{
    struct unit unit = rule_unit(frame);
    struct loaded_expression loaded;
    const size_t errors_before = frame->loader->diagnostics->errors;
    if (load_expression(frame->loader, &loaded, pair->key, pair->value, &unit)) {
        const struct value_type type = expression_type(loaded.expression);
        char text[VALUE_TYPE_TEXT_SIZE];
        if (type.kind != VALUE_BOOL)
            refuse_expression(frame->loader, &unit, pair->value,
                              "'when' is a condition that is true or false; this is %s",
                              value_type_text(type, text));
        rule->when = loaded.expression;
        rule->when_text = loaded.text;
    }
    note_dependent(frame, &unit, errors_before, rule);
    loaded_expression_fini(&loaded);
}

static void load_rule_message(struct frame *frame, struct plan_rule *rule,
                              const struct yaml_pair *pair)
{
    struct unit unit = rule_unit(frame);
    rule->message = load_message(frame->loader, pair->key, pair->value, &unit);
    rule->message_text = arena_copy_string(frame->loader->arena, pair->value->text);
    rule->message_sensitive = unit.sensitive;
}

/* The rule's map; rules that load_rule_options refused have none in the plan. */
static const struct yaml_node *rule_node(const struct yaml_node *rules,
                                         const struct plan_rule *rule)
{
    return yaml_map_find(rules, rule->name);
}

void load_rule_programs(struct frame *frame, const struct yaml_node *rules)
{
    for (size_t i = 0; i < frame->loader->plan->rule_count; i++) {
        struct plan_rule *rule = &frame->loader->plan->rules[i];
        const struct yaml_pair *when = yaml_map_find_pair(rule_node(rules, rule), "when");
        const struct yaml_pair *message = yaml_map_find_pair(rule_node(rules, rule), "message");
        if (when != NULL)
            load_when(frame, rule, when);
        if (message != NULL)
            load_rule_message(frame, rule, message);
    }
}

/* ---- explanations ---- */

enum { OPERANDS_MAX = 64 };

static void note_slot(void *context, int slot)
{
    (void)slot;
    *(bool *)context = true;
}

static bool is_constant(const struct expression *expression)
{
    bool reads = expression_uses_tables(expression);
    expression_each_slot(expression, note_slot, &reads);
    return !reads;
}

static const char *constant_text(struct loader *loader, const struct expression *expression)
{
    struct expression_context context = { .arena = loader->arena };
    const struct value value = expression_evaluate(expression, &context);
    struct buffer text;
    buffer_init(&text);
    value_format(&text, &value);
    const char *copy = arena_copy_string(loader->arena, buffer_text(&text));
    buffer_fini(&text);
    return copy;
}

/* A part of a condition that compiled as a whole; NULL when it means nothing alone. */
static struct expression *compile_part(struct frame *frame, const struct node *node,
                                       bool *sensitive)
{
    struct unit unit = rule_unit(frame);
    const struct scope scope = unit_scope(&unit);
    struct expression *expression = NULL;
    struct expression_position position = { 0 };
    struct error err = { 0 };
    if (expression_compile(&expression, node, &scope, &position, &err) != ST_OK)
        return NULL;
    *sensitive |= unit.sensitive;
    return plan_memory_keep_expression(frame->loader->programs, &expression);
}

static void add_operand(struct frame *frame, struct plan_rule *rule, const struct operand *from)
{
    struct loader *loader = frame->loader;
    struct plan_operand operand = { .comparison =
                                        arena_copy_string(loader->arena, from->comparison) };
    operand.left = compile_part(frame, from->left, &operand.sensitive);
    if (operand.left == NULL)
        return;
    operand.left_text = loader_node_text(frame->loader, from->left);
    if (from->right == NULL) {
        operand.right_text = arena_copy_string(loader->arena, from->right_text);
    } else {
        operand.right = compile_part(frame, from->right, &operand.sensitive);
        operand.right_text = loader_node_text(frame->loader, from->right);
        if (operand.right != NULL && is_constant(operand.right)) {
            operand.right_text = constant_text(loader, operand.right);
            operand.right = NULL;
        }
    }
    rule->operands[rule->operand_count++] = operand;
}

static void load_operands(struct frame *frame, struct plan_rule *rule)
{
    struct nodes *nodes = NULL;
    struct expression_position position = { 0 };
    struct error err = { 0 };
    if (expression_parse(&nodes, rule->when_text, &position, &err) != ST_OK)
        return; /* normalised text is parsed again as it was the first time */
    struct operand found[OPERANDS_MAX];
    size_t count = expression_operands(nodes_root(nodes), found, OPERANDS_MAX);
    count = count < OPERANDS_MAX ? count : OPERANDS_MAX;
    rule->operands =
        arena_alloc_zeroed(frame->loader->arena, (count + 1) * sizeof rule->operands[0]);
    for (size_t i = 0; i < count; i++)
        add_operand(frame, rule, &found[i]);
    nodes_destroy(&nodes);
}

static void need_slot(void *context, int slot)
{
    bool *needed = context;
    needed[slot] = true;
}

/*
 * Features are in the order in which they need each other, so one walk from the last to the first
 * finds everything.
 */
static void load_aggregates(struct frame *frame, struct plan_rule *rule)
{
    const struct plan_stream *stream = frame->stream;
    AUTO(mem_auto_free) bool *needed = mem_alloc_array(stream->slot_count + 1, sizeof needed[0]);
    expression_each_slot(rule->when, need_slot, needed);
    for (size_t i = stream->feature_count; i > 0; i--)
        if (needed[stream->features[i - 1].slot])
            expression_each_slot(stream->features[i - 1].program, need_slot, needed);
    int *aggregates = arena_alloc_zeroed(frame->loader->arena,
                                         (stream->aggregate_count + 1) * sizeof aggregates[0]);
    for (size_t i = 0; i < stream->aggregate_count; i++)
        if (needed[stream->aggregates[i].slot])
            aggregates[rule->aggregate_count++] = (int)i;
    rule->aggregates = aggregates;
}

void load_rule_explanations(struct frame *frame)
{
    for (size_t i = 0; i < frame->loader->plan->rule_count; i++) {
        load_operands(frame, &frame->loader->plan->rules[i]);
        load_aggregates(frame, &frame->loader->plan->rules[i]);
    }
}

void load_rule_conditions(struct loader *loader, struct plan_stream *stream)
{
    const struct plan *plan = loader->plan;
    stream->conditions = arena_alloc_zeroed(loader->arena, (plan->rule_count + 1) * sizeof stream->conditions[0]);
    stream->condition_count = 0;
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        if (rule->stream != stream->number || rule->when == NULL)
            continue;
        struct plan_condition *condition = &stream->conditions[stream->condition_count++];
        condition->rule = (uint32_t)i;
        condition->when = rule->when;
        condition->is_screened = expression_screen(rule->when, &condition->screen);
    }
}
