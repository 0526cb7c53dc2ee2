#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "processor/expression/number.h"

static int128 any_int128(struct prng *prng)
{
    const uint128 bits = (uint128)prng_next(prng) << 64 | prng_next(prng);
    return (int128)bits >> prng_below(prng, 128);
}

/* strtod rounds correctly; it reads the decimal's text. */
Test(number, a_decimal_becomes_the_nearest_double)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 100000; i++) {
        const int128 unscaled = any_int128(&prng);
        const unsigned scale = (unsigned)prng_below(&prng, DECIMAL_SCALE_MAX + 1);
        char text[INT128_TEXT_SIZE];
        int128_format(text, unscaled, scale);
        const double wanted = strtod(text, NULL), is = decimal_to_double(unscaled, scale);
        cr_assert(wanted == is, "TEST_SEED=%lu %s: %a, wanted %a", prng.seed, text, is, wanted);
    }
    cr_expect_eq(decimal_to_double((int128)((uint128)1 << 127), 0), -0x1p127);
    cr_expect_eq(decimal_to_double((int128)((uint128)1 << 127), 18),
                 strtod("-170141183460469231731.687303715884105728", NULL));
}

/* Half away from zero, digit by digit: what a person does with the text. */
static void round_text(char *text, unsigned digits)
{
    char *point = strchr(text, '.');
    const size_t size = strlen(text);
    if (point == NULL || size <= (size_t)(point - text) + 1 + digits)
        return;
    char *at = point + 1 + digits;
    bool up = *at >= '5';
    *at = '\0';
    while (up && at-- > text) {
        if (*at == '.' || *at == '-')
            continue;
        up = *at == '9';
        *at = up ? '0' : (char)(*at + 1);
    }
    if (up) {
        char copy[128];
        snprintf(copy, sizeof copy, "%s1%s", text[0] == '-' ? "-" : "", text + (text[0] == '-'));
        strcpy(text, copy);
    }
    if (digits == 0)
        *strchr(text, '.') = '\0';
}

static bool is_zero_text(const char *text)
{
    return strspn(text, "-0.") == strlen(text);
}

Test(number, rescaling_rounds_half_away_from_zero)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 50000; i++) {
        const unsigned from = (unsigned)prng_below(&prng, DECIMAL_SCALE_MAX + 1);
        const unsigned to = (unsigned)prng_below(&prng, from + 1);
        int128 unscaled = any_int128(&prng);
        if (prng_chance(&prng, 1, 2)) /* make ties likely */
            unscaled = (int64_t)unscaled * int128_power_of_ten(from - to) / 2;
        char wanted[128], is[INT128_TEXT_SIZE];
        int128_format(wanted, unscaled, from);
        if (from > to)
            round_text(wanted, to);
        int128 rounded;
        cr_assert(decimal_rescale(&rounded, unscaled, from, to));
        int128_format(is, rounded, to);
        cr_assert(strcmp(is, wanted) == 0 || (is_zero_text(is) && is_zero_text(wanted)),
                  "TEST_SEED=%lu scale %u to %u: %s, wanted %s", prng.seed, from, to, is, wanted);
    }
    int128 out;
    cr_expect_not(decimal_rescale(&out, int128_power_of_ten(30), 0, 9));
    cr_expect(decimal_rescale(&out, int128_power_of_ten(30), 0, 8));
}

/* The slow way, always: through the shortest text. */
Test(number, a_double_rounds_as_its_shortest_text_does)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 30000; i++) {
        const unsigned scale = (unsigned)prng_below(&prng, 7);
        double d = (prng_unit(&prng) - 0.5) * pow(10, (double)prng_between(&prng, -3, 12));
        if (prng_chance(&prng, 1, 2)) { /* a tie, as a person writes one */
            char tie[64];
            snprintf(tie, sizeof tie, "%.*f5", (int)scale, trunc(d * 1000) / 1000);
            if (scale == 0)
                snprintf(tie, sizeof tie, "%.0f.5", trunc(d));
            d = strtod(tie, NULL);
        }
        struct buffer text;
        buffer_init(&text);
        const struct value v = value_double(d);
        value_format(&text, &v);
        int128 is, wanted;
        cr_assert(decimal_of_text(&wanted, buffer_view(&text), scale));
        cr_assert(decimal_of_double(&is, d, scale) && is == wanted,
                  "TEST_SEED=%lu %s to %u digits: %lld, wanted %lld", prng.seed, buffer_text(&text),
                  scale, (long long)is, (long long)wanted);
        buffer_fini(&text);
    }
    int128 out;
    cr_expect_not(decimal_of_double(&out, INFINITY, 2));
    cr_expect_not(decimal_of_double(&out, 1e38, 2));
    cr_expect(decimal_of_double(&out, 1e36, 2));
}

Test(number, doubles_beyond_the_ints_do_not_fit)
{
    int64_t out;
    cr_expect(int_of_double(&out, 0x1.fffffffffffffp62) && out == INT64_C(9223372036854774784));
    cr_expect_not(int_of_double(&out, 0x1p63));
    cr_expect(int_of_double(&out, -0x1p63) && out == INT64_MIN);
    cr_expect_not(int_of_double(&out, -0x1.0000000000001p63));
    cr_expect_not(int_of_double(&out, INFINITY));
    cr_expect_not(int_of_double(&out, NAN));
    cr_expect(int_of_double(&out, -0.9) && out == 0);
}
