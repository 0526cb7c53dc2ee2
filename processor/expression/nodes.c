#include "processor/expression/nodes.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

static const struct {
    const char *text;
    int binding;
    enum grouping grouping;
} operators[OPERATOR_COUNT] = {
#define OPERATOR(name, text, binding, grouping) \
    [OPERATOR_##name] = { text, binding, GROUPS_##grouping },
#include "processor/expression/operators.def"
#undef OPERATOR
};

const char *operator_text(enum operator op)
{
    ENSURE((unsigned)op < OPERATOR_COUNT);
    return operators[op].text;
}

int operator_binding(enum operator op)
{
    ENSURE((unsigned)op < OPERATOR_COUNT);
    return operators[op].binding;
}

enum grouping operator_grouping(enum operator op)
{
    ENSURE((unsigned)op < OPERATOR_COUNT);
    return operators[op].grouping;
}

void nodes_destroy(struct nodes **nodes)
{
    if (*nodes == NULL)
        return;
    arena_destroy(&(*nodes)->arena);
    mem_free(*nodes);
    *nodes = NULL;
}

const struct node *nodes_root(const struct nodes *nodes)
{
    return nodes->root;
}

struct expression_position node_position(const struct node *node)
{
    return node->position;
}

const char *node_name(const struct node *node)
{
    return node->kind == NODE_NAME ? node->name : NULL;
}

bool node_same(const struct node *a, const struct node *b)
{
    struct buffer text_a, text_b;
    buffer_init(&text_a);
    buffer_init(&text_b);
    node_format(&text_a, a);
    node_format(&text_b, b);
    const bool same = bytes_equal(buffer_view(&text_a), buffer_view(&text_b));
    buffer_fini(&text_a);
    buffer_fini(&text_b);
    return same;
}

const char *const aggregate_names[AGGREGATE_COUNT] = { "count",  "sum",      "avg",   "min", "max",
                                                       "stddev", "distinct", "first", "last" };

bool is_aggregate_name(const char *name)
{
    for (size_t i = 0; i < AGGREGATE_COUNT; i++)
        if (strcmp(aggregate_names[i], name) == 0)
            return true;
    return false;
}
