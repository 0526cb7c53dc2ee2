#include "state/entity.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity_windows.h"

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
    *entity = (struct entity){ .log = log };
    entity->key = mem_copy(key.data, key.size);
    entity->key_size = key.size;
    const struct event_chunk open = { .loaded = true };
    add_chunk(entity, 0, &open);
    entity_windows_init(entity);
}

void entity_fini(struct entity *entity)
{
    entity_windows_fini(entity);
    for (size_t i = 0; i < entity->chunk_count; i++)
        event_chunk_fini(&entity->chunks[i]);
    mem_free(entity->chunks);
    mem_free(entity->dropped);
    mem_free(entity->key);
}

void entity_reset(struct entity *entity)
{
    entity_windows_clear(entity);
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

enum status entity_find_chunk(struct entity *entity, uint64_t index, struct event_chunk **out,
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

enum status entity_place_of(struct entity *entity, uint64_t index, const struct event_place **out,
                            struct error *err)
{
    struct event_chunk *chunk;
    TRY(entity_find_chunk(entity, index, &chunk, err));
    *out = &chunk->places[index - chunk->start];
    return ST_OK;
}

enum status entity_upper_bound(struct entity *entity, int64_t time_us, uint64_t *index,
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

enum status entity_measure(struct entity *entity, uint64_t index, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    if (scratch->measured == entity && scratch->measured_index == index)
        return ST_OK;
    struct event_chunk *chunk;
    TRY(entity_find_chunk(entity, index, &chunk, err));
    TRY(entity_decode(entity, event_chunk_rest(chunk, index - chunk->start), scratch->measures,
                      err));
    arena_reset(scratch->arena);
    if (spec->measure_count > spec->column_count)
        spec->measure(spec->measure_context, scratch->measures, scratch->measures, scratch->arena);
    scratch->measured = entity;
    scratch->measured_index = index;
    return ST_OK;
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
    TRY(entity_upper_bound(entity, event->time_us, &index, err));
    TRY(find_home(entity, index, &chunk, &place, err));
    event_chunk_insert(&entity->chunks[chunk], place, event->time_us, event->offset,
                       buffer_view(&scratch->rest));
    for (size_t i = chunk + 1; i < entity->chunk_count; i++)
        entity->chunks[i].start++;
    entity->dirty = true;
    scratch->measured = NULL;
    *position = index - entity_first_index(entity);
    return entity_windows_inserted(entity, index, err);
}

enum status entity_decode(const struct entity *entity, struct bytes rest, struct value *columns,
                          struct error *err)
{
    struct reader in = reader_of(rest);
    const uint64_t alerted = reader_varint(&in);
    reader_take(&in, 4 * (size_t)alerted);
    return layout_read_values(entity_mapping_of(entity->log), &in, columns, err);
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
    TRY(entity_find_chunk(entity, index, &chunk, err));
    const struct event_place *place = &chunk->places[index - chunk->start];
    TRY(entity_decode(entity, event_chunk_rest(chunk, index - chunk->start), columns, err));
    for (size_t i = 0; i < spec->column_count; i++)
        columns[i] = entity_keep_value(&columns[i], arena);
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
    TRY(entity_find_chunk(entity, index, &chunk, err));
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
    TRY(entity_find_chunk(entity, index, &chunk, err));
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
    entity_windows_forgot(entity, end);
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
    uint64_t bytes = sizeof *entity + entity->key_size + entity_windows_footprint(entity);
    for (size_t i = 0; i < entity->chunk_count; i++)
        bytes += event_chunk_footprint(&entity->chunks[i]);
    entity->footprint = bytes;
}
