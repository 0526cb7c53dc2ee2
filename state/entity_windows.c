#include "state/entity_windows.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity_members.h"

#define EDGE_UNKNOWN ((struct event_edge){ 0, INT64_MAX, INT64_MIN })

/* --- life ------------------------------------------------------------------------------------- */

void entity_windows_init(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    entity->edges = mem_alloc_array(spec->window_count + 1, sizeof *entity->edges);
    entity->states = mem_alloc_array(spec->aggregate_count + 1, sizeof *entity->states);
    entity->groups = mem_alloc_array(spec->aggregate_count + 1, sizeof *entity->groups);
    entity_windows_clear(entity);
}

/* What a group's state holds beside itself. */
static uint64_t nested_bytes(const struct aggregate_state *state)
{
    return aggregate_state_footprint(state) - sizeof *state;
}

static void clear_groups(struct entity *entity, size_t i)
{
    if (entity->groups[i] == NULL)
        return;
    struct map_iterator it = map_iterate(entity->groups[i]);
    while (map_next(&it)) {
        entity->nested_bytes -= nested_bytes(it.value);
        aggregate_state_fini(it.value);
    }
    map_clear(entity->groups[i]);
}

void entity_windows_fini(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        aggregate_state_fini(&entity->states[i]);
        clear_groups(entity, i);
        map_destroy(&entity->groups[i]);
    }
    mem_free(entity->edges);
    mem_free(entity->states);
    mem_free(entity->groups);
}

static void restart_window(struct entity *entity, size_t window, uint64_t index)
{
    const struct entity_scratch *scratch = entity_scratch_of(entity->log);
    for (size_t n = scratch->first_of[window]; n < scratch->first_of[window + 1]; n++) {
        aggregate_state_clear(&entity->states[scratch->by_window[n]]);
        clear_groups(entity, scratch->by_window[n]);
    }
    entity->edges[window].low = entity->edges[window].high = index;
}

static void clear_window(struct entity *entity, size_t window, uint64_t index)
{
    restart_window(entity, window, index);
    entity->edges[window].begin = EDGE_UNKNOWN;
}

void entity_windows_clear(struct entity *entity)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++)
        clear_window(entity, w, 0);
}

void entity_windows_forgot(struct entity *entity, uint64_t end)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        if (entity->edges[w].low < end)
            clear_window(entity, w, end);
    }
}

uint64_t entity_windows_footprint(const struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    uint64_t bytes = mem_size(entity->edges) + mem_size(entity->states) +
                     mem_size(entity->groups) + entity->nested_bytes;
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        bytes += nested_bytes(&entity->states[i]);
        bytes += entity->groups[i] == NULL ? 0 : map_footprint(entity->groups[i]);
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

/* Of what is looked up only the number of members is kept. */
static void count_member(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate,
                         struct aggregate_state *state, const struct value *measures, bool add,
                         struct buffer *scratch)
{
    const struct value *argument = aggregate->argument < 0 ? NULL : &measures[aggregate->argument];
    if (entity_is_looked_up(spec, aggregate))
        state->count += add ? 1 : -1;
    else if (add)
        aggregate_state_add(state, aggregate, argument, scratch);
    else
        aggregate_state_remove(state, aggregate, argument, scratch);
}

static void count_in_group(struct entity *entity, size_t i, const struct value *measures, bool add)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    const struct bytes key = entity_group_key(aggregate, measures, &scratch->group);
    struct aggregate_state *state = group_state(entity, i, key, add);
    ENSURE(state != NULL);
    const uint64_t before = nested_bytes(state);
    count_member(spec, aggregate, state, measures, add, &scratch->value);
    entity->nested_bytes += nested_bytes(state) - before;
    if (state->count > 0)
        return;
    entity->nested_bytes -= nested_bytes(state);
    aggregate_state_fini(state);
    map_remove(entity->groups[i], key);
}

/* The event enters or leaves the window. */
static enum status pass(struct entity *entity, size_t window, uint64_t index, bool add,
                        struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    TRY(entity_measure(entity, index, err));
    for (size_t n = scratch->first_of[window]; n < scratch->first_of[window + 1]; n++) {
        const size_t i = scratch->by_window[n];
        const struct aggregate_spec *aggregate = &spec->aggregates[i];
        if (!entity_is_member(aggregate, scratch->measures))
            continue;
        if (aggregate->group_count > 0)
            count_in_group(entity, i, scratch->measures, add);
        else
            count_member(spec, aggregate, &entity->states[i], scratch->measures, add,
                         &scratch->value);
    }
    return ST_OK;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* Often it is where it was. */
static enum status find_begin(struct entity *entity, struct window_edges *edges, int64_t time_us,
                              struct error *err)
{
    if (time_us >= edges->begin.from_us && time_us < edges->begin.until_us)
        return ST_OK;
    edges->begin = EDGE_UNKNOWN;
    return entity_find_edge(entity, time_us, &edges->begin, err);
}

/* Where the window of the event at `index` begins and ends. */
static enum status window_extent(struct entity *entity, size_t window, uint64_t index,
                                 int64_t time_us, struct error *err)
{
    const struct window_spec *w = &entity_spec_of(entity->log)->windows[window];
    struct window_edges *wanted = &entity_scratch_of(entity->log)->wanted[window];
    struct window_edges *edges = &entity->edges[window];
    const int64_t span_us = w->span_us > 0 ? w->span_us : entity_spec_of(entity->log)->look_back_us;
    const int64_t end_us = time_before(time_us, w->delay_us);
    TRY(find_begin(entity, edges, time_before(end_us, span_us), err));
    wanted->low = edges->begin.index;
    wanted->high = w->previous ? index : index + 1;
    if (w->delay_us > 0) {
        uint64_t delayed;
        TRY(entity_upper_bound(entity, end_us, &delayed, err));
        if (delayed < wanted->high)
            wanted->high = delayed;
    }
    if (wanted->low > wanted->high)
        wanted->low = wanted->high;
    return ST_OK;
}

/* Windows that begin later: the events that several of them lose are decoded once. */
static enum status raise_low(struct entity *entity, size_t from, size_t to, struct error *err)
{
    const struct window_edges *wanted = entity_scratch_of(entity->log)->wanted;
    struct window_edges *edges = entity->edges;
    for (;;) {
        uint64_t next = UINT64_MAX;
        for (size_t w = from; w < to; w++) {
            if (edges[w].low < wanted[w].low && edges[w].low < next)
                next = edges[w].low;
        }
        if (next == UINT64_MAX)
            return ST_OK;
        for (size_t w = from; w < to; w++) {
            if (edges[w].low != next || next >= wanted[w].low)
                continue;
            TRY(pass(entity, w, next, false, err));
            edges[w].low++;
        }
    }
}

/* Windows that end later, in the same way. */
static enum status raise_high(struct entity *entity, size_t from, size_t to, struct error *err)
{
    const struct window_edges *wanted = entity_scratch_of(entity->log)->wanted;
    struct window_edges *edges = entity->edges;
    for (;;) {
        uint64_t next = UINT64_MAX;
        for (size_t w = from; w < to; w++) {
            if (edges[w].high < wanted[w].high && edges[w].high < next)
                next = edges[w].high;
        }
        if (next == UINT64_MAX)
            return ST_OK;
        for (size_t w = from; w < to; w++) {
            if (edges[w].high != next || next >= wanted[w].high)
                continue;
            TRY(pass(entity, w, next, true, err));
            edges[w].high++;
        }
    }
}

/* A late event is evaluated, or the one after it again: back in time. */
static enum status lower(struct entity *entity, size_t w, struct error *err)
{
    const struct window_edges *wanted = &entity_scratch_of(entity->log)->wanted[w];
    struct window_edges *edges = &entity->edges[w];
    while (edges->high > wanted->high) {
        TRY(pass(entity, w, edges->high - 1, false, err));
        edges->high--;
    }
    while (edges->low > wanted->low) {
        TRY(pass(entity, w, edges->low - 1, true, err));
        edges->low--;
    }
    return ST_OK;
}

/* Moves windows [from, to) to where they stand for the event at `index`, which is measured last if
 * any of them gains it. */
static enum status move_windows(struct entity *entity, size_t from, size_t to, uint64_t index,
                                struct error *err)
{
    struct window_edges *wanted = entity_scratch_of(entity->log)->wanted;
    const struct event_place *place;
    TRY(entity_place_of(entity, index, &place, err));
    const int64_t time_us = place->time_us;
    for (size_t w = from; w < to; w++) {
        const struct window_edges *edges = &entity->edges[w];
        TRY(window_extent(entity, w, index, time_us, err));
        if (wanted[w].low >= edges->high || wanted[w].high <= edges->low)
            restart_window(entity, w, wanted[w].low);
    }
    TRY(raise_low(entity, from, to, err));
    for (size_t w = from; w < to; w++)
        TRY(lower(entity, w, err));
    return raise_high(entity, from, to, err);
}

enum status entity_window_move(struct entity *entity, int window, uint64_t index, struct error *err)
{
    return move_windows(entity, (size_t)window, (size_t)window + 1, index, err);
}

static void shift_begin(struct event_edge *begin, uint64_t index, int64_t time_us)
{
    if (index < begin->index)
        begin->index++;
    else if (index == begin->index && begin->from_us <= begin->until_us)
        begin->until_us = time_us;
}

enum status entity_windows_inserted(struct entity *entity, uint64_t index, int64_t time_us,
                                    struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t w = 0; w < spec->window_count; w++) {
        struct window_edges *edges = &entity->edges[w];
        shift_begin(&edges->begin, index, time_us);
        if (index >= edges->high)
            continue;
        edges->high++;
        if (index < edges->low)
            edges->low++;
        else
            TRY(pass(entity, w, index, true, err));
    }
    return ST_OK;
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
        group = entity_group_key(aggregate, scratch->measures, &scratch->group);
        state = group_state(entity, i, group, false);
    }
    if (!entity_is_looked_up(spec, aggregate)) {
        *out = aggregate_state_result(state, aggregate, arena);
        return ST_OK;
    }
    group = arena_copy(arena, group); /* the members' keys go where it is */
    const struct window_edges *edges = &entity->edges[aggregate->window];
    return entity_look_up(entity, i, group, state == NULL ? 0 : state->count, edges->low,
                          edges->high, out, arena, err);
}

enum status entity_aggregates(struct entity *entity, size_t position, struct value *out,
                              struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const uint64_t index = entity_first_index(entity) + position;
    TRY(move_windows(entity, 0, spec->window_count, index, err));
    for (size_t i = 0; i < spec->aggregate_count; i++)
        TRY(result_of(entity, i, index, &out[i], arena, err));
    return ST_OK;
}
