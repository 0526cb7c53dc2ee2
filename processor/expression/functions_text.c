/*
 * functions_text: strings. UTF-8 by code points where positions count, by bytes elsewhere. An empty
 * string may have no data at all.
 */
#define _GNU_SOURCE /* memmem, mempcpy */
#include <string.h>

#include "base/ensure.h"
#include "processor/expression/functions.h"
#include "processor/expression/text.h"

static uint8_t *append(uint8_t *to, struct bytes part)
{
    return part.size == 0 ? to : mempcpy(to, part.data, part.size);
}

FUNCTION_HEAD(function_length)
{
    return value_int((int64_t)text_length(arguments[0].text));
}

static struct value shift_case(struct bytes text, char from, char to,
                               struct expression_context *context)
{
    uint8_t *out = arena_alloc(context->arena, text.size);
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        const bool shifts = c >= from && c <= from + ('z' - 'a');
        out[i] = shifts ? (uint8_t)(c - from + to) : c;
    }
    return value_string(bytes_of(out, text.size));
}

FUNCTION_HEAD(function_lower)
{
    return shift_case(arguments[0].text, 'A', 'a', context);
}

FUNCTION_HEAD(function_upper)
{
    return shift_case(arguments[0].text, 'a', 'A', context);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

FUNCTION_HEAD(function_trim)
{
    struct bytes text = arguments[0].text;
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    size_t start = 0;
    while (start < text.size && is_space(text.data[start]))
        start++;
    if (start < text.size)
        text = bytes_of(text.data + start, text.size - start);
    return value_string(text);
}

/* As in SQL: positions before the first character count, but hold nothing. */
FUNCTION_HEAD(function_substring)
{
    const struct bytes text = arguments[0].text;
    const int64_t from = arguments[1].i;
    int64_t end = INT64_MAX;
    if (count == 3 && __builtin_add_overflow(from, arguments[2].i, &end))
        end = arguments[2].i > 0 ? INT64_MAX : INT64_MIN;
    const int64_t first = from > 1 ? from : 1;
    if (end <= first || text.size == 0)
        return value_string(bytes_of(text.data, 0));
    const size_t start = text_offset_of(text, (size_t)(first - 1));
    const struct bytes rest = bytes_of(text.data + start, text.size - start);
    return value_string(bytes_of(rest.data, text_offset_of(rest, (size_t)(end - first))));
}

FUNCTION_HEAD(function_starts_with)
{
    return value_bool(bytes_starts_with(arguments[0].text, arguments[1].text));
}

FUNCTION_HEAD(function_ends_with)
{
    const struct bytes text = arguments[0].text, suffix = arguments[1].text;
    if (suffix.size > text.size)
        return value_bool(false);
    return value_bool(suffix.size == 0 ||
                      memcmp(text.data + (text.size - suffix.size), suffix.data, suffix.size) == 0);
}

/* The offset of the first occurrence at or behind `from`; the size of the text if there is none. */
static size_t find(struct bytes text, size_t from, struct bytes part)
{
    if (part.size > text.size - from)
        return text.size;
    const uint8_t *at = memmem(text.data + from, text.size - from, part.data, part.size);
    return at == NULL ? text.size : (size_t)(at - text.data);
}

FUNCTION_HEAD(function_contains)
{
    const struct bytes part = arguments[1].text;
    return value_bool(part.size == 0 || find(arguments[0].text, 0, part) < arguments[0].text.size);
}

FUNCTION_HEAD(function_replace)
{
    const struct bytes text = arguments[0].text, what = arguments[1].text, by = arguments[2].text;
    if (what.size == 0 || text.size == 0)
        return arguments[0];
    size_t occurrences = 0;
    for (size_t at = find(text, 0, what); at < text.size; at = find(text, at + what.size, what))
        occurrences++;
    const size_t kept = text.size - occurrences * what.size;
    if (by.size > 0 && occurrences > FUNCTION_TEXT_MAX / by.size)
        return overflow_null(context);
    const size_t size = kept + occurrences * by.size;
    if (size > FUNCTION_TEXT_MAX)
        return overflow_null(context);

    struct bytes out = bytes_of(arena_alloc(context->arena, size), size);
    uint8_t *to = (uint8_t *)out.data;
    size_t from = 0;
    for (; occurrences > 0; occurrences--) {
        const size_t at = find(text, from, what);
        to = append(to, bytes_of(text.data + from, at - from));
        to = append(to, by);
        from = at + what.size;
    }
    append(to, bytes_of(text.data + from, text.size - from));
    return value_string(out);
}

static struct bytes hex_of(struct bytes bytes, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *out = arena_alloc(arena, 2 * bytes.size);
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[bytes.data[i] & 15];
    }
    return bytes_of(out, 2 * bytes.size);
}

/*
 * The text of a value, in the arena or its own. value_format writes into a buffer that grows by
 * malloc; this one never grows: but for texts and bytes, every text form is shorter.
 */
static struct bytes text_of(const struct value *v, struct arena *arena)
{
    enum { TEXT_MAX = 160 };
    if (v->kind == VALUE_STRING)
        return v->text;
    if (v->kind == VALUE_BYTES)
        return hex_of(v->text, arena);
    struct buffer out = { .data = arena_alloc(arena, TEXT_MAX), .capacity = TEXT_MAX };
    value_format(&out, v);
    ENSURE(out.capacity == TEXT_MAX);
    return buffer_view(&out);
}

static bool is_too_long(const struct value *v)
{
    return v->kind == VALUE_BYTES && v->text.size > FUNCTION_TEXT_MAX / 2;
}

FUNCTION_HEAD(function_string)
{
    if (is_too_long(&arguments[0]))
        return overflow_null(context);
    return value_string(text_of(&arguments[0], context->arena));
}

FUNCTION_HEAD(function_concat)
{
    struct bytes parts[FUNCTION_ARGUMENTS_MAX];
    size_t size = 0;
    ENSURE(count <= FUNCTION_ARGUMENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (is_too_long(&arguments[i]))
            return overflow_null(context);
        parts[i] = text_of(&arguments[i], context->arena);
        size += parts[i].size;
    }
    if (size > FUNCTION_TEXT_MAX)
        return overflow_null(context);
    struct bytes out = bytes_of(arena_alloc(context->arena, size), size);
    uint8_t *to = (uint8_t *)out.data;
    for (size_t i = 0; i < count; i++)
        to = append(to, parts[i]);
    return value_string(out);
}
