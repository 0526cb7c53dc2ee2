/* What the rows look like says entity_log.h. */
#include "state/entity_rows.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity.h"
#include "state/entity_image.h"
#include "state/keys.h"
#include "state/row_cache.h"

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

/* Valid until it is taken from what is kept, or the next call on the overlay. */
static enum status find_row(struct entity_log *log, struct bytes key, struct bytes *row, struct error *err)
{
    return row_cache_get(log->kept, key, row) ? ST_OK : overlay_get(log->overlay, key, row, err);
}

static void delete_row(struct entity_log *log, struct bytes key)
{
    row_cache_remove(log->kept, key);
    overlay_delete(log->overlay, key);
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

/* What comes before the directory. */
struct head_begin {
    enum event_chunk_kind kind; /* how the open events are written */
    uint64_t next_number, sealed;
};

static enum status read_head_begin(struct reader *in, struct head_begin *out, struct error *err)
{
    const uint8_t format = reader_u8(in);
    if (format != HEAD_FORMAT && format != HEAD_FORMAT_COUNTED)
        return malformed(err);
    out->kind = format == HEAD_FORMAT ? EVENT_CHUNK_OPEN : EVENT_CHUNK_SEALED;
    out->next_number = reader_varint(in);
    out->sealed = reader_varint(in);
    return in->failed || out->sealed > reader_left(in) / DIRECTORY_ENTRY_MIN ? malformed(err) : ST_OK;
}

static struct event_chunk_reading reading_of(struct entity_log *log)
{
    return (struct event_chunk_reading){ .layouts = log->layouts,
                                         .columns = log->spec->columns,
                                         .column_count = log->spec->column_count,
                                         .layout = log->layout,
                                         .values = log->scratch.measures,
                                         .facts_of = entity_read_facts,
                                         .context = log };
}

static enum status read_head(struct entity *entity, struct bytes row, struct error *err)
{
    struct entity_log *log = entity->log;
    struct reader in = reader_of(row);
    struct head_begin begin;
    TRY(read_head_begin(&in, &begin, err));
    entity->next_number = begin.next_number;
    const uint64_t sealed = begin.sealed;
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
    const struct event_chunk_reading reading = reading_of(log);
    TRY(event_chunk_read(&entity->open, begin.kind, &in, &reading, err));
    if (sealed > 0 && entity->open.count > 0 && entity->open.first_us < last_us)
        return malformed(err);
    entity->stored = true;
    entity->head_bytes = (uint32_t)row.size;
    return ST_OK;
}

enum status entity_load_chunk(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    struct entity_log *log = entity->log;
    struct bytes row;
    TRY(find_row(log, chunk_key(entity, chunk->number), &row, err));
    if (row.data == NULL)
        return FAIL(err, ST_CORRUPT, "a chunk of an entity's events is missing");
    struct reader in = reader_of(row);
    const struct event_chunk expected = *chunk;
    chunk->count = 0;
    const struct event_chunk_reading reading = reading_of(log);
    const enum status st = event_chunk_read(chunk, EVENT_CHUNK_SEALED, &in, &reading, err);
    if (st == ST_OK && chunk->count == expected.count && chunk->first_us == expected.first_us &&
        chunk->last_us == expected.last_us) {
        row_cache_remove(log->kept, chunk_key(entity, chunk->number));
        entity->chunk_came = true;
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
        delete_row(log, chunk_key(entity, entity->dropped[i]));
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

/* A head row is kept behind what only this process knows: varint size of the image | image | varint head_epoch. */
static void put_kept(struct entity *entity)
{
    struct entity_log *log = entity->log;
    struct buffer *image = &log->scratch.rest;
    buffer_clear(image);
    entity_image_write(entity, image);
    buffer_clear(&log->row);
    buffer_put_run(&log->row, buffer_view(image));
    buffer_put_varint(&log->row, event_chunk_only_grew(&entity->open) ? entity->head_epoch : 0);
    write_head(entity, &log->row);
    row_cache_put(log->kept, head_key(log, entity_key(entity)), buffer_view(&log->row));
}

/* A head row, and what was kept with it. */
struct found_head {
    bool is_kept;
    struct bytes row, image;
    uint64_t epoch;
};

/* Valid as long as what find_row finds. */
static enum status find_head(struct entity_log *log, struct bytes key, struct found_head *out, struct error *err)
{
    const struct bytes row_key = head_key(log, key);
    struct bytes kept;
    *out = (struct found_head){ .is_kept = row_cache_get(log->kept, row_key, &kept) };
    if (!out->is_kept)
        return overlay_get(log->overlay, row_key, &out->row, err);
    struct reader in = reader_of(kept);
    out->image = reader_run(&in);
    out->epoch = reader_varint(&in);
    out->row = reader_take(&in, reader_left(&in));
    return ST_OK;
}

enum status entity_read_rows(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    struct found_head head;
    TRY(find_head(log, entity_key(entity), &head, err));
    if (head.row.data == NULL)
        return ST_OK;
    TRY(read_head(entity, head.row, err));
    if (!head.is_kept)
        return ST_OK;
    entity_image_read(entity, head.image);
    if (head.epoch > 0)
        event_chunk_is_written(&entity->open);
    entity->head_epoch = head.epoch;
    row_cache_remove(log->kept, head_key(log, entity_key(entity)));
    return ST_OK;
}

static void keep_chunk(struct entity *entity, struct event_chunk *chunk)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row);
    event_chunk_write(chunk, log->layout, &log->row);
    row_cache_put(log->kept, chunk_key(entity, chunk->number), buffer_view(&log->row));
}

static void unload_chunk(struct entity *entity, struct event_chunk *chunk)
{
    const struct event_chunk extent = { .number = chunk->number, .first_us = chunk->first_us, .last_us = chunk->last_us,
                                        .facts = chunk->facts, .start = chunk->start, .count = chunk->count, .stored = true };
    keep_chunk(entity, chunk);
    event_chunk_fini(chunk);
    *chunk = extent;
}

void entity_unload_chunks(struct entity *entity)
{
    if (!entity->chunk_came || entity->log->spec->never_aborts)
        return;
    entity->chunk_came = false;
    entity_scratch_of(entity->log)->measured = NULL; /* its text may be in one of them */
    for (size_t i = 0; i < entity->sealed_count; i++) {
        struct event_chunk *chunk = &entity->sealed[i];
        if (!chunk->used && chunk->loaded && chunk->stored && !chunk->dirty)
            unload_chunk(entity, chunk);
        chunk->used = false;
    }
}

void entity_keep_rows(struct entity *entity)
{
    struct entity_log *log = entity->log;
    ENSURE(!entity->dirty);
    if (!entity->stored || log->spec->never_aborts)
        return;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        if (entity->sealed[i].loaded)
            keep_chunk(entity, &entity->sealed[i]);
    }
    put_kept(entity);
}

void entity_delete_rows(struct entity *entity)
{
    struct entity_log *log = entity->log;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        if (entity->sealed[i].stored)
            delete_row(log, chunk_key(entity, entity->sealed[i].number));
    }
    for (size_t i = 0; i < entity->dropped_count; i++)
        delete_row(log, chunk_key(entity, entity->dropped[i]));
    if (entity->stored)
        overlay_delete(log->overlay, head_key(log, entity_key(entity)));
    entity->stored = false;
}

static enum status newest_of_head(struct reader *in, int64_t *newest_us, struct error *err)
{
    struct head_begin begin;
    int64_t sealed_us = 0;
    TRY(read_head_begin(in, &begin, err));
    for (uint64_t i = 0; i < begin.sealed; i++) {
        struct event_chunk chunk = { .count = 0 };
        TRY(read_directory_entry(in, begin.next_number, &chunk, &sealed_us, err));
    }
    TRY(event_chunk_read_newest(begin.kind, in, newest_us, err));
    if (*newest_us == INT64_MIN && begin.sealed > 0)
        *newest_us = sealed_us;
    return ST_OK;
}

enum status entity_find_newest(struct entity_log *log, struct bytes key, bool *found, int64_t *newest_us, struct error *err)
{
    struct found_head head;
    TRY(find_head(log, key, &head, err));
    *found = head.row.data != NULL;
    if (!*found)
        return ST_OK;
    struct reader in = reader_of(head.row);
    return newest_of_head(&in, newest_us, err);
}

void entity_put_head_key(const struct entity_log *log, struct bytes key, struct buffer *out)
{
    put_row_key(log, key, ROW_HEAD, out);
}
