#include "base/log_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

/* What must still fit after the cut: a closing quote, the mark, the brace and the newline. */
enum { TAIL_SIZE = 32, UNIT_SIZE = 8 };

struct token {
    const char *key; /* NULL: a word */
    size_t key_size;
    const char *value; /* without the quotes, escapes still in it */
    size_t value_size;
    bool quoted;
};

static bool line_put(struct log_line *line, const char *text, size_t size);
static void line_put_tail(struct log_line *line, const char *text);
static void put_time(struct log_line *line, int64_t wall_ms);
static void put_name_member(struct log_line *line, const char *key, const char *value);
static void put_member(struct log_line *line, const struct token *token);
static void put_words(struct log_line *line, const char *text);
static void put_string(struct log_line *line, const struct token *token);
static void put_characters(struct log_line *line, const struct token *token);
static size_t next_character(char out[UNIT_SIZE], const char *at, const char *end, bool quoted);
static size_t utf8_size(const char *at, const char *end);
static size_t unescape(char *c, const char *at, const char *end);
static bool is_literal(const char *text, size_t size);
static bool is_own_key(const char *key, size_t size);
static bool next_token(struct token *token, const char **at);

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_OFF] = "off",
    };
    /* No ENSURE: a failing ENSURE logs. */
    return (unsigned)level <= LOG_LEVEL_OFF ? names[level] : "unknown";
}

void log_line_text(struct log_line *line, const struct log_event *event)
{
    line->size = 0;
    line->full = false;
    put_time(line, event->wall_ms);
    const char *const parts[] = { " ", log_level_name(event->level), " event=", event->name };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        line_put(line, parts[i], strlen(parts[i]));
    if (event->text[0] != '\0')
        line_put(line, " ", 1);
    for (const char *at = event->text, *end = at + strlen(at); at < end;) {
        const size_t size = utf8_size(at, end);
        const bool control = (unsigned char)*at < 0x20 || *at == 0x7f;
        if (!line_put(line, control ? "?" : at, size == 0 ? 1 : size))
            break;
        at += size == 0 ? 1 : size;
    }
    if (line->full || event->truncated)
        line_put_tail(line, " truncated=true");
    line_put_tail(line, "\n");
}

void log_line_json(struct log_line *line, const struct log_event *event)
{
    line->size = 0;
    line->full = false;
    line_put(line, "{\"time\":\"", 9);
    put_time(line, event->wall_ms);
    line_put(line, "\"", 1);
    put_name_member(line, "level", log_level_name(event->level));
    put_name_member(line, "event", event->name);

    struct token token;
    bool words = false;
    for (const char *at = event->text; next_token(&token, &at);) {
        if (token.key != NULL)
            put_member(line, &token);
        else
            words = true;
    }
    if (words)
        put_words(line, event->text);
    if (line->full || event->truncated)
        line_put_tail(line, ",\"truncated\":true");
    line_put_tail(line, "}\n");
}

void log_line_quote(char *out, size_t size, const char *text)
{
    ENSURE(size >= UNIT_SIZE);
    enum { CLOSING = 2 }; /* the quote and the NUL */
    const char *const end = text + strlen(text);
    size_t used = 0;
    out[used++] = '"';
    while (text < end) {
        const unsigned char c = (unsigned char)*text;
        char unit[UNIT_SIZE];
        size_t taken = utf8_size(text, end);
        size_t n = taken == 0 ? 1 : taken;
        if (c == '"' || c == '\\')
            n = (size_t)snprintf(unit, sizeof unit, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            n = (size_t)snprintf(unit, sizeof unit, "\\%c",
                                 c == '\n'   ? 'n'
                                 : c == '\t' ? 't'
                                             : 'r');
        else if (c < 0x20 || c == 0x7f)
            n = (size_t)snprintf(unit, sizeof unit, "\\x%02x", c);
        else
            memcpy(unit, text, n);
        if (used + n + CLOSING > size)
            break;
        memcpy(out + used, unit, n);
        used += n;
        text += taken == 0 ? 1 : taken;
    }
    out[used++] = '"';
    out[used] = '\0';
}

/* All or nothing; after the first failure nothing more is taken except by line_put_tail. */
static bool line_put(struct log_line *line, const char *text, size_t size)
{
    line->full = line->full || line->size + size > LOG_LINE_SIZE - TAIL_SIZE;
    if (line->full)
        return false;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return true;
}

static void line_put_tail(struct log_line *line, const char *text)
{
    const size_t size = strlen(text);
    ENSURE(line->size + size <= LOG_LINE_SIZE);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

/* RFC 3339. gmtime_r is not used because its first call may allocate and lock. */
static void put_time(struct log_line *line, int64_t wall_ms)
{
    enum { MS_PER_DAY = 86400000 };
    int64_t days = wall_ms / MS_PER_DAY;
    int64_t ms = wall_ms % MS_PER_DAY;
    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    /* civil_from_days of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t doe = days - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    const int day = (int)(doy - (153 * mp + 2) / 5 + 1);
    const int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    const int64_t year = yoe + era * 400 + (month <= 2);

    char text[64];
    const int size = snprintf(text, sizeof text, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ",
                              year, month, day, (int)(ms / 3600000), (int)(ms / 60000 % 60),
                              (int)(ms / 1000 % 60), (int)(ms % 1000));
    line_put(line, text, (size_t)size);
}

static void put_name_member(struct log_line *line, const char *key, const char *value)
{
    struct token token = {
        .key = key, .key_size = strlen(key), .value = value, .value_size = strlen(value)
    };
    line_put(line, ",\"", 2);
    line_put(line, token.key, token.key_size);
    line_put(line, "\":", 2);
    put_string(line, &token);
}

/* A key or number that does not fit takes the whole member with it, a string is cut. */
static void put_member(struct log_line *line, const struct token *token)
{
    const size_t before = line->size;
    line_put(line, ",\"", 2);
    line_put(line, token->key, token->key_size);
    line_put(line, "_", is_own_key(token->key, token->key_size) ? 1 : 0);
    line_put(line, "\":", 2);
    const bool literal = !token->quoted && is_literal(token->value, token->value_size);
    if (literal)
        line_put(line, token->value, token->value_size);
    if (line->full)
        line->size = before;
    else if (!literal)
        put_string(line, token);
}

static void put_words(struct log_line *line, const char *text)
{
    if (!line_put(line, ",\"text\":\"", 9))
        return;
    struct token token;
    bool first = true;
    while (next_token(&token, &text)) {
        if (token.key != NULL)
            continue;
        line_put(line, " ", first ? 0 : 1);
        put_characters(line, &token);
        first = false;
    }
    line_put_tail(line, "\"");
}

static void put_string(struct log_line *line, const struct token *token)
{
    line_put_tail(line, "\"");
    put_characters(line, token);
    line_put_tail(line, "\"");
}

static void put_characters(struct log_line *line, const struct token *token)
{
    const char *const end = token->value + token->value_size;
    for (const char *at = token->value; at < end;) {
        char unit[UNIT_SIZE];
        at += next_character(unit, at, end, token->quoted);
        if (!line_put(line, unit, strlen(unit)))
            return;
    }
}

/* Takes one character, escaped or not, and spells it for JSON; returns the bytes taken. */
static size_t next_character(char out[UNIT_SIZE], const char *at, const char *end, bool quoted)
{
    char c = *at;
    size_t taken = quoted ? unescape(&c, at, end) : 0;
    if (taken == 0)
        taken = utf8_size(at, end);
    if (taken == 0) {
        memcpy(out, "\xef\xbf\xbd", sizeof "\xef\xbf\xbd");
        return 1;
    }
    if ((unsigned char)c >= 0x80) {
        memcpy(out, at, taken);
        out[taken] = '\0';
    } else if ((unsigned char)c < 0x20 || c == 0x7f) {
        snprintf(out, UNIT_SIZE, "\\u%04x", (unsigned)c);
    } else {
        snprintf(out, UNIT_SIZE, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    return taken;
}

/* Undoes an escape of log_line_quote; 0 when there is none here. */
static size_t unescape(char *c, const char *at, const char *end)
{
    static const char codes[] = "\"\\ntr", meanings[] = "\"\\\n\t\r", digits[] = "0123456789abcdef";
    if (end - at < 2 || at[0] != '\\')
        return 0;
    const char *code = memchr(codes, at[1], sizeof codes - 1);
    if (code != NULL) {
        *c = meanings[code - codes];
        return 2;
    }
    if (at[1] != 'x' || end - at < 4)
        return 0;
    const char *high = memchr(digits, at[2], 8); /* an escape is ASCII */
    const char *low = memchr(digits, at[3], sizeof digits - 1);
    if (high == NULL || low == NULL)
        return 0;
    *c = (char)((high - digits) * 16 + (low - digits));
    return 4;
}

/* The size of the character that starts here; 0: not UTF-8 (table 3-7 of the Unicode standard). */
static size_t utf8_size(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    const size_t left = (size_t)(end - at);
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    const size_t size = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < size)
        return 0;
    const unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return size;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number as RFC 8259 spells it, true, false or null. */
static bool is_literal(const char *text, size_t size)
{
    static const char *const words[] = { "true", "false", "null" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (size == strlen(words[i]) && memcmp(text, words[i], size) == 0)
            return true;

    const char *at = text;
    const char *const end = text + size;
    at += at < end && *at == '-';
    const char *digits = at;
    while (at < end && is_digit(*at))
        at++;
    if (at == digits || (*digits == '0' && at - digits > 1))
        return false;
    if (at < end && *at == '.') {
        digits = ++at;
        while (at < end && is_digit(*at))
            at++;
        if (at == digits)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '-' || *at == '+');
        digits = at;
        while (at < end && is_digit(*at))
            at++;
        if (at == digits)
            return false;
    }
    return at == end;
}

static bool is_own_key(const char *key, size_t size)
{
    static const char *const own[] = { "time", "level", "event", "text", "truncated" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (size == strlen(own[i]) && memcmp(key, own[i], size) == 0)
            return true;
    return false;
}

static bool is_key_character(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
}

static bool next_token(struct token *token, const char **at)
{
    const char *p = *at;
    while (*p == ' ')
        p++;
    if (*p == '\0')
        return false;

    const char *key = p;
    while (is_key_character(*p))
        p++;
    const bool keyed = p > key && *p == '=';
    *token = (struct token){ .key = keyed ? key : NULL, .key_size = keyed ? (size_t)(p - key) : 0 };
    p = keyed ? p + 1 : key;

    token->quoted = *p == '"';
    const char *value = token->quoted ? p + 1 : p;
    for (p = value; *p != '\0' && *p != (token->quoted ? '"' : ' '); p++)
        if (token->quoted && *p == '\\' && p[1] != '\0')
            p++;
    token->value = value;
    token->value_size = (size_t)(p - value);
    *at = token->quoted && *p == '"' ? p + 1 : p;
    return true;
}
