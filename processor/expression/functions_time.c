/* functions_time: timestamps, their parts, and durations. */
#include "processor/expression/calendar.h"
#include "processor/expression/functions.h"
#include "processor/expression/number.h"

/* x in units of 10^-digits seconds. */
static struct value timestamp_of(const struct value *x, unsigned digits,
                                 struct expression_context *context)
{
    int128 us;
    int64_t out;
    bool fits;
    if (x->kind == VALUE_INT && digits == 3)
        return __builtin_mul_overflow(x->i, 1000, &out) ? overflow_null(context) : value_timestamp(out);
    if (x->kind == VALUE_DOUBLE)
        fits = decimal_of_double(&us, x->d, digits);
    else
        fits =
            decimal_rescale(&us, number_unscaled(x), x->kind == VALUE_INT ? 0 : x->scale, digits);
    return fits && int_of_int128(&out, us) ? value_timestamp(out) : overflow_null(context);
}

FUNCTION_HEAD(function_from_ms)
{
    return timestamp_of(&arguments[0], 3, context);
}

FUNCTION_HEAD(function_from_s)
{
    return timestamp_of(&arguments[0], 6, context);
}

FUNCTION_HEAD(function_to_ms)
{
    const int64_t us = arguments[0].i;
    return value_int(us / 1000 - (us % 1000 < 0));
}

FUNCTION_HEAD(function_parse_time)
{
    int64_t us;
    return calendar_parse(&us, arguments[0].text) ? value_timestamp(us) : value_null();
}

static struct calendar_time parts_of(const struct value *t, const struct call_site *site)
{
    return calendar_of(t->i, site->option);
}

FUNCTION_HEAD(function_year)
{
    return value_int(parts_of(&arguments[0], site).year);
}

FUNCTION_HEAD(function_month)
{
    return value_int(parts_of(&arguments[0], site).month);
}

FUNCTION_HEAD(function_day)
{
    return value_int(parts_of(&arguments[0], site).day);
}

FUNCTION_HEAD(function_day_of_week)
{
    return value_int(parts_of(&arguments[0], site).day_of_week);
}

FUNCTION_HEAD(function_hour)
{
    return value_int(parts_of(&arguments[0], site).hour);
}

FUNCTION_HEAD(function_minute)
{
    return value_int(parts_of(&arguments[0], site).minute);
}

/* One division, of a number that is exact up to 285 years. */
static struct value in_units(const struct value *duration, double unit_us)
{
    return value_double((double)duration->i / unit_us);
}

FUNCTION_HEAD(function_days)
{
    return in_units(&arguments[0], 86400e6);
}

FUNCTION_HEAD(function_hours)
{
    return in_units(&arguments[0], 3600e6);
}

FUNCTION_HEAD(function_minutes)
{
    return in_units(&arguments[0], 60e6);
}

FUNCTION_HEAD(function_seconds)
{
    return in_units(&arguments[0], 1e6);
}
