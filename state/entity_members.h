/*
 * entity_members: which events an aggregate takes, and the aggregates that are looked up among them
 * instead of being kept: first, last, and windows of N events. Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_MEMBERS_H
#define WEIR_STATE_ENTITY_MEMBERS_H

#include "state/entity.h"

/* Whether an event with these measures counts, in whatever group. */
bool entity_is_member(const struct aggregate_spec *aggregate, const struct value *measures);
/* The stored forms of the group's values, in `scratch`. */
struct bytes entity_group_key(const struct aggregate_spec *aggregate, const struct value *measures,
                              struct buffer *scratch);

/* Walks the members of aggregate i in [low, high), newest or oldest first, until `visit` says
 * enough. Measures are found out only for who reads them. */
typedef bool member_fn(void *context, uint64_t index, const struct value *measures,
                       const struct event_place *place);
MUST_CHECK enum status entity_walk_members(struct entity *entity, size_t i, struct bytes group,
                                           uint64_t low, uint64_t high, bool newest_first,
                                           bool reads_measures, member_fn *visit, void *context, struct error *err);

bool entity_is_looked_up(const struct entity_log_spec *spec,
                         const struct aggregate_spec *aggregate);
/* The result of aggregate i, which has this many members in [low, high). */
MUST_CHECK enum status entity_look_up(struct entity *entity, size_t i, struct bytes group,
                                      int64_t members, uint64_t low, uint64_t high,
                                      struct value *out, struct arena *arena, struct error *err);

#endif
