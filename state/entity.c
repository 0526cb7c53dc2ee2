#include "state/entity.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { CHUNK_EVENTS = 32, CHUNK_BYTES = 16 * 1024, LATE_GROWTH = 4 };

/* --- life ------------------------------------------------------------------------------------- */

static void add_chunk(struct entity *entity, size_t at, const struct event_chunk *chunk)
{
    entity->chunks =
        mem_resize_array(entity->chunks, entity->chunk_count + 1, sizeof *entity->chunks);
    memmove(entity->chunks + at + 1, entity->chunks + at,
            (entity->chunk_count - at) * sizeof *entity->chunks);
    entity->chunks[at] = *chunk;
    entity->chunk_count++;
}

void entity_init(struct entity *entity, struct entity_log *log, struct bytes key)
{
    const struct entity_log_spec *spec = entity_spec_of(log);
    *entity = (struct entity){ .log = log };
    entity->key = mem_copy(key.data, key.size);
    entity->key_size = key.size;
    const struct event_chunk open = { .loaded = true };
    add_chunk(entity, 0, &open);
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

static void clear_aggregate(struct entity *entity, size_t i)
{
    aggregate_state_clear(&entity->states[i]);
    if (entity->groups[i] != NULL)
        clear_groups(entity->groups[i]);
}

void entity_fini(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        aggregate_state_fini(&entity->states[i]);
        if (entity->groups[i] != NULL)
            clear_groups(entity->groups[i]);
        map_destroy(&entity->groups[i]);
    }
    for (size_t i = 0; i < entity->chunk_count; i++)
        event_chunk_fini(&entity->chunks[i]);
    mem_free(entity->chunks);
    mem_free(entity->dropped);
    mem_free(entity->edges);
    mem_free(entity->states);
    mem_free(entity->groups);
    mem_free(entity->key);
}

void entity_reset(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++)
        clear_aggregate(entity, i);
    memset(entity->edges, 0, spec->window_count * sizeof *entity->edges);
    for (size_t i = 0; i < entity->chunk_count; i++)
        event_chunk_fini(&entity->chunks[i]);
    entity->chunks[0].loaded = true;
    entity->chunk_count = 1;
    entity->next_number = 0;
    entity->dropped_count = 0;
}

/* --- events by index -------------------------------------------------------------------------- */

uint64_t entity_first_index(const struct entity *entity)
{
    return entity->chunks[0].start;
}

uint64_t entity_end_index(const struct entity *entity)
{
    const struct event_chunk *open = &entity->chunks[entity->chunk_count - 1];
    return open->start + open->count;
}

int64_t entity_newest_us(const struct entity *entity)
{
    for (size_t i = entity->chunk_count; i-- > 0;) {
        if (entity->chunks[i].count > 0)
            return entity->chunks[i].last_us;
    }
    return INT64_MIN;
}

/* The chunk that holds the index, loaded. */
static enum status find_chunk(struct entity *entity, uint64_t index, struct event_chunk **out,
                              struct error *err)
{
    size_t low = 0, high = entity->chunk_count - 1;
    if (entity->chunks[high].start <= index)
        low = high; /* mostly the open one */
    while (low < high) {
        const size_t middle = low + (high - low + 1) / 2;
        if (entity->chunks[middle].start <= index)
            low = middle;
        else
            high = middle - 1;
    }
    *out = &entity->chunks[low];
    ENSURE(index >= (*out)->start && index < (*out)->start + (*out)->count);
    return (*out)->loaded ? ST_OK : entity_load_chunk(entity, *out, err);
}

static enum status place_of(struct entity *entity, uint64_t index, const struct event_place **out,
                            struct error *err)
{
    struct event_chunk *chunk;
    TRY(find_chunk(entity, index, &chunk, err));
    *out = &chunk->places[index - chunk->start];
    return ST_OK;
}

/* The index of the first event with time > time_us. */
static enum status upper_bound(struct entity *entity, int64_t time_us, uint64_t *index,
                               struct error *err)
{
    for (size_t i = entity->chunk_count; i-- > 0;) {
        struct event_chunk *chunk = &entity->chunks[i];
        if (chunk->count == 0 || chunk->first_us > time_us)
            continue;
        if (chunk->last_us <= time_us) {
            *index = chunk->start + chunk->count;
            return ST_OK;
        }
        if (!chunk->loaded)
            TRY(entity_load_chunk(entity, chunk, err));
        *index = chunk->start + event_chunk_upper_bound(chunk, time_us);
        return ST_OK;
    }
    *index = entity_first_index(entity);
    return ST_OK;
}

/* Decodes the event's columns and computes its measures into the scratch. */
static enum status measure(struct entity *entity, uint64_t index, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    if (scratch->measured == entity && scratch->measured_index == index)
        return ST_OK;
    struct event_chunk *chunk;
    TRY(find_chunk(entity, index, &chunk, err));
    TRY(entity_decode(entity, event_chunk_rest(chunk, index - chunk->start), scratch->measures,
                      err));
    arena_reset(scratch->arena);
    if (spec->measure_count > spec->column_count)
        spec->measure(spec->measure_context, scratch->measures, scratch->measures, scratch->arena);
    scratch->measured = entity;
    scratch->measured_index = index;
    return ST_OK;
}

/* --- aggregates ------------------------------------------------------------------------------- */

static bool is_member(const struct aggregate_spec *aggregate, const struct value *measures)
{
    if (aggregate->condition >= 0) {
        const struct value *condition = &measures[aggregate->condition];
        if (condition->kind != VALUE_BOOL || !condition->b)
            return false;
    }
    return aggregate->argument < 0 || !value_is_null(&measures[aggregate->argument]);
}

static struct bytes group_key(const struct aggregate_spec *aggregate, const struct value *measures,
                              struct buffer *scratch)
{
    buffer_clear(scratch);
    for (int i = 0; i < aggregate->group_count; i++)
        value_write(scratch, &measures[aggregate->group[i]]);
    return buffer_view(scratch);
}

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
    if (!is_member(aggregate, measures))
        return;
    struct aggregate_state *state = &entity->states[i];
    if (aggregate->group_count > 0)
        state = group_state(entity, i, group_key(aggregate, measures, &scratch->group), true);
    aggregate_state_add(state, aggregate,
                        aggregate->argument < 0 ? NULL : &measures[aggregate->argument],
                        &scratch->value);
}

static void remove_from(struct entity *entity, size_t i, const struct value *measures)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    if (!is_member(aggregate, measures))
        return;
    struct aggregate_state *state = &entity->states[i];
    struct bytes key = BYTES_NONE;
    if (aggregate->group_count > 0) {
        key = group_key(aggregate, measures, &scratch->group);
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
    TRY(measure(entity, index, err));
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

static void clear_window(struct entity *entity, int window, uint64_t index)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        if (spec->aggregates[i].window == window)
            clear_aggregate(entity, i);
    }
    entity->edges[window] = (struct window_edges){ index, index };
}

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
        TRY(upper_bound(entity, time_us - w->delay_us, &delayed, err));
        if (delayed < *high)
            *high = delayed;
    }
    const int64_t span_us = w->span_us > 0 ? w->span_us : spec->look_back_us;
    TRY(upper_bound(entity, time_us - w->delay_us - span_us, low, err));
    if (*low > *high)
        *low = *high;
    return ST_OK;
}

/* Walks the members of aggregate i in [low, high), newest or oldest first, until `visit` says
 * enough. */
typedef bool member_fn(void *context, uint64_t index, const struct value *measures,
                       const struct event_place *place);

static enum status walk_members(struct entity *entity, size_t i, struct bytes group, uint64_t low,
                                uint64_t high, bool newest_first, member_fn *visit, void *context,
                                struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    for (uint64_t n = 0; n < high - low; n++) {
        const uint64_t index = newest_first ? high - 1 - n : low + n;
        const struct event_place *place;
        TRY(measure(entity, index, err));
        if (!is_member(aggregate, scratch->measures))
            continue;
        if (aggregate->group_count > 0 &&
            !bytes_equal(group_key(aggregate, scratch->measures, &scratch->group), group))
            continue;
        TRY(place_of(entity, index, &place, err));
        if (!visit(context, index, scratch->measures, place))
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

static struct value keep_value(const struct value *v, struct arena *arena)
{
    struct value kept = *v;
    if (v->kind == VALUE_STRING || v->kind == VALUE_BYTES)
        kept.text = arena_copy(arena, v->text);
    return kept;
}

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
        lookup->found = keep_value(argument, lookup->arena);
    else if (aggregate->kind != AGGREGATE_LAST)
        aggregate_state_add(&lookup->state, aggregate, argument, lookup->scratch);
    return ++lookup->seen < lookup->wanted;
}

static enum status look_up(struct entity *entity, size_t i, struct bytes group, int64_t members,
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
        st = walk_members(entity, i, group, low, high, newest_first, lookup_visit, &lookup, err);
    const bool is_value = aggregate->kind == AGGREGATE_FIRST || aggregate->kind == AGGREGATE_LAST;
    *out = is_value ? lookup.found : aggregate_state_result(&lookup.state, aggregate, arena);
    aggregate_state_fini(&lookup.state);
    return st;
}

static bool is_looked_up(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate)
{
    return spec->windows[aggregate->window].span_events > 0 || aggregate->kind == AGGREGATE_FIRST ||
           aggregate->kind == AGGREGATE_LAST;
}

static enum status result_of(struct entity *entity, size_t i, uint64_t index, struct value *out,
                             struct arena *arena, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    struct aggregate_state *state = &entity->states[i];
    struct bytes group = BYTES_NONE;
    if (aggregate->group_count > 0) {
        TRY(measure(entity, index, err));
        group = arena_copy(arena, group_key(aggregate, scratch->measures, &scratch->group));
        state = group_state(entity, i, group, false);
    }
    if (!is_looked_up(spec, aggregate)) {
        *out = aggregate_state_result(state, aggregate, arena);
        return ST_OK;
    }
    const struct window_edges *edges = &entity->edges[aggregate->window];
    return look_up(entity, i, group, state == NULL ? 0 : state->count, edges->low, edges->high, out,
                   arena, err);
}

enum status entity_aggregates(struct entity *entity, size_t position, struct value *out,
                              struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const uint64_t index = entity_first_index(entity) + position;
    const struct event_place *place;
    TRY(place_of(entity, index, &place, err));
    const int64_t time_us = place->time_us;
    for (size_t w = 0; w < spec->window_count; w++) {
        uint64_t low, high;
        TRY(window_extent(entity, (int)w, index, time_us, &low, &high, err));
        TRY(move_edges(entity, (int)w, low, high, err));
    }
    for (size_t i = 0; i < spec->aggregate_count; i++)
        TRY(result_of(entity, i, index, &out[i], arena, err));
    return ST_OK;
}

/* --- contributors ----------------------------------------------------------------------------- */

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

size_t entity_contributors(struct entity *entity, size_t i, size_t position, size_t max,
                           void (*each)(void *context, size_t position, int64_t time_us,
                                        int64_t offset),
                           void *context)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    const uint64_t index = entity_first_index(entity) + position;
    struct aggregate_state *state = &entity->states[i];
    AUTO(buffer_fini) struct buffer group;
    uint64_t low, high;
    const struct event_place *place;
    buffer_init(&group);
    /* The event was evaluated just now: everything is loaded, nothing can fail. */
    if (place_of(entity, index, &place, NULL) != ST_OK ||
        window_extent(entity, aggregate->window, index, place->time_us, &low, &high, NULL) !=
            ST_OK ||
        move_edges(entity, aggregate->window, low, high, NULL) != ST_OK ||
        measure(entity, index, NULL) != ST_OK)
        return 0;
    if (aggregate->group_count > 0) {
        buffer_put_bytes(&group, group_key(aggregate, scratch->measures, &scratch->group));
        state = group_state(entity, i, buffer_view(&group), false);
    }
    int64_t members = state == NULL ? 0 : state->count;
    const int64_t span_events = spec->windows[aggregate->window].span_events;
    if (span_events > 0 && members > span_events)
        members = span_events;
    struct contribution contribution = {
        .entity = entity, .max = max, .wanted = members, .each = each, .context = context
    };
    if (members > 0 && walk_members(entity, i, buffer_view(&group), low, high, true,
                                    contribution_visit, &contribution, NULL) != ST_OK)
        return 0;
    return (size_t)members;
}

/* --- events in and out ------------------------------------------------------------------------ */

size_t entity_event_count(const struct entity *entity)
{
    return entity_end_index(entity) - entity_first_index(entity);
}

enum status entity_position_of(struct entity *entity, int64_t time_us, size_t *position,
                               struct error *err)
{
    uint64_t index;
    TRY(upper_bound(entity, time_us, &index, err));
    *position = index - entity_first_index(entity);
    return ST_OK;
}

/* The chunk that an event at this index goes into, and the place in it. Never before the first
 * chunk's begin. */
static enum status find_home(struct entity *entity, uint64_t index, size_t *chunk, size_t *place,
                             struct error *err)
{
    size_t i = entity->chunk_count - 1;
    while (i > 0 && entity->chunks[i].start > index)
        i--;
    if (!entity->chunks[i].loaded)
        TRY(entity_load_chunk(entity, &entity->chunks[i], err));
    *chunk = i;
    *place = index - entity->chunks[i].start;
    return ST_OK;
}

/* A window that reaches over the new event must count it; one that lies behind it moves up. */
static enum status tell_windows(struct entity *entity, uint64_t index, struct error *err)
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

static size_t chunk_events_max(const struct entity_log_spec *spec)
{
    return spec->chunk_events == 0 ? CHUNK_EVENTS : spec->chunk_events;
}

static size_t chunk_bytes_max(const struct entity_log_spec *spec)
{
    return spec->chunk_bytes == 0 ? CHUNK_BYTES : spec->chunk_bytes;
}

enum status entity_insert(struct entity *entity, const struct entity_event *event, size_t *position,
                          struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    buffer_clear(&scratch->rest);
    buffer_put_varint(&scratch->rest, 0); /* no rule has alerted yet */
    layout_write_values(&scratch->rest, event->columns, spec->column_count);
    if (scratch->rest.size > ENTITY_EVENT_BYTES_MAX)
        return FAIL(err, ST_TOO_LARGE, "the columns to be remembered have %zu bytes, more than %d",
                    scratch->rest.size, ENTITY_EVENT_BYTES_MAX);
    uint64_t index;
    size_t chunk, place;
    TRY(upper_bound(entity, event->time_us, &index, err));
    TRY(find_home(entity, index, &chunk, &place, err));
    event_chunk_insert(&entity->chunks[chunk], place, event->time_us, event->offset,
                       buffer_view(&scratch->rest));
    for (size_t i = chunk + 1; i < entity->chunk_count; i++)
        entity->chunks[i].start++;
    entity->dirty = true;
    scratch->measured = NULL;
    *position = index - entity_first_index(entity);
    return tell_windows(entity, index, err);
}

enum status entity_decode(const struct entity *entity, struct bytes rest, struct value *columns,
                          struct error *err)
{
    struct reader in = reader_of(rest);
    const uint64_t alerted = reader_varint(&in);
    reader_take(&in, 4 * (size_t)alerted);
    return layout_read_values(entity_mapping_of(entity->log), &in, columns, err);
}

enum status entity_event_at(struct entity *entity, size_t position, struct entity_event *out,
                            struct value *columns, struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    struct event_chunk *chunk;
    const uint64_t index = entity_first_index(entity) + position;
    TRY(find_chunk(entity, index, &chunk, err));
    const struct event_place *place = &chunk->places[index - chunk->start];
    TRY(entity_decode(entity, event_chunk_rest(chunk, index - chunk->start), columns, err));
    for (size_t i = 0; i < spec->column_count; i++)
        columns[i] = keep_value(&columns[i], arena);
    *out = (struct entity_event){ .time_us = place->time_us,
                                  .offset = place->offset,
                                  .columns = columns };
    return ST_OK;
}

/* --- rules that alerted ----------------------------------------------------------------------- */

enum status entity_has_alerted(struct entity *entity, size_t position, uint32_t rule_id,
                               bool *alerted, struct error *err)
{
    struct event_chunk *chunk;
    const uint64_t index = entity_first_index(entity) + position;
    TRY(find_chunk(entity, index, &chunk, err));
    struct reader in = reader_of(event_chunk_rest(chunk, index - chunk->start));
    *alerted = false;
    for (uint64_t n = reader_varint(&in); n > 0 && !*alerted; n--)
        *alerted = reader_be32(&in) == rule_id;
    return ST_OK;
}

enum status entity_set_alerted(struct entity *entity, size_t position, uint32_t rule_id,
                               struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    struct event_chunk *chunk;
    const uint64_t index = entity_first_index(entity) + position;
    bool alerted;
    TRY(entity_has_alerted(entity, position, rule_id, &alerted, err));
    if (alerted)
        return ST_OK;
    TRY(find_chunk(entity, index, &chunk, err));
    struct reader in = reader_of(event_chunk_rest(chunk, index - chunk->start));
    const uint64_t count = reader_varint(&in);
    if (count >= ENTITY_ALERTED_MAX)
        return ST_OK; /* at worst it alerts again when a late event makes it true again */
    buffer_clear(&scratch->rest);
    buffer_put_varint(&scratch->rest, count + 1);
    buffer_put_be32(&scratch->rest, rule_id);
    buffer_put(&scratch->rest, in.at, reader_left(&in));
    event_chunk_replace_rest(chunk, index - chunk->start, buffer_view(&scratch->rest));
    entity->dirty = true;
    if (scratch->measured == entity)
        scratch->measured = NULL; /* its text pointed into the chunk */
    return ST_OK;
}

/* --- chunks ----------------------------------------------------------------------------------- */

static void drop_oldest(struct entity *entity)
{
    entity->dropped =
        mem_resize_array(entity->dropped, entity->dropped_count + 1, sizeof *entity->dropped);
    entity->dropped[entity->dropped_count++] = entity->chunks[0].number;
    const uint64_t end = entity->chunks[0].start + entity->chunks[0].count;
    event_chunk_fini(&entity->chunks[0]);
    memmove(entity->chunks, entity->chunks + 1, (entity->chunk_count - 1) * sizeof *entity->chunks);
    entity->chunk_count--;
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t w = 0; w < spec->window_count; w++) {
        if (entity->edges[w].low < end)
            clear_window(entity, (int)w, end);
    }
}

static void split_off(struct entity *entity, size_t i, size_t events)
{
    struct event_chunk sealed = { .number = entity->next_number++ };
    event_chunk_split(&entity->chunks[i], events, &sealed);
    add_chunk(entity, i, &sealed);
    entity->chunks[i].dirty = true;
}

static bool is_overfull(const struct entity_log_spec *spec, const struct event_chunk *chunk,
                        size_t events)
{
    return chunk->count > 1 &&
           (chunk->count > events || event_chunk_row_size(chunk) > 2 * chunk_bytes_max(spec));
}

static void seal_open(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const size_t events = chunk_events_max(spec);
    while (is_overfull(spec, entity_open_chunk(entity), 2 * events)) {
        const size_t count = entity_open_chunk(entity)->count;
        split_off(entity, entity->chunk_count - 1, count > events ? events : count / 2);
    }
}

void entity_tidy(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const int64_t newest_us = entity_newest_us(entity);
    entity_scratch_of(entity->log)->measured = NULL;
    seal_open(entity);
    for (size_t i = 0; i + 1 < entity->chunk_count; i++) {
        struct event_chunk *chunk = &entity->chunks[i];
        if (chunk->loaded && chunk->dirty &&
            is_overfull(spec, chunk, LATE_GROWTH * chunk_events_max(spec)))
            split_off(entity, i, chunk->count / 2);
    }
    while (entity->chunk_count > 1 && newest_us - entity->chunks[0].last_us > spec->retention_us)
        drop_oldest(entity);
}

void entity_measure_footprint(struct entity *entity)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    uint64_t bytes = sizeof *entity + entity->key_size + spec->window_count * sizeof *entity->edges;
    for (size_t i = 0; i < entity->chunk_count; i++)
        bytes += event_chunk_footprint(&entity->chunks[i]);
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        bytes += aggregate_state_footprint(&entity->states[i]);
        if (entity->groups[i] == NULL)
            continue;
        bytes += map_footprint(entity->groups[i]);
        struct map_iterator it = map_iterate(entity->groups[i]);
        while (map_next(&it))
            bytes += aggregate_state_footprint(it.value) - sizeof(struct aggregate_state);
    }
    entity->footprint = bytes;
}
