/*
 * json_cursor: walks the tokens of one JSON text, strictly: every token is checked against RFC
 * 8259, also where nobody wants its value, so that whether a record is accepted does not depend on
 * which columns are used.
 *
 * Borrows the text and the starts that json_reader found. Nothing here allocates but
 * json_token_string. A token that is wrong is of kind TOKEN_BAD, and `fault` says why; once that
 * happened every later token is TOKEN_BAD too.
 */
#ifndef WEIR_SCHEMAS_JSON_CURSOR_H
#define WEIR_SCHEMAS_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

enum token_kind {
    TOKEN_BAD,
    TOKEN_END,
    TOKEN_OBJECT,     /* { */
    TOKEN_OBJECT_END, /* } */
    TOKEN_ARRAY,
    TOKEN_ARRAY_END,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL
};

struct json_token {
    enum token_kind kind;
    bool escaped;      /* a STRING that has escapes */
    struct bytes text; /* NUMBER: its digits; STRING: what stands between the quotes, as written */
};

struct json_cursor {
    struct bytes text;
    const uint32_t *starts;
    size_t count;
    size_t at;         /* the next token */
    const char *fault; /* NULL: none */
    size_t fault_at;   /* offset in the text */
};

struct json_cursor json_cursor_of(struct bytes text, const uint32_t *starts, size_t count);
struct json_token json_cursor_next(struct json_cursor *cursor);
/* Raises the fault at the token just read, unless there is one already. */
void json_cursor_fault(struct json_cursor *cursor, const char *fault);

enum { JSON_DEPTH_MAX = 64 };
/*
 * Reads to the end of the value that began with `first`, checking all of it; false after a fault.
 */
bool json_cursor_skip(struct json_cursor *cursor, struct json_token first, int depth);

/*
 * The members of an object whose opening brace has been read: gives the next key with the cursor on
 * its value, or false at the closing brace and after a fault. `first` is true for the first call.
 */
bool json_cursor_next_key(struct json_cursor *cursor, struct json_token *key, bool first);

/*
 * A STRING token as UTF-8 text: as it is when it has no escapes, else a copy in the arena. The
 * token is a valid one.
 */
struct bytes json_token_string(struct json_token token, struct arena *arena);

/* The parts of a NUMBER token, which is a valid one. */
struct json_number {
    bool negative;
    struct bytes integer, fraction; /* digits */
    bool has_point, has_exponent;
    int32_t exponent; /* cut to +-100000: no number of ours reaches that */
};
struct json_number json_token_number(struct bytes text);

/* "a string", "an object": for messages. */
const char *token_kind_text(enum token_kind kind);

#endif
