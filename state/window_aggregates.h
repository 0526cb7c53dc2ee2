/*
 * window_aggregates: what an entity's windows hold: the running aggregates over the events between their edges. An event
 * enters or leaves several windows that lie side by side in one go; where their edges stand is entity_windows.h's.
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_WINDOW_AGGREGATES_H
#define WEIR_STATE_WINDOW_AGGREGATES_H

#include "state/entity.h"

/* Whether some aggregate needs more of an event than its facts. */
bool window_aggregates_decode(const struct entity_log *log);
void window_aggregates_fini(struct entity *entity);
/* The window's hold no event any more. */
void window_aggregates_clear(struct entity *entity, size_t window);
/* Without the room they have in the entity. */
uint64_t window_aggregates_footprint(const struct entity *entity);
/* What they have outside of the entity, on its way into the processor's cache. */
void window_aggregates_prefetch(const struct entity *entity);

/* Event i of its chunk enters, or leaves, windows [from, to). After an error they hold a part of it: the entity must be forgotten. */
MUST_CHECK enum status window_aggregates_pass(struct entity *entity, size_t from, size_t to,
                                              const struct event_chunk *chunk, size_t i, enum passing passing,
                                              struct error *err);

/* How many events aggregate i holds, of this group. */
int64_t window_aggregates_members(struct entity *entity, size_t i, struct bytes group);
/* All results, as the windows stand for the event at `index`. As entity_aggregates. */
MUST_CHECK enum status window_aggregates_results(struct entity *entity, uint64_t index, struct value *out,
                                                 struct arena *arena, struct error *err);

#endif
