/*
 * extremes: a multiset of values that knows its smallest one, or its largest. Adding costs
 * O(log n), taking away amortised O(log n), asking nothing, in whatever order values come and go:
 * a window over numbers that only rise loses its smallest one with every event. Up to some hundred
 * numbers lie in order, eight bytes each.
 *
 * Owns copies of its values. Memory only. One thread.
 */
#ifndef WEIR_STATE_EXTREMES_H
#define WEIR_STATE_EXTREMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "schemas/value.h"

struct extremes;

void extremes_create(struct extremes **out, bool smallest);
void extremes_destroy(struct extremes **extremes);
void extremes_clear(struct extremes *extremes);
/* Values of one kind, not null. `scratch` is overwritten. */
void extremes_add(struct extremes *extremes, const struct value *v, struct buffer *scratch);
/* One of those that were added. */
void extremes_remove(struct extremes *extremes, const struct value *v, struct buffer *scratch);
/* NULL: none. Valid until the next change. */
const struct value *extremes_top(const struct extremes *extremes);
uint64_t extremes_footprint(const struct extremes *extremes);

#endif
