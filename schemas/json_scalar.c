/* json_scalar: JSON's five kinds of scalar as values of Avro's types. */
#include "schemas/json_scalar.h"

#include <math.h>

#include "base/ensure.h"
#include "base/int128.h"
#include "schemas/json_reader.h"
#include "schemas/rfc3339.h"

static const int64_t day_us = INT64_C(86400) * 1000000;
static const int64_t milli_us = 1000;
enum { DECIMAL_DIGITS_MAX = 38, LATIN1_MAX = 0xff };

/* ---- numbers ---- */

/* false: it has a fraction or an exponent, or needs more than 64 bits. */
static bool integer_of(int64_t *out, struct json_token token)
{
    if (token.kind != TOKEN_NUMBER)
        return false;
    const struct json_number number = json_token_number(token.text);
    if (number.has_point || number.has_exponent)
        return false;
    int64_t x = 0; /* kept negative: INT64_MIN has no positive twin */
    for (size_t i = 0; i < number.integer.size; i++) {
        const int digit = number.integer.data[i] - '0';
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, digit, &x))
            return false;
    }
    if (!number.negative && x == INT64_MIN)
        return false;
    *out = number.negative ? x : -x;
    return true;
}

static bool scaled_integer_of(int64_t *out, struct json_token token, int64_t unit)
{
    return integer_of(out, token) && !__builtin_mul_overflow(*out, unit, out);
}

/* The digit at `i` of the integer part and the fraction written one after the other. */
static int digit_at(const struct json_number *number, size_t i)
{
    const size_t integer = number->integer.size;
    return (i < integer ? number->integer.data[i] : number->fraction.data[i - integer]) - '0';
}

/*
 * The number is D * 10^e with D all its digits; wanted is D * 10^(e + scale) as an integer. Zeros
 * at the end of D count for the exponent, so that 12.500 fits scale 2 and 1.25e1 fits scale 1.
 */
static bool decimal_of(int128 *out, struct json_token token, unsigned scale, unsigned precision)
{
    const struct json_number number = json_token_number(token.text);
    size_t count = number.integer.size + number.fraction.size, first = 0;
    int64_t exponent = (int64_t)number.exponent - (int64_t)number.fraction.size + (int64_t)scale;
    while (first < count && digit_at(&number, first) == 0)
        first++;
    for (; count > first && digit_at(&number, count - 1) == 0; count--)
        exponent++;
    *out = 0;
    if (first == count)
        return true;
    if (exponent < 0 || exponent > DECIMAL_DIGITS_MAX ||
        count - first + (size_t)exponent >
            (precision < DECIMAL_DIGITS_MAX ? precision : DECIMAL_DIGITS_MAX))
        return false;
    for (size_t i = first; i < count; i++)
        *out = *out * 10 + digit_at(&number, i);
    *out *= int128_power_of_ten((unsigned)exponent);
    if (number.negative)
        *out = -*out;
    return true;
}

static const char *read_double(struct value *out, struct json_token token, bool is_float)
{
    static const char wanted[] = "a number in range";
    double d;
    if (token.kind != TOKEN_NUMBER || !json_double(&d, token.text.data, token.text.size))
        return wanted;
    const double rounded = is_float ? (double)(float)d : d;
    if (!isfinite(rounded))
        return wanted;
    *out = value_double(rounded);
    return NULL;
}

/* ---- times ---- */

static const char *read_timestamp(struct value *out, struct json_token token,
                                  const struct schema *schema, struct arena *arena)
{
    const int64_t unit = schema->logical == LOGICAL_TIMESTAMP_MILLIS ? milli_us : 1;
    int64_t us;
    if (token.kind == TOKEN_STRING) {
        if (!rfc3339_parse_time(&us, json_token_string(token, arena)))
            return "a time as RFC 3339 text with an offset";
        us -= (us % unit + unit) % unit;
    } else if (!scaled_integer_of(&us, token, unit)) {
        return unit == 1 ? "whole microseconds since 1970, or RFC 3339 text"
                         : "whole milliseconds since 1970, or RFC 3339 text";
    }
    *out = value_timestamp(us);
    return NULL;
}

static const char *read_date(struct value *out, struct json_token token, struct arena *arena)
{
    int64_t us;
    int32_t days;
    if (token.kind == TOKEN_STRING && rfc3339_parse_date(&days, json_token_string(token, arena)))
        us = days * day_us; /* four-digit years fit */
    else if (!scaled_integer_of(&us, token, day_us))
        return "a date as YYYY-MM-DD or in days since 1970-01-01";
    *out = value_timestamp(us);
    return NULL;
}

static const char *read_integer(struct value *out, struct json_token token, bool is_int)
{
    int64_t x;
    if (!integer_of(&x, token))
        return is_int ? "an integer of 32 bits, written without a fraction"
                      : "an integer of 64 bits, written without a fraction";
    if (is_int && (x < INT32_MIN || x > INT32_MAX))
        return "an integer of 32 bits";
    *out = value_int(x);
    return NULL;
}

/* ---- text ---- */

static bool has_symbol(const struct schema *schema, struct bytes text)
{
    for (size_t i = 0; i < schema->count; i++)
        if (bytes_equal(text, bytes_of_string(schema->symbols[i])))
            return true;
    return false;
}

static const char *read_enum(struct value *out, const struct schema *schema, struct bytes text)
{
    if (!has_symbol(schema, text)) {
        if (schema->enum_default < 0)
            return "one of the enum's symbols";
        text = bytes_of_string(schema->symbols[schema->enum_default]);
    }
    *out = value_string(text);
    return NULL;
}

/* Valid UTF-8 to one byte per character; false when one is above U+00FF. ASCII is borrowed. */
static bool latin1_of(struct bytes *out, struct bytes text, struct arena *arena)
{
    size_t ascii = 0;
    while (ascii < text.size && text.data[ascii] < 0x80)
        ascii++;
    *out = text;
    if (ascii == text.size)
        return true;
    uint8_t *copy = arena_alloc(arena, text.size);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte >= 0x80) {
            if (byte > 0xc3)
                return false;
            byte = (uint8_t)(byte << 6 | (text.data[++i] & 0x3f));
        }
        copy[size++] = byte;
    }
    *out = bytes_of(copy, size);
    return true;
}

static const char *read_bytes(struct value *out, const struct schema *schema, struct bytes text,
                              struct arena *arena)
{
    struct bytes bytes;
    if (!latin1_of(&bytes, text, arena))
        return "a string of characters up to U+00FF";
    if (schema->kind == SCHEMA_FIXED && bytes.size != schema->fixed_size)
        return "a string of as many characters as the fixed type has bytes";
    *out = value_bytes(bytes);
    return NULL;
}

static const char *read_text(struct value *out, struct json_token token,
                             const struct schema *schema, struct arena *arena)
{
    if (token.kind != TOKEN_STRING)
        return "a string";
    const struct bytes text = json_token_string(token, arena);
    if (schema->kind == SCHEMA_ENUM)
        return read_enum(out, schema, text);
    if (schema->kind != SCHEMA_STRING)
        return read_bytes(out, schema, text, arena);
    *out = value_string(text);
    return NULL;
}

const char *json_scalar_read(struct value *out, struct json_token token,
                             const struct schema *schema, struct arena *arena)
{
    if (schema->logical == LOGICAL_TIMESTAMP_MILLIS || schema->logical == LOGICAL_TIMESTAMP_MICROS)
        return read_timestamp(out, token, schema, arena);
    if (schema->logical == LOGICAL_DATE)
        return read_date(out, token, arena);
    if (schema->logical == LOGICAL_DECIMAL) {
        int128 unscaled;
        if (token.kind != TOKEN_NUMBER ||
            !decimal_of(&unscaled, token, schema->scale, schema->precision))
            return "a number that the decimal's precision and scale hold exactly";
        *out = value_decimal(unscaled, schema->scale);
        return NULL;
    }
    switch (schema->kind) {
    case SCHEMA_BOOLEAN:
        *out = value_bool(token.kind == TOKEN_TRUE);
        return token.kind == TOKEN_TRUE || token.kind == TOKEN_FALSE ? NULL : "true or false";
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return read_integer(out, token, schema->kind == SCHEMA_INT);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return read_double(out, token, schema->kind == SCHEMA_FLOAT);
    case SCHEMA_STRING:
    case SCHEMA_ENUM:
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        return read_text(out, token, schema, arena);
    case SCHEMA_NULL:
        return "null";
    default:
        break;
    }
    UNREACHABLE(); /* json_plan lets no other kind be a column */
}
