/* Running aggregates and their wide integers against schoolbook arithmetic. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "big.h"
#include "state/aggregate_state.h"

#define SEED(prng) "TEST_SEED=%" PRIu64, (prng).seed

static struct big wide_as_big(struct wide w)
{
    struct big all = { 0 };
    for (int i = 0; i < 8; i++)
        all.digits[i] = (uint32_t)(w.parts[i / 2] >> (32 * (i % 2)));
    struct big modulus = { 0 };
    modulus.digits[8] = 1;
    return (w.parts[3] >> 63) != 0 ? big_subtract(all, modulus) : all;
}

static bool is_same(struct wide w, struct big b)
{
    const struct big difference = big_subtract(wide_as_big(w), b);
    return big_is_zero(&difference);
}

/* Any number of bits, either sign; powers of two and their neighbours are common. */
static int128 any_int128(struct prng *prng, int bits_max)
{
    const int bits = (int)prng_below(prng, (uint64_t)bits_max + 1);
    uint128 x = ((uint128)prng_next(prng) << 64) | prng_next(prng);
    if (bits == 0)
        return 0;
    if (prng_chance(prng, 1, 3))
        x = ((uint128)1 << (bits - 1)) + prng_below(prng, 3) - 1;
    x &= bits == 128 ? ~(uint128)0 : ((uint128)1 << bits) - 1;
    return prng_chance(prng, 1, 2) ? (int128)x : (int128)-x;
}

Test(aggregate_state, wide_sums_are_exact)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int round = 0; round < 200; round++) {
        struct wide w = { { 0 } };
        struct big b = big_of(0);
        for (int step = 0; step < 100; step++) {
            const int128 x = any_int128(&prng, 128);
            const int64_t small = (int64_t)any_int128(&prng, 64);
            const struct big square = big_multiply(big_of(small), big_of(small));
            switch (prng_below(&prng, 4)) {
            case 0:
                wide_add(&w, x);
                b = big_add(b, big_of(x));
                break;
            case 1:
                wide_subtract(&w, x);
                b = big_subtract(b, big_of(x));
                break;
            case 2:
                wide_add_square(&w, small);
                b = big_add(b, square);
                break;
            default:
                wide_subtract_square(&w, small);
                b = big_subtract(b, square);
            }
            cr_assert(is_same(w, b), SEED(prng));
            int128 narrow = 0, expected = 0;
            const bool fits = wide_to_int128(&narrow, &w);
            cr_assert_eq(fits, big_to_int128(&expected, &b), SEED(prng));
            cr_assert(!fits || narrow == expected, SEED(prng));
        }
    }
}

Test(aggregate_state, a_wide_becomes_the_nearest_double)
{
    struct prng prng = prng_from_env("TEST_SEED", 2);
    for (int step = 0; step < 200000; step++) {
        /* A number of any size with bits of interest near the 53rd and at the very end. */
        struct wide w = { { 0 } };
        const int top = (int)prng_below(&prng, 255);
        for (int n = (int)prng_below(&prng, 5); n >= 0; n--) {
            const int64_t wanted[] = { top,      top - 52, top - 53, top - 54,
                                       top - 63, top - 64, 0,        prng_between(&prng, 0, top) };
            const int64_t bit = wanted[prng_below(&prng, 8)];
            if (bit >= 0)
                w.parts[bit / 64] |= UINT64_C(1) << (bit % 64);
        }
        if (prng_chance(&prng, 1, 4))
            w.parts[0] |= prng_next(&prng) >> prng_below(&prng, 64);
        const int64_t fill = prng_between(&prng, 0, top);
        if (prng_chance(&prng, 1, 4)) {
            for (int64_t i = top; i >= fill; i--)
                w.parts[i / 64] |= UINT64_C(1) << (i % 64);
        }
        if (prng_chance(&prng, 1, 2)) { /* negate: 0 - w */
            struct wide negative = { { 0 } };
            unsigned borrow = 0;
            for (int i = 0; i < 4; i++) {
                negative.parts[i] = 0 - w.parts[i] - borrow;
                borrow = w.parts[i] != 0 || borrow != 0;
            }
            w = negative;
        }
        const struct big b = wide_as_big(w);
        const double expected = big_to_double(&b), found = wide_to_double(&w);
        if (memcmp(&expected, &found, sizeof found) != 0)
            cr_assert_fail("%a is not %a, TEST_SEED=%" PRIu64 " step=%d", found, expected,
                           prng.seed, step);
    }
}

Test(aggregate_state, known_wide_values)
{
    struct wide w = { { 0 } };
    cr_assert(wide_to_double(&w) == 0 && !signbit(wide_to_double(&w)));
    for (int i = 0; i < 3; i++)
        wide_add_square(&w, INT64_MIN); /* 3 * 2^126 needs 128 bits */
    int128 narrow;
    cr_assert(!wide_to_int128(&narrow, &w));
    cr_assert_eq(wide_to_double(&w), 3 * 0x1p126);
    wide_subtract_square(&w, INT64_MIN);
    wide_subtract_square(&w, INT64_MIN);
    cr_assert(wide_to_int128(&narrow, &w) && narrow == (int128)1 << 126);
    wide_subtract(&w, narrow);
    wide_subtract(&w, 1);
    cr_assert(wide_to_int128(&narrow, &w) && narrow == -1);
    cr_assert_eq(wide_to_double(&w), -1.0);
    /* The most negative number of all has no positive counterpart. */
    const struct wide lowest = { { 0, 0, 0, UINT64_C(1) << 63 } };
    cr_assert_eq(wide_to_double(&lowest), -0x1p255);
    /* 2^53 + 1 is a tie: to even. 2^200 + 2^147 is one too; one more bit anywhere decides it. */
    w = (struct wide){ { (UINT64_C(1) << 53) + 1, 0, 0, 0 } };
    cr_assert_eq(wide_to_double(&w), 0x1p53);
    w = (struct wide){ { 0, 0, UINT64_C(1) << (147 - 128), UINT64_C(1) << (200 - 192) } };
    cr_assert_eq(wide_to_double(&w), 0x1p200);
    w.parts[0] = 1;
    cr_assert_eq(wide_to_double(&w), 0x1p200 + 0x1p148);
}

Test(aggregate_state, a_wide_variance_is_exact)
{
    struct prng prng = prng_from_env("TEST_SEED", 3);
    for (int step = 0; step < 20000; step++) {
        /* The most that can be: n < 2^63 squares of at most 2^126. */
        const uint64_t n = prng_next(&prng) >> (1 + prng_below(&prng, 63));
        const int128 b = any_int128(&prng, 126);
        struct wide a = { { 0 } };
        struct big big_a = big_of(0);
        for (int i = 0; i < 5; i++) {
            const int64_t x = (int64_t)any_int128(&prng, 64);
            wide_add_square(&a, x);
            big_a = big_add(big_a, big_multiply(big_of(x), big_of(x)));
        }
        const struct big expected = big_subtract(big_multiply(big_of((int128)n), big_a),
                                                 big_multiply(big_of(b), big_of(b)));
        cr_assert(is_same(wide_variance(n, &a, b), expected), SEED(prng));
    }
}

/* --- results -------------------------------------------------------------------------------- */

static struct aggregate_spec spec_of(enum aggregate_kind kind, enum value_kind argument, int scale)
{
    return (struct aggregate_spec){
        .kind = kind,
        .argument_type = { .kind = argument, .scale = (uint8_t)scale, .nullable = true }
    };
}

struct running {
    struct aggregate_state state;
    struct aggregate_spec spec;
    struct buffer scratch;
    struct arena *arena;
};

static void running_init(struct running *running, struct aggregate_spec spec)
{
    *running = (struct running){ .spec = spec };
    arena_create(&running->arena, 256);
}

static void running_fini(struct running *running)
{
    aggregate_state_fini(&running->state);
    buffer_fini(&running->scratch);
    arena_destroy(&running->arena);
}

static void add(struct running *running, struct value v)
{
    aggregate_state_add(&running->state, &running->spec, &v, &running->scratch);
}

static void take(struct running *running, struct value v)
{
    aggregate_state_remove(&running->state, &running->spec, &v, &running->scratch);
}

static struct value result(struct running *running)
{
    return aggregate_state_result(&running->state, &running->spec, running->arena);
}

#define CHECK_RESULT(running, expected)                              \
    do {                                                             \
        const struct value found_ = result(running);                 \
        const struct value expected_ = (expected);                   \
        cr_assert(value_same(&found_, &expected_), "%s", #expected); \
    } while (0)

Test(aggregate_state, nothing_has_a_result)
{
    static const struct {
        enum aggregate_kind kind;
        bool zero;
    } cases[] = { { AGGREGATE_COUNT, true }, { AGGREGATE_DISTINCT, true }, { AGGREGATE_SUM, true },
                  { AGGREGATE_AVG, false },  { AGGREGATE_STDDEV, false },  { AGGREGATE_MIN, false },
                  { AGGREGATE_MAX, false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct value expected = cases[i].zero ? value_int(0) : value_null();
        struct running running;
        running_init(&running, spec_of(cases[i].kind, VALUE_INT, 0));
        CHECK_RESULT(&running, expected);
        const struct value none = aggregate_state_result(NULL, &running.spec, running.arena);
        cr_assert(value_same(&none, &expected), "%zu", i);
        add(&running, value_int(5));
        take(&running, value_int(5));
        CHECK_RESULT(&running, expected);
        add(&running, value_int(7));
        aggregate_state_clear(&running.state);
        CHECK_RESULT(&running, expected);
        running_fini(&running);
    }
    struct running running;
    running_init(&running, spec_of(AGGREGATE_SUM, VALUE_DECIMAL, 3));
    CHECK_RESULT(&running, value_decimal(0, 3));
    running.spec.argument_type = (struct value_type){ VALUE_DURATION, 0, true };
    CHECK_RESULT(&running, value_duration(0));
    running_fini(&running);
}

Test(aggregate_state, a_sum_that_overflows_is_null_until_it_fits_again)
{
    struct running running;
    running_init(&running, spec_of(AGGREGATE_SUM, VALUE_INT, 0));
    add(&running, value_int(INT64_MAX));
    CHECK_RESULT(&running, value_int(INT64_MAX));
    add(&running, value_int(1));
    CHECK_RESULT(&running, value_null());
    add(&running, value_int(-1));
    CHECK_RESULT(&running, value_int(INT64_MAX));
    for (int i = 0; i < 10; i++)
        add(&running, value_int(INT64_MIN));
    CHECK_RESULT(&running, value_null());
    for (int i = 0; i < 10; i++)
        take(&running, value_int(INT64_MIN));
    CHECK_RESULT(&running, value_int(INT64_MAX));
    running_fini(&running);

    const int128 most = (int128)(((uint128)1 << 127) - 1);
    running_init(&running, spec_of(AGGREGATE_SUM, VALUE_DECIMAL, 2));
    add(&running, value_decimal(most, 2));
    add(&running, value_decimal(most, 2));
    CHECK_RESULT(&running, value_null());
    take(&running, value_decimal(most, 2));
    CHECK_RESULT(&running, value_decimal(most, 2));
    running_fini(&running);
}

Test(aggregate_state, averages_and_deviations_of_known_numbers)
{
    struct running running;
    running_init(&running, spec_of(AGGREGATE_AVG, VALUE_DECIMAL, 2));
    add(&running, value_decimal(1000, 2));
    add(&running, value_decimal(1001, 2));
    CHECK_RESULT(&running, value_double(10.005));
    add(&running, value_decimal(1000, 2));
    CHECK_RESULT(&running, value_double(3001.0 / 300.0));
    running_fini(&running);

    running_init(&running, spec_of(AGGREGATE_STDDEV, VALUE_INT, 0));
    static const int64_t numbers[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
    for (int i = 0; i < 8; i++)
        add(&running, value_int(numbers[i]));
    CHECK_RESULT(&running, value_double(2.0));
    for (int i = 0; i < 7; i++)
        take(&running, value_int(numbers[i]));
    CHECK_RESULT(&running, value_double(0.0));
    running_fini(&running);

    /* Where doubles would cancel: all of the digits differ only in the last one. */
    running_init(&running, spec_of(AGGREGATE_STDDEV, VALUE_INT, 0));
    add(&running, value_int(INT64_MAX));
    add(&running, value_int(INT64_MAX - 2));
    CHECK_RESULT(&running, value_double(1.0));
    add(&running, value_int(INT64_MIN));
    take(&running, value_int(INT64_MIN));
    CHECK_RESULT(&running, value_double(1.0));
    running_fini(&running);
}

Test(aggregate_state, a_deviation_is_null_while_a_square_does_not_fit)
{
    struct running running;
    running_init(&running, spec_of(AGGREGATE_STDDEV, VALUE_DECIMAL, 0));
    const struct value large = value_decimal((int128)INT64_MAX + 1, 0);
    add(&running, value_decimal(3, 0));
    add(&running, value_decimal(5, 0));
    CHECK_RESULT(&running, value_double(1.0));
    add(&running, large);
    CHECK_RESULT(&running, value_null());
    take(&running, large);
    CHECK_RESULT(&running, value_double(1.0));
    running_fini(&running);
}

/* --- model ---------------------------------------------------------------------------------- */

enum { MODEL_MAX = 40 };

static struct value any_argument(struct prng *prng, enum value_kind kind)
{
    static const char *const texts[] = { "", "a", "b", "ab", "aa", "zebra", "a\xc3\xa9" };
    switch (kind) {
    case VALUE_STRING:
        return value_string(bytes_of_string(texts[prng_below(prng, 7)]));
    case VALUE_DECIMAL:
        return value_decimal(any_int128(prng, prng_chance(prng, 1, 10) ? 100 : 20), 4);
    case VALUE_DOUBLE:
        return value_double((double)prng_between(prng, -9, 9) / 4);
    case VALUE_BOOL:
        return value_bool(prng_chance(prng, 1, 2));
    default: {
        struct value v = value_int((int64_t)any_int128(prng, prng_chance(prng, 1, 10) ? 64 : 4));
        v.kind = (uint8_t)kind;
        return v;
    }
    }
}

/* The result of an array of values, from its definition. */
static struct value naive(const struct value *values, int count, const struct aggregate_spec *spec)
{
    int distinct = 0, extreme = 0;
    for (int i = 0; i < count; i++) {
        int before = 0;
        while (before < i && !value_same(&values[before], &values[i]))
            before++;
        distinct += before == i;
        const int order = value_compare(&values[i], &values[extreme]);
        if (spec->kind == AGGREGATE_MIN ? order < 0 : order > 0)
            extreme = i;
    }
    if (spec->kind == AGGREGATE_COUNT)
        return value_int(count);
    if (spec->kind == AGGREGATE_DISTINCT)
        return value_int(distinct);
    return count == 0 ? value_null() : values[extreme];
}

Test(aggregate_state, counts_and_extremes_agree_with_an_array)
{
    struct prng prng = prng_from_env("TEST_SEED", 4);
    static const enum aggregate_kind kinds[] = { AGGREGATE_COUNT, AGGREGATE_DISTINCT, AGGREGATE_MIN,
                                                 AGGREGATE_MAX };
    static const enum value_kind arguments[] = { VALUE_INT,  VALUE_DECIMAL, VALUE_DOUBLE,
                                                 VALUE_BOOL, VALUE_STRING,  VALUE_TIMESTAMP };
    for (int round = 0; round < 240; round++) {
        struct value model[MODEL_MAX];
        int count = 0;
        struct running running;
        const enum value_kind kind = arguments[round % 6];
        running_init(&running, spec_of(kinds[round / 6 % 4], kind, kind == VALUE_DECIMAL ? 4 : 0));
        for (int step = 0; step < 300; step++) {
            const bool grow = count == 0 || (count < MODEL_MAX && prng_chance(&prng, 1, 2));
            const int at = grow ? count : (int)prng_below(&prng, (uint64_t)count);
            if (grow) {
                model[count++] = any_argument(&prng, kind);
                add(&running, model[at]);
            } else {
                take(&running, model[at]);
                model[at] = model[--count];
            }
            if (prng_chance(&prng, 1, 100)) {
                aggregate_state_clear(&running.state);
                count = 0;
            }
            const struct value expected = naive(model, count, &running.spec);
            const struct value found = result(&running);
            if (!value_same(&expected, &found))
                cr_assert_fail("TEST_SEED=%" PRIu64 " round=%d step=%d", prng.seed, round, step);
        }
        running_fini(&running);
    }
}
