#include "processor/expression/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/ensure.h"

static const double powers_of_ten[DECIMAL_SCALE_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
};

enum { EXACT_BITS = 53 }; /* integers below 2^53 are doubles */

static uint128 magnitude_of(int128 x)
{
    return x < 0 ? 0 - (uint128)x : (uint128)x;
}

/*
 * One rounding only: the quotient is taken with at least 55 bits, and what is left over goes into
 * its last bit, so that the conversion to double rounds as if it saw the whole quotient.
 */
static double divide_rounding_once(uint128 magnitude, unsigned scale)
{
    enum { SHIFT = 64, ENOUGH_BITS = EXACT_BITS + 2 };
    const uint128 divisor = (uint128)int128_power_of_ten(scale);
    uint128 quotient = magnitude / divisor;
    uint128 rest = magnitude % divisor;
    int shift = 0;
    if (quotient >> ENOUGH_BITS == 0) {
        shift = SHIFT;
        quotient = quotient << SHIFT | (rest << SHIFT) / divisor;
        rest = (rest << SHIFT) % divisor;
    }
    quotient |= rest != 0;
    /* the top bit is clear: quotient < 2^127, or < 2^(55 + 64) */
    return ldexp(int128_to_double((int128)quotient), -shift);
}

double decimal_to_double(int128 unscaled, unsigned scale)
{
    ENSURE(scale <= DECIMAL_SCALE_MAX);
    const uint128 magnitude = magnitude_of(unscaled);
    if (magnitude >> EXACT_BITS == 0)
        return (double)(int64_t)unscaled / powers_of_ten[scale];
    if (scale == 0)
        return int128_to_double(unscaled);
    const double d = divide_rounding_once(magnitude, scale);
    return unscaled < 0 ? -d : d;
}

double number_to_double(const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_INT:
    case VALUE_DURATION:
        return (double)v->i;
    case VALUE_DECIMAL:
        return decimal_to_double(v->decimal, v->scale);
    case VALUE_DOUBLE:
        return v->d;
    default:
        break;
    }
    UNREACHABLE();
}

bool decimal_rescale(int128 *out, int128 unscaled, unsigned from, unsigned to)
{
    if (to >= from)
        return int128_multiply(out, unscaled, int128_power_of_ten(to - from));
    const int128 unit = int128_power_of_ten(from - to);
    const int128 rest = unscaled % unit;
    const int128 half = unit / 2; /* unit is even */
    *out = unscaled / unit + (rest >= half ? 1 : rest <= -half ? -1 : 0);
    return true;
}

static bool decimal_of_shortest_text(int128 *out, double d, unsigned scale)
{
    struct buffer text;
    buffer_init(&text);
    const struct value v = { .kind = VALUE_DOUBLE, .d = d };
    value_format(&text, &v);
    const bool fits = decimal_of_text(out, buffer_view(&text), scale);
    buffer_fini(&text);
    return fits;
}

/*
 * d * 10^scale is off by half a unit in its last place at most, so the nearest integer is right
 * unless the product lies within some units of a tie. Ties and large numbers take the slow way.
 */
bool decimal_of_double(int128 *out, double d, unsigned scale)
{
    static const double product_max = 0x1p46; /* leaves 6 bits to see a tie in */
    ENSURE(scale <= DECIMAL_SCALE_MAX);
    if (!(fabs(d) < 0x1p127))
        return false;
    if (fabs(d) >= 0x1p53) /* a whole number: exact, whatever its shortest text */
        return decimal_rescale(out, (int128)d, 0, scale);
    const double product = d * powers_of_ten[scale];
    if (fabs(product) < product_max) {
        const double rounded = round(product);
        if (fabs(fabs(product - rounded) - 0.5) > 0x1p-5) {
            *out = (int64_t)rounded;
            return true;
        }
    }
    return decimal_of_shortest_text(out, d, scale);
}

bool int_of_double(int64_t *out, double d)
{
    if (!(d >= -0x1p63 && d < 0x1p63))
        return false;
    *out = (int64_t)d;
    return true;
}

bool int_of_int128(int64_t *out, int128 x)
{
    if (!int128_fits_int64(x))
        return false;
    *out = (int64_t)x;
    return true;
}

/* A number in text, taken apart: digits without leading zeros times 10^exponent. */
struct spelled_number {
    bool negative;
    const char *start; /* the digits, with a point somewhere perhaps */
    size_t size;
    size_t point_digits; /* digits behind the point */
    int exponent;
    bool has_point, has_exponent;
};

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static size_t count_digits(struct bytes text, size_t at)
{
    size_t count = 0;
    while (at + count < text.size && text.data[at + count] >= '0' && text.data[at + count] <= '9')
        count++;
    return count;
}

enum { EXPONENT_MAX = 9999 }; /* anything beyond overflows or vanishes all the same */

static bool take_exponent(struct spelled_number *out, struct bytes text, size_t *at)
{
    if (*at == text.size || (text.data[*at] | 0x20) != 'e')
        return true;
    size_t i = *at + 1;
    const bool negative = i < text.size && text.data[i] == '-';
    i += i < text.size && (text.data[i] == '-' || text.data[i] == '+');
    const size_t digits = count_digits(text, i);
    for (size_t end = i + digits; i < end; i++)
        if (out->exponent <= EXPONENT_MAX)
            out->exponent = out->exponent * 10 + (text.data[i] - '0');
    out->exponent = negative ? -out->exponent : out->exponent;
    out->has_exponent = true;
    *at = i;
    return digits > 0;
}

static bool spelled_number_of(struct spelled_number *out, struct bytes text)
{
    *out = (struct spelled_number){ .negative = false };
    text = trim(text);
    size_t at = 0;
    if (text.size == 0)
        return false;
    if ((text.data[0] == '-' || text.data[0] == '+'))
        out->negative = text.data[at++] == '-';
    out->start = (const char *)text.data + at;
    size_t digits = count_digits(text, at);
    size_t end = at + digits;
    if (end < text.size && text.data[end] == '.') {
        out->has_point = true;
        out->point_digits = count_digits(text, end + 1);
        end += 1 + out->point_digits;
        digits += out->point_digits;
    }
    out->size = end - at;
    return digits > 0 && take_exponent(out, text, &end) && end == text.size;
}

bool int_of_text(int64_t *out, struct bytes text)
{
    struct spelled_number number;
    if (!spelled_number_of(&number, text) || number.has_point || number.has_exponent)
        return false;
    int64_t x = 0;
    for (size_t i = 0; i < number.size; i++) {
        const int digit = number.start[i] - '0';
        if (__builtin_mul_overflow(x, 10, &x) ||
            __builtin_add_overflow(x, number.negative ? -digit : digit, &x))
            return false;
    }
    *out = x;
    return true;
}

/*
 * Digit by digit down to the wanted place; the first digit below it rounds, and what follows does
 * not matter, because ties go away from zero.
 */
bool decimal_of_text(int128 *out, struct bytes text, unsigned scale)
{
    struct spelled_number number;
    if (!spelled_number_of(&number, text))
        return false;
    /* how many digits of the text count: those left of the wanted place */
    const size_t digit_count = number.size - number.has_point;
    const int64_t wanted =
        (int64_t)digit_count - (int64_t)number.point_digits + number.exponent + scale;
    int128 x = 0;
    int64_t index = 0;
    for (size_t i = 0; i < number.size && index <= wanted; i++) {
        if (number.start[i] == '.')
            continue;
        const int digit = number.start[i] - '0';
        if (index == wanted)
            x += digit >= 5;
        else if (!int128_multiply(&x, x, 10) || !int128_add(&x, x, digit))
            return false;
        index++;
    }
    for (; index < wanted && x != 0; index++)
        if (!int128_multiply(&x, x, 10))
            return false;
    *out = number.negative ? -x : x;
    return true;
}

bool double_of_text(double *out, struct bytes text)
{
    enum { TEXT_MAX = 400 }; /* longer ones are no numbers that anybody meant */
    struct spelled_number number;
    if (text.size > TEXT_MAX || !spelled_number_of(&number, text))
        return false;
    char copy[TEXT_MAX + 1];
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    const double d = strtod(copy, NULL); /* the locale is "C": this program never sets another */
    if (!isfinite(d))
        return false;
    *out = d;
    return true;
}
