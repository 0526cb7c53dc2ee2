#include "processor/expression/parser.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/expression/functions.h"
#include "processor/expression/text.h"

static enum status parse_prefixed(struct parser *parser, const struct node **out, int binding);
static enum status parse_unary(struct parser *parser, const struct node **out);
static enum status parse_primary(struct parser *parser, const struct node **out);
static enum status parse_list(struct parser *parser, const struct node **out);

static enum status parse_all(struct parser *parser, const struct node **out)
{
    if (parser->token->kind == TOKEN_END)
        return PARSER_FAIL(parser, parser->token, "an expression is missing here");
    TRY(parse_expression(parser, out, BINDING_NONE));
    return parser->token->kind == TOKEN_END ? ST_OK
                                            : parser_refuse_rest(parser, "an operator or the end");
}

static enum status check_text(const char *text, struct expression_position *position,
                              struct error *err)
{
    *position = (struct expression_position){ 0, 0 };
    const size_t size = strnlen(text, EXPRESSION_TEXT_MAX + 1);
    if (size > EXPRESSION_TEXT_MAX)
        return FAIL(err, ST_INVALID, "an expression has at most %d bytes", EXPRESSION_TEXT_MAX);
    if (!text_is_utf8(bytes_of(text, size)))
        return FAIL(err, ST_INVALID, "this is not UTF-8 text");
    return ST_OK;
}

enum status expression_parse(struct nodes **out, const char *text,
                             struct expression_position *position, struct error *err)
{
    ENSURE(*out == NULL);
    enum { ARENA_BLOCK = 4096 };
    TRY(check_text(text, position, err));

    AUTO(nodes_destroy) struct nodes *nodes = mem_alloc(sizeof *nodes);
    arena_create(&nodes->arena, ARENA_BLOCK);
    struct parser parser = {
        .text = text, .arena = nodes->arena, .position = position, .err = err
    };
    TRY(lexer_run(&parser.token, text, nodes->arena, position, err));
    TRY(parse_all(&parser, &nodes->root));

    *out = TAKE(nodes);
    return ST_OK;
}

struct expression_position parser_position_since(const struct parser *parser,
                                                 const struct token *first)
{
    const struct token *last = parser->token > first ? parser->token - 1 : first;
    return (struct expression_position){
        .offset = first->position.offset,
        .size = last->position.offset + last->position.size - first->position.offset,
    };
}

struct node *parser_add_node(struct parser *parser, enum node_kind kind, const struct token *first)
{
    struct node *node = arena_alloc_zeroed(parser->arena, sizeof *node);
    node->kind = kind;
    node->height = 1;
    node->token = first->position;
    node->position = parser_position_since(parser, first);
    return node;
}

static void set_children(struct parser *parser, struct node *node,
                         const struct node *const *children, size_t count)
{
    const struct bytes copy =
        arena_copy(parser->arena, bytes_of(children, count * sizeof(const struct node *)));
    node->children = (const struct node *const *)(const void *)copy.data;
    node->child_count = count;
    for (size_t i = 0; i < count; i++)
        if (children[i]->height >= node->height)
            node->height = children[i]->height + 1;
}

static enum status enter(struct parser *parser)
{
    if (++parser->nesting > EXPRESSION_NESTING_MAX)
        return PARSER_FAIL(
            parser, parser->token,
            "more than %d levels of nesting; give the parts names (fields, features)",
            EXPRESSION_NESTING_MAX);
    return ST_OK;
}

static void leave(struct parser *parser)
{
    parser->nesting--;
}

/* ---- operators ---- */

static bool at_not_in(const struct parser *parser)
{
    return parser->token->kind == TOKEN_NOT && parser->token[1].kind == TOKEN_OPERATOR &&
           parser->token[1].op == OPERATOR_IN;
}

static bool at_binary(const struct parser *parser, enum operator* op)
{
    if (at_not_in(parser)) {
        *op = OPERATOR_IN;
        return true;
    }
    *op = parser->token->op;
    return parser->token->kind == TOKEN_OPERATOR;
}

static enum status refuse_chain(struct parser *parser, const struct node *left)
{
    enum operator op = OPERATOR_OR;
    if (!at_binary(parser, &op) || operator_binding(op) != BINDING_COMPARISON)
        return ST_OK;
    if (left->op == OPERATOR_IN || op == OPERATOR_IN)
        return PARSER_FAIL(parser, parser->token,
                           "comparisons do not chain; put parentheses, or join two with `and`");
    return PARSER_FAIL(parser, parser->token, "comparisons do not chain; write a %s b and b %s c",
                       operator_text(left->op), operator_text(op));
}

static enum status parse_in_right(struct parser *parser, const struct node **out)
{
    if (parser->token->kind == TOKEN_OPEN_LIST)
        return parse_list(parser, out);
    if (parser->token->kind == TOKEN_OPEN)
        return PARSER_FAIL(parser, parser->token,
                           "`in` wants a table or a list in brackets: x in ['a', 'b']");
    if (parser->token->kind != TOKEN_NAME || parser->token[1].kind == TOKEN_OPEN_LIST ||
        parser->token[1].kind == TOKEN_OPEN)
        return PARSER_FAIL(parser, parser->token,
                           "`in` wants the name of a table, or a list: x in ['a', 'b']");
    const struct token *first = parser->token++;
    struct node *node = parser_add_node(parser, NODE_NAME, first);
    node->name = first->name;
    *out = node;
    return ST_OK;
}

static enum status parse_right(struct parser *parser, const struct node **out, enum operator op)
{
    if (op == OPERATOR_IN)
        return parse_in_right(parser, out);
    if (operator_grouping(op) != GROUPS_RIGHT)
        return parse_expression(parser, out, operator_binding(op) + 1);
    TRY(enter(parser));
    TRY(parse_expression(parser, out, operator_binding(op)));
    leave(parser);
    return ST_OK;
}

static struct node *add_not(struct parser *parser, const struct token *first,
                            const struct token *word, const struct node *operand)
{
    struct node *node = parser_add_node(parser, NODE_NOT, first);
    node->token = word->position;
    set_children(parser, node, &operand, 1);
    return node;
}

/* `left` is read and starts at `first`; parser->token is the operator. */
static enum status parse_binary(struct parser *parser, const struct node **left,
                                const struct token *first, enum operator op)
{
    const struct token *word = parser->token;
    const bool negated = at_not_in(parser);
    parser->token += negated ? 2 : 1;
    const struct node *children[2] = { *left, NULL };
    TRY(parse_right(parser, &children[1], op));

    struct node *node = parser_add_node(parser, NODE_BINARY, first);
    node->op = op;
    node->token = word->position;
    set_children(parser, node, children, 2);
    if (node->height > EXPRESSION_CHAIN_MAX)
        return PARSER_FAIL(
            parser, word,
            "more than %d operators in a row; give the parts names (fields, features)",
            EXPRESSION_CHAIN_MAX);
    if (operator_grouping(op) == GROUPS_NEVER)
        TRY(refuse_chain(parser, node));
    *left = negated ? add_not(parser, first, word, node) : node;
    return ST_OK;
}

enum status parse_expression(struct parser *parser, const struct node **out, int binding)
{
    const struct token *first = parser->token;
    TRY(parse_prefixed(parser, out, binding));
    for (enum operator op; at_binary(parser, &op) && operator_binding(op) >= binding;)
        TRY(parse_binary(parser, out, first, op));
    return ST_OK;
}

static enum status parse_prefixed(struct parser *parser, const struct node **out, int binding)
{
    const struct token *first = parser->token;
    if (first->kind != TOKEN_NOT)
        return parse_unary(parser, out);
    if (binding > BINDING_NOT)
        return PARSER_FAIL(parser, first,
                           "put `not` and what it negates in parentheses: (not ...)");
    parser->token++;
    const struct node *operand = NULL;
    TRY(enter(parser));
    TRY(parse_expression(parser, &operand, BINDING_NOT));
    leave(parser);
    *out = add_not(parser, first, first, operand);
    return ST_OK;
}

/* false: no number or duration, or its negative is too large. */
static bool negate_literal(struct value *literal)
{
    switch ((enum value_kind)literal->kind) {
    case VALUE_INT:
    case VALUE_DURATION:
        return !__builtin_sub_overflow(0, literal->i, &literal->i);
    case VALUE_DECIMAL:
        literal->decimal = -literal->decimal; /* the lexer's are far from the limit */
        return true;
    case VALUE_DOUBLE:
        *literal = value_double(-literal->d);
        return true;
    default:
        return false;
    }
}

static const struct node *add_negation(struct parser *parser, const struct token *first,
                                       const struct node *operand)
{
    struct value literal = operand->literal;
    const bool folds = operand->kind == NODE_LITERAL && negate_literal(&literal);
    struct node *node = parser_add_node(parser, folds ? NODE_LITERAL : NODE_NEGATE, first);
    if (folds)
        node->literal = literal;
    else
        set_children(parser, node, &operand, 1);
    return node;
}

/* "-5", and -(5) too, is one literal: its normalised text is that of -5. */
static enum status parse_unary(struct parser *parser, const struct node **out)
{
    const struct token *first = parser->token;
    if (first->kind != TOKEN_OPERATOR || first->op != OPERATOR_SUBTRACT)
        return parse_primary(parser, out);
    parser->token++;
    if (parser->token->needs_minus) {
        parser->token++;
        struct node *smallest = parser_add_node(parser, NODE_LITERAL, first);
        smallest->literal = value_int(INT64_MIN);
        *out = smallest;
        return ST_OK;
    }
    const struct node *operand = NULL;
    TRY(enter(parser));
    TRY(parse_unary(parser, &operand));
    leave(parser);
    *out = add_negation(parser, first, operand);
    return ST_OK;
}

/* ---- what stands between operators ---- */

static enum status parse_literal(struct parser *parser, const struct node **out)
{
    const struct token *token = parser->token++;
    struct node *node = parser_add_node(parser, NODE_LITERAL, token);
    switch (token->kind) {
    case TOKEN_TRUE:
        node->literal = value_bool(true);
        break;
    case TOKEN_FALSE:
        node->literal = value_bool(false);
        break;
    case TOKEN_NULL:
        node->literal = value_null();
        break;
    default:
        node->literal = token->literal;
        break;
    }
    if (token->needs_minus)
        return PARSER_FAIL(
            parser, token,
            "this number is too large for an int (64 bits); write 1e20 for a double");
    *out = node;
    return ST_OK;
}

static enum status refuse_unclosed(struct parser *parser, const struct token *open)
{
    return PARSER_FAIL(parser, open, "this is never closed: '%s' is missing",
                       open->kind == TOKEN_OPEN ? ")" : "]");
}

/* What follows an item must be a comma or the end of the items. */
static enum status take_comma(struct parser *parser, const struct token *open)
{
    if (parser->token->kind == TOKEN_COMMA)
        parser->token++;
    else if (parser->token->kind != TOKEN_END)
        return parser_refuse_rest(parser, open->kind == TOKEN_OPEN ? "',' or ')'" : "',' or ']'");
    return parser->token->kind == TOKEN_END ? refuse_unclosed(parser, open) : ST_OK;
}

/* Expressions between commas, from behind `open` to the closing token, which is read too. */
static enum status parse_items(struct parser *parser, struct node *node, const struct token *open)
{
    const enum token_kind close = open->kind == TOKEN_OPEN ? TOKEN_CLOSE : TOKEN_CLOSE_LIST;
    const struct node **items = NULL;
    size_t count = 0;
    enum status status = enter(parser);
    while (status == ST_OK && parser->token->kind != close) {
        if (count > 0 || parser->token->kind == TOKEN_END)
            status = take_comma(parser, open);
        if (status != ST_OK)
            break;
        items = mem_resize_array(items, count + 1, sizeof(const struct node *));
        status = parse_expression(parser, &items[count], BINDING_NONE);
        count++;
    }
    leave(parser);
    if (status == ST_OK) {
        parser->token++;
        set_children(parser, node, items, count);
    }
    mem_free(items);
    return status;
}

static enum status parse_list(struct parser *parser, const struct node **out)
{
    const struct token *open = parser->token++;
    struct node *node = parser_add_node(parser, NODE_LIST, open);
    TRY(parse_items(parser, node, open));
    node->position = parser_position_since(parser, open);
    if (node->child_count == 0) {
        *parser->position = node->position;
        return FAIL(parser->err, ST_INVALID, "an empty list contains nothing");
    }
    *out = node;
    return ST_OK;
}

static enum status parse_call(struct parser *parser, const struct node **out)
{
    const struct token *first = parser->token;
    if (is_aggregate_name(first->name))
        return parse_aggregate(parser, out);
    parser->token += 2;
    struct node *node = parser_add_node(parser, NODE_CALL, first);
    node->name = first->name;
    node->token = first->position;
    const enum status status = parse_items(parser, node, first + 1);
    /* `cuont(over 1m)`: not what follows is wrong, but the name */
    if (status != ST_OK && function_find(first->name) == NULL &&
        function_nearest(first->name) != NULL)
        return PARSER_FAIL(parser, first, "unknown function '%s'; did you mean '%s'?", first->name,
                           function_nearest(first->name));
    TRY(status);
    node->position = parser_position_since(parser, first);
    *out = node;
    return ST_OK;
}

/* table[key].column */
static enum status parse_lookup(struct parser *parser, const struct node **out)
{
    const struct token *first = parser->token;
    parser->token += 2;
    struct node *node = parser_add_node(parser, NODE_LOOKUP, first);
    node->name = first->name;
    TRY(parse_items(parser, node, first + 1));
    node->position = parser_position_since(parser, first);
    if (node->child_count != 1) {
        *parser->position = node->position;
        return FAIL(parser->err, ST_INVALID, "a table is looked up by one key: %s[key].column",
                    first->name);
    }
    if (parser->token->kind != TOKEN_DOT || parser->token[1].kind != TOKEN_NAME) {
        *parser->position = node->position;
        return FAIL(parser->err, ST_INVALID,
                    "a column is missing: write %s[...].column, or `key in %s` to ask whether "
                    "there is a row",
                    first->name, first->name);
    }
    node->column = parser->token[1].name;
    node->token = parser->token[1].position;
    parser->token += 2;
    node->position = parser_position_since(parser, first);
    *out = node;
    return ST_OK;
}

static enum status parse_parentheses(struct parser *parser, const struct node **out)
{
    const struct token *open = parser->token++;
    if (parser->token->kind == TOKEN_CLOSE)
        return PARSER_FAIL(parser, open, "there is nothing between these parentheses");
    TRY(enter(parser));
    TRY(parse_expression(parser, out, BINDING_NONE));
    leave(parser);
    if (parser->token->kind == TOKEN_END)
        return refuse_unclosed(parser, open);
    if (parser->token->kind != TOKEN_CLOSE)
        return parser_refuse_rest(parser, "an operator or ')'");
    parser->token++;
    return ST_OK;
}

static enum status parse_name(struct parser *parser, const struct node **out)
{
    const struct token *first = parser->token;
    if (first[1].kind == TOKEN_OPEN)
        return parse_call(parser, out);
    if (first[1].kind == TOKEN_OPEN_LIST)
        return parse_lookup(parser, out);
    parser->token++;
    struct node *node = parser_add_node(parser, NODE_NAME, first);
    node->name = first->name;
    *out = node;
    return ST_OK;
}

static enum status parse_primary(struct parser *parser, const struct node **out)
{
    switch (parser->token->kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STRING:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_NULL:
        return parse_literal(parser, out);
    case TOKEN_NAME:
        return parse_name(parser, out);
    case TOKEN_OPEN:
        return parse_parentheses(parser, out);
    default:
        return parser_refuse_value(parser);
    }
}
