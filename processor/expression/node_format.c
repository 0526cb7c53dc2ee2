/*
 * node_format: the one normalised text of an expression. Parsing it gives the same nodes again, so
 * a literal keeps its kind (a double is written with an exponent) and parentheses stand where, and
 * only where, the binding of the operators needs them.
 */
#include <string.h>

#include "base/ensure.h"
#include "processor/expression/nodes.h"

static int binding_of(const struct node *node)
{
    switch (node->kind) {
    case NODE_BINARY:
        return operator_binding(node->op);
    case NODE_NOT:
        return BINDING_NOT;
    case NODE_NEGATE:
        return BINDING_UNARY;
    default:
        return BINDING_UNARY + 1;
    }
}

static void format_bound(struct buffer *out, const struct node *node, int binding)
{
    const bool parentheses = binding_of(node) < binding;
    if (parentheses)
        buffer_put_u8(out, '(');
    node_format(out, node);
    if (parentheses)
        buffer_put_u8(out, ')');
}

static void format_string(struct buffer *out, struct bytes text)
{
    buffer_put_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '\'' || c == '\\' || c == '\n' || c == '\t')
            buffer_put_u8(out, '\\');
        buffer_put_u8(out, c == '\n' ? 'n' : c == '\t' ? 't' : c);
    }
    buffer_put_u8(out, '\'');
}

static void format_literal(struct buffer *out, const struct value *literal)
{
    if (literal->kind == VALUE_STRING) {
        format_string(out, literal->text);
        return;
    }
    const size_t start = out->size;
    value_format(out, literal);
    if (literal->kind == VALUE_DOUBLE && memchr(out->data + start, 'e', out->size - start) == NULL)
        buffer_put_string(out, "e0");
}

static void format_items(struct buffer *out, const struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        if (i > 0)
            buffer_put_string(out, ", ");
        node_format(out, node->children[i]);
    }
}

static void format_binary(struct buffer *out, const struct node *node)
{
    const int binding = operator_binding(node->op);
    const enum grouping grouping = operator_grouping(node->op);
    format_bound(out, node->children[0], grouping == GROUPS_LEFT ? binding : binding + 1);
    buffer_printf(out, " %s ", operator_text(node->op));
    format_bound(out, node->children[1], grouping == GROUPS_RIGHT ? binding : binding + 1);
}

/* A space before every clause but the first thing in the parentheses. */
static void open_clause(struct buffer *out, const char *word)
{
    if (out->data[out->size - 1] != '(')
        buffer_put_u8(out, ' ');
    buffer_printf(out, "%s ", word);
}

static void format_over(struct buffer *out, const struct aggregate_call *call)
{
    open_clause(out, "over");
    if (call->previous)
        buffer_put_string(out, "previous ");
    const struct value span =
        call->span_us > 0 ? value_duration(call->span_us) : value_int(call->span_events);
    value_format(out, &span);
    if (call->delay_us == 0)
        return;
    buffer_put_string(out, " delay ");
    const struct value delay = value_duration(call->delay_us);
    value_format(out, &delay);
}

static void format_aggregate(struct buffer *out, const struct aggregate_call *call)
{
    buffer_printf(out, "%s(", call->function);
    if (call->argument != NULL)
        node_format(out, call->argument);
    if (call->stream != NULL) {
        open_clause(out, "of");
        buffer_put_string(out, call->stream);
    }
    if (call->condition != NULL) {
        open_clause(out, "where");
        node_format(out, call->condition);
    }
    if (call->has_over)
        format_over(out, call);
    for (size_t i = 0; i < call->by_count; i++) {
        if (i == 0)
            open_clause(out, "by");
        buffer_printf(out, "%s%s", i == 0 ? "" : ", ", call->by[i]);
    }
    buffer_put_u8(out, ')');
}

void node_format(struct buffer *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_LITERAL:
        format_literal(out, &node->literal);
        return;
    case NODE_NAME:
        buffer_put_string(out, node->name);
        return;
    case NODE_BINARY:
        format_binary(out, node);
        return;
    case NODE_NOT:
        buffer_put_string(out, "not ");
        format_bound(out, node->children[0], BINDING_NOT);
        return;
    case NODE_NEGATE:
        buffer_put_u8(out, '-');
        format_bound(out, node->children[0], BINDING_UNARY);
        return;
    case NODE_LIST:
        buffer_put_u8(out, '[');
        format_items(out, node);
        buffer_put_u8(out, ']');
        return;
    case NODE_LOOKUP:
        buffer_printf(out, "%s[", node->name);
        node_format(out, node->children[0]);
        buffer_printf(out, "].%s", node->column);
        return;
    case NODE_CALL:
        buffer_printf(out, "%s(", node->name);
        format_items(out, node);
        buffer_put_u8(out, ')');
        return;
    case NODE_AGGREGATE:
        format_aggregate(out, node->aggregate);
        return;
    }
    UNREACHABLE();
}
