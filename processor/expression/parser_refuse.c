/* parser_refuse: what to say about a token that cannot stand where it stands. */
#include <strings.h>

#include "processor/expression/parser.h"

enum status parser_refuse_value(struct parser *parser)
{
    const struct token *token = parser->token;
    char found[TOKEN_TEXT_SIZE];
    token_text(token, parser->text, found);
    switch (token->kind) {
    case TOKEN_END:
        return PARSER_FAIL(parser, token, "the expression ends too early: a value is missing");
    case TOKEN_OPEN_LIST:
        return PARSER_FAIL(parser, token, "a list may only stand right of `in`: x in ['a', 'b']");
    case TOKEN_CLOSE:
        return PARSER_FAIL(parser, token, "a value is missing before ')', or one ')' is too many");
    case TOKEN_OPERATOR:
        if (token->op == OPERATOR_ADD)
            return PARSER_FAIL(parser, token, "leave the plus sign out, or put a value before it");
        break;
    default:
        break;
    }
    return PARSER_FAIL(parser, token, "expected a value, found %s", found);
}

/* What people write from habit between two values. */
static const char *hint_for_word(const char *name)
{
    static const struct {
        const char *word, *hint;
    } hints[] = {
        { "and", "write `and` in small letters" },
        { "or", "write `or` in small letters" },
        { "not", "write `not` in small letters" },
        { "in", "write `in` in small letters" },
        { "is", "write is_null(x) or not is_null(x); write == for \"equals\"" },
        { "between", "write x >= a and x <= b" },
        { "like", "write starts_with(x, 'a'), ends_with(x, 'a') or contains(x, 'a')" },
        { "matches", "write starts_with(x, 'a'), ends_with(x, 'a') or contains(x, 'a')" },
        { "mod", "write %" },
        { "div", "write floor(a / b)" },
        { "xor", "write a != b" },
        { "eq", "write ==" },
        { "equals", "write ==" },
        { "over", "`over` belongs into an aggregate: count(over 1m)" },
        { "where", "`where` belongs into an aggregate: count(where amount > 10 over 1m)" },
        { "by", "`by` belongs into an aggregate: count(over 1m by card_id)" },
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcasecmp(hints[i].word, name) == 0)
            return hints[i].hint;
    return NULL;
}

enum status parser_refuse_rest(struct parser *parser, const char *expected)
{
    const struct token *token = parser->token;
    char found[TOKEN_TEXT_SIZE];
    token_text(token, parser->text, found);
    if (token->kind == TOKEN_CLOSE)
        return PARSER_FAIL(parser, token, "this ')' has no '('");
    if (token->kind == TOKEN_CLOSE_LIST)
        return PARSER_FAIL(parser, token, "this ']' has no '['");
    if (token->kind == TOKEN_NAME && hint_for_word(token->name) != NULL)
        return PARSER_FAIL(parser, token, "unexpected %s: %s", found, hint_for_word(token->name));
    const struct token *before = token - 1;
    if (before->kind == TOKEN_NAME && strcasecmp(before->name, "not") == 0)
        return PARSER_FAIL(parser, before, "write `not` in small letters");
    if (token->kind == TOKEN_COMMA)
        return PARSER_FAIL(parser, token,
                           "unexpected ',': a number's fraction is behind a point, "
                           "and arguments stand in a function's parentheses");
    return PARSER_FAIL(parser, token, "expected %s, found %s", expected, found);
}
