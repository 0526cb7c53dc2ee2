#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/int128.h"
#include "base/random.h"
#include "capture.h"

#define INT128_MAX ((int128)(~(uint128)0 >> 1))
#define INT128_MIN (-INT128_MAX - 1)

Test(int128, takes_sixteen_bytes_at_eight_byte_alignment)
{
    struct value {
        int64_t kind;
        int128 number;
    };
    cr_assert_eq(sizeof(struct value), 24);
}

Test(int128, powers_of_ten_are_repeated_products)
{
    int128 power = 1;
    for (unsigned n = 0; n <= 38; n++) {
        cr_assert(int128_power_of_ten(n) == power, "10^%u", n);
        if (n < 38)
            cr_assert(int128_multiply(&power, power, 10));
    }
    cr_assert_not(int128_multiply(&power, power, 10));
}

Test(int128, overflow_is_told)
{
    int128 out = 0;
    cr_assert(int128_add(&out, INT128_MAX, 0) && out == INT128_MAX);
    cr_assert_not(int128_add(&out, INT128_MAX, 1));
    cr_assert_not(int128_add(&out, INT128_MIN, -1));
    cr_assert(int128_subtract(&out, INT128_MIN, INT128_MIN) && out == 0);
    cr_assert_not(int128_subtract(&out, 0, INT128_MIN));
    cr_assert(int128_multiply(&out, INT128_MIN, 1) && out == INT128_MIN);
    cr_assert_not(int128_multiply(&out, INT128_MIN, -1));
    cr_assert(int128_multiply(&out, (int128)INT64_MAX, INT64_MAX));
    cr_assert(out == (int128)INT64_MAX * INT64_MAX);
}

Test(int128, fits_int64_up_to_its_ends)
{
    cr_assert(int128_fits_int64(INT64_MAX));
    cr_assert(int128_fits_int64(INT64_MIN));
    cr_assert_not(int128_fits_int64((int128)INT64_MAX + 1));
    cr_assert_not(int128_fits_int64((int128)INT64_MIN - 1));
    cr_assert_not(int128_fits_int64((int128)1 << 64));
}

Test(int128, formats_as_decimal_text)
{
    static const struct {
        int128 x;
        unsigned scale;
        const char *text;
    } rows[] = {
        { 0, 0, "0" },
        { 0, 2, "0.00" },
        { 7, 0, "7" },
        { -7, 0, "-7" },
        { -12345, 2, "-123.45" },
        { 12300, 2, "123.00" },
        { 5, 2, "0.05" },
        { -5, 2, "-0.05" },
        { -100, 2, "-1.00" },
        { 1, 38, "0.00000000000000000000000000000000000001" },
        { INT64_MIN, 0, "-9223372036854775808" },
        { INT128_MAX, 0, "170141183460469231731687303715884105727" },
        { INT128_MIN, 0, "-170141183460469231731687303715884105728" },
        { INT128_MIN, 2, "-1701411834604692317316873037158841057.28" },
        { INT128_MIN, 38, "-1.70141183460469231731687303715884105728" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[INT128_TEXT_SIZE];
        const int size = int128_format(text, rows[i].x, rows[i].scale);
        cr_assert_str_eq(text, rows[i].text);
        cr_assert_eq((size_t)size, strlen(text));
    }
}

static int128 any_number(struct prng *prng)
{
    const uint128 bits = (uint128)prng_next(prng) << 64 | prng_next(prng);
    const uint128 magnitude = bits >> prng_below(prng, 127) >> 1;
    return prng_chance(prng, 1, 2) ? -(int128)magnitude : (int128)magnitude;
}

static int128 parse(const char *text)
{
    const bool negative = *text == '-';
    int128 x = 0;
    for (text += negative; *text != '\0'; text++)
        if (*text != '.')
            x = x * 10 + (*text - '0') * (negative ? -1 : 1);
    return x;
}

Test(int128, texts_read_back_as_the_same_number)
{
    struct prng prng = prng_from_env("TEST_SEED", 22);
    for (int round = 0; round < 5000; round++) {
        char text[INT128_TEXT_SIZE];
        const int128 x = any_number(&prng);
        const unsigned scale = (unsigned)prng_below(&prng, 39);
        const int size = int128_format(text, x, scale);
        cr_assert(parse(text) == x, "TEST_SEED=%" PRIu64 " round=%d: %s", prng.seed, round, text);
        const char *point = strchr(text, '.');
        cr_assert_eq(point == NULL ? 0 : (size_t)(text + size - point) - 1, scale);
    }
}

static void check_double(int128 x, uint64_t seed)
{
    char text[INT128_TEXT_SIZE];
    int128_format(text, x, 0);
    /* glibc's strtod rounds correctly. */
    const double expected = strtod(text, NULL);
    const double got = int128_to_double(x);
    cr_assert_eq(memcmp(&got, &expected, sizeof got), 0,
                 "TEST_SEED=%" PRIu64 ": %s is %.17g, not %.17g", seed, text, got, expected);
}

/* Oracle: strtod on the text. Numbers around ties between two doubles are tried on purpose. */
Test(int128, to_double_rounds_to_nearest_even)
{
    struct prng prng = prng_from_env("TEST_SEED", 23);
    const int128 fixed[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT128_MAX, INT128_MIN };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        check_double(fixed[i], prng.seed);
    for (int round = 0; round < 5000; round++) {
        check_double(any_number(&prng), prng.seed);
        const uint64_t mantissa = (uint64_t)1 << 52 | prng_next(&prng) >> 12;
        const unsigned shift = 1 + (unsigned)prng_below(&prng, 73);
        const int128 tie = ((int128)mantissa << shift) + ((int128)1 << (shift - 1));
        for (int near = -1; near <= 1; near++) {
            check_double(tie + near, prng.seed);
            check_double(-(tie + near), prng.seed);
        }
    }
    cr_assert_eq(int128_to_double(((int128)1 << 53) + 1), 9007199254740992.0);
    cr_assert_eq(int128_to_double(((int128)1 << 53) + 3), 9007199254740996.0);
}

static void scale_too_far(void)
{
    char text[INT128_TEXT_SIZE];
    int128_format(text, 1, 39);
}

static void power_too_high(void)
{
    (void)int128_power_of_ten(39);
}

Test(int128, misuse_aborts)
{
    static struct capture capture;
    capture_abort(&capture, scale_too_far);
    capture_abort(&capture, power_too_high);
}
