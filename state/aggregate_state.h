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
void wide_add(struct wide *into, int128 x);
void wide_subtract(struct wide *from, int128 x);
void wide_add_square(struct wide *into, int64_t x);
void wide_subtract_square(struct wide *from, int64_t x);
/* false when it does not fit. */
bool wide_to_int128(int128 *out, const struct wide *w);
/* The nearest double (half to even). */
double wide_to_double(const struct wide *w);
/* n * a - b * b; b must fit 127 bits. */
struct wide wide_variance(uint64_t n, const struct wide *a, int128 b);

struct aggregate_state {
    int64_t count;
    int64_t unfit; /* values whose square is out of range: stddev is null while there are any */
    struct wide sum;
    struct wide squares;
    struct map *values;        /* DISTINCT: stored form of a value -> int64 count */
    struct extremes *extremes; /* MIN, MAX */
};

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
uint64_t aggregate_state_footprint(const struct aggregate_state *state);

#endif
