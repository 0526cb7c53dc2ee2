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

static struct bytes key_of_chunk(const struct entity *entity, const struct event_chunk *chunk)
{
    return chunk_key(entity, entity_row_number(entity, chunk));
}

static void delete_row(struct entity_log *log, struct bytes key)
{
    row_cache_remove(log->kept, key);
    overlay_delete(log->overlay, key);
}

static void write_directory(const struct entity *entity, struct buffer *out)
{
    buffer_put_varint(out, entity->next_number);
    buffer_put_varint(out, entity->sealed_count);
    int64_t last_us = 0;
    for (size_t i = 0; i < entity->sealed_count; i++) {
        const struct event_chunk *chunk = &entity->sealed[i];
        buffer_put_varint(out, entity_row_number(entity, chunk));
        buffer_put_varint(out, chunk->count);
        const int64_t first_us = event_chunk_first_us(chunk);
        buffer_put_zigzag(out, first_us - last_us);
        buffer_put_varint(out, (uint64_t)(chunk->last_us - first_us));
        last_us = chunk->last_us;
    }
}

static void write_head(struct entity *entity, struct buffer *out)
{
    buffer_put_u8(out, HEAD_FORMAT);
    write_directory(entity, out);
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
    const uint64_t number = reader_varint(in), count = reader_varint(in);
    const int64_t gap_us = reader_zigzag(in);
    const uint64_t extent_us = reader_varint(in);
    if (in->failed || number >= next_number || next_number - number > UINT32_MAX || count == 0 || count > EVENTS_IN_CHUNK_MAX ||
        extent_us > INT64_MAX || __builtin_add_overflow(*last_us, gap_us, &chunk->base_us) ||
        __builtin_add_overflow(chunk->base_us, (int64_t)extent_us, &chunk->last_us) ||
        chunk->base_us < -EVENT_TIME_MAX_US || chunk->last_us > EVENT_TIME_MAX_US)
        return malformed(err);
    chunk->number = (uint32_t)number;
    chunk->count = (uint32_t)count;
    chunk->stored = true;
    *last_us = chunk->last_us;
    return ST_OK;
}

/* What the directory begins with. */
struct directory_begin {
    uint64_t next_number, sealed;
};

static enum status read_directory_begin(struct reader *in, struct directory_begin *out, struct error *err)
{
    out->next_number = reader_varint(in);
    out->sealed = reader_varint(in);
    return in->failed || out->sealed > reader_left(in) / DIRECTORY_ENTRY_MIN ? malformed(err) : ST_OK;
}

/* How the open events are written. */
static enum status read_kind(struct reader *in, enum event_chunk_kind *kind, struct error *err)
{
    const uint8_t format = reader_u8(in);
    *kind = format == HEAD_FORMAT ? EVENT_CHUNK_OPEN : EVENT_CHUNK_SEALED;
    return format == HEAD_FORMAT || format == HEAD_FORMAT_COUNTED ? ST_OK : malformed(err);
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

/* The sealed chunks, not loaded, and where the open one begins. */
static enum status read_directory(struct entity *entity, struct reader *in, struct error *err)
{
    struct entity_log *log = entity->log;
    struct directory_begin begin;
    TRY(read_directory_begin(in, &begin, err));
    entity->next_number = begin.next_number;
    /* Each is counted when it is there: what was read of a row that turns out malformed is freed. */
    entity->sealed = mem_alloc_array((size_t)begin.sealed, sizeof *entity->sealed);
    int64_t last_us = 0;
    uint64_t start = 0;
    for (uint64_t i = 0; i < begin.sealed; i++) {
        struct event_chunk *chunk = &entity->sealed[entity->sealed_count++];
        chunk->start = (uint32_t)start;
        chunk->facts = &log->facts.form;
        TRY(read_directory_entry(in, entity->next_number, chunk, &last_us, err));
        start += chunk->count;
        if (start > ENTITY_EVENTS_MAX || (i > 0 && event_chunk_first_us(chunk) < chunk[-1].last_us))
            return malformed(err);
    }
    entity->open = (struct event_chunk){ .start = (uint32_t)start, .facts = &log->facts.form };
    return ST_OK;
}

static enum status read_head(struct entity *entity, struct bytes row, struct error *err)
{
    struct reader in = reader_of(row);
    enum event_chunk_kind kind;
    TRY(read_kind(&in, &kind, err));
    TRY(read_directory(entity, &in, err));
    const struct event_chunk_reading reading = reading_of(entity->log);
    TRY(event_chunk_read(&entity->open, kind, &in, &reading, err));
    const struct event_chunk *last = entity->sealed_count == 0 ? NULL : &entity->sealed[entity->sealed_count - 1];
    if (last != NULL && entity->open.count > 0 && event_chunk_first_us(&entity->open) < last->last_us)
        return malformed(err);
    entity->stored = true;
    entity->head_bytes = (uint32_t)row.size;
    return ST_OK;
}

/* What is known of a sealed chunk that is not loaded. */
static struct event_chunk extent_of(const struct event_chunk *chunk)
{
    return (struct event_chunk){ .number = chunk->number, .base_us = event_chunk_first_us(chunk),
                                 .last_us = chunk->last_us, .facts = chunk->facts, .start = chunk->start,
                                 .count = chunk->count, .stored = true };
}

/* If that fails, the chunk is still not loaded. */
static enum status read_chunk_row(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    const struct event_chunk extent = *chunk;
    struct bytes row;
    TRY(overlay_get(entity->log->overlay, key_of_chunk(entity, chunk), &row, err));
    if (row.data == NULL)
        return FAIL(err, ST_CORRUPT, "a chunk of an entity's events is missing");
    struct reader in = reader_of(row);
    chunk->count = 0;
    const struct event_chunk_reading reading = reading_of(entity->log);
    const enum status st = event_chunk_read(chunk, EVENT_CHUNK_SEALED, &in, &reading, err);
    if (st == ST_OK && chunk->count == extent.count && event_chunk_first_us(chunk) == event_chunk_first_us(&extent) &&
        chunk->last_us == extent.last_us)
        return ST_OK;
    event_chunk_fini(chunk);
    *chunk = extent;
    return st != ST_OK ? st
                       : FAIL(err, ST_CORRUPT,
                              "a chunk of an entity's events is not the one its head names");
}

enum status entity_load_chunk(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    struct row_cache *kept = entity->log->kept;
    struct bytes image;
    if (row_cache_take(kept, key_of_chunk(entity, chunk), &image)) {
        struct reader in = reader_of(image);
        event_chunk_image_read(chunk, &in, 0);
        ENSURE(reader_done(&in));
    } else {
        TRY(read_chunk_row(entity, chunk, err));
    }
    entity->chunk_came = true;
    return ST_OK;
}

enum status entity_load_rests(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    ENSURE(chunk->loaded && chunk->rests_away && !chunk->dirty);
    const struct event_chunk extent = extent_of(chunk);
    event_chunk_fini(chunk);
    *chunk = extent;
    TRY(read_chunk_row(entity, chunk, err));
    chunk->used = true;
    entity->chunk_came = true;
    return ST_OK;
}

static enum status write_chunk(struct entity *entity, struct event_chunk *chunk, struct error *err)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row);
    event_chunk_write(chunk, log->layout, &log->row);
    TRY(overlay_put(log->overlay, key_of_chunk(entity, chunk), buffer_view(&log->row), err));
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

bool entity_head_only_grew(const struct entity *entity)
{
    return entity->head_epoch == overlay_epoch(entity->log->overlay) && event_chunk_only_grew(&entity->open);
}

/* Most transactions only add an event or two at the end: then that is all they write. */
static bool append_head(struct entity *entity)
{
    struct entity_log *log = entity->log;
    struct event_chunk *open = &entity->open;
    if (!entity_head_only_grew(entity))
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

/* --- what is kept of entities that were let go -------------------------------------------------- */

/*
 * zigzag time of the newest event | varint size of the windows' image | it (entity_image.h) | varint head_epoch
 *     | varint head_bytes | the directory | the open chunk's image
 */
static void put_kept(struct entity *entity)
{
    struct entity_log *log = entity->log;
    struct buffer *image = &log->scratch.rest;
    buffer_clear(image);
    entity_image_write(entity, image);
    buffer_clear(&log->row);
    buffer_put_zigzag(&log->row, entity_newest_us(entity));
    buffer_put_run(&log->row, buffer_view(image));
    buffer_put_varint(&log->row, entity->head_epoch);
    buffer_put_varint(&log->row, entity->head_bytes);
    write_directory(entity, &log->row);
    event_chunk_image_write(&entity->open, &log->row);
    row_cache_put(log->kept, head_key(log, entity_key(entity)), buffer_view(&log->row));
}

static enum status read_kept(struct entity *entity, struct bytes kept, struct error *err)
{
    struct reader in = reader_of(kept);
    (void)reader_zigzag(&in);
    const struct bytes image = reader_run(&in);
    entity->head_epoch = (uint32_t)reader_varint(&in);
    entity->head_bytes = (uint32_t)reader_varint(&in);
    TRY(read_directory(entity, &in, err));
    event_chunk_image_read(&entity->open, &in, 1); /* it is wanted because another event comes */
    ENSURE(reader_done(&in));
    entity_image_read(entity, image);
    entity->stored = true;
    return ST_OK;
}

enum status entity_read_rows(struct entity *entity, struct error *err)
{
    struct entity_log *log = entity->log;
    const struct bytes key = head_key(log, entity_key(entity));
    struct bytes row;
    if (row_cache_take(log->kept, key, &row))
        return read_kept(entity, row, err);
    TRY(overlay_get(log->overlay, key, &row, err));
    return row.data == NULL ? ST_OK : read_head(entity, row, err);
}

uint32_t entity_expect_kept(struct entity_log *log, struct bytes key)
{
    return row_cache_expect(log->kept, head_key(log, key));
}

static void keep_chunk(struct entity *entity, struct event_chunk *chunk)
{
    struct entity_log *log = entity->log;
    buffer_clear(&log->row);
    event_chunk_image_write(chunk, &log->row);
    row_cache_put(log->kept, key_of_chunk(entity, chunk), buffer_view(&log->row));
}

static void unload_chunk(struct entity *entity, struct event_chunk *chunk)
{
    const struct event_chunk extent = extent_of(chunk);
    keep_chunk(entity, chunk);
    event_chunk_fini(chunk);
    *chunk = extent;
}

void entity_unload_chunks(struct entity *entity)
{
    if (!entity->chunk_came || entity->log->spec->never_aborts)
        return;
    entity_scratch_of(entity->log)->measured = NULL; /* its text may be in one of them */
    for (size_t i = 0; i < entity->sealed_count; i++) {
        struct event_chunk *chunk = &entity->sealed[i];
        if (!chunk->used && chunk->loaded && chunk->stored && !chunk->dirty)
            unload_chunk(entity, chunk);
        chunk->used = false;
    }
}

/* Windows pass its events by their facts alone. */
static bool facts_suffice(const struct entity_log *log, const struct event_chunk *chunk)
{
    bool suffice = true;
    for (size_t i = 0; i < chunk->count && suffice; i++) {
        const struct fact_view facts = event_chunk_facts(chunk, i);
        suffice = entity_facts_suffice(&log->facts, &facts);
    }
    return suffice;
}

static void forget_rests(struct entity *entity, struct event_chunk *chunk)
{
    if (!chunk->loaded || !chunk->stored || chunk->dirty || chunk->rest_bytes == 0)
        return;
    if (!chunk->rests_used && facts_suffice(entity->log, chunk))
        event_chunk_forget_rests(chunk);
    chunk->rests_used = false;
}

void entity_forget_rests(struct entity *entity)
{
    if (!entity->chunk_came || entity->log->spec->never_aborts)
        return;
    entity->chunk_came = false;
    if (entity->log->decodes)
        return;
    entity_scratch_of(entity->log)->measured = NULL;
    for (size_t i = 0; i < entity->sealed_count; i++)
        forget_rests(entity, &entity->sealed[i]);
}

void entity_keep(struct entity *entity)
{
    ENSURE(!entity->dirty);
    if (!entity->stored || entity->log->spec->never_aborts)
        return;
    entity_forget_rests(entity);
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
            delete_row(log, key_of_chunk(entity, &entity->sealed[i]));
    }
    for (size_t i = 0; i < entity->dropped_count; i++)
        delete_row(log, chunk_key(entity, entity->dropped[i]));
    if (entity->stored)
        overlay_delete(log->overlay, head_key(log, entity_key(entity)));
    entity->stored = false;
}

/* How many sealed chunks there are, and when the last one ends. */
static enum status skip_directory(struct reader *in, uint64_t *sealed, int64_t *last_us, struct error *err)
{
    struct directory_begin begin;
    TRY(read_directory_begin(in, &begin, err));
    *sealed = begin.sealed;
    *last_us = 0;
    for (uint64_t i = 0; i < begin.sealed; i++) {
        struct event_chunk chunk = { .count = 0 };
        TRY(read_directory_entry(in, begin.next_number, &chunk, last_us, err));
    }
    return ST_OK;
}

static enum status newest_of_head(struct bytes row, int64_t *newest_us, struct error *err)
{
    struct reader in = reader_of(row);
    enum event_chunk_kind kind;
    uint64_t sealed;
    int64_t sealed_us;
    TRY(read_kind(&in, &kind, err));
    TRY(skip_directory(&in, &sealed, &sealed_us, err));
    TRY(event_chunk_read_newest(kind, &in, newest_us, err));
    if (*newest_us == INT64_MIN && sealed > 0)
        *newest_us = sealed_us;
    return ST_OK;
}

static int64_t newest_of_kept(struct bytes kept)
{
    struct reader in = reader_of(kept);
    return reader_zigzag(&in);
}

enum status entity_find_newest(struct entity_log *log, struct bytes key, bool *found, int64_t *newest_us, struct error *err)
{
    const struct bytes head = head_key(log, key);
    struct bytes row;
    *found = row_cache_get(log->kept, head, &row);
    if (*found) {
        *newest_us = newest_of_kept(row);
        return ST_OK;
    }
    TRY(overlay_get(log->overlay, head, &row, err));
    *found = row.data != NULL;
    return *found ? newest_of_head(row, newest_us, err) : ST_OK;
}
