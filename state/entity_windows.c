#include "state/entity_windows.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity_members.h"

/* --- life ------------------------------------------------------------------------------------- */

void entity_windows_init(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    entity->edges = mem_alloc_array(spec->window_count + 1, sizeof *entity->edges);
    entity->states = mem_alloc_array(spec->aggregate_count + 1, sizeof *entity->states);
    entity->groups = mem_alloc_array(spec->aggregate_count + 1, sizeof *entity->groups);
}

static void clear_groups(struct map *groups)
{
    struct map_iterator it = map_iterate(groups);
    while (map_next(&it))
        aggregate_state_fini(it.value);
    map_clear(groups);
}

void entity_windows_fini(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        aggregate_state_fini(&entity->states[i]);
        if (entity->groups[i] != NULL)
            clear_groups(entity->groups[i]);
        map_destroy(&entity->groups[i]);
    }
    mem_free(entity->edges);
    mem_free(entity->states);
    mem_free(entity->groups);
}

static void clear_aggregate(struct entity *entity, size_t i)
{
    aggregate_state_clear(&entity->states[i]);
    if (entity->groups[i] != NULL)
        clear_groups(entity->groups[i]);
}

static void clear_window(struct entity *entity, int window, uint64_t index)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        if (spec->aggregates[i].window == window)
            clear_aggregate(entity, i);
    }
    entity->edges[window] = (struct window_edges){ index, index };
}

void entity_windows_clear(struct entity *entity)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++)
        clear_window(entity, (int)w, 0);
}

void entity_windows_forgot(struct entity *entity, uint64_t end)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        if (entity->edges[w].low < end)
            clear_window(entity, (int)w, end);
    }
}

uint64_t entity_windows_footprint(const struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    uint64_t bytes = spec->window_count * sizeof *entity->edges;
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        bytes += aggregate_state_footprint(&entity->states[i]);
        if (entity->groups[i] == NULL)
            continue;
        bytes += map_footprint(entity->groups[i]);
        struct map_iterator it = map_iterate(entity->groups[i]);
        while (map_next(&it))
            bytes += aggregate_state_footprint(it.value) - sizeof(struct aggregate_state);
    }
    return bytes;
}

/* --- running aggregates ----------------------------------------------------------------------- */

static struct aggregate_state *group_state(struct entity *entity, size_t i, struct bytes key,
                                           bool create)
{
    if (entity->groups[i] == NULL) {
        if (!create)
            return NULL;
        map_create(&entity->groups[i], sizeof(struct aggregate_state));
    }
    return create ? map_insert(entity->groups[i], key, NULL) : map_find(entity->groups[i], key);
}

static void add_to(struct entity *entity, size_t i, const struct value *measures)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    if (!entity_is_member(aggregate, measures))
        return;
    struct aggregate_state *state = &entity->states[i];
    if (aggregate->group_count > 0)
        state =
            group_state(entity, i, entity_group_key(aggregate, measures, &scratch->group), true);
    aggregate_state_add(state, aggregate,
                        aggregate->argument < 0 ? NULL : &measures[aggregate->argument],
                        &scratch->value);
}

static void remove_from(struct entity *entity, size_t i, const struct value *measures)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    if (!entity_is_member(aggregate, measures))
        return;
    struct aggregate_state *state = &entity->states[i];
    struct bytes key = BYTES_NONE;
    if (aggregate->group_count > 0) {
        key = entity_group_key(aggregate, measures, &scratch->group);
        state = group_state(entity, i, key, false);
        ENSURE(state != NULL);
    }
    aggregate_state_remove(state, aggregate,
                           aggregate->argument < 0 ? NULL : &measures[aggregate->argument],
                           &scratch->value);
    if (aggregate->group_count > 0 && state->count == 0) {
        aggregate_state_fini(state);
        map_remove(entity->groups[i], key);
    }
}

static enum status move_event(struct entity *entity, int window, uint64_t index, bool add,
                              struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct value *measures = entity_scratch_of(entity->log)->measures;
    TRY(entity_measure(entity, index, err));
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        if (spec->aggregates[i].window != window)
            continue;
        if (add)
            add_to(entity, i, measures);
        else
            remove_from(entity, i, measures);
    }
    return ST_OK;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* Moves the window's edges, adding and taking away what they pass; grows before it shrinks. */
static enum status move_edges(struct entity *entity, int window, uint64_t low, uint64_t high,
                              struct error *err)
{
    struct window_edges *edges = &entity->edges[window];
    if (low >= edges->high || high <= edges->low)
        clear_window(entity, window, low);
    while (edges->high < high) {
        TRY(move_event(entity, window, edges->high, true, err));
        edges->high++;
    }
    while (edges->low > low) {
        TRY(move_event(entity, window, edges->low - 1, true, err));
        edges->low--;
    }
    while (edges->low < low) {
        TRY(move_event(entity, window, edges->low, false, err));
        edges->low++;
    }
    while (edges->high > high) {
        TRY(move_event(entity, window, edges->high - 1, false, err));
        edges->high--;
    }
    return ST_OK;
}

/* Where the window of the event at `index` begins and ends. */
static enum status window_extent(struct entity *entity, int window, uint64_t index, int64_t time_us,
                                 uint64_t *low, uint64_t *high, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct window_spec *w = &spec->windows[window];
    *high = w->previous ? index : index + 1;
    if (w->delay_us > 0) {
        uint64_t delayed;
        TRY(entity_upper_bound(entity, time_before(time_us, w->delay_us), &delayed, err));
        if (delayed < *high)
            *high = delayed;
    }
    const int64_t span_us = w->span_us > 0 ? w->span_us : spec->look_back_us;
    TRY(entity_upper_bound(entity, time_before(time_before(time_us, w->delay_us), span_us), low,
                           err));
    if (*low > *high)
        *low = *high;
    return ST_OK;
}

enum status entity_windows_inserted(struct entity *entity, uint64_t index, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t w = 0; w < spec->window_count; w++) {
        struct window_edges *edges = &entity->edges[w];
        if (index >= edges->high)
            continue;
        edges->high++;
        if (index < edges->low)
            edges->low++;
        else
            TRY(move_event(entity, (int)w, index, true, err));
    }
    return ST_OK;
}

enum status entity_window_move(struct entity *entity, int window, uint64_t index, struct error *err)
{
    const struct event_place *place;
    uint64_t low, high;
    TRY(entity_place_of(entity, index, &place, err));
    TRY(window_extent(entity, window, index, place->time_us, &low, &high, err));
    return move_edges(entity, window, low, high, err);
}

int64_t entity_window_members(struct entity *entity, size_t i, struct bytes group)
{
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    const struct aggregate_state *state = &entity->states[i];
    if (aggregate->group_count > 0)
        state = group_state(entity, i, group, false);
    return state == NULL ? 0 : state->count;
}

/* --- results ---------------------------------------------------------------------------------- */

static enum status result_of(struct entity *entity, size_t i, uint64_t index, struct value *out,
                             struct arena *arena, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    struct aggregate_state *state = &entity->states[i];
    struct bytes group = BYTES_NONE;
    if (aggregate->group_count > 0) {
        TRY(entity_measure(entity, index, err));
        group = arena_copy(arena, entity_group_key(aggregate, scratch->measures, &scratch->group));
        state = group_state(entity, i, group, false);
    }
    if (!entity_is_looked_up(spec, aggregate)) {
        *out = aggregate_state_result(state, aggregate, arena);
        return ST_OK;
    }
    const struct window_edges *edges = &entity->edges[aggregate->window];
    return entity_look_up(entity, i, group, state == NULL ? 0 : state->count, edges->low,
                          edges->high, out, arena, err);
}

enum status entity_aggregates(struct entity *entity, size_t position, struct value *out,
                              struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const uint64_t index = entity_first_index(entity) + position;
    for (size_t w = 0; w < spec->window_count; w++)
        TRY(entity_window_move(entity, (int)w, index, err));
    for (size_t i = 0; i < spec->aggregate_count; i++)
        TRY(result_of(entity, i, index, &out[i], arena, err));
    return ST_OK;
}
