#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/histogram.h"
#include "base/random.h"

static struct histogram histogram, other, both;

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Oracle: the sorted samples. The histogram may say up to a sixteenth more, never less. */
Test(histogram, quantiles_agree_with_the_sorted_samples)
{
    enum { SAMPLES_MAX = 3000 };
    static uint64_t samples[SAMPLES_MAX];
    static const double shares[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
    struct prng prng = prng_from_env("TEST_SEED", 20);
    for (int round = 0; round < 60; round++) {
        histogram_clear(&histogram);
        const size_t count = 1 + prng_below(&prng, SAMPLES_MAX);
        const uint64_t shift = prng_below(&prng, 64);
        for (size_t i = 0; i < count; i++) {
            samples[i] = prng_next(&prng) >> shift >> prng_below(&prng, 8);
            histogram_add(&histogram, samples[i]);
        }
        qsort(samples, count, sizeof samples[0], by_value);
        cr_assert_eq(histogram.total, count);
        cr_assert_eq(histogram.max, samples[count - 1]);
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
            const double position = shares[i] * (double)count;
            size_t rank = (size_t)position;
            rank += (double)rank < position || rank == 0;
            const uint64_t exact = samples[rank - 1];
            const uint64_t told = histogram_quantile(&histogram, shares[i]);
            cr_assert(told >= exact && told - exact <= exact / 16,
                      "TEST_SEED=%" PRIu64 " round=%d q=%g: %" PRIu64 " instead of %" PRIu64,
                      prng.seed, round, shares[i], told, exact);
        }
    }
}

Test(histogram, counts_below_agree_at_the_borders_of_buckets)
{
    histogram_clear(&histogram);
    uint64_t added = 0;
    /* One sample at the start of each bucket, in rising order. */
    for (uint64_t value = 0; value < 16; value++) {
        histogram_add(&histogram, value);
        cr_assert_eq(histogram_count_below(&histogram, value), ++added);
    }
    for (unsigned power = 4; power < 64; power++)
        for (uint64_t part = 16; part < 32; part++) {
            const uint64_t first = part << (power - 4);
            const uint64_t last = first + (((uint64_t)1 << (power - 4)) - 1);
            cr_assert_eq(histogram_count_below(&histogram, first - 1), added);
            histogram_add(&histogram, first);
            cr_assert_eq(histogram_count_below(&histogram, first), ++added, "%" PRIu64, first);
            cr_assert_eq(histogram_count_below(&histogram, last), added, "%" PRIu64, last);
        }
    cr_assert_eq(histogram_count_below(&histogram, UINT64_MAX), added);
    cr_assert_eq(histogram.total, added);
}

Test(histogram, small_values_are_exact)
{
    histogram_clear(&histogram);
    for (uint64_t value = 0; value < 16; value++)
        histogram_add(&histogram, value);
    for (uint64_t rank = 1; rank <= 16; rank++)
        cr_assert_eq(histogram_quantile(&histogram, (double)rank / 16), rank - 1);
    cr_assert_eq(histogram.sum, 120);
}

Test(histogram, an_empty_one_says_zero)
{
    histogram_clear(&histogram);
    cr_assert_eq(histogram_quantile(&histogram, 0.5), 0);
    cr_assert_eq(histogram_quantile(&histogram, 1), 0);
    cr_assert_eq(histogram_count_below(&histogram, UINT64_MAX), 0);
    histogram_add(&histogram, 0);
    cr_assert_eq(histogram_quantile(&histogram, 1), 0);
}

Test(histogram, no_quantile_is_above_the_maximum)
{
    histogram_clear(&histogram);
    histogram_add(&histogram, 1000001);
    cr_assert_eq(histogram_quantile(&histogram, 1), 1000001);
    histogram_add(&histogram, UINT64_MAX);
    cr_assert_eq(histogram_quantile(&histogram, 1), UINT64_MAX);
}

Test(histogram, merging_is_adding_all_samples)
{
    struct prng prng = prng_from_env("TEST_SEED", 21);
    for (int i = 0; i < 5000; i++) {
        const uint64_t value = prng_next(&prng) >> prng_below(&prng, 64);
        histogram_add(prng_chance(&prng, 1, 2) ? &histogram : &other, value);
        histogram_add(&both, value);
    }
    histogram_merge(&histogram, &other);
    cr_assert_eq(memcmp(&histogram, &both, sizeof both), 0, "TEST_SEED=%" PRIu64, prng.seed);
    histogram_clear(&both);
    histogram_merge(&histogram, &both);
    cr_assert_eq(histogram.total, 5000);
}

/* A reader on another thread may find the total ahead of the counts. */
Test(histogram, a_torn_picture_gives_the_maximum)
{
    histogram_clear(&histogram);
    histogram_add(&histogram, 500);
    histogram.total = 3;
    cr_assert_eq(histogram_quantile(&histogram, 1), 500);
}
