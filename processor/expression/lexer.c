#include "processor/expression/lexer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/expression/text.h"

struct lexer {
    const char *text;
    size_t at;
    struct arena *arena;
    struct token *tokens; /* malloc'ed while growing */
    size_t count, capacity;
    struct expression_position *position;
    struct error *err;
};

/*
 * Everything that is not a word, a number or a string, the longer spelling first; also what people
 * write from habit, with what to write instead.
 */
static const struct spelling {
    const char *text;
    enum token_kind kind;
    enum operator op;
    const char *hint; /* not NULL: an error */
} spellings[] = {
    { "===", 0, 0, "write == to compare" },
    { "!==", 0, 0, "write != for \"differs from\"" },
    { "==", TOKEN_OPERATOR, OPERATOR_EQUAL, NULL },
    { "!=", TOKEN_OPERATOR, OPERATOR_NOT_EQUAL, NULL },
    { "<=", TOKEN_OPERATOR, OPERATOR_LESS_EQUAL, NULL },
    { ">=", TOKEN_OPERATOR, OPERATOR_GREATER_EQUAL, NULL },
    { "<>", 0, 0, "write != for \"differs from\"" },
    { "=>", 0, 0, "write >= for \"at least\"" },
    { "=<", 0, 0, "write <= for \"at most\"" },
    { "=", 0, 0, "write == to compare" },
    { "<", TOKEN_OPERATOR, OPERATOR_LESS, NULL },
    { ">", TOKEN_OPERATOR, OPERATOR_GREATER, NULL },
    { "&&", 0, 0, "write `and`" },
    { "&", 0, 0, "write `and`" },
    { "||", 0, 0, "write `or`, or concat(a, b) to join texts" },
    { "|", 0, 0, "write `or`" },
    { "!", 0, 0, "write `not`" },
    { "??", TOKEN_OPERATOR, OPERATOR_COALESCE, NULL },
    { "?", 0, 0, "write if(condition, a, b), or a ?? b for \"b where a is null\"" },
    { ":", 0, 0, "for a choice write if(condition, a, b)" },
    { "**", 0, 0, "write pow(x, y)" },
    { "^", 0, 0, "write pow(x, y)" },
    { "//", 0, 0, "write floor(a / b)" },
    { "+", TOKEN_OPERATOR, OPERATOR_ADD, NULL },
    { "-", TOKEN_OPERATOR, OPERATOR_SUBTRACT, NULL },
    { "*", TOKEN_OPERATOR, OPERATOR_MULTIPLY, NULL },
    { "/", TOKEN_OPERATOR, OPERATOR_DIVIDE, NULL },
    { "%", TOKEN_OPERATOR, OPERATOR_REMAINDER, NULL },
    { "(", TOKEN_OPEN, 0, NULL },
    { ")", TOKEN_CLOSE, 0, NULL },
    { "[", TOKEN_OPEN_LIST, 0, NULL },
    { "]", TOKEN_CLOSE_LIST, 0, NULL },
    { ",", TOKEN_COMMA, 0, NULL },
    { ".", TOKEN_DOT, 0, NULL },
    { "{", 0, 0, "braces belong into messages, not into expressions" },
    { "}", 0, 0, "braces belong into messages, not into expressions" },
    { ";", 0, 0, "an expression is one line of thought: leave it out" },
    { "`", 0, 0, "names are written without quotes, texts in 'quotes'" },
    { "$", 0, 0, "names are written as they are, without $" },
    { "@", 0, 0, "names are written as they are, without @" },
    { "#", 0, 0, "there are no comments in an expression; put them in a YAML line of their own" },
    { "\\", 0, 0, "a backslash has a meaning in 'texts' only" },
    { "\u201c", 0, 0, "write straight quotes, \" or '" },
    { "\u201d", 0, 0, "write straight quotes, \" or '" },
    { "\u201e", 0, 0, "write straight quotes, \" or '" },
    { "\u2018", 0, 0, "write straight quotes, \" or '" },
    { "\u2019", 0, 0, "write straight quotes, \" or '" },
    { "\u00ab", 0, 0, "write straight quotes, \" or '" },
    { "\u00bb", 0, 0, "write straight quotes, \" or '" },
    { "\u00b4", 0, 0, "write straight quotes, \" or '" },
    { "\u2260", 0, 0, "write !=" },
    { "\u2264", 0, 0, "write <=" },
    { "\u2265", 0, 0, "write >=" },
    { "\u00d7", 0, 0, "write *" },
    { "\u00f7", 0, 0, "write /" },
    { "\u2212", 0, 0, "write a plain minus, -" },
    { "\u2013", 0, 0, "write a plain minus, -" },
    { "\u2014", 0, 0, "write a plain minus, -" },
    { "\u00a0", 0, 0, "this is a non-breaking space; write a plain one" },
};

static const struct {
    const char *text;
    enum token_kind kind;
    enum operator op;
} keywords[] = {
    { "and", TOKEN_OPERATOR, OPERATOR_AND },
    { "or", TOKEN_OPERATOR, OPERATOR_OR },
    { "in", TOKEN_OPERATOR, OPERATOR_IN },
    { "not", TOKEN_NOT, 0 },
    { "true", TOKEN_TRUE, 0 },
    { "false", TOKEN_FALSE, 0 },
    { "null", TOKEN_NULL, 0 },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static struct token *add(struct lexer *lexer, enum token_kind kind, size_t size)
{
    if (lexer->count == lexer->capacity) {
        lexer->capacity = lexer->capacity == 0 ? 64 : lexer->capacity * 2;
        lexer->tokens = mem_resize_array(lexer->tokens, lexer->capacity, sizeof *lexer->tokens);
    }
    struct token *token = &lexer->tokens[lexer->count++];
    *token = (struct token){ .kind = kind, .position = { lexer->at, size } };
    lexer->at += size;
    return token;
}

#define LEXER_FAIL(lexer, at_offset, at_size, ...)                                \
    (*(lexer)->position = (struct expression_position){ (at_offset), (at_size) }, \
     FAIL((lexer)->err, ST_INVALID, __VA_ARGS__))

static enum status lex_word(struct lexer *lexer)
{
    const char *start = lexer->text + lexer->at;
    size_t size = 0;
    while (is_letter(start[size]) || is_digit(start[size]) ||
           (start[size] == '.' && is_letter(start[size + 1])))
        size++;
    if (start[size] == '.')
        return LEXER_FAIL(lexer, lexer->at, size + 1, "a name cannot end in a dot");

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i].text) == size && memcmp(keywords[i].text, start, size) == 0) {
            struct token *token = add(lexer, keywords[i].kind, size);
            token->op = keywords[i].op;
            return ST_OK;
        }
    char *name = arena_alloc(lexer->arena, size + 1);
    memcpy(name, start, size);
    name[size] = '\0';
    add(lexer, TOKEN_NAME, size)->name = name;
    return ST_OK;
}

/* A number that runs into letters: a duration, or nothing. */
static enum status lex_duration(struct lexer *lexer, size_t number_size, bool is_whole)
{
    const char *start = lexer->text + lexer->at;
    size_t size = number_size;
    while (is_letter(start[size]) || is_digit(start[size]) ||
           (start[size] == '.' && is_digit(start[size + 1])))
        size++;
    int64_t us;
    if (is_whole && duration_parse_bytes(&us, bytes_of(start, size))) {
        add(lexer, TOKEN_DURATION, size)->literal = value_duration(us);
        return ST_OK;
    }
    return LEXER_FAIL(lexer, lexer->at, size,
                      "'%.*s' is neither a number nor a duration; durations are whole numbers with "
                      "the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d",
                      size > 40 ? 40 : (int)size, start);
}

static enum status lex_integer(struct lexer *lexer, size_t size)
{
    const char *start = lexer->text + lexer->at;
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (uint64_t)(start[i] - '0'), &number))
            number = UINT64_MAX;
    if (number > (uint64_t)INT64_MAX + 1)
        return LEXER_FAIL(lexer, lexer->at, size,
                          "this number is too large for an int (64 bits); write 1e20 for a double");
    struct token *token = add(lexer, TOKEN_NUMBER, size);
    token->needs_minus = number > INT64_MAX;
    token->literal = value_int((int64_t)number);
    return ST_OK;
}

static enum status lex_decimal(struct lexer *lexer, size_t size)
{
    const char *start = lexer->text + lexer->at;
    int128 unscaled = 0;
    size_t scale = 0;
    bool in_fraction = false, fits = true;
    for (size_t i = 0; i < size; i++) {
        if (start[i] == '.') {
            in_fraction = true;
            continue;
        }
        scale += in_fraction;
        fits = fits && int128_multiply(&unscaled, unscaled, 10) &&
               int128_add(&unscaled, unscaled, start[i] - '0');
    }
    if (scale > DECIMAL_SCALE_MAX)
        return LEXER_FAIL(
            lexer, lexer->at, size,
            "a decimal has at most %d digits after the point; write 1.5e0 for a double",
            DECIMAL_SCALE_MAX);
    if (!fits)
        return LEXER_FAIL(lexer, lexer->at, size, "this number is too large for a decimal");
    add(lexer, TOKEN_NUMBER, size)->literal = value_decimal(unscaled, (uint8_t)scale);
    return ST_OK;
}

/* strtod reads exactly the token; its locale is "C" because this program never sets another. */
static enum status lex_double(struct lexer *lexer, size_t size)
{
    const double d = strtod(lexer->text + lexer->at, NULL);
    if (!isfinite(d))
        return LEXER_FAIL(lexer, lexer->at, size, "this number is too large for a double");
    add(lexer, TOKEN_NUMBER, size)->literal = value_double(d);
    return ST_OK;
}

static size_t digits_at(const char *text)
{
    size_t size = 0;
    while (is_digit(text[size]))
        size++;
    return size;
}

static enum status lex_number(struct lexer *lexer)
{
    const char *start = lexer->text + lexer->at;
    size_t size = digits_at(start);
    bool has_point = false, has_exponent = false;
    if (start[size] == '.') {
        has_point = true;
        const size_t fraction = digits_at(start + size + 1);
        if (fraction == 0)
            return LEXER_FAIL(lexer, lexer->at, size + 1, "write %.*s or %.*s.0",
                              size > 20 ? 20 : (int)size, start, size > 20 ? 20 : (int)size, start);
        size += 1 + fraction;
    }
    if (start[size] == 'e' || start[size] == 'E') {
        const size_t sign = start[size + 1] == '+' || start[size + 1] == '-';
        const size_t exponent = digits_at(start + size + 1 + sign);
        if (exponent > 0) {
            has_exponent = true;
            size += 1 + sign + exponent;
        }
    }
    if (is_letter(start[size]))
        return lex_duration(lexer, size, !has_point && !has_exponent);
    if (start[size] == '.')
        return LEXER_FAIL(lexer, lexer->at, size + 1, "a number has one point only");
    if (has_exponent)
        return lex_double(lexer, size);
    return has_point ? lex_decimal(lexer, size) : lex_integer(lexer, size);
}

static enum status lex_escape(struct lexer *lexer, const char *at, char *out)
{
    switch (at[1]) {
    case '\\':
    case '\'':
    case '"':
        *out = at[1];
        return ST_OK;
    case 'n':
        *out = '\n';
        return ST_OK;
    case 't':
        *out = '\t';
        return ST_OK;
    default:
        break;
    }
    const size_t size = 1 + text_code_point_size(bytes_of_string(at + 1));
    return LEXER_FAIL(lexer, (size_t)(at - lexer->text), size,
                      "unknown escape; known are \\\\ \\' \\\" \\n \\t");
}

static enum status lex_string(struct lexer *lexer)
{
    const char *start = lexer->text + lexer->at;
    const char quote = start[0];
    size_t size = 1;
    while (start[size] != quote && start[size] != '\0')
        size += start[size] == '\\' && start[size + 1] != '\0' ? 2 : 1;
    if (start[size] == '\0')
        return LEXER_FAIL(lexer, lexer->at, size, "this text has no closing %c", quote);

    char *content = arena_alloc(lexer->arena, size);
    size_t content_size = 0;
    for (size_t i = 1; i < size; i++) {
        content[content_size] = start[i];
        if (start[i] == '\\') {
            TRY(lex_escape(lexer, start + i, &content[content_size]));
            i++;
        }
        content_size++;
    }
    add(lexer, TOKEN_STRING, size + 1)->literal = value_string(bytes_of(content, content_size));
    return ST_OK;
}

static enum status lex_dot(struct lexer *lexer)
{
    const char *start = lexer->text + lexer->at;
    if (lexer->count > 0 && lexer->tokens[lexer->count - 1].kind == TOKEN_CLOSE_LIST) {
        add(lexer, TOKEN_DOT, 1);
        return ST_OK;
    }
    const size_t digits = digits_at(start + 1);
    if (digits > 0)
        return LEXER_FAIL(lexer, lexer->at, 1 + digits, "write 0.%.*s",
                          digits > 20 ? 20 : (int)digits, start + 1);
    return LEXER_FAIL(lexer, lexer->at, 1,
                      "a dot stands between the parts of a name, without spaces");
}

static enum status lex_symbol(struct lexer *lexer)
{
    const char *start = lexer->text + lexer->at;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct spelling *spelling = &spellings[i];
        const size_t size = strlen(spelling->text);
        if (strncmp(start, spelling->text, size) != 0)
            continue;
        if (spelling->hint != NULL)
            return LEXER_FAIL(lexer, lexer->at, size, "'%s' is not an operator here: %s",
                              spelling->text, spelling->hint);
        if (spelling->kind == TOKEN_DOT)
            return lex_dot(lexer);
        add(lexer, spelling->kind, size)->op = spelling->op;
        return ST_OK;
    }
    const size_t size = text_code_point_size(bytes_of_string(start));
    if ((unsigned char)start[0] < 0x20 || start[0] == 0x7f)
        return LEXER_FAIL(lexer, lexer->at, size, "unexpected control character 0x%02x",
                          (unsigned)(unsigned char)start[0]);
    return LEXER_FAIL(lexer, lexer->at, size, "unexpected character '%.*s'", (int)size, start);
}

static enum status lex_all(struct lexer *lexer)
{
    for (;;) {
        const char c = lexer->text[lexer->at];
        if (c == '\0')
            break;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            lexer->at++;
        else if (is_letter(c))
            TRY(lex_word(lexer));
        else if (is_digit(c))
            TRY(lex_number(lexer));
        else if (c == '\'' || c == '"')
            TRY(lex_string(lexer));
        else
            TRY(lex_symbol(lexer));
    }
    add(lexer, TOKEN_END, 0);
    return ST_OK;
}

enum status lexer_run(const struct token **out, const char *text, struct arena *arena,
                      struct expression_position *position, struct error *err)
{
    struct lexer lexer = { .text = text, .arena = arena, .position = position, .err = err };
    const enum status status = lex_all(&lexer);
    if (status == ST_OK) {
        const struct bytes all = bytes_of(lexer.tokens, lexer.count * sizeof *lexer.tokens);
        *out = (const struct token *)(const void *)arena_copy(arena, all).data;
    }
    mem_free(lexer.tokens);
    return status;
}

const char *token_text(const struct token *token, const char *text, char out[TOKEN_TEXT_SIZE])
{
    if (token->kind == TOKEN_END) {
        snprintf(out, TOKEN_TEXT_SIZE, "the end");
        return out;
    }
    const char *start = text + token->position.offset;
    size_t size = token->position.size;
    enum { SHOWN_MAX = 32 };
    if (size > SHOWN_MAX) {
        size = SHOWN_MAX;
        while (size > 0 && ((unsigned char)start[size] & 0xc0) == 0x80)
            size--;
        snprintf(out, TOKEN_TEXT_SIZE, "'%.*s...'", (int)size, start);
    } else {
        snprintf(out, TOKEN_TEXT_SIZE, "'%.*s'", (int)size, start);
    }
    return out;
}
