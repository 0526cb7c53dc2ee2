/*
 * entity_tops: min() and max() of numbers over a window, without an order of them. What enters is compared with the top. When
 * the top leaves, the next one is looked for among the window's events, at the time it is asked for; of many, or among many
 * events, which would take long each time, an order is made then (extremes.h) and kept until the window starts again.
 * Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_TOPS_H
#define WEIR_STATE_ENTITY_TOPS_H

#include "state/entity.h"

/* The event at `index`, of which these are the facts, passes tops [from, to) of its windows. */
MUST_CHECK enum status entity_tops_pass(struct entity *entity, size_t from, size_t to, uint64_t index,
                                        const struct fact_view *facts, enum passing passing, struct error *err);
/* Of the window as it stands; null of no members. */
MUST_CHECK enum status entity_top_result(struct entity *entity, size_t t, struct value *out, struct error *err);
/* Back to no members, and no order. */
void entity_top_clear(struct entity *entity, size_t t);
/* Its order, on its way into the processor's cache. */
void entity_top_prefetch(const struct entity *entity, size_t t);

#endif
