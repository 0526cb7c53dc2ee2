/* functions_number: numbers, and conversions into them. */
#include <math.h>

#include "base/ensure.h"
#include "processor/expression/functions.h"
#include "processor/expression/number.h"
#include "processor/expression/stable_math.h"

static struct value int_or_overflow(int128 x, struct expression_context *context)
{
    int64_t out;
    return int_of_int128(&out, x) ? value_int(out) : overflow_null(context);
}

static int sign_of(const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
    case VALUE_DURATION:
        return (v->i > 0) - (v->i < 0);
    case VALUE_DECIMAL:
        return (v->decimal > 0) - (v->decimal < 0);
    case VALUE_DOUBLE:
        return (v->d > 0) - (v->d < 0);
    default:
        break;
    }
    UNREACHABLE();
}

FUNCTION_HEAD(function_abs)
{
    struct value out = arguments[0];
    if (sign_of(&out) >= 0)
        return out;
    if (out.kind == VALUE_DOUBLE)
        return value_double(-out.d);
    const bool fits = out.kind == VALUE_DECIMAL ? int128_subtract(&out.decimal, 0, out.decimal)
                                                : !__builtin_sub_overflow(0, out.i, &out.i);
    return fits ? out : overflow_null(context);
}

FUNCTION_HEAD(function_sign)
{
    return value_int(sign_of(&arguments[0]));
}

FUNCTION_HEAD(function_floor)
{
    const struct value *x = &arguments[0];
    if (x->kind == VALUE_INT)
        return *x;
    if (x->kind == VALUE_DOUBLE)
        return finite_double(floor(x->d), context);
    const int128 unit = int128_power_of_ten(x->scale);
    return int_or_overflow(x->decimal / unit - (x->decimal % unit < 0), context);
}

FUNCTION_HEAD(function_ceil)
{
    const struct value *x = &arguments[0];
    if (x->kind == VALUE_INT)
        return *x;
    if (x->kind == VALUE_DOUBLE)
        return finite_double(ceil(x->d), context);
    const int128 unit = int128_power_of_ten(x->scale);
    return int_or_overflow(x->decimal / unit + (x->decimal % unit > 0), context);
}

static struct value round_double(double d, const struct call_site *site,
                                 struct expression_context *context)
{
    int128 unscaled;
    if (!site->has_option)
        return finite_double(round(d), context);
    if (!decimal_of_double(&unscaled, d, (unsigned)site->option))
        return finite_double(d, context); /* so large that it has no digits behind the point */
    return value_double(decimal_to_double(unscaled, (unsigned)site->option));
}

FUNCTION_HEAD(function_round)
{
    const struct value *x = &arguments[0];
    if (x->kind == VALUE_INT)
        return *x;
    if (x->kind == VALUE_DOUBLE)
        return round_double(x->d, site, context);
    const uint8_t scale = site->has_option ? site->result.scale : 0;
    int128 rounded;
    if (!decimal_rescale(&rounded, x->decimal, x->scale, scale))
        return overflow_null(context);
    return site->has_option ? value_decimal(rounded, scale) : int_or_overflow(rounded, context);
}

static struct value extreme(const struct value *arguments, size_t count, int wanted)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (value_compare(&arguments[i], &arguments[best]) * wanted > 0)
            best = i;
    return arguments[best];
}

FUNCTION_HEAD(function_least)
{
    return extreme(arguments, count, -1);
}

FUNCTION_HEAD(function_greatest)
{
    return extreme(arguments, count, 1);
}

FUNCTION_HEAD(function_sqrt)
{
    const double x = number_to_double(&arguments[0]);
    return x < 0 ? value_null() : finite_double(sqrt(x), context);
}

FUNCTION_HEAD(function_pow)
{
    const double x = number_to_double(&arguments[0]), y = number_to_double(&arguments[1]);
    if (x == 0 && y < 0) {
        context->divisions_by_zero++;
        return value_null();
    }
    return defined_double(stable_pow(x, y), context);
}

FUNCTION_HEAD(function_exp)
{
    return finite_double(stable_exp(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_ln)
{
    const double x = number_to_double(&arguments[0]);
    return x > 0 ? finite_double(stable_log(x), context) : value_null();
}

FUNCTION_HEAD(function_log10)
{
    const double x = number_to_double(&arguments[0]);
    return x > 0 ? finite_double(stable_log10(x), context) : value_null();
}

FUNCTION_HEAD(function_sin)
{
    return finite_double(stable_sin(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_cos)
{
    return finite_double(stable_cos(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_tan)
{
    return finite_double(stable_tan(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_asin)
{
    return defined_double(stable_asin(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_acos)
{
    return defined_double(stable_acos(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_atan)
{
    return finite_double(stable_atan(number_to_double(&arguments[0])), context);
}

FUNCTION_HEAD(function_atan2)
{
    const double y = number_to_double(&arguments[0]), x = number_to_double(&arguments[1]);
    return finite_double(stable_atan2(y, x), context);
}

FUNCTION_HEAD(function_int)
{
    const struct value *x = &arguments[0];
    int64_t out;
    switch ((enum value_kind)x->kind) {
    case VALUE_BOOL:
        return value_int(x->b);
    case VALUE_INT:
        return *x;
    case VALUE_DECIMAL:
        return int_or_overflow(x->decimal / int128_power_of_ten(x->scale), context);
    case VALUE_DOUBLE:
        return int_of_double(&out, x->d) ? value_int(out) : overflow_null(context);
    case VALUE_STRING:
        return int_of_text(&out, x->text) ? value_int(out) : value_null();
    default:
        break;
    }
    UNREACHABLE();
}

FUNCTION_HEAD(function_double)
{
    const struct value *x = &arguments[0];
    double out;
    switch ((enum value_kind)x->kind) {
    case VALUE_BOOL:
        return value_double(x->b);
    case VALUE_STRING:
        return double_of_text(&out, x->text) ? value_double(out) : value_null();
    default:
        return finite_double(number_to_double(x), context);
    }
}

FUNCTION_HEAD(function_decimal)
{
    const struct value *x = &arguments[0];
    const uint8_t scale = site->result.scale;
    int128 out = 0;
    bool fits = true;
    switch ((enum value_kind)x->kind) {
    case VALUE_BOOL:
        out = x->b ? int128_power_of_ten(scale) : 0;
        break;
    case VALUE_INT:
        fits = decimal_rescale(&out, x->i, 0, scale);
        break;
    case VALUE_DECIMAL:
        fits = decimal_rescale(&out, x->decimal, x->scale, scale);
        break;
    case VALUE_DOUBLE:
        fits = decimal_of_double(&out, x->d, scale);
        break;
    case VALUE_STRING:
        return decimal_of_text(&out, x->text, scale) ? value_decimal(out, scale) : value_null();
    default:
        UNREACHABLE();
    }
    return fits ? value_decimal(out, scale) : overflow_null(context);
}
