/*
 * nodes: what the parser makes of a text and everything else reads: a tree, immutable once parsed.
 *
 * Private to this folder; others see `struct node` through expression.h. A document owns all of its
 * nodes and their strings in one arena.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_NODES_H
#define WEIR_PROCESSOR_EXPRESSION_NODES_H

#include "processor/expression/expression.h"

enum operator{
#define OPERATOR(name, text, binding, grouping) OPERATOR_##name,
#include "processor/expression/operators.def"
#undef OPERATOR
    OPERATOR_COUNT
};

enum { BINDING_NONE = 0, BINDING_NOT = 3, BINDING_COMPARISON = 4, BINDING_UNARY = 8 };
enum grouping { GROUPS_LEFT, GROUPS_RIGHT, GROUPS_NEVER };

const char *operator_text(enum operator op);
int operator_binding(enum operator op);
enum grouping operator_grouping(enum operator op);
static inline bool operator_is_comparison(enum operator op)
{
    return op >= OPERATOR_EQUAL && op <= OPERATOR_GREATER_EQUAL;
}

enum node_kind {
    NODE_LITERAL,   /* literal */
    NODE_NAME,      /* name */
    NODE_BINARY,    /* op; children: left, right. Right of `in`: a LIST, or a NAME of a table */
    NODE_NOT,       /* children: one */
    NODE_NEGATE,    /* children: one */
    NODE_LIST,      /* children: one or more; only right of `in` */
    NODE_LOOKUP,    /* name[children[0]].column */
    NODE_CALL,      /* name(children...) */
    NODE_AGGREGATE, /* aggregate */
};

struct node {
    enum node_kind kind;
    enum operator op;
    int height;                          /* 1 for a leaf; bounds every recursion over nodes */
    struct expression_position position; /* the whole */
    struct expression_position token;    /* what names it: operator, function, name, column */
    struct value literal;
    const char *name;
    const char *column;
    const struct node *const *children;
    size_t child_count;
    const struct aggregate_call *aggregate;
};

struct nodes {
    struct arena *arena;
    const struct node *root;
};

enum { AGGREGATE_COUNT = 9 };
extern const char *const aggregate_names[AGGREGATE_COUNT];
bool is_aggregate_name(const char *name);

#endif
