/*
 * aggregate_state: one running aggregate over the events of a window, for one group. Every kind can
 * add and take away in any order, so a window's edges may move both ways: sums are exact integers
 * (wide), distinct, min and max keep the values in multisets.
 *
 * Lives in memory only and is rebuilt from events. One thread.
 */
#ifndef WEIR_STATE_AGGREGATE_STATE_H
#define WEIR_STATE_AGGREGATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/int128.h"
#include "base/map.h"
#include "schemas/value.h"
#include "state/entity_log.h"
#include "state/extremes.h"

/* A signed 256-bit integer, two's complement, least significant first: exact for any sum of 2^63
 * squares of 64 bits. */
struct wide {
    uint64_t parts[4];
};
static inline uint128 wide_half(const struct wide *w, int first)
{
    return ((uint128)w->parts[first + 1] << 64) | w->parts[first];
}

static inline void wide_set_half(struct wide *w, int first, uint128 half)
{
    w->parts[first] = (uint64_t)half;
    w->parts[first + 1] = (uint64_t)(half >> 64);
}

/* The upper half gets the carry's 1 and, of a negative x, the sign's -1: nearly always nothing. */
static inline void wide_add(struct wide *into, int128 x)
{
    uint128 low = wide_half(into, 0);
    const bool carry = __builtin_add_overflow(low, (uint128)x, &low);
    wide_set_half(into, 0, low);
    if (carry != (x < 0))
        wide_set_half(into, 2, wide_half(into, 2) + (carry ? 1 : (uint128)-1));
}

static inline void wide_subtract(struct wide *from, int128 x)
{
    uint128 low = wide_half(from, 0);
    const bool borrow = __builtin_sub_overflow(low, (uint128)x, &low);
    wide_set_half(from, 0, low);
    if (borrow != (x < 0))
        wide_set_half(from, 2, wide_half(from, 2) + (borrow ? (uint128)-1 : 1));
}

void wide_add_square(struct wide *into, int64_t x);
void wide_subtract_square(struct wide *from, int64_t x);
/* false when it does not fit. */
static inline bool wide_to_int128(int128 *out, const struct wide *w)
{
    const uint64_t sign = (w->parts[1] >> 63) != 0 ? UINT64_MAX : 0;
    *out = (int128)wide_half(w, 0);
    return w->parts[2] == sign && w->parts[3] == sign;
}
/* The nearest double (half to even). */
double wide_to_double(const struct wide *w);
/* n * a - b * b; b must fit 127 bits. */
struct wide wide_variance(uint64_t n, const struct wide *a, int128 b);

struct aggregate_totals {
    int64_t unfit; /* values whose square is out of range: stddev is null while there are any */
    struct wide sum;
    struct wide squares;
};

/* There is one for every aggregate and group of every entity: what few kinds need lies elsewhere. */
struct aggregate_state {
    int64_t count;
    struct aggregate_totals *totals; /* SUM, AVG, STDDEV; NULL until there is a number */
    struct map *values;        /* DISTINCT: stored form of a value -> int64 count */
    struct extremes *extremes; /* MIN, MAX */
};

/* The exact number that a sum takes of a value; false: it is none. */
static inline bool aggregate_integer_of(const struct value *v, int128 *out)
{
    switch (v->kind) {
    case VALUE_INT:
    case VALUE_DURATION:
    case VALUE_TIMESTAMP:
        *out = v->i;
        return true;
    case VALUE_DECIMAL:
        *out = v->decimal;
        return true;
    default:
        return false;
    }
}

/* The other way round: of the aggregate's argument, which is such a number. */
static inline struct value aggregate_number_of(const struct aggregate_spec *spec, int64_t number)
{
    struct value v;
    if (spec->argument_type.kind == VALUE_DECIMAL)
        value_set_decimal(&v, number, spec->argument_type.scale);
    else
        value_set_integer(&v, spec->argument_type.kind, number);
    return v;
}

/* Of count, sum and avg. */
struct value aggregate_total_result(int64_t count, const struct wide *sum,
                                    const struct aggregate_spec *spec);
/* The same of a sum that fits. */
void aggregate_small_result(struct value *out, int64_t count, int128 sum,
                            const struct aggregate_spec *spec);

void aggregate_state_fini(struct aggregate_state *state);
/* Back to no events; keeps memory. */
void aggregate_state_clear(struct aggregate_state *state);
/* `argument`: not null; ignored by count(). `scratch` is overwritten. */
void aggregate_state_add(struct aggregate_state *state, const struct aggregate_spec *spec,
                         const struct value *argument, struct buffer *scratch);
void aggregate_state_remove(struct aggregate_state *state, const struct aggregate_spec *spec,
                            const struct value *argument, struct buffer *scratch);
/* Of every kind but first and last. NULL state: no events. Text is copied into the arena. */
struct value aggregate_state_result(const struct aggregate_state *state,
                                    const struct aggregate_spec *spec, struct arena *arena);
/* How many different values distinct() has seen; NULL state: none. */
int64_t aggregate_state_distinct(const struct aggregate_state *state);
/* What it holds, on its way into the processor's cache. */
void aggregate_state_prefetch(const struct aggregate_state *state);
uint64_t aggregate_state_footprint(const struct aggregate_state *state);

#endif
