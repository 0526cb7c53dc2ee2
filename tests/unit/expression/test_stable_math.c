/*
 * The results of the functions that other machines and releases must reproduce bit for bit. A digest
 * that changes means that decisions change: never adjust it to make a test pass without raising
 * EXPRESSION_LANGUAGE_VERSION.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "processor/expression/stable_math.h"

enum { INPUTS = 20000 };

/* Every magnitude, with much weight on the ones that occur. */
static double any_double(struct prng *prng)
{
    const double sign = prng_chance(prng, 1, 2) ? 1 : -1;
    switch (prng_below(prng, 4)) {
    case 0:
        return sign * prng_unit(prng);
    case 1:
        return sign * prng_unit(prng) * 360;
    case 2:
        return sign * ldexp(prng_unit(prng), (int)prng_between(prng, -60, 60));
    default:
        return sign * (double)prng_below(prng, 1000);
    }
}

struct digest {
    uint64_t values[INPUTS];
    size_t count;
};

static void add(struct digest *digest, double d)
{
    d = isnan(d) ? NAN : d; /* the sign of a NaN is nobody's promise */
    memcpy(&digest->values[digest->count++], &d, sizeof d);
}

/* Not further from libm's result (which is within one unit too) than two units. */
static bool is_near(double is, double libm)
{
    if (is == libm || (isnan(is) && isnan(libm)))
        return true;
    return fabs(is - libm) <= 2.5 * fabs(nextafter(libm, INFINITY) - libm);
}

static const struct {
    const char *name;
    double (*function)(double);
    double (*libm)(double);
    uint64_t digest;
} functions[] = {
    { "sin", stable_sin, sin, 0xd94f53019176e786 },
    { "cos", stable_cos, cos, 0xfb5f3a6358d48a1d },
    { "tan", stable_tan, tan, 0xac8c95a5a57bde30 },
    { "asin", stable_asin, asin, 0x29539e2ac86a1d74 },
    { "acos", stable_acos, acos, 0x3c54d62c2e362923 },
    { "atan", stable_atan, atan, 0x16a9ee503c79ae9e },
    { "exp", stable_exp, exp, 0x52310a19e349c54c },
    { "log", stable_log, log, 0x3fd40d7551469f11 },
    { "log10", stable_log10, log10, 0x908fbf188bccb92d },
};

static const struct {
    const char *name;
    double (*function)(double, double);
    double (*libm)(double, double);
    uint64_t digest;
} functions2[] = {
    { "atan2", stable_atan2, atan2, 0xfb5e1b84c27e826b },
    { "pow", stable_pow, pow, 0x5993d9e507226adb },
};

static uint64_t digest_of(const struct digest *digest)
{
    return hash64(bytes_of(digest->values, digest->count * sizeof *digest->values));
}

Test(stable_math, gives_the_same_bits_everywhere)
{
    static struct digest digest;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct prng prng = prng_of_seed(1 + i);
        digest.count = 0;
        for (int k = 0; k < INPUTS; k++)
            add(&digest, functions[i].function(any_double(&prng)));
        cr_expect_eq(digest_of(&digest), functions[i].digest, "%s: 0x%016" PRIx64,
                     functions[i].name, digest_of(&digest));
    }
    for (size_t i = 0; i < sizeof functions2 / sizeof *functions2; i++) {
        struct prng prng = prng_of_seed(100 + i);
        digest.count = 0;
        for (int k = 0; k < INPUTS; k++) {
            const double x = any_double(&prng);
            add(&digest, functions2[i].function(x, any_double(&prng)));
        }
        cr_expect_eq(digest_of(&digest), functions2[i].digest, "%s: 0x%016" PRIx64,
                     functions2[i].name, digest_of(&digest));
    }
}

Test(stable_math, is_as_right_as_libm)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct prng prng = prng_from_env("TEST_SEED", 7);
        for (int k = 0; k < INPUTS; k++) {
            const double x = any_double(&prng);
            const double is = functions[i].function(x), libm = functions[i].libm(x);
            cr_assert(is_near(is, libm), "TEST_SEED=%" PRIu64 " %s(%a): %a, libm %a", prng.seed,
                      functions[i].name, x, is, libm);
        }
    }
    for (size_t i = 0; i < sizeof functions2 / sizeof *functions2; i++) {
        struct prng prng = prng_from_env("TEST_SEED", 7);
        for (int k = 0; k < INPUTS; k++) {
            const double x = any_double(&prng), y = any_double(&prng);
            const double is = functions2[i].function(x, y), libm = functions2[i].libm(x, y);
            cr_assert(is_near(is, libm), "TEST_SEED=%" PRIu64 " %s(%a, %a): %a, libm %a", prng.seed,
                      functions2[i].name, x, y, is, libm);
        }
    }
}
