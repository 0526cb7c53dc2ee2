/* operands: what a condition compares with what, for explanations. */
#include <string.h>

#include "base/ensure.h"
#include "processor/expression/nodes.h"

struct listing {
    struct operand *out;
    size_t max;
    size_t count;
};

static void put_text(struct operand *operand, struct bytes text)
{
    static const char cut_mark[] = "...";
    const size_t max = sizeof operand->right_text - 1;
    const bool is_cut = text.size > max;
    size_t size = is_cut ? max - (sizeof cut_mark - 1) : text.size;
    while (is_cut && size > 0 && (text.data[size] & 0xc0) == 0x80) /* whole characters only */
        size--;
    memcpy(operand->right_text, text.data, size);
    memcpy(operand->right_text + size, is_cut ? cut_mark : "", is_cut ? sizeof cut_mark : 1);
}

static void add(struct listing *listing, const struct operand *operand)
{
    if (listing->count < listing->max)
        listing->out[listing->count] = *operand;
    listing->count++;
}

static const char *comparison_text(enum operator op, bool negated)
{
    static const enum operator opposite[] = {
        [OPERATOR_EQUAL] = OPERATOR_NOT_EQUAL,    [OPERATOR_NOT_EQUAL] = OPERATOR_EQUAL,
        [OPERATOR_LESS] = OPERATOR_GREATER_EQUAL, [OPERATOR_LESS_EQUAL] = OPERATOR_GREATER,
        [OPERATOR_GREATER] = OPERATOR_LESS_EQUAL, [OPERATOR_GREATER_EQUAL] = OPERATOR_LESS,
    };
    ENSURE(operator_is_comparison(op));
    return operator_text(negated ? opposite[op] : op);
}

static void add_in(struct listing *listing, const struct node *node, bool negated)
{
    struct operand operand = { .left = node->children[0], .comparison = negated ? "not in" : "in" };
    struct buffer text;
    buffer_init(&text);
    node_format(&text, node->children[1]);
    put_text(&operand, buffer_view(&text));
    buffer_fini(&text);
    add(listing, &operand);
}

static void add_bare(struct listing *listing, const struct node *node, bool negated)
{
    struct operand operand = { .left = node, .comparison = "is" };
    put_text(&operand, bytes_of_string(negated ? "false" : "true"));
    add(listing, &operand);
}

static void list(struct listing *listing, const struct node *node, bool negated)
{
    if (node->kind == NODE_NOT) {
        list(listing, node->children[0], !negated);
    } else if (node->kind == NODE_BINARY && (node->op == OPERATOR_AND || node->op == OPERATOR_OR)) {
        list(listing, node->children[0], negated);
        list(listing, node->children[1], negated);
    } else if (node->kind == NODE_BINARY && node->op == OPERATOR_IN) {
        add_in(listing, node, negated);
    } else if (node->kind == NODE_BINARY && operator_is_comparison(node->op)) {
        add(listing, &(struct operand){ .left = node->children[0],
                                        .right = node->children[1],
                                        .comparison = comparison_text(node->op, negated) });
    } else {
        add_bare(listing, node, negated);
    }
}

size_t expression_operands(const struct node *condition, struct operand *out, size_t max)
{
    struct listing listing = { .out = out, .max = max };
    list(&listing, condition, false);
    return listing.count;
}
