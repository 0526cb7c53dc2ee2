/* value_text: the one text form of a value (value_format in value.h). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "schemas/value.h"

static void format_decimal(struct buffer *out, int128 unscaled, unsigned scale);
static void format_double(struct buffer *out, double d);
static void format_hex(struct buffer *out, struct bytes b);
static void format_timestamp(struct buffer *out, int64_t us);
static void format_duration(struct buffer *out, int64_t us);

void value_format(struct buffer *out, const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        buffer_put_string(out, "null");
        return;
    case VALUE_BOOL:
        buffer_put_string(out, v->b ? "true" : "false");
        return;
    case VALUE_INT:
        format_decimal(out, v->i, 0);
        return;
    case VALUE_DECIMAL:
        format_decimal(out, v->decimal, v->scale);
        return;
    case VALUE_DOUBLE:
        format_double(out, v->d);
        return;
    case VALUE_STRING:
        buffer_put_bytes(out, v->text);
        return;
    case VALUE_BYTES:
        format_hex(out, v->text);
        return;
    case VALUE_TIMESTAMP:
        format_timestamp(out, v->i);
        return;
    case VALUE_DURATION:
        format_duration(out, v->i);
        return;
    case VALUE_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

static void format_decimal(struct buffer *out, int128 unscaled, unsigned scale)
{
    char text[INT128_TEXT_SIZE];
    buffer_put(out, text, (size_t)int128_format(text, unscaled, scale));
}

enum { DOUBLE_DIGITS_MAX = 17 };

/* The fewest digits that read back as d > 0: d = 0.DIGITS * 10^point. */
struct double_digits {
    char digits[DOUBLE_DIGITS_MAX];
    int count;
    int point;
};

static struct double_digits double_digits_of(double d)
{
    char text[40];
    int precision = 0;
    do
        snprintf(text, sizeof text, "%.*e", precision, d);
    while (strtod(text, NULL) != d && ++precision < DOUBLE_DIGITS_MAX);
    /*
     * D.DDDe+X: the character after the first digit depends on the locale, hence it is never looked
     * at
     */
    struct double_digits out = { .digits = { text[0] }, .count = 1 };
    const char *at = text + 1;
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            out.digits[out.count++] = *at;
    out.point = (int)strtol(at + 1, NULL, 10) + 1;
    while (out.count > 1 && out.digits[out.count - 1] == '0')
        out.count--;
    return out;
}

static void put_zeros(struct buffer *out, int count)
{
    for (; count > 0; count--)
        buffer_put_u8(out, '0');
}

/* ECMAScript's Number::toString: the same text on every machine, and in the web page. */
static void format_double(struct buffer *out, double d)
{
    enum { POINT_MIN = -6, POINT_MAX = 21 };
    if (d < 0)
        buffer_put_u8(out, '-');
    if (d == 0 || !isfinite(d)) {
        buffer_put_string(out, d == 0 ? "0" : isinf(d) ? "Infinity" : "NaN");
        return;
    }
    const struct double_digits it = double_digits_of(fabs(d));
    const int point = it.point;
    if (point > POINT_MAX || point < POINT_MIN + 1) {
        buffer_put(out, it.digits, 1);
        if (it.count > 1)
            buffer_put_u8(out, '.');
        buffer_put(out, it.digits + 1, (size_t)(it.count - 1));
        buffer_printf(out, "e%+d", point - 1);
    } else if (point <= 0) {
        buffer_put_string(out, "0.");
        put_zeros(out, -point);
        buffer_put(out, it.digits, (size_t)it.count);
    } else if (point >= it.count) {
        buffer_put(out, it.digits, (size_t)it.count);
        put_zeros(out, point - it.count);
    } else {
        buffer_put(out, it.digits, (size_t)point);
        buffer_put_u8(out, '.');
        buffer_put(out, it.digits + point, (size_t)(it.count - point));
    }
}

static void format_hex(struct buffer *out, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < b.size; i++) {
        buffer_put_u8(out, (uint8_t)digits[b.data[i] >> 4]);
        buffer_put_u8(out, (uint8_t)digits[b.data[i] & 15]);
    }
}

static int64_t floor_divide(int64_t x, int64_t by)
{
    return x / by - (x % by < 0);
}

struct civil_date {
    int64_t year;
    int month, day;
};

/*
 * Proleptic Gregorian. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
 * civil_from_days.
 */
static struct civil_date civil_of_days(int64_t days)
{
    const int64_t shifted = days + 719468; /* since 0000-03-01 */
    const int64_t era = floor_divide(shifted, 146097);
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    return (struct civil_date){ .year = year_of_era + era * 400 + (month <= 2),
                                .month = month,
                                .day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1) };
}

/* `x` with at least `width` digits. */
static void put_padded(struct buffer *out, int64_t x, int width)
{
    char text[INT64_TEXT_SIZE];
    const int size = int64_format(text, x);
    put_zeros(out, width - size);
    buffer_put(out, text, (size_t)size);
}

static void put_clock(struct buffer *out, int seconds)
{
    put_padded(out, seconds / 3600, 2);
    buffer_put_u8(out, ':');
    put_padded(out, seconds / 60 % 60, 2);
    buffer_put_u8(out, ':');
    put_padded(out, seconds % 60, 2);
}

/* RFC 3339; years that it cannot say (before 0 or after 9999) get a sign, as in ISO 8601. */
static void format_timestamp(struct buffer *out, int64_t us)
{
    const int64_t day_us = INT64_C(86400000000);
    const int64_t days = floor_divide(us, day_us);
    const int64_t in_day = us % day_us + (us % day_us < 0 ? day_us : 0);
    const struct civil_date date = civil_of_days(days);
    const int micros = (int)(in_day % 1000000);

    if (date.year < 0 || date.year > 9999)
        buffer_put_u8(out, date.year < 0 ? '-' : '+');
    put_padded(out, date.year < 0 ? -date.year : date.year, 4);
    buffer_put_u8(out, '-');
    put_padded(out, date.month, 2);
    buffer_put_u8(out, '-');
    put_padded(out, date.day, 2);
    buffer_put_u8(out, 'T');
    put_clock(out, (int)(in_day / 1000000));
    if (micros != 0) {
        buffer_put_u8(out, '.');
        put_padded(out, micros % 1000 == 0 ? micros / 1000 : micros, micros % 1000 == 0 ? 3 : 6);
    }
    buffer_put_u8(out, 'Z');
}

static void format_duration(struct buffer *out, int64_t us)
{
    static const struct {
        uint64_t us;
        const char *name;
    } units[] = {
        { UINT64_C(86400000000), "d" },
        { UINT64_C(3600000000), "h" },
        { 60000000, "m" },
        { 1000000, "s" },
        { 1000, "ms" },
        { 1, "us" },
    };
    if (us == 0) {
        buffer_put_string(out, "0s");
        return;
    }
    if (us < 0)
        buffer_put_u8(out, '-');
    uint64_t rest = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (rest / units[i].us != 0)
            buffer_printf(out, "%" PRIu64 "%s", rest / units[i].us, units[i].name);
        rest %= units[i].us;
    }
}
