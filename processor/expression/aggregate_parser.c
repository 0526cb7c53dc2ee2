/*
 * aggregate_parser: AGG( [argument] [of STREAM] [where CONDITION] [over [previous] SPAN
 * [delay DURATION]] [by KEY, ...] ), the clauses in any order, each at most once.
 *
 * Its words are names everywhere else. Inside, a word opens a clause unless an operator follows it:
 * `sum(over * 2 over 1m)` sums a column called `over`.
 */
#include <string.h>

#include "processor/expression/parser.h"

enum clause { CLAUSE_OF, CLAUSE_WHERE, CLAUSE_OVER, CLAUSE_BY, CLAUSE_COUNT };

static const char *const clause_words[CLAUSE_COUNT] = { "of", "where", "over", "by" };

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_NAME && strcmp(token->name, word) == 0;
}

static enum clause clause_of(const struct token *token)
{
    for (int clause = 0; clause < CLAUSE_COUNT; clause++)
        if (is_word(token, clause_words[clause]))
            return (enum clause)clause;
    return CLAUSE_COUNT;
}

/* At the first token in the parentheses: an argument, or already a clause? */
static bool starts_with_clause(const struct token *token)
{
    const enum clause clause = clause_of(token);
    if (clause == CLAUSE_COUNT)
        return false;
    if (clause == CLAUSE_OVER && clause_of(token + 1) != CLAUSE_COUNT)
        return false;
    const bool may_be_minus = clause == CLAUSE_WHERE && token[1].kind == TOKEN_OPERATOR &&
                              token[1].op == OPERATOR_SUBTRACT;
    return token[1].kind != TOKEN_OPERATOR || may_be_minus;
}

static enum status parse_stream(struct parser *parser, struct aggregate_call *call)
{
    if (parser->token->kind != TOKEN_NAME)
        return PARSER_FAIL(parser, parser->token, "the name of a stream is missing after `of`");
    call->stream = parser->token->name;
    call->stream_position = parser->token->position;
    parser->token++;
    return ST_OK;
}

static enum status parse_condition(struct parser *parser, struct aggregate_call *call)
{
    if (clause_of(parser->token) != CLAUSE_COUNT || parser->token->kind == TOKEN_CLOSE)
        return PARSER_FAIL(parser, parser->token, "a condition is missing after `where`");
    return parse_expression(parser, &call->condition, BINDING_NONE);
}

static enum status parse_delay(struct parser *parser, struct aggregate_call *call)
{
    if (!is_word(parser->token, "delay"))
        return ST_OK;
    parser->token++;
    if (parser->token->kind != TOKEN_DURATION || parser->token->literal.i == 0)
        return PARSER_FAIL(parser, parser->token, "a duration is missing after `delay`, like 5m");
    call->delay_us = parser->token->literal.i;
    parser->token++;
    return ST_OK;
}

static enum status refuse_span(struct parser *parser)
{
    const struct token *token = parser->token;
    if (token->kind == TOKEN_NUMBER && token->literal.kind != VALUE_INT)
        return PARSER_FAIL(parser, token,
                           "a span is a duration or a whole number of events; 1.5h is 1h30m");
    if (token->kind == TOKEN_OPERATOR && token->op == OPERATOR_SUBTRACT)
        return PARSER_FAIL(parser, token, "a span looks back by itself: leave the minus sign out");
    return PARSER_FAIL(parser, token,
                       "a span is missing after `over`: a duration (over 1m, over previous 30d) or "
                       "a number of events (over 10)");
}

static enum status parse_over(struct parser *parser, struct aggregate_call *call)
{
    call->has_over = true;
    if (is_word(parser->token, "previous")) {
        call->previous = true;
        parser->token++;
    }
    const struct token *span = parser->token;
    const bool is_duration = span->kind == TOKEN_DURATION;
    const bool is_number = span->kind == TOKEN_NUMBER && span->literal.kind == VALUE_INT;
    if (!is_duration && !is_number)
        return refuse_span(parser);
    if (span->literal.i == 0)
        return PARSER_FAIL(parser, span, "a span of nothing: say how far to look back");
    if (is_number && span[1].kind == TOKEN_NAME && clause_of(span + 1) == CLAUSE_COUNT &&
        !is_word(span + 1, "delay") && !is_word(span + 1, "events"))
        return PARSER_FAIL(parser, span + 1,
                           "units stand directly behind the number, as d h m s ms us: over 5m");
    call->span_us = is_duration ? span->literal.i : 0;
    call->span_events = is_number ? span->literal.i : 0;
    call->span_position = span->position;
    parser->token++;
    if (is_number && is_word(parser->token, "events"))
        parser->token++;
    if (is_word(parser->token, "previous"))
        return PARSER_FAIL(parser, parser->token, "`previous` comes first: over previous ...");
    return parse_delay(parser, call);
}

static enum status parse_by(struct parser *parser, struct aggregate_call *call)
{
    enum { BY_MAX = 16 };
    const char *names[BY_MAX];
    struct expression_position positions[BY_MAX];
    size_t count = 0;
    for (bool more = true; more; parser->token += more) {
        if (parser->token->kind != TOKEN_NAME)
            return PARSER_FAIL(parser, parser->token, "the name of a column is missing after %s",
                               count == 0 ? "`by`" : "','");
        if (count == BY_MAX)
            return PARSER_FAIL(parser, parser->token, "more than %d names after `by`", BY_MAX);
        names[count] = parser->token->name;
        positions[count++] = parser->token->position;
        parser->token++;
        more = parser->token->kind == TOKEN_COMMA;
    }
    call->by = (const char *const *)(const void *)arena_copy(parser->arena,
                                                             bytes_of(names, count * sizeof *names))
                   .data;
    call->by_positions =
        (const void *)arena_copy(parser->arena, bytes_of(positions, count * sizeof *positions))
            .data;
    call->by_count = count;
    return ST_OK;
}

static enum status (*const parse_clause[CLAUSE_COUNT])(struct parser *, struct aggregate_call *) = {
    [CLAUSE_OF] = parse_stream,
    [CLAUSE_WHERE] = parse_condition,
    [CLAUSE_OVER] = parse_over,
    [CLAUSE_BY] = parse_by,
};

static enum status refuse_clause(struct parser *parser, const struct aggregate_call *call,
                                 const struct token *open)
{
    const struct token *token = parser->token;
    char found[TOKEN_TEXT_SIZE];
    token_text(token, parser->text, found);
    const char *function = call->function;
    if (token->kind == TOKEN_END)
        return PARSER_FAIL(parser, open, "this is never closed: ')' is missing");
    if (token->kind == TOKEN_COMMA) {
        const bool is_min = strcmp(function, "min") == 0, is_max = strcmp(function, "max") == 0;
        if (is_min || is_max)
            return PARSER_FAIL(parser, token,
                               "`%s` looks at the values of many events; the %s of several values "
                               "of one event is %s(a, b)",
                               function, is_min ? "least" : "greatest",
                               is_min ? "least" : "greatest");
        return PARSER_FAIL(parser, token, "`%s` takes one value", function);
    }
    struct nearest_name nearest = { .wanted = token->kind == TOKEN_NAME ? token->name : "" };
    for (int clause = 0; clause < CLAUSE_COUNT; clause++)
        nearest_name_offer(&nearest, clause_words[clause]);
    if (nearest.best != NULL)
        return PARSER_FAIL(parser, token, "unexpected %s; did you mean `%s`?", found, nearest.best);
    return PARSER_FAIL(parser, token,
                       "expected `of`, `where`, `over`, `by` or ')', found %s; the form is "
                       "%s(value of STREAM where CONDITION over SPAN by KEY)",
                       found, function);
}

static enum status parse_clauses(struct parser *parser, struct aggregate_call *call,
                                 const struct token *open)
{
    bool seen[CLAUSE_COUNT] = { false };
    while (parser->token->kind != TOKEN_CLOSE) {
        const enum clause clause = clause_of(parser->token);
        if (clause == CLAUSE_COUNT)
            return refuse_clause(parser, call, open);
        if (seen[clause])
            return PARSER_FAIL(parser, parser->token, "`%s` stands here twice",
                               clause_words[clause]);
        seen[clause] = true;
        parser->token++;
        TRY(parse_clause[clause](parser, call));
    }
    return ST_OK;
}

static enum status check_argument(struct parser *parser, const struct aggregate_call *call,
                                  const struct token *first)
{
    if (call->argument != NULL || strcmp(call->function, "count") == 0)
        return ST_OK;
    return PARSER_FAIL(parser, first, "`%s` of what? Write %s(amount over 1m), for example",
                       call->function, call->function);
}

static int height_of(const struct node *node)
{
    return node == NULL ? 0 : node->height;
}

enum status parse_aggregate(struct parser *parser, const struct node **out)
{
    const struct token *first = parser->token;
    parser->token += 2;
    struct aggregate_call *call = arena_alloc_zeroed(parser->arena, sizeof *call);
    call->function = first->name;
    if (++parser->nesting > EXPRESSION_NESTING_MAX)
        return PARSER_FAIL(parser, first, "more than %d levels of nesting", EXPRESSION_NESTING_MAX);
    if (parser->token->kind != TOKEN_CLOSE && !starts_with_clause(parser->token)) {
        TRY(parse_expression(parser, &call->argument, BINDING_NONE));
        call->argument_position = call->argument->position;
    }
    TRY(parse_clauses(parser, call, first + 1));
    TRY(check_argument(parser, call, first));
    parser->nesting--;
    parser->token++; /* the closing parenthesis */

    struct node *node = parser_add_node(parser, NODE_AGGREGATE, first);
    const int heights[] = { height_of(call->argument), height_of(call->condition) };
    node->height = 1 + (heights[0] > heights[1] ? heights[0] : heights[1]);
    node->name = first->name;
    call->position = node->position;
    node->aggregate = call;
    *out = node;
    return ST_OK;
}
