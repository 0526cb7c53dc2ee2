#include "state/entity_members.h"

bool entity_is_member(const struct aggregate_spec *aggregate, const struct value *measures)
{
    if (aggregate->condition >= 0) {
        const struct value *condition = &measures[aggregate->condition];
        if (condition->kind != VALUE_BOOL || !condition->b)
            return false;
    }
    return aggregate->argument < 0 || !value_is_null(&measures[aggregate->argument]);
}

struct bytes entity_group_key(const struct aggregate_spec *aggregate, const struct value *measures,
                              struct buffer *scratch)
{
    buffer_clear(scratch);
    for (int i = 0; i < aggregate->group_count; i++)
        value_write(scratch, &measures[aggregate->group[i]]);
    return buffer_view(scratch);
}

enum status entity_walk_members(struct entity *entity, size_t i, struct bytes group, uint64_t low,
                                uint64_t high, bool newest_first, bool reads_measures,
                                member_fn *visit, void *context, struct error *err)
{
    const uint64_t member = entity->log->facts.member_of[i];
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    for (uint64_t n = 0; n < high - low; n++) {
        const uint64_t index = newest_first ? high - 1 - n : low + n;
        struct event_place place;
        struct event_chunk *chunk;
        TRY(entity_find_chunk(entity, index, &chunk, err));
        const struct fact_view facts = event_chunk_facts(chunk, index - chunk->start);
        if (member != 0 && (fact_members(&facts) & member) == 0)
            continue;
        if (member == 0 || aggregate->group_count > 0 || reads_measures)
            TRY(entity_measure(entity, index, err));
        if (member == 0 && !entity_is_member(aggregate, scratch->measures))
            continue;
        if (aggregate->group_count > 0 &&
            !bytes_equal(entity_group_key(aggregate, scratch->measures, &scratch->group), group))
            continue;
        TRY(entity_place_of(entity, index, &place, err));
        if (!visit(context, index, scratch->measures, &place))
            return ST_OK;
    }
    return ST_OK;
}

/* For windows of N events, and for first and last: the members are looked up, not kept. */
struct lookup {
    const struct aggregate_spec *aggregate;
    struct arena *arena;
    struct buffer *scratch;
    int64_t wanted;
    int64_t seen;
    struct aggregate_state state;
    struct value found;
};

static bool lookup_visit(void *context, uint64_t index, const struct value *measures,
                         const struct event_place *place)
{
    struct lookup *lookup = context;
    const struct aggregate_spec *aggregate = lookup->aggregate;
    (void)index;
    (void)place;
    const struct value *argument = aggregate->argument < 0 ? NULL : &measures[aggregate->argument];
    if (aggregate->kind == AGGREGATE_FIRST ||
        (aggregate->kind == AGGREGATE_LAST && lookup->seen == 0))
        lookup->found = entity_keep_value(argument, lookup->arena);
    else if (aggregate->kind != AGGREGATE_LAST)
        aggregate_state_add(&lookup->state, aggregate, argument, lookup->scratch);
    return ++lookup->seen < lookup->wanted;
}

enum status entity_look_up(struct entity *entity, size_t i, struct bytes group, int64_t members,
                           uint64_t low, uint64_t high, struct value *out, struct arena *arena,
                           struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    const struct window_spec *window = &spec->windows[aggregate->window];
    struct lookup lookup = {
        .aggregate = aggregate,
        .arena = arena,
        .scratch = &entity_scratch_of(entity->log)->value,
        .found = value_null(),
    };
    const bool one = window->span_events == 0; /* the first or the last of a duration */
    lookup.wanted = one ? 1 : window->span_events;
    if (lookup.wanted > members)
        lookup.wanted = members;
    const bool newest_first = !(one && aggregate->kind == AGGREGATE_FIRST);
    enum status st = ST_OK;
    if (lookup.wanted > 0)
        st = entity_walk_members(entity, i, group, low, high, newest_first, true, lookup_visit, &lookup,
                                 err);
    const bool is_value = aggregate->kind == AGGREGATE_FIRST || aggregate->kind == AGGREGATE_LAST;
    *out = is_value ? lookup.found : aggregate_state_result(&lookup.state, aggregate, arena);
    aggregate_state_fini(&lookup.state);
    return st;
}

bool entity_is_looked_up(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate)
{
    return spec->windows[aggregate->window].span_events > 0 || aggregate->kind == AGGREGATE_FIRST ||
           aggregate->kind == AGGREGATE_LAST;
}
