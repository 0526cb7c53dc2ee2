/* Against plain arrays: adds, removals and clears in any order, of few and of many codes. */
#include <criterion/criterion.h>

#include "base/random.h"
#include "state/code_counts.h"

enum { CODES_MAX = 3000, STEPS = 40000 };

/* What the cursor says, put into others, is the same again. */
static void check_copy(const struct code_counts *counts, const uint32_t *expected)
{
    struct code_counts copy = { 0 };
    for (struct code_counts_cursor cursor = { 0 }; code_counts_next(counts, &cursor);) {
        cr_assert_eq(cursor.count, expected[(cursor.code >> 32) - 1]);
        code_counts_set(&copy, cursor.code, cursor.count);
    }
    cr_assert_eq(code_counts_distinct(&copy), code_counts_distinct(counts));
    for (struct code_counts_cursor cursor = { 0 }; code_counts_next(&copy, &cursor);)
        cr_assert_eq(cursor.count, expected[(cursor.code >> 32) - 1]);
    code_counts_fini(&copy);
}

static void compare(struct prng *prng, uint32_t codes)
{
    static uint32_t expected[CODES_MAX];
    struct code_counts counts = { 0 };
    uint32_t distinct = 0;
    memset(expected, 0, sizeof expected);
    for (int step = 0; step < STEPS; step++) {
        const uint32_t n = (uint32_t)prng_below(prng, codes);
        const uint64_t code = ((uint64_t)n + 1) << 32; /* as codes of text: the low bits say little */
        if (prng_chance(prng, 1, 20000)) {
            code_counts_clear(&counts);
            memset(expected, 0, sizeof expected);
            distinct = 0;
        } else if (expected[n] > 0 && prng_chance(prng, 1, 2)) {
            code_counts_remove(&counts, code);
            distinct -= --expected[n] == 0;
        } else {
            code_counts_add(&counts, code);
            distinct += expected[n]++ == 0;
        }
        cr_assert_eq(code_counts_distinct(&counts), distinct, "step %d of %u codes", step, codes);
        cr_assert_eq(code_counts_has(&counts, code), expected[n] > 0, "step %d of %u codes", step, codes);
        if (step % 500 == 0)
            check_copy(&counts, expected);
    }
    for (uint32_t n = 0; n < codes; n++) {
        while (expected[n] > 0) {
            code_counts_remove(&counts, ((uint64_t)n + 1) << 32);
            distinct -= --expected[n] == 0;
            cr_assert_eq(code_counts_distinct(&counts), distinct);
        }
    }
    cr_assert_eq(distinct, 0);
    code_counts_fini(&counts);
}

Test(code_counts, counts_as_arrays_do)
{
    static const uint32_t codes[] = { 1, 2, 3, 5, 12, 100, CODES_MAX };
    struct prng prng = prng_of_seed(11);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        compare(&prng, codes[i]);
}

Test(code_counts, have_all_their_bits)
{
    const uint64_t last = (UINT64_C(1) << CODE_BITS) - 1;
    struct code_counts counts = { 0 };
    enum { TIMES = 40 }; /* more than are kept beside a code */
    for (uint64_t code = last; code > last - 5; code--) {
        for (int i = 0; i < TIMES; i++)
            code_counts_add(&counts, code);
    }
    cr_assert_eq(code_counts_distinct(&counts), 5);
    for (uint64_t code = last; code > last - 5; code--) {
        for (int i = 0; i < TIMES; i++) {
            cr_assert(code_counts_has(&counts, code));
            code_counts_remove(&counts, code);
        }
        cr_assert_not(code_counts_has(&counts, code));
    }
    cr_assert_eq(code_counts_distinct(&counts), 0);
    code_counts_fini(&counts);
}

Test(code_counts, take_a_word_each_until_one_is_there_often)
{
    enum { CODES = 20, MANY = 15 };
    struct code_counts counts = { 0 };
    for (uint64_t code = 1; code <= CODES; code++) {
        for (int i = 0; i < MANY; i++)
            code_counts_add(&counts, code);
    }
    const size_t narrow = code_counts_footprint(&counts);
    code_counts_add(&counts, CODES);
    cr_assert_gt(code_counts_footprint(&counts), narrow + narrow / 2);
    for (struct code_counts_cursor cursor = { 0 }; code_counts_next(&counts, &cursor);)
        cr_assert_eq(cursor.count, cursor.code == CODES ? MANY + 1 : MANY);
    cr_assert_eq(code_counts_distinct(&counts), CODES);
    code_counts_clear(&counts);
    cr_assert_not(code_counts_has(&counts, CODES));
    code_counts_fini(&counts);
}
