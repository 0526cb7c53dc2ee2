/*
 * lexer: text -> tokens. Knows spelling only: what may follow what is the parser's business.
 *
 * Tokens and their text live in the arena. `text` must stay while tokens are used.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_LEXER_H
#define WEIR_PROCESSOR_EXPRESSION_LEXER_H

#include "processor/expression/nodes.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,     /* name: dotted parts, `customer.address.country` */
    TOKEN_NUMBER,   /* literal: INT, DECIMAL, DOUBLE; `too_large` for 9223372036854775808 */
    TOKEN_DURATION, /* literal */
    TOKEN_STRING,   /* literal */
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
    TOKEN_NOT,
    TOKEN_OPERATOR, /* op, `and`, `or` and `in` too */
    TOKEN_OPEN,     /* ( */
    TOKEN_CLOSE,    /* ) */
    TOKEN_OPEN_LIST,
    TOKEN_CLOSE_LIST,
    TOKEN_COMMA,
    TOKEN_DOT, /* only after a closing bracket; elsewhere it is part of a name */
};

struct token {
    enum token_kind kind;
    enum operator op;
    struct expression_position position;
    const char *name;
    struct value literal;
    bool needs_minus; /* the INT literal INT64_MIN: valid only behind a minus sign */
};

/* `text` is valid UTF-8 of at most EXPRESSION_TEXT_MAX bytes. The last token is TOKEN_END. */
MUST_CHECK enum status lexer_run(const struct token **out, const char *text, struct arena *arena,
                                 struct expression_position *position, struct error *err);
/* "`and`", "'merchant_id'", "the end": for messages; cut when long. */
enum { TOKEN_TEXT_SIZE = 48 };
const char *token_text(const struct token *token, const char *text, char out[TOKEN_TEXT_SIZE]);

#endif
