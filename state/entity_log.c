/* The cache of loaded entities, and their rows. What an entity does with its events is entity.c. */
#include "state/entity_log.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "state/entity.h"
#include "state/entity_windows.h"
#include "state/keys.h"

enum { HEAD_FORMAT = 2, HEAD_FORMAT_COUNTED = 1, ROW_HEAD = 0, ROW_CHUNK = 1, DIRECTORY_ENTRY_MIN = 4, ARENA_BLOCK = 4096, EVENT_BYTES = 64 };

/* --- life ------------------------------------------------------------------------------------- */

enum status entity_log_create(struct entity_log **out, const struct entity_log_spec *spec,
                              struct overlay *overlay, struct layouts *layouts, struct error *err)
{
    ENSURE(*out == NULL && spec->measure_count >= spec->column_count);
    ENSURE(spec->chunk_bytes <= ENTITY_CHUNK_BYTES_MAX);
    AUTO(entity_log_destroy) struct entity_log *log = mem_alloc(sizeof *log);
    log->spec = spec;
    log->overlay = overlay;
    log->layouts = layouts;
    map_create(&log->entities, sizeof(struct entity *));
    arena_create(&log->scratch.arena, ARENA_BLOCK);
    log->scratch.columns = mem_alloc_array(spec->column_count + 1, sizeof(struct value));
    log->scratch.measures = mem_alloc_array(spec->measure_count + 1, sizeof(struct value));
    log->scratch.wanted = mem_alloc_array(spec->window_count + 1, sizeof *log->scratch.wanted);
    entity_facts_init(&log->facts, spec);
    log->scratch.words = mem_alloc_array(log->facts.word_count, sizeof *log->scratch.words);
    log->windows_size = entity_windows_size(log);
    TRY(layouts_number(layouts, spec->columns, spec->column_count, &log->layout, err));
    TRY(layouts_mapping(layouts, log->layout, spec->columns, spec->column_count, &log->mapping,
                        err));
    *out = TAKE(log);
    return ST_OK;
}

static void unlink_entity(struct entity_log *log, struct entity *entity)
{
    *(entity->newer == NULL ? &log->newest : &entity->newer->older) = entity->older;
    *(entity->older == NULL ? &log->oldest : &entity->older->newer) = entity->newer;
    entity->newer = entity->older = NULL;
}

static void link_newest(struct entity_log *log, struct entity *entity)
{
    entity->older = log->newest;
    entity->newer = NULL;
    *(log->newest == NULL ? &log->oldest : &log->newest->newer) = entity;
    log->newest = entity;
}

static void forget(struct entity_log *log, struct entity *entity)
{
    unlink_entity(log, entity);
    log->footprint -= entity->footprint;
    map_remove(log->entities, bytes_of(entity->key, entity->key_size));
    if (log->scratch.measured == entity)
        log->scratch.measured = NULL;
    if (log->loaded == entity)
        log->loaded = NULL;
    entity_destroy(&entity);
}

void entity_log_destroy(struct entity_log **log_ref)
{
    struct entity_log *log = TAKE(*log_ref);
    if (log == NULL)
        return;
    while (log->newest != NULL)
        forget(log, log->newest);
    map_destroy(&log->entities);
    arena_destroy(&log->scratch.arena);
    mem_free(log->scratch.columns);
    mem_free(log->scratch.measures);
    mem_free(log->scratch.wanted);
    mem_free(log->scratch.words);
    entity_facts_fini(&log->facts);
    buffer_fini(&log->scratch.group);
    buffer_fini(&log->scratch.value);
    buffer_fini(&log->scratch.rest);
    buffer_fini(&log->row_key);
    buffer_fini(&log->row);
    mem_free(log->touched);
    mem_free(log);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void put_row_key(const struct entity_log *log, struct bytes key, uint8_t kind,
                        struct buffer *out)
{
    buffer_put_u8(out, KEY_ENTITY_LOG);
    buffer_put_u8(out, log->spec->stream);
    buffer_put_run(out, key);
    buffer_put_u8(out, kind);
}

static struct bytes head_key(struct entity_log *log, struct bytes key)
{
    buffer_clear(&log->row_key);
    put_row_key(log, key, ROW_HEAD, &log->row_key);
    return buffer_view(&log->row_key);
}

static struct bytes chunk_key(const struct entity *entity, uint64_t number)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row_key);
    put_row_key(log, bytes_of(entity->key, entity->key_size), ROW_CHUNK, &log->row_key);
    buffer_put_be64(&log->row_key, number);
    return buffer_view(&log->row_key);
}

static void write_head(struct entity *entity, struct buffer *out)
{
    buffer_put_u8(out, HEAD_FORMAT);
    buffer_put_varint(out, entity->next_number);
    buffer_put_varint(out, entity->chunk_count - 1);
    int64_t last_us = 0;
    for (size_t i = 0; i + 1 < entity->chunk_count; i++) {
        const struct event_chunk *chunk = &entity->chunks[i];
        buffer_put_varint(out, chunk->number);
        buffer_put_varint(out, chunk->count);
        buffer_put_zigzag(out, chunk->first_us - last_us);
        buffer_put_varint(out, (uint64_t)(chunk->last_us - chunk->first_us));
        last_us = chunk->last_us;
    }
    event_chunk_write_open(entity_open_chunk(entity), entity->log->layout, out);
}

static enum status malformed(struct error *err)
{
    return FAIL(err, ST_CORRUPT, "the head row of an entity is malformed");
}

static enum status read_directory_entry(struct reader *in, uint64_t next_number,
                                        struct event_chunk *chunk, int64_t *last_us,
                                        struct error *err)
{
    chunk->number = reader_varint(in);
    const uint64_t count = reader_varint(in);
    const int64_t gap_us = reader_zigzag(in);
    const uint64_t extent_us = reader_varint(in);
    if (in->failed || chunk->number >= next_number || count == 0 || count > EVENTS_IN_CHUNK_MAX ||
        extent_us > INT64_MAX || __builtin_add_overflow(*last_us, gap_us, &chunk->first_us) ||
        __builtin_add_overflow(chunk->first_us, (int64_t)extent_us, &chunk->last_us) ||
        chunk->first_us < -EVENT_TIME_MAX_US || chunk->last_us > EVENT_TIME_MAX_US)
        return malformed(err);
    chunk->count = (uint32_t)count;
    chunk->stored = true;
    *last_us = chunk->last_us;
    return ST_OK;
}

static enum status read_head(struct entity *entity, struct bytes row, struct error *err)
{
    struct entity_log *log = entity->log;
    struct reader in = reader_of(row);
    const uint8_t format = reader_u8(&in);
    if (format != HEAD_FORMAT && format != HEAD_FORMAT_COUNTED)
        return malformed(err);
    entity->next_number = reader_varint(&in);
    const uint64_t sealed = reader_varint(&in);
    if (in.failed || sealed > reader_left(&in) / DIRECTORY_ENTRY_MIN)
        return malformed(err);
    struct event_chunk *chunks = mem_alloc_array((size_t)sealed + 1, sizeof *chunks);
    event_chunk_fini(&entity->chunks[0]);
    mem_free(entity->chunks);
    entity->chunks = chunks;
    entity->chunk_count = (size_t)sealed + 1;
    int64_t last_us = 0;
    uint64_t start = 0;
    for (uint64_t i = 0; i < sealed; i++) {
        chunks[i].start = start;
        chunks[i].facts = &log->facts.form;
        TRY(read_directory_entry(&in, entity->next_number, &chunks[i], &last_us, err));
        start += chunks[i].count;
        if (i > 0 && chunks[i].first_us < chunks[i - 1].last_us)
            return malformed(err);
    }
    chunks[sealed].start = start;
    chunks[sealed].facts = &log->facts.form;
    TRY(event_chunk_read(&chunks[sealed], format == HEAD_FORMAT ? EVENT_CHUNK_OPEN : EVENT_CHUNK_SEALED, &in, log->layouts, log->spec->columns,
                         log->spec->column_count, log->layout, err));
    if (sealed > 0 && chunks[sealed].count > 0 && chunks[sealed].first_us < last_us)
        return malformed(err);
    return entity_find_facts(entity, &chunks[sealed], err);
}

enum status entity_load_chunk(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    struct entity_log *log = entity->log;
    struct bytes row;
    TRY(overlay_get(log->overlay, chunk_key(entity, chunk->number), &row, err));
    if (row.data == NULL)
        return FAIL(err, ST_CORRUPT, "a chunk of an entity's events is missing");
    struct reader in = reader_of(row);
    const struct event_chunk expected = *chunk;
    chunk->count = 0;
    enum status st = event_chunk_read(chunk, EVENT_CHUNK_SEALED, &in, log->layouts, log->spec->columns,
                                      log->spec->column_count, log->layout, err);
    if (st == ST_OK && chunk->count == expected.count && chunk->first_us == expected.first_us &&
        chunk->last_us == expected.last_us) {
        st = entity_find_facts(entity, chunk, err);
        if (st == ST_OK)
            return ST_OK;
    }
    event_chunk_fini(chunk);
    *chunk = expected; /* still not loaded */
    return st != ST_OK ? st
                       : FAIL(err, ST_CORRUPT,
                              "a chunk of an entity's events is not the one its head names");
}

static enum status write_chunk(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row);
    event_chunk_write(chunk, log->layout, &log->row);
    TRY(overlay_put(log->overlay, chunk_key(entity, chunk->number), buffer_view(&log->row), err));
    chunk->dirty = false;
    chunk->stored = true;
    return ST_OK;
}

static enum status put_head(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row);
    write_head(entity, &log->row);
    TRY(overlay_put(log->overlay, head_key(log, bytes_of(entity->key, entity->key_size)), buffer_view(&log->row), err));
    entity->head_bytes = log->row.size;
    entity->head_epoch = overlay_epoch(log->overlay);
    entity->stored = true;
    return ST_OK;
}

/* Most transactions only add an event or two at the end: then that is all they write. */
static bool append_head(struct entity *entity)
{
    struct entity_log *log = entity->log;
    struct event_chunk *open = entity_open_chunk(entity);
    if (entity->head_epoch != overlay_epoch(log->overlay) || !event_chunk_only_grew(open))
        return false;
    buffer_clear(&log->row);
    event_chunk_write_new(open, &log->row);
    if (!overlay_append(log->overlay, head_key(log, bytes_of(entity->key, entity->key_size)), entity->head_bytes,
                        buffer_view(&log->row)))
        return false;
    entity->head_bytes += log->row.size;
    return true;
}

static enum status write_rows(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    entity_tidy(entity);
    for (size_t i = 0; i < entity->dropped_count; i++)
        overlay_delete(log->overlay, chunk_key(entity, entity->dropped[i]));
    entity->dropped_count = 0;
    for (size_t i = 0; i + 1 < entity->chunk_count; i++) {
        if (entity->chunks[i].dirty)
            TRY(write_chunk(entity, &entity->chunks[i], err));
    }
    if (!append_head(entity))
        TRY(put_head(entity, err));
    entity_open_chunk(entity)->dirty = false;
    entity->dirty = false;
    return ST_OK;
}

/* --- use -------------------------------------------------------------------------------------- */

void entity_log_prefetch_key(struct entity_log *log, struct bytes key, struct buffer *out)
{
    if (map_find(log->entities, key) == NULL)
        put_row_key(log, key, ROW_HEAD, out);
}

/* The entity's own block, its open chunk, the end of that: each is where the one before says. */
static void prefetch_block(const struct entity *entity)
{
    enum { LINE = 64, BLOCK_LINES = 8 };
    for (ptrdiff_t line = 0; line < BLOCK_LINES; line++)
        __builtin_prefetch((const char *)entity + line * LINE);
}

static void prefetch_chunk(const struct entity *entity)
{
    const char *open = (const char *)&entity->chunks[entity->chunk_count - 1];
    __builtin_prefetch(open);
    __builtin_prefetch(open + sizeof(struct event_chunk) - 1);
}

static void prefetch_events(const struct entity *entity)
{
    const struct event_chunk *open = &entity->chunks[entity->chunk_count - 1];
    if (open->count == 0)
        return;
    /* What was last, and where the next one will be. */
    __builtin_prefetch(event_chunk_entry(open, open->count));
    __builtin_prefetch(open->rests + open->rest_used);
}

/* How many calls ago it was named says what is there by now. */
static void step_ahead(const struct entity_log *log, uint64_t hash, size_t calls_ago)
{
    struct entity *const *known = map_peek(log->entities, hash);
    if (known == NULL)
        return;
    switch (calls_ago) {
    case 1: return __builtin_prefetch(known);
    case 2: return prefetch_block(*known);
    case 3: return prefetch_chunk(*known);
    case 4: return prefetch_events(*known);
    default: UNREACHABLE();
    }
}

void entity_log_look_ahead(struct entity_log *log, struct bytes key)
{
    log->ahead[log->ahead_next++ % ENTITY_LOG_AHEAD] = map_expect(log->entities, key);
    for (size_t calls_ago = 1; calls_ago < ENTITY_LOG_AHEAD && calls_ago < log->ahead_next; calls_ago++)
        step_ahead(log, log->ahead[(log->ahead_next - 1 - calls_ago) % ENTITY_LOG_AHEAD], calls_ago);
}

static enum status load(struct entity_log *log, struct bytes key, struct entity **out,
                        struct error *err)
{
    struct bytes row;
    TRY(overlay_get(log->overlay, head_key(log, key), &row, err));
    struct entity *entity = NULL;
    entity_create(&entity, log, key);
    if (row.data != NULL) {
        const enum status st = read_head(entity, row, err);
        if (st != ST_OK) {
            entity_destroy(&entity);
            return st;
        }
        entity->stored = true;
        entity->head_bytes = row.size;
    }
    *(struct entity **)map_insert(log->entities, key, NULL) = entity;
    link_newest(log, entity);
    entity_measure_footprint(entity);
    log->footprint += entity->footprint;
    log->loaded = entity;
    *out = entity;
    return ST_OK;
}

static void measure(struct entity_log *log, struct entity *entity)
{
    log->footprint -= entity->footprint;
    entity_measure_footprint(entity);
    log->footprint += entity->footprint;
}

/* Of those that the transaction does not need, which are the oldest; one that was left unwritten
 * (never_aborts) waits for the flush. */
static void trim_cache(struct entity_log *log)
{
    while (entity_log_footprint(log) > log->spec->cache_bytes && log->oldest != NULL &&
           !log->oldest->touched && !log->oldest->dirty)
        forget(log, log->oldest);
}

/* An event builds the windows of an entity that it loads, which takes far more than its rows do. */
static void count_loaded(struct entity_log *log)
{
    if (log->loaded == NULL)
        return;
    measure(log, log->loaded);
    log->loaded = NULL;
    trim_cache(log);
}

static void touch(struct entity_log *log, struct entity *entity)
{
    log->touched_bytes += EVENT_BYTES;
    if (entity->touched)
        return;
    log->touched_bytes += entity->head_bytes + entity->key_size;
    if (log->touched_count == log->touched_capacity) {
        log->touched_capacity = log->touched_capacity == 0 ? 256 : log->touched_capacity * 2;
        log->touched = mem_resize_array(log->touched, log->touched_capacity, sizeof *log->touched);
    }
    log->touched[log->touched_count++] = entity;
    entity->touched = true;
    unlink_entity(log, entity);
    link_newest(log, entity);
}

enum status entity_log_acquire(struct entity_log *log, struct bytes key, struct entity **out,
                               struct error *err)
{
    count_loaded(log);
    struct entity **known = map_find(log->entities, key);
    struct entity *entity = known == NULL ? NULL : *known;
    if (entity == NULL)
        TRY(load(log, key, &entity, err));
    touch(log, entity);
    *out = entity;
    return ST_OK;
}

/* Of those only that trim_cache is going to forget: the least recently used, as many as are too
 * many. */
static enum status write_leaving(struct entity_log *log, struct error *err)
{
    for (size_t i = 0; i < log->touched_count; i++) {
        entity_tidy(log->touched[i]);
        measure(log, log->touched[i]);
    }
    uint64_t left = entity_log_footprint(log);
    for (struct entity *entity = log->oldest;
         entity != NULL && left > log->spec->cache_bytes; entity = entity->newer) {
        left -= entity->footprint;
        if (entity->dirty)
            TRY(write_rows(entity, err));
    }
    return ST_OK;
}

static void prefetch_touched(const struct entity_log *log, size_t i)
{
    enum { BLOCK = 6, CHUNK = 4, EVENTS = 2 };
    if (i + BLOCK < log->touched_count)
        prefetch_block(log->touched[i + BLOCK]);
    if (i + CHUNK < log->touched_count)
        prefetch_chunk(log->touched[i + CHUNK]);
    if (i + EVENTS < log->touched_count)
        prefetch_events(log->touched[i + EVENTS]);
}

enum status entity_log_flush(struct entity_log *log, struct error *err)
{
    if (log->spec->never_aborts)
        return write_leaving(log, err);
    for (size_t i = 0; i < log->touched_count; i++) {
        prefetch_touched(log, i);
        if (log->touched[i]->dirty)
            TRY(write_rows(log->touched[i], err));
    }
    return ST_OK;
}

void entity_log_commit(struct entity_log *log)
{
    for (size_t i = 0; i < log->touched_count; i++) {
        struct entity *entity = log->touched[i];
        ENSURE(!entity->dirty || log->spec->never_aborts);
        entity->touched = false;
        if (entity_event_count(entity) == 0) {
            forget(log, entity); /* expired, or looked at only */
            continue;
        }
        if (!log->spec->never_aborts) /* write_leaving measured it */
            measure(log, entity);
    }
    log->touched_count = 0;
    log->touched_bytes = 0;
    log->loaded = NULL;
    trim_cache(log);
}

void entity_log_abort(struct entity_log *log)
{
    ENSURE(!log->spec->never_aborts);
    for (size_t i = 0; i < log->touched_count; i++)
        forget(log, log->touched[i]);
    log->touched_count = 0;
    log->touched_bytes = 0;
}

enum status entity_log_expire(struct entity_log *log, struct bytes key, int64_t before_us,
                              bool *deleted, int64_t *newest_us, struct error *err)
{
    struct entity *entity;
    *deleted = false;
    TRY(entity_log_acquire(log, key, &entity, err));
    *newest_us = entity_newest_us(entity);
    if (*newest_us >= before_us)
        return ST_OK;
    for (size_t i = 0; i + 1 < entity->chunk_count; i++) {
        if (entity->chunks[i].stored)
            overlay_delete(log->overlay, chunk_key(entity, entity->chunks[i].number));
    }
    for (size_t i = 0; i < entity->dropped_count; i++)
        overlay_delete(log->overlay, chunk_key(entity, entity->dropped[i]));
    if (entity->stored)
        overlay_delete(log->overlay, head_key(log, key));
    if (log->scratch.measured == entity)
        log->scratch.measured = NULL;
    entity_reset(entity);
    entity->dirty = entity->stored = false;
    *deleted = true;
    return ST_OK;
}

uint64_t entity_log_footprint(const struct entity_log *log)
{
    return log->footprint + map_footprint(log->entities);
}

uint64_t entity_log_touched_bytes(const struct entity_log *log)
{
    return log->touched_bytes;
}

bool entity_log_is_overfull(const struct entity_log *log)
{
    return log->oldest != NULL && log->oldest->touched &&
           entity_log_footprint(log) > log->spec->cache_bytes;
}
