#include "state/entity.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity_ids.h"
#include "state/entity_windows.h"
#include "state/window_aggregates.h"

enum {
    DIRECTORY_SHARE = 6,
    IDLE_CHUNKS_MAX = 4, /* room for them is kept when they are dropped */
    CHUNK_BYTES = 16 * 1024,
    OPEN_RESTS_SHARE = 24, /* bytes of rests that may be open for each chunk of an entity with many */
    SEALED_GROWTH = 4,     /* so many times a chunk's events, and a sealed one that late events made grow is halved */
    EXPIRED_SHARE = 4, /* of the open events, and */
    EXPIRED_LEAST = 4, /* so many are dropped at once */
    INDEX_RESTART = 64,
};

/* --- life ------------------------------------------------------------------------------------- */

static void add_sealed(struct entity *entity, size_t at, const struct event_chunk *chunk)
{
    entity->sealed = mem_resize_array(entity->sealed, (size_t)entity->sealed_count + 1, sizeof *entity->sealed);
    memmove(entity->sealed + at + 1, entity->sealed + at, (entity->sealed_count - at) * sizeof *entity->sealed);
    entity->sealed[at] = *chunk;
    entity->sealed_count++;
    entity->head_epoch = 0;
}

static void open_first_chunk(struct entity *entity)
{
    entity->open = (struct event_chunk){ .loaded = true, .facts = &entity->log->facts.form };
}

void entity_init(struct entity *entity, struct entity_log *log)
{
    entity->log = log;
    open_first_chunk(entity);
    entity_windows_clear(entity);
}

static void fini_chunks(struct entity *entity)
{
    for (size_t i = 0; i < entity_chunk_count(entity); i++)
        event_chunk_fini(entity_chunk(entity, i));
    entity->sealed_count = 0;
}

void entity_fini(struct entity *entity)
{
    window_aggregates_fini(entity);
    entity_ids_forget(entity);
    fini_chunks(entity);
    mem_free(entity->sealed);
    mem_free(entity->dropped);
}

void entity_reset(struct entity *entity)
{
    entity_windows_clear(entity);
    entity_ids_forget(entity);
    fini_chunks(entity);
    open_first_chunk(entity);
    entity->next_number = 0;
    entity->dropped_count = 0;
    entity->head_epoch = 0;
}

/* --- events by index -------------------------------------------------------------------------- */

uint64_t entity_first_index(const struct entity *entity)
{
    return entity_chunk(entity, 0)->start;
}

uint64_t entity_end_index(const struct entity *entity)
{
    return (uint64_t)entity->open.start + entity->open.count;
}

int64_t entity_newest_us(const struct entity *entity)
{
    for (size_t i = entity_chunk_count(entity); i-- > 0;) {
        const struct event_chunk *chunk = entity_chunk(entity, i);
        if (chunk->count > 0)
            return chunk->last_us;
    }
    return INT64_MIN;
}

/* The last chunk that starts at or before the index, loaded. */
static enum status chunk_at(struct entity *entity, uint64_t index, struct event_chunk **out,
                            struct error *err)
{
    *out = &entity->open; /* mostly */
    if (index < entity->open.start) {
        size_t low = 0, high = (size_t)entity->sealed_count - 1;
        while (low < high) {
            const size_t middle = low + (high - low + 1) / 2;
            if (entity->sealed[middle].start <= index)
                low = middle;
            else
                high = middle - 1;
        }
        *out = &entity->sealed[low];
        (*out)->used = true;
    }
    return (*out)->loaded ? ST_OK : entity_load_chunk(entity, *out, err);
}

enum status entity_find_chunk(struct entity *entity, uint64_t index, struct event_chunk **out,
                              struct error *err)
{
    TRY(chunk_at(entity, index, out, err));
    ENSURE(index >= (*out)->start && index - (*out)->start < (*out)->count);
    return ST_OK;
}

static enum status want_rests(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    if (chunk->rests_away)
        TRY(entity_load_rests(entity, chunk, err));
    chunk->rests_used = true;
    return ST_OK;
}

/* The same, and the rests of its events are there. */
static enum status find_whole_chunk(struct entity *entity, uint64_t index, struct event_chunk **out, struct error *err)
{
    TRY(entity_find_chunk(entity, index, out, err));
    return want_rests(entity, *out, err);
}

enum status entity_place_of(struct entity *entity, uint64_t index, struct event_place *out,
                            struct error *err)
{
    struct event_chunk *chunk;
    TRY(entity_find_chunk(entity, index, &chunk, err));
    *out = event_chunk_place(chunk, index - chunk->start);
    return ST_OK;
}

/* The first chunk that ends later than the time, else the open one. */
static size_t chunk_after(const struct entity *entity, int64_t time_us)
{
    size_t low = 0, high = entity->sealed_count;
    if (high > 0 && entity->sealed[high - 1].last_us <= time_us)
        low = high; /* mostly the open one */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (entity->sealed[middle].last_us <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum status entity_find_edge(struct entity *entity, int64_t time_us, struct event_edge *edge,
                             struct error *err)
{
    const size_t home = chunk_after(entity, time_us);
    struct event_chunk *chunk = entity_chunk(entity, home);
    size_t before = 0; /* how many of the chunk's events are */
    if (chunk->count > 0 && event_chunk_first_us(chunk) <= time_us) {
        if (!chunk->loaded)
            TRY(entity_load_chunk(entity, chunk, err));
        chunk->used = true;
        before = event_chunk_upper_bound(chunk, time_us);
    }
    edge->index = chunk->start + before;
    edge->from_us = home > 0 ? entity->sealed[home - 1].last_us : INT64_MIN;
    edge->until_us = chunk->count > 0 ? event_chunk_first_us(chunk) : INT64_MAX;
    if (before > 0) {
        edge->from_us = event_chunk_time(chunk, before - 1);
        edge->until_us = before < chunk->count ? event_chunk_time(chunk, before) : INT64_MAX;
    }
    return ST_OK;
}

enum status entity_upper_bound(struct entity *entity, int64_t time_us, uint64_t *index,
                               struct error *err)
{
    if (entity->open.count > 0 && entity->open.last_us <= time_us) { /* nearly always */
        *index = entity_end_index(entity);
        return ST_OK;
    }
    struct event_edge edge;
    TRY(entity_find_edge(entity, time_us, &edge, err));
    *index = edge.index;
    return ST_OK;
}

static void compute_measures(struct entity_log *log)
{
    struct entity_scratch *scratch = entity_scratch_of(log);
    const struct entity_log_spec *spec = entity_spec_of(log);
    arena_reset(scratch->arena);
    if (spec->measure_count > spec->column_count)
        spec->measure(spec->measure_context, scratch->measures, scratch->measures, scratch->arena);
}

/* Text points into the chunk, or the form of its facts. */
static enum status decode(const struct event_chunk *chunk, size_t i, const struct entity *entity, struct value *columns,
                          struct error *err)
{
    const struct bytes rest = event_chunk_rest(chunk, i);
    if (rest.size == 0) {
        const struct fact_view facts = event_chunk_facts(chunk, i);
        fact_columns_read(&facts, columns);
        return ST_OK;
    }
    struct reader in = reader_of(rest);
    const uint64_t alerted = reader_varint(&in);
    reader_take(&in, 4 * (size_t)alerted);
    return layout_read_values(entity->log->mapping, &in, columns, err);
}

enum status entity_measure(struct entity *entity, uint64_t index, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    if (scratch->measured == entity && scratch->measured_index == index)
        return ST_OK;
    struct event_chunk *chunk;
    TRY(find_whole_chunk(entity, index, &chunk, err));
    TRY(decode(chunk, index - chunk->start, entity, scratch->measures, err));
    compute_measures(entity->log);
    scratch->measured = entity;
    scratch->measured_index = index;
    return ST_OK;
}

const uint64_t *entity_read_facts(void *log_of)
{
    struct entity_log *log = log_of;
    struct entity_scratch *scratch = entity_scratch_of(log);
    scratch->measured = NULL;
    compute_measures(log);
    entity_facts_of(&log->facts, scratch->measures, scratch->read_words, &scratch->value);
    return scratch->read_words;
}

/* Of a new event, which need not be decoded; in the scratch. */
static void find_new_facts(struct entity *entity, const struct entity_event *event)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    for (size_t i = 0; i < entity_spec_of(entity->log)->column_count; i++)
        scratch->measures[i] = event->columns[i];
    compute_measures(entity->log);
    entity_facts_of(&entity->log->facts, scratch->measures, scratch->words, &scratch->value);
    scratch->measured = NULL; /* its text is the caller's */
}

/* --- chunks ----------------------------------------------------------------------------------- */

/* The n oldest, sealed ones. */
static void drop_chunks(struct entity *entity, size_t n)
{
    if (n == 0)
        return;
    entity->dropped =
        mem_resize_array(entity->dropped, entity->dropped_count + n, sizeof *entity->dropped);
    for (size_t i = 0; i < n; i++) {
        if (entity->sealed[i].stored)
            entity->dropped[entity->dropped_count++] = entity_row_number(entity, &entity->sealed[i]);
        event_chunk_fini(&entity->sealed[i]);
    }
    entity->head_epoch = 0;
    entity->sealed_count -= (uint32_t)n;
    memmove(entity->sealed, entity->sealed + n, entity->sealed_count * sizeof *entity->sealed);
    if (n > IDLE_CHUNKS_MAX)
        entity->sealed = mem_resize_array(entity->sealed, entity->sealed_count + 1, sizeof *entity->sealed);
}

/* Of the open events those that are too old; not one by one, since the others must be moved, and the head written whole. */
static void drop_open(struct entity *entity, int64_t border_us)
{
    struct event_chunk *open = &entity->open;
    const size_t share = open->count / EXPIRED_SHARE, least = share > EXPIRED_LEAST ? share : EXPIRED_LEAST;
    if (open->count < least || event_chunk_time(open, least - 1) >= border_us)
        return;
    event_chunk_drop(open, event_chunk_upper_bound(open, time_before(border_us, 1)));
}

/* So that an index needs no more than 32 bits. When half of what was counted is forgotten, it costs an event nothing. */
static void count_from_first(struct entity *entity)
{
    const uint32_t first = (uint32_t)entity_first_index(entity);
    if (first < INDEX_RESTART || first < entity_event_count(entity))
        return;
    for (size_t i = 0; i < entity_chunk_count(entity); i++)
        entity_chunk(entity, i)->start -= first;
    entity_windows_renumbered(entity, first);
}

/* What has expired when the newest event is of this time. */
static void forget_older(struct entity *entity, int64_t newest_us)
{
    const int64_t border_us = time_before(newest_us, entity_spec_of(entity->log)->retention_us);
    const uint64_t first = entity_first_index(entity);
    size_t expired = 0;
    while (expired < entity->sealed_count && entity->sealed[expired].last_us < border_us)
        expired++;
    drop_chunks(entity, expired);
    if (entity->sealed_count == 0)
        drop_open(entity, border_us);
    if (entity_first_index(entity) == first)
        return;
    entity_scratch_of(entity->log)->measured = NULL;
    entity_windows_forgot(entity, entity_first_index(entity), expired);
    count_from_first(entity);
}

static void split_off(struct entity *entity, size_t i, size_t events)
{
    struct event_chunk sealed = { .number = (uint32_t)entity->next_number++ };
    event_chunk_split(entity_chunk(entity, i), events, &sealed);
    entity->chunk_came = true;
    add_sealed(entity, i, &sealed);
}

/*
 * A head is written whole after each checkpoint, and as many heads as memory has room for decide how far apart checkpoints are:
 * so it is to be small. It has the open events, perhaps 30 bytes each, and 10 bytes for each sealed chunk: it is smallest when
 * both take the same, so chunks grow with their number. For events that remember more there is a limit of bytes, that grows
 * likewise.
 */
static size_t chunk_events(const struct entity *entity)
{
    const size_t wanted = entity_spec_of(entity->log)->chunk_events;
    const size_t grown = entity_chunk_count(entity) / DIRECTORY_SHARE;
    if (wanted != 0)
        return wanted;
    return grown < ENTITY_CHUNK_EVENTS ? ENTITY_CHUNK_EVENTS : grown;
}

static size_t chunk_bytes(const struct entity *entity)
{
    const size_t wanted = entity_spec_of(entity->log)->chunk_bytes;
    return wanted == 0 ? CHUNK_BYTES : wanted;
}

static size_t open_rests_max(const struct entity *entity)
{
    const size_t wanted = entity_spec_of(entity->log)->chunk_bytes;
    const size_t grown = (size_t)entity->sealed_count * OPEN_RESTS_SHARE;
    if (wanted != 0)
        return wanted;
    return grown < ENTITY_OPEN_RESTS ? ENTITY_OPEN_RESTS : grown;
}

/* Late events mostly come there. */
static size_t part_left_open(size_t events)
{
    return events < ENTITY_OPEN_SHARE ? 1 : events / ENTITY_OPEN_SHARE;
}

/* So many of the oldest open events are to be sealed. */
static size_t too_many_open(const struct entity *entity)
{
    const size_t count = entity->open.count, events = chunk_events(entity);
    if (count > events + part_left_open(events))
        return events;
    return count > 1 && entity->open.rest_bytes > open_rests_max(entity) ? count - part_left_open(count) : 0;
}

static void relieve_open(struct entity *entity)
{
    size_t events;
    while ((events = too_many_open(entity)) > 0)
        split_off(entity, entity->sealed_count, events);
}

/* Late events have made it grow. */
static void relieve_sealed(struct entity *entity, size_t i)
{
    const size_t events = SEALED_GROWTH * chunk_events(entity), bytes = 2 * chunk_bytes(entity);
    for (;; i++) {
        const struct event_chunk *chunk = entity_chunk(entity, i);
        if (chunk->count <= 1 || (chunk->count <= events && event_chunk_row_size(chunk) <= bytes))
            return;
        split_off(entity, i, chunk->count / 2);
    }
}

/* Seals the oldest of the open events, or halves a sealed chunk, when there are too many. */
static void relieve(struct entity *entity, size_t i)
{
    if (i == entity->sealed_count)
        relieve_open(entity);
    else
        relieve_sealed(entity, i);
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
    TRY(entity_upper_bound(entity, time_us, &index, err));
    *position = index - entity_first_index(entity);
    return ST_OK;
}

/* The packed rest of a new event, in the scratch; none if its facts, which are there too, tell its columns. */
static enum status pack(struct entity *entity, const struct entity_event *event, struct error *err)
{
    const struct entity_scratch *scratch = entity_scratch_of(entity->log);
    struct buffer *rest = &entity_scratch_of(entity->log)->rest;
    buffer_clear(rest);
    if (fact_columns_are_told(&entity->log->facts.form, event->columns, scratch->words))
        return ST_OK;
    buffer_put_varint(rest, 0); /* no rule has alerted yet */
    layout_write_values(rest, event->columns, entity_spec_of(entity->log)->column_count);
    if (rest->size <= ENTITY_EVENT_BYTES_MAX)
        return ST_OK;
    return FAIL(err, ST_TOO_LARGE, "the columns to be remembered have %zu bytes, more than %d",
                rest->size, ENTITY_EVENT_BYTES_MAX);
}

static bool has_room(const struct entity *entity)
{
    return entity_chunk_count(entity) < ENTITY_CHUNKS_MAX && entity_event_count(entity) < ENTITY_EVENTS_MAX;
}

/* The head row lists all chunks, so their number is limited. What the new event makes too old goes
 * first. */
static enum status make_room(struct entity *entity, const struct entity_event *event,
                             struct error *err)
{
    if (has_room(entity))
        return ST_OK;
    if (event->time_us >= entity_newest_us(entity))
        forget_older(entity, event->time_us);
    if (has_room(entity))
        return ST_OK;
    return FAIL(err, ST_TOO_LARGE, "%zu events are remembered, and there is no room for more",
                entity_event_count(entity));
}

enum status entity_insert(struct entity *entity, const struct entity_event *event, size_t *position,
                          struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    ENSURE(event->time_us >= -EVENT_TIME_MAX_US && event->time_us <= EVENT_TIME_MAX_US);
    ENSURE(event->offset >= 0);
    find_new_facts(entity, event);
    TRY(pack(entity, event, err));
    TRY(make_room(entity, event, err));
    uint64_t index;
    struct event_chunk *chunk;
    TRY(entity_upper_bound(entity, event->time_us, &index, err));
    TRY(chunk_at(entity, index, &chunk, err));
    TRY(want_rests(entity, chunk, err));
    event_chunk_insert(chunk, index - chunk->start, event->time_us, event->offset, buffer_view(&scratch->rest),
                       scratch->words);
    entity_ids_inserted(entity, scratch->words);
    const size_t home = entity_chunk_number(entity, chunk);
    if (home < entity->sealed_count)
        entity->head_epoch = 0; /* it says how many events that chunk has, and until when */
    for (size_t i = home + 1; i < entity_chunk_count(entity); i++)
        entity_chunk(entity, i)->start++;
    relieve(entity, home);
    entity->dirty = true;
    *position = index - entity_first_index(entity);
    return entity_windows_inserted(entity, index, event->time_us, err);
}

struct value entity_keep_value(const struct value *v, struct arena *arena)
{
    struct value kept = *v;
    if (v->kind == VALUE_STRING || v->kind == VALUE_BYTES)
        kept.text = arena_copy(arena, v->text);
    return kept;
}

enum status entity_event_at(struct entity *entity, size_t position, struct entity_event *out,
                            struct value *columns, struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    struct event_chunk *chunk;
    const uint64_t index = entity_first_index(entity) + position;
    TRY(find_whole_chunk(entity, index, &chunk, err));
    const struct event_place place = event_chunk_place(chunk, index - chunk->start);
    TRY(decode(chunk, index - chunk->start, entity, columns, err));
    for (size_t i = 0; i < spec->column_count; i++)
        columns[i] = entity_keep_value(&columns[i], arena);
    *out = (struct entity_event){ .time_us = place.time_us,
                                  .offset = place.offset,
                                  .columns = columns };
    return ST_OK;
}

/* --- rules that alerted ----------------------------------------------------------------------- */

enum status entity_has_alerted(struct entity *entity, size_t position, uint32_t rule_id,
                               bool *alerted, struct error *err)
{
    struct event_chunk *chunk;
    const uint64_t index = entity_first_index(entity) + position;
    TRY(find_whole_chunk(entity, index, &chunk, err));
    const struct bytes rest = event_chunk_rest(chunk, index - chunk->start);
    *alerted = false;
    if (rest.size == 0)
        return ST_OK;
    struct reader in = reader_of(rest);
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
    TRY(find_whole_chunk(entity, index, &chunk, err));
    buffer_clear(&scratch->value);
    event_chunk_put_rest(chunk, index - chunk->start, &scratch->value);
    struct reader in = reader_of(buffer_view(&scratch->value));
    const uint64_t count = reader_varint(&in);
    if (count >= ENTITY_ALERTED_MAX)
        return ST_OK; /* at worst it alerts again when a late event makes it true again */
    buffer_clear(&scratch->rest);
    buffer_put_varint(&scratch->rest, count + 1);
    buffer_put_be32(&scratch->rest, rule_id);
    buffer_put(&scratch->rest, in.at, reader_left(&in));
    event_chunk_replace_rest(chunk, index - chunk->start, buffer_view(&scratch->rest));
    relieve(entity, entity_chunk_number(entity, chunk));
    entity->dirty = true;
    if (scratch->measured == entity)
        scratch->measured = NULL; /* its text pointed into the chunk */
    return ST_OK;
}

void entity_tidy(struct entity *entity)
{
    forget_older(entity, entity_newest_us(entity));
}

void entity_measure_footprint(struct entity *entity)
{
    uint64_t bytes = mem_size_of(entity->sealed_count * sizeof *entity->sealed) + mem_size(entity->dropped) +
                     window_aggregates_footprint(entity) + entity_ids_footprint(entity);
    for (size_t i = 0; i < entity_chunk_count(entity); i++)
        bytes += event_chunk_footprint(entity_chunk(entity, i));
    entity->footprint = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}
