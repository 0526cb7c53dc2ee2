#include "state/aggregate_state.h"

#include <math.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "base/prefetch.h"

/* --- wide integers ---------------------------------------------------------------------------- */

static void wide_add_wide(struct wide *into, const struct wide *x)
{
    unsigned carry = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 sum = (uint128)into->parts[i] + x->parts[i] + carry;
        into->parts[i] = (uint64_t)sum;
        carry = (unsigned)(sum >> 64);
    }
}

static void wide_negate(struct wide *w)
{
    const struct wide one = { { 1, 0, 0, 0 } };
    for (int i = 0; i < 4; i++)
        w->parts[i] = ~w->parts[i];
    wide_add_wide(w, &one);
}

static int128 square(int64_t x)
{
    return (int128)x * x; /* at most 2^126 */
}

void wide_add_square(struct wide *into, int64_t x)
{
    wide_add(into, square(x));
}

void wide_subtract_square(struct wide *from, int64_t x)
{
    wide_subtract(from, square(x));
}

static bool wide_is_negative(const struct wide *w)
{
    return (w->parts[3] >> 63) != 0;
}

/* Bits [low, low + 64) of a non-negative number. */
static uint64_t bits_from(const struct wide *w, int low)
{
    const int part = low / 64, shift = low % 64;
    uint64_t bits = w->parts[part] >> shift;
    if (shift != 0 && part + 1 < 4)
        bits |= w->parts[part + 1] << (64 - shift);
    return bits;
}

static bool any_below(const struct wide *w, int low)
{
    for (int i = 0; i < low / 64; i++) {
        if (w->parts[i] != 0)
            return true;
    }
    return low % 64 != 0 && (w->parts[low / 64] & ((UINT64_C(1) << (low % 64)) - 1)) != 0;
}

double wide_to_double(const struct wide *number)
{
    struct wide w = *number;
    const bool negative = wide_is_negative(&w);
    if (negative)
        wide_negate(&w);
    int part = 3;
    while (part > 0 && w.parts[part] == 0)
        part--;
    if (w.parts[part] == 0)
        return 0.0;
    const int top = part * 64 + 63 - __builtin_clzll(w.parts[part]);
    double result;
    if (top < 64) {
        result = (double)w.parts[0];
    } else {
        /* The upper 64 bits, with everything below folded into the last one: far below a
         * double's 53, so it only breaks ties. */
        const int low = top - 63;
        const uint64_t bits = bits_from(&w, low) | any_below(&w, low);
        result = ldexp((double)bits, low);
    }
    return negative ? -result : result;
}

static struct wide wide_times(const struct wide *a, uint64_t n)
{
    struct wide product = { { 0 } };
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 part = (uint128)a->parts[i] * n + carry;
        product.parts[i] = (uint64_t)part;
        carry = (uint64_t)(part >> 64);
    }
    return product;
}

static struct wide wide_square(int128 b)
{
    const uint128 magnitude = b < 0 ? (uint128)-b : (uint128)b;
    const uint64_t low = (uint64_t)magnitude, high = (uint64_t)(magnitude >> 64);
    const uint128 middle = (uint128)low * high; /* counted twice, at bit 64 */
    const uint128 low_square = (uint128)low * low, high_square = (uint128)high * high;
    struct wide result = { { (uint64_t)low_square, (uint64_t)(low_square >> 64),
                             (uint64_t)high_square, (uint64_t)(high_square >> 64) } };
    const struct wide twice = { { 0, (uint64_t)middle << 1, (uint64_t)(middle >> 63),
                                  (uint64_t)(middle >> 127) } };
    wide_add_wide(&result, &twice);
    return result;
}

struct wide wide_variance(uint64_t n, const struct wide *a, int128 b)
{
    struct wide product = wide_times(a, n);
    struct wide minus = wide_square(b);
    wide_negate(&minus);
    wide_add_wide(&product, &minus);
    return product;
}

/* --- adding and taking away ------------------------------------------------------------------- */

void aggregate_state_fini(struct aggregate_state *state)
{
    mem_free(state->totals);
    state->totals = NULL;
    map_destroy(&state->values);
    extremes_destroy(&state->extremes);
}

void aggregate_state_clear(struct aggregate_state *state)
{
    if (state->values != NULL)
        map_clear(state->values);
    if (state->extremes != NULL)
        extremes_clear(state->extremes);
    if (state->totals != NULL)
        *state->totals = (struct aggregate_totals){ .unfit = 0 };
    state->count = 0;
}

static void add_number(struct aggregate_state *state, const struct value *argument, bool squares)
{
    if (state->totals == NULL)
        state->totals = mem_alloc(sizeof *state->totals);
    struct aggregate_totals *totals = state->totals;
    int128 x;
    const bool is_integer = aggregate_integer_of(argument, &x);
    ENSURE(is_integer);
    wide_add(&totals->sum, x);
    if (!squares)
        return;
    if (int128_fits_int64(x))
        wide_add_square(&totals->squares, (int64_t)x);
    else
        totals->unfit++;
}

static void remove_number(struct aggregate_state *state, const struct value *argument, bool squares)
{
    struct aggregate_totals *totals = state->totals;
    int128 x;
    const bool is_integer = aggregate_integer_of(argument, &x);
    ENSURE(is_integer && totals != NULL);
    wide_subtract(&totals->sum, x);
    if (!squares)
        return;
    if (int128_fits_int64(x))
        wide_subtract_square(&totals->squares, (int64_t)x);
    else
        totals->unfit--;
}

static void add_value(struct aggregate_state *state, const struct value *argument,
                      struct buffer *scratch)
{
    if (state->values == NULL)
        map_create(&state->values, sizeof(int64_t));
    buffer_clear(scratch);
    value_write(scratch, argument);
    int64_t *count = map_insert(state->values, buffer_view(scratch), NULL);
    (*count)++;
}

static void remove_value(struct aggregate_state *state, const struct value *argument,
                         struct buffer *scratch)
{
    buffer_clear(scratch);
    value_write(scratch, argument);
    int64_t *count = map_find(state->values, buffer_view(scratch));
    ENSURE(count != NULL && *count > 0);
    if (--*count == 0)
        map_remove(state->values, buffer_view(scratch));
}

static void add_extreme(struct aggregate_state *state, const struct aggregate_spec *spec,
                        const struct value *argument, struct buffer *scratch)
{
    if (state->extremes == NULL)
        extremes_create(&state->extremes, spec->kind == AGGREGATE_MIN);
    extremes_add(state->extremes, argument, scratch);
}

void aggregate_state_add(struct aggregate_state *state, const struct aggregate_spec *spec,
                         const struct value *argument, struct buffer *scratch)
{
    switch (spec->kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        add_number(state, argument, false);
        break;
    case AGGREGATE_STDDEV:
        add_number(state, argument, true);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        add_extreme(state, spec, argument, scratch);
        break;
    case AGGREGATE_DISTINCT:
        add_value(state, argument, scratch);
        break;
    }
    state->count++;
}

void aggregate_state_remove(struct aggregate_state *state, const struct aggregate_spec *spec,
                            const struct value *argument, struct buffer *scratch)
{
    ENSURE(state->count > 0);
    switch (spec->kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        remove_number(state, argument, false);
        break;
    case AGGREGATE_STDDEV:
        remove_number(state, argument, true);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        extremes_remove(state->extremes, argument, scratch);
        break;
    case AGGREGATE_DISTINCT:
        remove_value(state, argument, scratch);
        break;
    }
    state->count--;
}

/* --- results ---------------------------------------------------------------------------------- */

static void sum_result(struct value *out, int128 sum, const struct aggregate_spec *spec)
{
    if (spec->argument_type.kind == VALUE_DECIMAL)
        value_set_decimal(out, sum, spec->argument_type.scale);
    else if (!int128_fits_int64(sum))
        value_set_null(out);
    else
        value_set_integer(out,
                          spec->argument_type.kind == VALUE_DURATION ? VALUE_DURATION : VALUE_INT,
                          (int64_t)sum);
}

static double unit_of(int64_t count, const struct aggregate_spec *spec)
{
    const unsigned scale =
        spec->argument_type.kind == VALUE_DECIMAL ? spec->argument_type.scale : 0;
    int64_t unit;
    if (scale == 0)
        return (double)count;
    if (!__builtin_mul_overflow(count, (int64_t)int128_power_of_ten(scale), &unit))
        return (double)unit;
    return int128_to_double((int128)count * int128_power_of_ten(scale));
}

void aggregate_small_result(struct value *out, int64_t count, int128 sum,
                            const struct aggregate_spec *spec)
{
    switch (spec->kind) {
    case AGGREGATE_COUNT:
        return value_set_integer(out, VALUE_INT, count);
    case AGGREGATE_SUM:
        return sum_result(out, sum, spec);
    case AGGREGATE_AVG:
        if (count == 0)
            return value_set_null(out);
        return value_set_double(out, (int128_fits_int64(sum) ? (double)(int64_t)sum
                                                             : int128_to_double(sum)) /
                                         unit_of(count, spec));
    default:
        UNREACHABLE();
    }
}

struct value aggregate_total_result(int64_t count, const struct wide *total,
                                    const struct aggregate_spec *spec)
{
    struct value result;
    int128 sum;
    if (wide_to_int128(&sum, total)) {
        aggregate_small_result(&result, count, sum, spec);
        return result;
    }
    if (spec->kind == AGGREGATE_AVG)
        return value_double(wide_to_double(total) / unit_of(count, spec));
    return spec->kind == AGGREGATE_COUNT ? value_int(count) : value_null();
}

static struct value stddev_result(const struct aggregate_state *state,
                                  const struct aggregate_spec *spec)
{
    const struct aggregate_totals *totals = state->totals;
    int128 sum;
    if (totals->unfit > 0 || !wide_to_int128(&sum, &totals->sum))
        return value_null();
    const struct wide variance = wide_variance((uint64_t)state->count, &totals->squares, sum);
    return value_double(sqrt(wide_to_double(&variance)) / unit_of(state->count, spec));
}

static struct value extreme_result(const struct aggregate_state *state, struct arena *arena)
{
    struct value result = *extremes_top(state->extremes);
    if (result.kind == VALUE_STRING || result.kind == VALUE_BYTES)
        result.text = arena_copy(arena, result.text);
    return result;
}

struct value aggregate_state_result(const struct aggregate_state *state,
                                    const struct aggregate_spec *spec, struct arena *arena)
{
    static const struct aggregate_state none;
    static const struct wide zero;
    const struct aggregate_state *known = state == NULL ? &none : state;
    switch (spec->kind) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return aggregate_total_result(known->count, known->totals == NULL ? &zero : &known->totals->sum, spec);
    case AGGREGATE_DISTINCT:
        return value_int(aggregate_state_distinct(known));
    default:
        break;
    }
    if (known->count == 0)
        return value_null();
    switch (spec->kind) {
    case AGGREGATE_STDDEV:
        return stddev_result(known, spec);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return extreme_result(known, arena);
    default:
        UNREACHABLE();
    }
}

int64_t aggregate_state_distinct(const struct aggregate_state *state)
{
    return state == NULL || state->values == NULL ? 0 : (int64_t)map_count(state->values);
}

void aggregate_state_prefetch(const struct aggregate_state *state)
{
    if (state->extremes != NULL)
        prefetch(state->extremes);
    if (state->values != NULL)
        prefetch(state->values);
    if (state->totals != NULL)
        prefetch(state->totals);
}

uint64_t aggregate_state_footprint(const struct aggregate_state *state)
{
    return sizeof *state + (state->totals == NULL ? 0 : mem_size_of(sizeof *state->totals)) +
           (state->values == NULL ? 0 : map_footprint(state->values)) +
           (state->extremes == NULL ? 0 : extremes_footprint(state->extremes));
}
