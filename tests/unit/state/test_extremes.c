/* The smallest and the largest of a multiset against an array of all its values. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "state/extremes.h"

enum { VALUES_MAX = 800 };

struct world {
    struct prng prng;
    int step;
    bool smallest, is_text, is_decimal;
    struct extremes *extremes;
    struct buffer scratch;
    struct value values[VALUES_MAX]; /* in the order in which they came */
    size_t count;
};

static const struct value *naive_top(const struct world *w)
{
    const struct value *top = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const int order = top == NULL ? 0 : value_compare(&w->values[i], top);
        if (top == NULL || (w->smallest ? order < 0 : order > 0))
            top = &w->values[i];
    }
    return top;
}

static void check(struct world *w)
{
    const struct value *expected = naive_top(w), *found = extremes_top(w->extremes);
    if ((expected == NULL) != (found == NULL) || (found != NULL && !value_same(expected, found)))
        cr_assert_fail("TEST_SEED=%" PRIu64 " step=%d", w->prng.seed, w->step);
}

/* Text of the model stays where it is. */
static struct value pooled(struct world *w, int64_t x)
{
    static char text[1000][8];
    if (w->is_decimal) /* now and then one of more than 64 bits */
        return value_decimal(x == 500 ? (int128)x << 70 : x, 2);
    if (!w->is_text)
        return value_int(x);
    const int size = snprintf(text[x], 8, "%" PRIi64, x);
    return value_string(bytes_of(text[x], (size_t)size));
}

/* Text of a call does not: the multiset keeps copies. */
static struct value for_call(const struct value *v)
{
    static char text[8];
    if (v->kind != VALUE_STRING)
        return *v;
    memcpy(text, v->text.data, v->text.size);
    return value_string(bytes_of(text, v->text.size));
}

static void add(struct world *w, int64_t x)
{
    w->values[w->count] = pooled(w, x);
    const struct value given = for_call(&w->values[w->count++]);
    extremes_add(w->extremes, &given, &w->scratch);
}

static void take(struct world *w, size_t i)
{
    const struct value given = for_call(&w->values[i]);
    extremes_remove(w->extremes, &given, &w->scratch);
    w->count--;
    memmove(w->values + i, w->values + i + 1, (w->count - i) * sizeof *w->values);
}

/* Numbers that rise, fall, jump, or are few. */
static int64_t any_number(struct world *w, uint64_t mode)
{
    switch (mode) {
    case 0:
        return w->step % 1000;
    case 1:
        return 999 - w->step % 1000;
    case 2:
        return (int64_t)prng_below(&w->prng, 8);
    default:
        return (int64_t)prng_below(&w->prng, 1000);
    }
}

static void live(uint64_t seed)
{
    static struct world w;
    w = (struct world){ .prng = prng_of_seed(seed) };
    const uint64_t mode = seed % 4;
    w.smallest = seed / 4 % 2 == 0;
    w.is_text = seed / 8 % 2 == 0;
    w.is_decimal = !w.is_text && seed / 16 % 2 == 0;
    const bool from_the_end = prng_chance(&w.prng, 2, 3);
    const size_t window = 1 + prng_below(&w.prng, VALUES_MAX - 1);
    extremes_create(&w.extremes, w.smallest);
    for (w.step = 0; w.step < 3000; w.step++) {
        if (w.count < window && !prng_chance(&w.prng, 1, 4))
            add(&w, any_number(&w, mode));
        else if (w.count > 0)
            take(&w, from_the_end ? 0 : prng_below(&w.prng, w.count));
        if (prng_chance(&w.prng, 1, 500)) {
            extremes_clear(w.extremes);
            w.count = 0;
        }
        check(&w);
    }
    extremes_destroy(&w.extremes);
    buffer_fini(&w.scratch);
}

Test(extremes, agrees_with_an_array)
{
    const struct prng first = prng_from_env("TEST_SEED", 0);
    if (first.seed != 0)
        live(first.seed);
    for (uint64_t seed = 1; first.seed == 0 && seed <= 96; seed++)
        live(seed);
}

Test(extremes, memory_follows_what_is_there)
{
    struct extremes *extremes = NULL;
    struct buffer scratch;
    buffer_init(&scratch);
    extremes_create(&extremes, true);
    const struct value lowest = value_int(-1); /* hides all the others from the top */
    extremes_add(extremes, &lowest, &scratch);
    uint64_t settled = 0;
    for (int64_t i = 0; i < 10000; i++) {
        const struct value added = value_int(i), removed = value_int(i - 50);
        extremes_add(extremes, &added, &scratch);
        if (i >= 50)
            extremes_remove(extremes, &removed, &scratch);
        if (i == 300)
            settled = extremes_footprint(extremes);
    }
    cr_assert_leq(extremes_footprint(extremes), settled + settled / 2);
    cr_assert_lt(settled, 50 * 300);
    extremes_destroy(&extremes);
    buffer_fini(&scratch);
}
