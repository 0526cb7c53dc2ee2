/*
 * parser: tokens -> nodes, by precedence climbing. Private to the parser*.c and to
 * aggregate_parser.c.
 *
 * Every function that reads something starts at `parser->token` and leaves it behind what it read.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_PARSER_H
#define WEIR_PROCESSOR_EXPRESSION_PARSER_H

#include "processor/expression/lexer.h"

struct parser {
    const char *text;
    const struct token *token; /* the next one; [1] is valid unless it is TOKEN_END */
    struct arena *arena;
    int nesting;
    struct expression_position *position;
    struct error *err;
};

/* The parser points at the error, then FAILs: `return PARSER_FAIL(parser, token, "...")`. */
#define PARSER_FAIL(parser, at, ...) \
    (*(parser)->position = (at)->position, FAIL((parser)->err, ST_INVALID, __VA_ARGS__))

/* Operators that bind at least as tightly as `binding`. */
MUST_CHECK enum status parse_expression(struct parser *parser, const struct node **out,
                                        int binding);
/* At the name of an aggregate that a parenthesis follows. */
MUST_CHECK enum status parse_aggregate(struct parser *parser, const struct node **out);

/* Fail at the next token: a value should stand there, or `expected`. */
MUST_CHECK enum status parser_refuse_value(struct parser *parser);
MUST_CHECK enum status parser_refuse_rest(struct parser *parser, const char *expected);

/* From `first` to before the next token. */
struct expression_position parser_position_since(const struct parser *parser,
                                                 const struct token *first);
struct node *parser_add_node(struct parser *parser, enum node_kind kind, const struct token *first);

#endif
