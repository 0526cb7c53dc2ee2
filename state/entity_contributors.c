/* Which events an aggregate took: for explanations, so only when there is an alert. */
#include "state/entity_members.h"
#include "state/entity_windows.h"
#include "state/window_aggregates.h"

struct contribution {
    struct entity *entity;
    size_t max, seen;
    int64_t wanted;
    void (*each)(void *context, size_t position, int64_t time_us, int64_t offset);
    void *context;
};

static bool contribution_visit(void *context, uint64_t index, const struct value *measures,
                               const struct event_place *place)
{
    struct contribution *contribution = context;
    (void)measures;
    if (contribution->seen < contribution->max)
        contribution->each(contribution->context, index - entity_first_index(contribution->entity),
                           place->time_us, place->offset);
    return (int64_t)++contribution->seen < contribution->wanted &&
           contribution->seen < contribution->max;
}

enum status entity_contributors(struct entity *entity, size_t i, size_t position, size_t max,
                                void (*each)(void *context, size_t position, int64_t time_us, int64_t offset),
                                void *context, size_t *total, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    const uint64_t index = entity_first_index(entity) + position;
    AUTO(buffer_fini) struct buffer group;
    buffer_init(&group);
    TRY(entity_window_move(entity, aggregate->window, index, err));
    TRY(entity_measure(entity, index, err));
    if (aggregate->group_count > 0)
        buffer_put_bytes(&group, entity_group_key(aggregate, scratch->measures, &scratch->group));
    const struct window_edges *edges = &entity_edges(entity)[aggregate->window];
    int64_t members = window_aggregates_members(entity, i, buffer_view(&group));
    const int64_t span_events = spec->windows[aggregate->window].span_events;
    if (span_events > 0 && members > span_events)
        members = span_events;
    struct contribution contribution = {
        .entity = entity, .max = max, .wanted = members, .each = each, .context = context
    };
    *total = (size_t)members;
    if (members == 0)
        return ST_OK;
    return entity_walk_members(entity, i, buffer_view(&group), edges->low, edges->high, true, false, contribution_visit,
                               &contribution, err);
}
