#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/random.h"
#include "capture.h"

/* The reference implementation's numbers from the state 1, 2, 3, 4. */
Test(random, is_xoshiro256_star_star)
{
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        1215971899390074240,
        1216172134540287360,
        607988272756665600,
        16172922978634559625u,
        8476171486693032832,
        10595114339597558777u,
        2904607092377533576,
    };
    struct prng prng = { .state = { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_assert_eq(prng_next(&prng), expected[i], "number %zu", i);
}

/* The reference numbers of splitmix64 from the seed 1234567. */
Test(random, is_seeded_by_splitmix64)
{
    const struct prng prng = prng_of_seed(1234567);
    cr_assert_eq(prng.seed, 1234567);
    cr_assert_eq(prng.state[0], 6457827717110365317);
    cr_assert_eq(prng.state[1], 3203168211198807973);
    cr_assert_eq(prng.state[2], 9817491932198370423u);
    cr_assert_eq(prng.state[3], 4593380528125082431);
}

Test(random, the_environment_names_the_seed)
{
    static const struct {
        const char *text;
        uint64_t seed;
    } rows[] = {
        { "42", 42 }, { "0x10", 16 }, { "18446744073709551615", UINT64_MAX }, { "", 7 },
        { "x", 7 },   { "12x", 7 },   { "99999999999999999999", 7 },
    };
    unsetenv("WEIR_TEST_SEED");
    cr_assert_eq(prng_from_env("WEIR_TEST_SEED", 7).seed, 7);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setenv("WEIR_TEST_SEED", rows[i].text, 1);
        const struct prng prng = prng_from_env("WEIR_TEST_SEED", 7);
        cr_assert_eq(prng.seed, rows[i].seed, "'%s'", rows[i].text);
        cr_assert_eq(prng.state[0], prng_of_seed(rows[i].seed).state[0]);
    }
}

Test(random, below_is_even)
{
    struct prng prng = prng_from_env("TEST_SEED", 15);
    enum { BOUND = 7, PER_VALUE = 20000 };
    uint64_t counts[BOUND] = { 0 };
    for (int i = 0; i < BOUND * PER_VALUE; i++) {
        const uint64_t x = prng_below(&prng, BOUND);
        cr_assert_lt(x, BOUND);
        counts[x]++;
    }
    /* Seven standard deviations of a binomial. */
    for (int i = 0; i < BOUND; i++)
        cr_assert(counts[i] > PER_VALUE - 1000 && counts[i] < PER_VALUE + 1000,
                  "TEST_SEED=%" PRIu64 ": %d came %" PRIu64 " times", prng.seed, i, counts[i]);
}

/*
 * With 3/4 of the range as bound, a plain modulo would give the lower third twice as often, and a
 * plain multiplication every multiple of three.
 */
Test(random, below_is_even_for_huge_bounds)
{
    struct prng prng = prng_from_env("TEST_SEED", 16);
    const uint64_t bound = (uint64_t)3 << 62;
    int low = 0, thirds = 0;
    enum { ROUNDS = 30000 };
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t x = prng_below(&prng, bound);
        cr_assert_lt(x, bound);
        low += x < (uint64_t)1 << 62;
        thirds += x % 3 == 0;
    }
    cr_assert(low > ROUNDS / 3 - 600 && low < ROUNDS / 3 + 600, "TEST_SEED=%" PRIu64 ": %d",
              prng.seed, low);
    cr_assert(thirds > ROUNDS / 3 - 600 && thirds < ROUNDS / 3 + 600, "TEST_SEED=%" PRIu64 ": %d",
              prng.seed, thirds);
    cr_assert_eq(prng_below(&prng, 1), 0);
}

Test(random, between_reaches_both_ends)
{
    struct prng prng = prng_from_env("TEST_SEED", 17);
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        const int64_t x = prng_between(&prng, -2, 2);
        cr_assert(x >= -2 && x <= 2);
        low |= x == -2;
        high |= x == 2;
        cr_assert_geq(prng_between(&prng, INT64_MAX - 1, INT64_MAX), INT64_MAX - 1);
        cr_assert_leq(prng_between(&prng, INT64_MIN, INT64_MIN + 1), INT64_MIN + 1);
    }
    cr_assert(low && high, "TEST_SEED=%" PRIu64, prng.seed);
    cr_assert_eq(prng_between(&prng, 5, 5), 5);
    bool negative = false, positive = false;
    for (int i = 0; i < 100; i++) {
        const int64_t x = prng_between(&prng, INT64_MIN, INT64_MAX);
        negative |= x < 0;
        positive |= x > 0;
    }
    cr_assert(negative && positive, "TEST_SEED=%" PRIu64, prng.seed);
}

Test(random, unit_lies_in_the_unit_interval)
{
    struct prng prng = prng_from_env("TEST_SEED", 18);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        const double x = prng_unit(&prng);
        cr_assert(x >= 0 && x < 1);
        sum += x;
    }
    cr_assert(sum > 4800 && sum < 5200, "TEST_SEED=%" PRIu64 ": %f", prng.seed, sum);
    /* The largest number must not round up to 1; this state, found by inverses, gives it. */
    const uint64_t ninth = 0x8e38e38e38e38e39, fifth = 0xcccccccccccccccd;
    const uint64_t rotated = UINT64_MAX * ninth;
    struct prng largest = { .state = { 0, (rotated >> 7 | rotated << 57) * fifth } };
    struct prng copy = largest;
    cr_assert_eq(prng_next(&copy), UINT64_MAX);
    cr_assert_lt(prng_unit(&largest), 1);
}

Test(random, chances_are_what_they_say)
{
    struct prng prng = prng_from_env("TEST_SEED", 19);
    int hits = 0;
    for (int i = 0; i < 40000; i++) {
        hits += prng_chance(&prng, 1, 4);
        cr_assert_not(prng_chance(&prng, 0, 9));
        cr_assert(prng_chance(&prng, 9, 9));
    }
    cr_assert(hits > 9400 && hits < 10600, "TEST_SEED=%" PRIu64 ": %d", prng.seed, hits);
}

Test(random, nonces_differ)
{
    cr_assert_neq(random_nonce(), random_nonce());
}

static uint64_t count_up(void *context)
{
    return ++*(uint64_t *)context;
}

Test(random, nonces_come_from_a_source_that_is_set)
{
    uint64_t last = 6;
    random_set_nonce_source(count_up, &last);
    cr_assert_eq(random_nonce(), 7);
    cr_assert_eq(random_nonce(), 8);
    random_set_nonce_source(NULL, NULL);
    (void)random_nonce();
    cr_assert_eq(last, 8);
}

static void below_zero(void)
{
    struct prng prng = prng_of_seed(1);
    (void)prng_below(&prng, 0);
}

static void between_nothing(void)
{
    struct prng prng = prng_of_seed(1);
    (void)prng_between(&prng, 1, 0);
}

Test(random, misuse_aborts)
{
    static struct capture capture;
    capture_abort(&capture, below_zero);
    capture_abort(&capture, between_nothing);
}
