#include "state/entity_windows.h"

#include "base/prefetch.h"
#include "state/window_aggregates.h"

/* --- life ------------------------------------------------------------------------------------- */

static uint32_t room(struct entity_rooms *rooms, size_t count, size_t item_size)
{
    enum { ALIGNMENT = 16 };
    const uint32_t at = rooms->size;
    rooms->size += (uint32_t)((count * item_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    return at;
}

void entity_windows_lay_out(const struct entity_log *log, struct entity_rooms *out)
{
    const struct entity_log_spec *spec = log->spec;
    *out = (struct entity_rooms){ .size = 0 };
    (void)room(out, 1, sizeof(struct entity));
    out->tallies = room(out, log->facts.tally_count, sizeof(struct tally));
    out->edges = room(out, spec->window_count, sizeof(struct window_edges));
    out->coded = room(out, log->facts.code_count, sizeof(struct coded));
    out->tops = room(out, log->facts.top_count, sizeof(struct top));
    out->states = room(out, log->facts.state_count, sizeof(struct aggregate_state));
    out->groups = room(out, log->facts.has_groups ? log->facts.state_count : 0, sizeof(struct map *));
    out->ids = room(out, spec->finds_ids, sizeof(struct code_counts));
}

static void forget_begin(struct window_edges *edges)
{
    edges->begin = 0;
    edges->begin_from_us = INT64_MAX;
    edges->begin_until_us = INT64_MIN;
}

static void restart_window(struct entity *entity, size_t window, uint32_t index)
{
    struct window_edges *edges = &entity_edges(entity)[window];
    window_aggregates_clear(entity, window);
    edges->low = edges->high = index;
}

static void clear_window(struct entity *entity, size_t window, uint32_t index)
{
    restart_window(entity, window, index);
    forget_begin(&entity_edges(entity)[window]);
}

void entity_windows_clear(struct entity *entity)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++)
        clear_window(entity, w, 0);
}

void entity_windows_forgot(struct entity *entity, uint64_t end, size_t chunks)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        if (edges->low < end)
            clear_window(entity, w, (uint32_t)end);
        edges->low_chunk -= edges->low_chunk < chunks ? edges->low_chunk : (uint32_t)chunks;
    }
}

void entity_windows_renumbered(struct entity *entity, uint32_t by)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        edges->low -= by;
        edges->high -= by;
        if (edges->begin >= by)
            edges->begin -= by;
        else
            forget_begin(edges);
    }
}

/* What leaves a window next, and the one after it, which says when. */
static void prefetch_leaving(const struct event_chunk *chunk, uint32_t low)
{
    enum { EVENTS = 2 };
    bytes_prefetch(bytes_of(event_chunk_entry(chunk, low - chunk->start), EVENTS * (size_t)chunk->entry_size));
}

void entity_windows_prefetch(const struct entity *entity)
{
    window_aggregates_prefetch(entity);
    const struct window_edges *edges = entity_edges(entity), *end = edges + entity_spec_of(entity->log)->window_count;
    for (uint32_t before = UINT32_MAX; edges < end; before = edges++->low) {
        if (edges->low == before) /* it begins where the last one does */
            continue;
        if (edges->low >= entity->open.start)
            prefetch_leaving(&entity->open, edges->low);
        else if (edges->low_chunk < entity->sealed_count) /* and the next one, which is there if it is not the open one */
            bytes_prefetch(bytes_of(&entity->sealed[edges->low_chunk], 2 * sizeof *entity->sealed));
    }
}

void entity_windows_prefetch_sealed(const struct entity *entity)
{
    const struct window_edges *edges = entity_edges(entity), *end = edges + entity_spec_of(entity->log)->window_count;
    uint32_t before = UINT32_MAX;
    for (; edges < end && entity->sealed_count > 0; before = edges++->low) {
        if (edges->low == before || edges->low >= entity->open.start || edges->low_chunk >= entity->sealed_count)
            continue;
        const struct event_chunk *chunk = &entity->sealed[edges->low_chunk];
        if (!chunk->loaded || edges->low - chunk->start >= chunk->count)
            continue;
        prefetch_leaving(chunk, edges->low);
        const struct event_chunk *next = entity_chunk(entity, (size_t)edges->low_chunk + 1);
        if (edges->low + 1 == next->start && next->loaded) /* where the window begins then */
            prefetch(event_chunk_entry(next, 0));
    }
}

/* --- edges ------------------------------------------------------------------------------------ */

static inline enum status chunk_of(struct entity *entity, uint64_t index, struct event_chunk **out, struct error *err)
{
    *out = &entity->open;
    return index >= entity->open.start ? ST_OK : entity_find_chunk(entity, index, out, err);
}

static inline enum status pass_index(struct entity *entity, size_t w, uint64_t index, enum passing passing,
                                     struct error *err)
{
    struct event_chunk *chunk;
    TRY(chunk_of(entity, index, &chunk, err));
    return window_aggregates_pass(entity, w, w + 1, chunk, index - chunk->start, passing, err);
}

/* The chunk of an event that the window's begin is about to pass, loaded: mostly the one it passed
 * before. */
static inline enum status low_chunk(struct entity *entity, struct window_edges *edges,
                                    uint64_t index, struct event_chunk **out, struct error *err)
{
    if (edges->low_chunk <= entity->sealed_count) {
        struct event_chunk *chunk = entity_chunk(entity, edges->low_chunk);
        *out = chunk;
        chunk->used = true;
        if (chunk->loaded && index - chunk->start < chunk->count)
            return ST_OK;
    }
    TRY(entity_find_chunk(entity, index, out, err));
    edges->low_chunk = (uint32_t)entity_chunk_number(entity, *out);
    return ST_OK;
}

/* The edge after the event that it stands before. */
static enum status step_begin(struct entity *entity, struct window_edges *edges, struct error *err)
{
    struct event_chunk *chunk;
    edges->begin_from_us = edges->begin_until_us;
    edges->begin_until_us = INT64_MAX;
    if (++edges->begin == entity_end_index(entity))
        return ST_OK;
    TRY(low_chunk(entity, edges, edges->begin, &chunk, err));
    edges->begin_until_us = event_chunk_time(chunk, edges->begin - chunk->start);
    return ST_OK;
}

/* Often it is where it was, or one event further. */
static inline enum status find_begin(struct entity *entity, struct window_edges *edges,
                                     int64_t time_us, struct error *err)
{
    enum { STEPS_MAX = 3 };
    for (int step = 0; time_us >= edges->begin_from_us; step++) {
        if (time_us < edges->begin_until_us)
            return ST_OK;
        if (step == STEPS_MAX)
            break;
        TRY(step_begin(entity, edges, err));
    }
    forget_begin(edges);
    struct event_edge edge;
    TRY(entity_find_edge(entity, time_us, &edge, err));
    edges->begin = (uint32_t)edge.index;
    edges->begin_from_us = edge.from_us;
    edges->begin_until_us = edge.until_us;
    return ST_OK;
}

/* Where the window of the event at `index` begins and ends. */
static inline enum status window_extent(struct entity *entity, size_t window, uint64_t index,
                                        int64_t time_us, struct window_edges *wanted,
                                        struct error *err)
{
    const struct window_spec *w = &entity_spec_of(entity->log)->windows[window];
    struct window_edges *edges = &entity_edges(entity)[window];
    const int64_t span_us = w->span_us > 0 ? w->span_us : entity_spec_of(entity->log)->look_back_us;
    const int64_t end_us = time_before(time_us, w->delay_us);
    TRY(find_begin(entity, edges, time_before(end_us, span_us), err));
    wanted->low = edges->begin;
    wanted->high = (uint32_t)(w->previous ? index : index + 1);
    if (w->delay_us > 0) {
        uint64_t delayed;
        TRY(entity_upper_bound(entity, end_us, &delayed, err));
        if (delayed < wanted->high)
            wanted->high = (uint32_t)delayed;
    }
    if (wanted->low > wanted->high)
        wanted->low = wanted->high;
    return ST_OK;
}

/* The window begins later. */
static inline enum status raise_low(struct entity *entity, size_t w, uint32_t low,
                                    struct error *err)
{
    struct window_edges *edges = &entity_edges(entity)[w];
    for (; edges->low < low; edges->low++) {
        struct event_chunk *chunk;
        TRY(low_chunk(entity, edges, edges->low, &chunk, err));
        TRY(window_aggregates_pass(entity, w, w + 1, chunk, edges->low - chunk->start, PASSING_OUT, err));
    }
    return ST_OK;
}

/* The event enters those of the windows that stand right before it and want it. */
static enum status enter(struct entity *entity, size_t from, size_t to, const struct event_chunk *chunk, uint32_t index,
                         struct error *err)
{
    const struct window_edges *wanted = entity_scratch_of(entity->log)->wanted;
    struct window_edges *edges = entity_edges(entity);
    for (size_t w = from; w < to; w++) {
        size_t end = w;
        while (end < to && edges[end].high == index && index < wanted[end].high)
            edges[end++].high++;
        if (end == w)
            continue;
        TRY(window_aggregates_pass(entity, w, end, chunk, index - chunk->start, PASSING_IN, err));
        w = end;
    }
    return ST_OK;
}

/* Windows that end later, event by event: what several of them gain is looked at once. */
static enum status raise_high(struct entity *entity, size_t from, size_t to, struct error *err)
{
    const struct window_edges *wanted = entity_scratch_of(entity->log)->wanted, *edges = entity_edges(entity);
    for (;;) {
        struct event_chunk *chunk;
        uint32_t next = UINT32_MAX;
        for (size_t w = from; w < to; w++) {
            if (edges[w].high < wanted[w].high && edges[w].high < next)
                next = edges[w].high;
        }
        if (next == UINT32_MAX)
            return ST_OK;
        TRY(chunk_of(entity, next, &chunk, err));
        TRY(enter(entity, from, to, chunk, next, err));
    }
}

/* A late event is evaluated, or the one after it again: back in time. */
static enum status lower(struct entity *entity, size_t w, const struct window_edges *wanted,
                         struct error *err)
{
    struct window_edges *edges = &entity_edges(entity)[w];
    while (edges->high > wanted->high) {
        TRY(pass_index(entity, w, edges->high - 1, PASSING_OUT, err));
        edges->high--;
    }
    while (edges->low > wanted->low) {
        TRY(pass_index(entity, w, edges->low - 1, PASSING_IN, err));
        edges->low--;
    }
    return ST_OK;
}

/* Moves windows [from, to) to where they stand for the event at `index`, which is measured last if
 * any of them gains it. */
static enum status move_windows(struct entity *entity, size_t from, size_t to, uint64_t index,
                                struct error *err)
{
    struct event_chunk *chunk;
    bool gain_this = true; /* all of them, and nothing else */
    TRY(chunk_of(entity, index, &chunk, err));
    const int64_t time_us = event_chunk_time(chunk, index - chunk->start);
    for (size_t w = from; w < to; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        struct window_edges *wanted = &entity_scratch_of(entity->log)->wanted[w];
        TRY(window_extent(entity, w, index, time_us, wanted, err));
        if (wanted->low >= edges->high || wanted->high <= edges->low)
            restart_window(entity, w, wanted->low);
        TRY(raise_low(entity, w, wanted->low, err));
        if (edges->high > wanted->high || edges->low > wanted->low)
            TRY(lower(entity, w, wanted, err));
        gain_this &= edges->high == index && wanted->high == index + 1;
    }
    return gain_this ? enter(entity, from, to, chunk, (uint32_t)index, err) : raise_high(entity, from, to, err);
}

enum status entity_window_move(struct entity *entity, int window, uint64_t index, struct error *err)
{
    return move_windows(entity, (size_t)window, (size_t)window + 1, index, err);
}

static void shift_begin(struct window_edges *edges, uint64_t index, int64_t time_us)
{
    if (index < edges->begin)
        edges->begin++;
    else if (index == edges->begin && edges->begin_from_us <= edges->begin_until_us)
        edges->begin_until_us = time_us;
}

enum status entity_windows_inserted(struct entity *entity, uint64_t index, int64_t time_us,
                                    struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t w = 0; w < spec->window_count; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        shift_begin(edges, index, time_us);
        if (index >= edges->high)
            continue;
        edges->high++;
        if (index < edges->low)
            edges->low++;
        else
            TRY(pass_index(entity, w, index, PASSING_IN, err));
    }
    return ST_OK;
}

enum status entity_aggregates(struct entity *entity, size_t position, struct value *out, struct arena *arena,
                              struct error *err)
{
    const uint64_t index = entity_first_index(entity) + position;
    TRY(move_windows(entity, 0, entity_spec_of(entity->log)->window_count, index, err));
    return window_aggregates_results(entity, index, out, arena, err);
}
