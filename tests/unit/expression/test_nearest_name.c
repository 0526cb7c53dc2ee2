#include <criterion/criterion.h>

#include "base/random.h"
#include "processor/expression/nearest_name.h"

Test(nearest_name, offers_what_was_meant)
{
    static const struct {
        const char *wanted, *offered[4], *best;
    } rows[] = {
        { "amout", { "amount", "country" }, "amount" },
        { "aount", { "count", "amount" }, "count" }, /* a tie: the first */
        { "Amount", { "amounts", "amount" }, "amount" },
        { "merchantid", { "merchant_id" }, "merchant_id" },
        { "ocuntry", { "country" }, "country" },
        { "cuont", { "count" }, "count" },
        { "x", { "y" }, NULL },
        { "tx", { "ts" }, "ts" },
        { "tx", { "id" }, NULL },
        { "abc", { "axc" }, "axc" },
        { "abc", { "axy" }, NULL },
        { "abcdef", { "abcdxy" }, "abcdxy" },
        { "abcdef", { "abcxyz" }, NULL },
        { "velocity", { "" }, NULL },
        { "", { "a" }, NULL },
        { "velocity", { NULL }, NULL },
        { "a23456789012345678901234567890123456789012345678901234567890123456789",
          { "a23456789012345678901234567890123456789012345678901234567890123456789" },
          NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct nearest_name nearest = { .wanted = rows[i].wanted };
        for (size_t k = 0; k < 4 && rows[i].offered[k] != NULL; k++)
            nearest_name_offer(&nearest, rows[i].offered[k]);
        if (rows[i].best == NULL)
            cr_expect_null(nearest.best, "%s: %s", rows[i].wanted, nearest.best);
        else
            cr_expect(nearest.best != NULL && nearest.best_distance <= 3, "%s", rows[i].wanted);
        if (rows[i].best != NULL && nearest.best != NULL)
            cr_expect_str_eq(nearest.best, rows[i].best);
    }
}

/* The distance by its definition, without a table. */
static size_t slow_distance(const char *a, size_t i, const char *b, size_t j)
{
    if (i == 0 || j == 0)
        return i + j;
    size_t best = slow_distance(a, i - 1, b, j - 1) + (a[i - 1] != b[j - 1]);
    const size_t shorter = slow_distance(a, i - 1, b, j) + 1,
                 longer = slow_distance(a, i, b, j - 1) + 1;
    best = shorter < best ? shorter : best;
    best = longer < best ? longer : best;
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        const size_t swapped = slow_distance(a, i - 2, b, j - 2) + 1;
        best = swapped < best ? swapped : best;
    }
    return best;
}

Test(nearest_name, distances_are_those_of_the_definition)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 500; i++) {
        char a[8] = "", b[8] = "";
        const size_t a_size = 3 + prng_below(&prng, 4), b_size = 3 + prng_below(&prng, 4);
        for (size_t k = 0; k < a_size; k++)
            a[k] = (char)('a' + prng_below(&prng, 3));
        for (size_t k = 0; k < b_size; k++)
            b[k] = (char)('a' + prng_below(&prng, 3));
        const size_t distance = slow_distance(a, a_size, b, b_size);
        const size_t near = a_size / 3 > 1 ? a_size / 3 : 1;
        struct nearest_name nearest = { .wanted = a };
        nearest_name_offer(&nearest, b);
        cr_assert_eq(nearest.best != NULL, distance <= near, "TEST_SEED=%lu %s %s", prng.seed, a,
                     b);
        if (nearest.best != NULL)
            cr_assert_eq(nearest.best_distance, distance, "TEST_SEED=%lu %s %s", prng.seed, a, b);
    }
}
