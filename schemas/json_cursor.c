/* json_cursor: the grammar of JSON over the token starts that json_reader found. */
#include "schemas/json_cursor.h"

#include "base/ensure.h"

enum { EXPONENT_MAX = 100000 };

static struct json_token read_string(struct json_cursor *cursor, struct bytes raw);
static struct json_token read_number(struct json_cursor *cursor, struct bytes raw);
static struct json_token read_word(struct json_cursor *cursor, struct bytes raw);
static struct bytes token_text(const struct json_cursor *cursor);
static struct json_token bad(struct json_cursor *cursor, const char *fault);

struct json_cursor json_cursor_of(struct bytes text, const uint32_t *starts, size_t count)
{
    return (struct json_cursor){ .text = text, .starts = starts, .count = count };
}

static const uint8_t kinds[256] = {
    ['{'] = TOKEN_OBJECT, ['}'] = TOKEN_OBJECT_END, ['['] = TOKEN_ARRAY,  [']'] = TOKEN_ARRAY_END,
    [':'] = TOKEN_COLON,  [','] = TOKEN_COMMA,      ['"'] = TOKEN_STRING, ['-'] = TOKEN_NUMBER,
    ['0'] = TOKEN_NUMBER, ['1'] = TOKEN_NUMBER,     ['2'] = TOKEN_NUMBER, ['3'] = TOKEN_NUMBER,
    ['4'] = TOKEN_NUMBER, ['5'] = TOKEN_NUMBER,     ['6'] = TOKEN_NUMBER, ['7'] = TOKEN_NUMBER,
    ['8'] = TOKEN_NUMBER, ['9'] = TOKEN_NUMBER,     ['t'] = TOKEN_TRUE,   ['f'] = TOKEN_FALSE,
    ['n'] = TOKEN_NULL,
};

struct json_token json_cursor_next(struct json_cursor *cursor)
{
    if (cursor->fault != NULL)
        return (struct json_token){ .kind = TOKEN_BAD };
    if (cursor->at == cursor->count)
        return (struct json_token){ .kind = TOKEN_END };
    const enum token_kind kind = kinds[cursor->text.data[cursor->starts[cursor->at]]];
    const struct bytes raw = token_text(cursor);
    cursor->at++;
    switch (kind) {
    case TOKEN_STRING:
        return read_string(cursor, raw);
    case TOKEN_NUMBER:
        return read_number(cursor, raw);
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_NULL:
        return read_word(cursor, raw);
    case TOKEN_BAD:
        return bad(cursor, "a character that begins no value");
    default:
        break;
    }
    return (struct json_token){ .kind = kind };
}

void json_cursor_fault(struct json_cursor *cursor, const char *fault)
{
    if (cursor->fault != NULL)
        return;
    cursor->fault = fault;
    cursor->fault_at = cursor->at == 0 ? 0 : cursor->starts[cursor->at - 1];
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/*
 * From its start up to the next token's, without the space before that: a scalar must fill all of
 * it.
 */
static struct bytes token_text(const struct json_cursor *cursor)
{
    const size_t start = cursor->starts[cursor->at];
    size_t end =
        cursor->at + 1 < cursor->count ? cursor->starts[cursor->at + 1] : cursor->text.size;
    while (end > start + 1 && is_space(cursor->text.data[end - 1]))
        end--;
    return bytes_of(cursor->text.data + start, end - start);
}

static struct json_token bad(struct json_cursor *cursor, const char *fault)
{
    json_cursor_fault(cursor, fault);
    return (struct json_token){ .kind = TOKEN_BAD };
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The code unit of \uXXXX at `at` (on the backslash), or -1. */
static int32_t code_unit(struct bytes text, size_t at)
{
    if (text.size - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    int32_t unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        const int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/*
 * The code point that the escape at `at` stands for, -1 if it is none; `size` gets the escape's
 * length.
 */
static int32_t escape_at(struct bytes text, size_t at, size_t *size)
{
    static const char short_escapes[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    *size = 2;
    if (at + 1 < text.size && short_escapes[text.data[at + 1]] != 0)
        return short_escapes[text.data[at + 1]];
    const int32_t high = code_unit(text, at);
    *size = 6;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    const int32_t low = high <= 0xdbff ? code_unit(text, at + 6) : -1;
    *size = 12;
    if (low < 0xdc00 || low > 0xdfff)
        return -1; /* half of a surrogate pair: no text in UTF-8 */
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static struct json_token read_string(struct json_cursor *cursor, struct bytes raw)
{
    if (raw.size < 2 || raw.data[raw.size - 1] != '"')
        return bad(cursor, "a string that is not closed");
    struct json_token token = { .kind = TOKEN_STRING,
                                .text = bytes_of(raw.data + 1, raw.size - 2) };
    const uint8_t *escape = memchr(token.text.data, '\\', token.text.size);
    token.escaped = escape != NULL;
    while (escape != NULL) {
        const size_t at = (size_t)(escape - token.text.data);
        size_t size;
        if (escape_at(token.text, at, &size) < 0)
            return bad(cursor, "a string with a wrong escape");
        escape = memchr(escape + size, '\\', token.text.size - at - size);
    }
    return token;
}

static size_t put_utf8(uint8_t *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    out[0] = (uint8_t)(lead[more] | point >> (6 * more));
    for (int i = 1; i <= more; i++)
        out[i] = (uint8_t)(0x80 | (point >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

struct bytes json_token_string(struct json_token token, struct arena *arena)
{
    ENSURE(token.kind == TOKEN_STRING);
    if (!token.escaped)
        return token.text;
    uint8_t *out =
        arena_alloc(arena, token.text.size); /* no escape is shorter than what it stands for */
    size_t size = 0;
    for (size_t at = 0; at < token.text.size;) {
        if (token.text.data[at] != '\\') {
            out[size++] = token.text.data[at++];
            continue;
        }
        size_t step;
        const int32_t point = escape_at(token.text, at, &step);
        ENSURE(point >= 0);
        size += put_utf8(out + size, (uint32_t)point);
        at += step;
    }
    return bytes_of(out, size);
}

/* ---- numbers and words ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct bytes take_digits(struct bytes text, size_t *at)
{
    const size_t start = *at;
    while (*at < text.size && is_digit(text.data[*at]))
        ++*at;
    return bytes_of(text.data + start, *at - start);
}

static int32_t take_exponent(struct bytes text, size_t *at, bool *valid)
{
    bool negative = false;
    if (*at < text.size && (text.data[*at] == '-' || text.data[*at] == '+'))
        negative = text.data[(*at)++] == '-';
    const struct bytes digits = take_digits(text, at);
    *valid = *valid && digits.size > 0;
    int32_t exponent = 0;
    for (size_t i = 0; i < digits.size && exponent < EXPONENT_MAX; i++)
        exponent = exponent * 10 + (digits.data[i] - '0');
    if (exponent > EXPONENT_MAX)
        exponent = EXPONENT_MAX;
    return negative ? -exponent : exponent;
}

static struct json_number parse_number(struct bytes text, bool *valid)
{
    struct json_number number = { .negative = text.data[0] == '-' };
    size_t at = number.negative ? 1 : 0;
    number.integer = take_digits(text, &at);
    *valid = number.integer.size == 1 || (number.integer.size > 1 && number.integer.data[0] != '0');
    if (at < text.size && text.data[at] == '.') {
        at++;
        number.has_point = true;
        number.fraction = take_digits(text, &at);
        *valid = *valid && number.fraction.size > 0;
    }
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        number.has_exponent = true;
        number.exponent = take_exponent(text, &at, valid);
    }
    *valid = *valid && at == text.size;
    return number;
}

struct json_number json_token_number(struct bytes text)
{
    bool valid;
    const struct json_number number = parse_number(text, &valid);
    ENSURE(valid);
    return number;
}

static struct json_token read_number(struct json_cursor *cursor, struct bytes raw)
{
    bool valid;
    (void)parse_number(raw, &valid);
    if (!valid)
        return bad(cursor, "a number that is none");
    return (struct json_token){ .kind = TOKEN_NUMBER, .text = raw };
}

static struct json_token read_word(struct json_cursor *cursor, struct bytes raw)
{
    if (bytes_equal(raw, BYTES_LITERAL("true")))
        return (struct json_token){ .kind = TOKEN_TRUE };
    if (bytes_equal(raw, BYTES_LITERAL("false")))
        return (struct json_token){ .kind = TOKEN_FALSE };
    if (bytes_equal(raw, BYTES_LITERAL("null")))
        return (struct json_token){ .kind = TOKEN_NULL };
    return bad(cursor, "a word other than true, false and null");
}

/* ---- values ---- */

/* Most tokens are these: they need no look at what follows them. */
static bool take(struct json_cursor *cursor, char c)
{
    const bool found = cursor->at < cursor->count && cursor->fault == NULL &&
                       cursor->text.data[cursor->starts[cursor->at]] == (uint8_t)c;
    cursor->at += found ? 1 : 0;
    return found;
}

static bool no_key(struct json_cursor *cursor, const char *fault)
{
    json_cursor_fault(cursor, fault);
    return false;
}

bool json_cursor_next_key(struct json_cursor *cursor, struct json_token *key, bool first)
{
    if (take(cursor, '}'))
        return false;
    if (!first && !take(cursor, ','))
        return no_key(cursor, "no comma between the members of an object");
    *key = json_cursor_next(cursor);
    if (key->kind != TOKEN_STRING)
        return no_key(cursor, "a member of an object without a name");
    if (!take(cursor, ':'))
        return no_key(cursor, "no colon after the name of a member");
    return true;
}

static bool skip_array(struct json_cursor *cursor, int depth)
{
    struct json_token token = json_cursor_next(cursor);
    if (token.kind == TOKEN_ARRAY_END)
        return true;
    for (;;) {
        if (!json_cursor_skip(cursor, token, depth))
            return false;
        token = json_cursor_next(cursor);
        if (token.kind == TOKEN_ARRAY_END)
            return true;
        if (token.kind != TOKEN_COMMA) {
            json_cursor_fault(cursor, "no comma between the items of an array");
            return false;
        }
        token = json_cursor_next(cursor);
    }
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
bool json_cursor_skip(struct json_cursor *cursor, struct json_token first, int depth)
{
    switch (first.kind) {
    case TOKEN_STRING:
    case TOKEN_NUMBER:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_NULL:
        return true;
    case TOKEN_OBJECT:
    case TOKEN_ARRAY:
        break;
    default:
        json_cursor_fault(cursor, "something else where a value belongs");
        return false;
    }
    if (depth >= JSON_DEPTH_MAX) {
        json_cursor_fault(cursor, "values nested too deeply");
        return false;
    }
    if (first.kind == TOKEN_ARRAY)
        return skip_array(cursor, depth + 1);
    struct json_token key;
    for (bool at_first = true; json_cursor_next_key(cursor, &key, at_first); at_first = false)
        if (!json_cursor_skip(cursor, json_cursor_next(cursor), depth + 1))
            return false;
    return cursor->fault == NULL;
}

const char *token_kind_text(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_OBJECT:
        return "an object";
    case TOKEN_ARRAY:
        return "an array";
    case TOKEN_STRING:
        return "a string";
    case TOKEN_NUMBER:
        return "a number";
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        return "a boolean";
    case TOKEN_NULL:
        return "null";
    case TOKEN_END:
        return "the end of the text";
    default:
        return "something else";
    }
}
