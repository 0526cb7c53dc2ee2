/*
 * entity_tops: min() and max() of numbers over a window, without an order of them. What enters is compared with the top. When
 * the top leaves, the next one is looked for among the window's events, at the time it is asked for; of many, which would
 * take long each time, an order is made then (extremes.h) and kept until the window starts again.
 * Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_TOPS_H
#define WEIR_STATE_ENTITY_TOPS_H

#include "state/entity.h"

/* Whether state n is kept here: of a min or max of numbers that has no order. */
static inline bool entity_is_top(const struct entity *entity, size_t n)
{
    return entity->log->facts.states[n].is_top && entity_state(entity, n)->extremes == NULL;
}
/* A member, of which these are the facts, enters or leaves the window. */
void entity_top_pass(struct entity *entity, size_t n, const struct fact_view *facts, bool enters);
/* Of the window as it stands; null of no members. */
MUST_CHECK enum status entity_top_result(struct entity *entity, size_t n, struct value *out, struct error *err);

#endif
