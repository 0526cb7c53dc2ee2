/*
 * The rows of an entity: what is written into the overlay when it has changed, and read when it is loaded.
 *
 * The head row: u8 format | varint number of the next chunk | varint number of sealed chunks
 *     | per sealed chunk: varint number, varint count, zigzag first time - last time of the one before, varint extent
 *     | the open events (event_chunk.h)
 * A sealed chunk has a row of its own, named by its number.
 */
#include "state/entity_rows.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity.h"
#include "state/keys.h"

enum { HEAD_FORMAT = 2, HEAD_FORMAT_COUNTED = 1, ROW_HEAD = 0, ROW_CHUNK = 1, DIRECTORY_ENTRY_MIN = 4 };

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
    put_row_key(log, entity_key(entity), ROW_CHUNK, &log->row_key);
    buffer_put_be64(&log->row_key, number);
    return buffer_view(&log->row_key);
}

static void write_head(struct entity *entity, struct buffer *out)
{
    buffer_put_u8(out, HEAD_FORMAT);
    buffer_put_varint(out, entity->next_number);
    buffer_put_varint(out, entity->sealed_count);
    int64_t last_us = 0;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        const struct event_chunk *chunk = &entity->sealed[i];
        buffer_put_varint(out, chunk->number);
        buffer_put_varint(out, chunk->count);
        buffer_put_zigzag(out, chunk->first_us - last_us);
        buffer_put_varint(out, (uint64_t)(chunk->last_us - chunk->first_us));
        last_us = chunk->last_us;
    }
    event_chunk_write_open(&entity->open, entity->log->layout, out);
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
    /* Each is counted when it is there: what was read of a row that turns out malformed is freed. */
    entity->sealed = mem_alloc_array((size_t)sealed, sizeof *entity->sealed);
    int64_t last_us = 0;
    uint64_t start = 0;
    for (uint64_t i = 0; i < sealed; i++) {
        struct event_chunk *chunk = &entity->sealed[entity->sealed_count++];
        chunk->start = (uint32_t)start;
        chunk->facts = &log->facts.form;
        TRY(read_directory_entry(&in, entity->next_number, chunk, &last_us, err));
        start += chunk->count;
        if (start > ENTITY_EVENTS_MAX || (i > 0 && chunk->first_us < chunk[-1].last_us))
            return malformed(err);
    }
    entity->open = (struct event_chunk){ .start = (uint32_t)start, .facts = &log->facts.form };
    TRY(event_chunk_read(&entity->open, format == HEAD_FORMAT ? EVENT_CHUNK_OPEN : EVENT_CHUNK_SEALED, &in, log->layouts,
                         log->spec->columns, log->spec->column_count, log->layout, err));
    if (sealed > 0 && entity->open.count > 0 && entity->open.first_us < last_us)
        return malformed(err);
    return entity_find_facts(entity, &entity->open, err);
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
    TRY(overlay_put(log->overlay, head_key(log, entity_key(entity)), buffer_view(&log->row), err));
    entity->head_bytes = (uint32_t)log->row.size;
    entity->head_epoch = overlay_epoch(log->overlay);
    entity->stored = true;
    return ST_OK;
}

/* Most transactions only add an event or two at the end: then that is all they write. */
static bool append_head(struct entity *entity)
{
    struct entity_log *log = entity->log;
    struct event_chunk *open = &entity->open;
    if (entity->head_epoch != overlay_epoch(log->overlay) || !event_chunk_only_grew(open))
        return false;
    buffer_clear(&log->row);
    event_chunk_write_new(open, &log->row);
    if (!overlay_append(log->overlay, head_key(log, entity_key(entity)), entity->head_bytes,
                        buffer_view(&log->row)))
        return false;
    entity->head_bytes += (uint32_t)log->row.size;
    return true;
}

enum status entity_write_rows(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    entity_tidy(entity);
    for (size_t i = 0; i < entity->dropped_count; i++)
        overlay_delete(log->overlay, chunk_key(entity, entity->dropped[i]));
    mem_free(entity->dropped);
    entity->dropped = NULL;
    entity->dropped_count = 0;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        if (entity->sealed[i].dirty)
            TRY(write_chunk(entity, &entity->sealed[i], err));
    }
    if (!append_head(entity))
        TRY(put_head(entity, err));
    entity->open.dirty = false;
    entity->dirty = false;
    return ST_OK;
}

enum status entity_read_rows(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    struct bytes row;
    TRY(overlay_get(log->overlay, head_key(log, entity_key(entity)), &row, err));
    if (row.data == NULL)
        return ST_OK;
    TRY(read_head(entity, row, err));
    entity->stored = true;
    entity->head_bytes = (uint32_t)row.size;
    return ST_OK;
}

void entity_delete_rows(struct entity *entity)
{
    struct entity_log *log = entity->log;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        if (entity->sealed[i].stored)
            overlay_delete(log->overlay, chunk_key(entity, entity->sealed[i].number));
    }
    for (size_t i = 0; i < entity->dropped_count; i++)
        overlay_delete(log->overlay, chunk_key(entity, entity->dropped[i]));
    if (entity->stored)
        overlay_delete(log->overlay, head_key(log, entity_key(entity)));
    entity->stored = false;
}

void entity_put_head_key(const struct entity_log *log, struct bytes key, struct buffer *out)
{
    put_row_key(log, key, ROW_HEAD, out);
}
