/* The cache of loaded entities, and transactions. What an entity does with its events is entity.c. */
#include "state/entity_log.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "state/entity.h"
#include "state/entity_rows.h"
#include "state/entity_windows.h"
#include "state/window_aggregates.h"
#include "state/row_cache.h"
#include "state/row_index.h"

enum { ARENA_BLOCK = 4096, EVENT_BYTES = 64, LOADED_SHARES = 3, ROOM_SHARES = 8 };

/* --- life ------------------------------------------------------------------------------------- */

/* Of the cache so much is for loaded entities, and the rest for rows of others, if there are any. What never aborts has all
 * rows in the overlay. */
static uint64_t loaded_least(const struct entity_log_spec *spec)
{
    return spec->never_aborts ? spec->cache_bytes : spec->cache_bytes / LOADED_SHARES * (LOADED_SHARES - 1);
}

enum status entity_log_create(struct entity_log **out, const struct entity_log_spec *spec,
                              struct overlay *overlay, struct layouts *layouts, struct error *err)
{
    ENSURE(*out == NULL && spec->measure_count >= spec->column_count);
    ENSURE(spec->chunk_bytes <= ENTITY_CHUNK_BYTES_MAX);
    AUTO(entity_log_destroy) struct entity_log *log = mem_alloc(sizeof *log);
    log->spec = spec;
    log->overlay = overlay;
    log->layouts = layouts;
    log->transaction = 1;
    arena_create(&log->scratch.arena, ARENA_BLOCK);
    log->scratch.columns = mem_alloc_array(spec->column_count + 1, sizeof(struct value));
    log->scratch.measures = mem_alloc_array(spec->measure_count + 1, sizeof(struct value));
    log->scratch.wanted = mem_alloc_array(spec->window_count + 1, sizeof *log->scratch.wanted);
    entity_facts_init(&log->facts, spec);
    log->scratch.words = mem_alloc_array(log->facts.word_count, sizeof *log->scratch.words);
    log->scratch.read_words = mem_alloc_array(log->facts.word_count, sizeof *log->scratch.read_words);
    log->decodes = window_aggregates_decode(log);
    entity_windows_lay_out(log, &log->rooms);
    map_create(&log->entities, log->rooms.size);
    row_cache_create(&log->kept, spec->cache_bytes - loaded_least(spec));
    TRY(layouts_number(layouts, spec->columns, spec->column_count, &log->layout, err));
    TRY(layouts_mapping(layouts, log->layout, spec->columns, spec->column_count, &log->mapping,
                        err));
    *out = TAKE(log);
    return ST_OK;
}

static void forget(struct entity_log *log, struct entity *entity)
{
    for (size_t i = 0; i < ENTITY_LOG_AHEAD; i++) {
        if (log->ahead[i].entity == entity)
            log->ahead[i].entity = NULL;
    }
    log->footprint -= entity->footprint;
    if (log->scratch.measured == entity)
        log->scratch.measured = NULL;
    if (log->loaded == entity)
        log->loaded = NULL;
    entity_fini(entity);
    map_remove(log->entities, entity_key(entity));
}

void entity_log_destroy(struct entity_log **log_ref)
{
    struct entity_log *log = TAKE(*log_ref);
    if (log == NULL)
        return;
    while (map_count(log->entities) > 0)
        forget(log, map_oldest(log->entities));
    map_destroy(&log->entities);
    row_cache_destroy(&log->kept);
    arena_destroy(&log->scratch.arena);
    mem_free(log->scratch.columns);
    mem_free(log->scratch.measures);
    mem_free(log->scratch.wanted);
    mem_free(log->scratch.words);
    mem_free(log->scratch.read_words);
    entity_facts_fini(&log->facts);
    buffer_fini(&log->scratch.group);
    buffer_fini(&log->scratch.value);
    buffer_fini(&log->scratch.rest);
    buffer_fini(&log->row_key);
    buffer_fini(&log->row);
    mem_free(log->touched);
    mem_free(log);
}

/* --- use -------------------------------------------------------------------------------------- */

/* The entity, and the end of its open chunk, which the entity says. */
static void prefetch_entity(const struct entity_log *log, const struct entity *entity)
{
    map_prefetch(log->entities, entity);
}

static void prefetch_events(const struct entity *entity)
{
    const struct event_chunk *open = &entity->open;
    if (open->count == 0)
        return;
    /* What was last, and where the next one will be. */
    prefetch(event_chunk_entry(open, open->count));
    prefetch(open->room + open->room_size - open->rest_used);
}

/* So many calls ago; before the first one they are zero. */
static struct entity_named *named_before(struct entity_log *log, size_t calls)
{
    return &log->ahead[(log->ahead_next - 1 - calls) % ENTITY_LOG_AHEAD];
}

/* Its key may be gone when what is kept of it is looked for. */
static void name(struct entity_named *named, const struct entity_log *log, struct bytes key)
{
    *named = (struct entity_named){ .hash = map_expect(log->entities, key), .kept = ROW_NUMBER_NONE };
    if (key.size == 0 || key.size > sizeof named->key)
        return;
    named->key_size = (uint32_t)key.size;
    memcpy(named->key, key.data, key.size);
}

static void find_named(struct entity_log *log, struct entity_named *named)
{
    named->entity = map_peek(log->entities, named->hash);
    if (named->entity != NULL)
        prefetch_entity(log, named->entity);
    else if (named->key_size > 0 && row_cache_count(log->kept) > 0)
        named->kept_hash = entity_expect_kept(log, bytes_of(named->key, named->key_size));
}

static void prefetch_named(struct entity_log *log, struct entity_named *named)
{
    const struct entity *entity = named->entity;
    if (entity == NULL) {
        if (named->kept_hash != 0)
            named->kept = row_cache_peek(log->kept, named->kept_hash);
        return;
    }
    if (log->in_order)
        map_prefetch_renewal(entity);
    prefetch_events(entity);
    entity_windows_prefetch(entity);
}

/* The map's place is there when the entity is asked for, and the entity when it is asked where the rest is. */
void entity_log_look_ahead(struct entity_log *log, struct bytes key)
{
    enum { ENTITY = 3, EVENTS = 5, SEALED = 7 };
    log->ahead_next++;
    name(named_before(log, 0), log, key);
    find_named(log, named_before(log, ENTITY));
    prefetch_named(log, named_before(log, EVENTS));
    const struct entity_named *next = named_before(log, SEALED);
    if (next->entity != NULL)
        entity_windows_prefetch_sealed(next->entity);
    else
        row_cache_prefetch(log->kept, next->kept);
}

static enum status load(struct entity_log *log, struct bytes key, struct entity **out,
                        struct error *err)
{
    struct entity *entity = map_insert(log->entities, key, NULL);
    entity_init(entity, log);
    const enum status st = entity_read_rows(entity, err);
    if (st != ST_OK) {
        entity_fini(entity);
        map_remove(log->entities, key);
        return st;
    }
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

static bool is_touched(const struct entity_log *log, const struct entity *entity)
{
    return entity->touched_in == log->transaction;
}

static uint64_t loaded_bytes(const struct entity_log *log)
{
    return log->footprint + map_footprint(log->entities);
}

/* Of those that the transaction does not need, which are the oldest; one that was left unwritten
 * (never_aborts) waits for the flush. */
static bool can_let_go(const struct entity_log *log, const struct entity *oldest)
{
    return oldest != NULL && !is_touched(log, oldest) && !oldest->dirty;
}

static bool is_short_of_room(const struct entity_log *log)
{
    return entity_log_footprint(log) > log->spec->cache_bytes / ROOM_SHARES * (ROOM_SHARES - 1);
}

/*
 * The order of use matters only when some must go: as long as there is room for all, it would have each event write to two
 * other entities, which long since left the processor's cache. So it is kept from when room becomes short.
 */
static void keep_order(struct entity_log *log)
{
    if (log->in_order || !is_short_of_room(log))
        return;
    log->in_order = true;
    for (size_t i = 0; i < log->touched_count; i++)
        map_renew(log->entities, log->touched[i]);
}

/* Of the next two to be let go: it is long since anybody looked at them. */
static void prefetch_leaving(const struct entity_log *log, const struct entity *oldest)
{
    const struct entity *next = map_newer(oldest);
    if (next == NULL)
        return;
    bytes_prefetch(bytes_of(next->open.room, next->open.room_size));
    (void)map_expect(log->entities, entity_key(next));
    const struct entity *after = map_newer(next);
    if (after != NULL)
        prefetch_entity(log, after);
}

/* What is let go stays as rows, which take less room, as long as there is some. */
static void trim_cache(struct entity_log *log)
{
    const uint64_t all = log->spec->cache_bytes, least = loaded_least(log->spec);
    keep_order(log);
    while (entity_log_footprint(log) > all && loaded_bytes(log) > least) {
        struct entity *oldest = map_oldest(log->entities);
        if (!can_let_go(log, oldest))
            break;
        prefetch_leaving(log, oldest);
        entity_keep(oldest);
        forget(log, oldest);
    }
    if (entity_log_footprint(log) > all)
        row_cache_shrink(log->kept, loaded_bytes(log) < all ? all - loaded_bytes(log) : 0);
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
    log->settled = false;
    log->touched_bytes += EVENT_BYTES;
    if (is_touched(log, entity))
        return;
    log->touched_bytes += entity_key(entity).size + (entity_head_only_grew(entity) ? 0 : entity->head_bytes);
    if (log->touched_count == log->touched_capacity) {
        log->touched_capacity = log->touched_capacity == 0 ? 256 : log->touched_capacity * 2;
        log->touched = mem_resize_array(log->touched, log->touched_capacity, sizeof *log->touched);
    }
    log->touched[log->touched_count++] = entity;
    entity->touched_in = log->transaction;
    if (log->in_order)
        map_renew(log->entities, entity);
}

enum status entity_log_acquire(struct entity_log *log, struct bytes key, struct entity **out,
                               struct error *err)
{
    count_loaded(log);
    struct entity *entity = map_find(log->entities, key);
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
    uint64_t left = entity_log_footprint(log);
    keep_order(log);
    for (struct entity *entity = map_oldest(log->entities);
         entity != NULL && left > log->spec->cache_bytes; entity = map_newer(entity)) {
        left -= (uint64_t)entity->footprint + log->rooms.size;
        if (entity->dirty)
            TRY(entity_write_rows(entity, err));
    }
    return ST_OK;
}

static void prefetch_touched(const struct entity_log *log, size_t i)
{
    enum { ENTITY = 4, EVENTS = 2 };
    if (i + ENTITY < log->touched_count)
        prefetch_entity(log, log->touched[i + ENTITY]);
    if (i + EVENTS >= log->touched_count)
        return;
    prefetch_events(log->touched[i + EVENTS]);
    prefetch(log->touched[i + EVENTS]->sealed); /* the oldest may have expired */
}

static void settle(struct entity_log *log, struct entity *entity)
{
    measure(log, entity);
    log->emptied_count += entity_event_count(entity) == 0;
}

/* The one time that all of them are walked: by now the first ones have left the processor's cache. */
enum status entity_log_flush(struct entity_log *log, struct error *err)
{
    const bool is_short = is_short_of_room(log);
    log->emptied_count = 0;
    for (size_t i = 0; i < log->touched_count; i++) {
        prefetch_touched(log, i);
        if (is_short)
            entity_unload_chunks(log->touched[i]);
        if (log->spec->never_aborts)
            entity_tidy(log->touched[i]);
        else if (log->touched[i]->dirty)
            TRY(entity_write_rows(log->touched[i], err));
        if (is_short)
            entity_forget_rests(log->touched[i]);
        settle(log, log->touched[i]);
    }
    log->settled = true;
    return log->spec->never_aborts ? write_leaving(log, err) : ST_OK;
}

static void end_transaction(struct entity_log *log)
{
    log->transaction++;
    log->in_order = is_short_of_room(log);
    log->touched_count = log->emptied_count = 0;
    log->touched_bytes = 0;
    log->loaded = NULL;
}

/* Some were looked at after the flush. */
static void settle_again(struct entity_log *log)
{
    log->emptied_count = 0;
    for (size_t i = 0; i < log->touched_count; i++) {
        ENSURE(!log->touched[i]->dirty || log->spec->never_aborts);
        settle(log, log->touched[i]);
    }
}

void entity_log_commit(struct entity_log *log)
{
    if (!log->settled)
        settle_again(log);
    for (size_t i = 0; log->emptied_count > 0; i++) {
        if (entity_event_count(log->touched[i]) > 0)
            continue;
        forget(log, log->touched[i]);
        log->emptied_count--;
    }
    end_transaction(log);
    trim_cache(log);
}

void entity_log_abort(struct entity_log *log)
{
    ENSURE(!log->spec->never_aborts);
    for (size_t i = 0; i < log->touched_count; i++)
        forget(log, log->touched[i]);
    end_transaction(log);
}

enum status entity_log_expire(struct entity_log *log, struct bytes key, int64_t before_us,
                              bool *deleted, int64_t *newest_us, struct error *err)
{
    struct entity *entity = map_find(log->entities, key);
    bool found = entity != NULL;
    *deleted = false;
    if (found)
        *newest_us = entity_newest_us(entity);
    else
        TRY(entity_find_newest(log, key, &found, newest_us, err));
    if (found && *newest_us >= before_us)
        return ST_OK; /* it was only asked: whether it is loaded makes no difference */
    TRY(entity_log_acquire(log, key, &entity, err));
    *newest_us = entity_newest_us(entity);
    entity_delete_rows(entity);
    if (log->scratch.measured == entity)
        log->scratch.measured = NULL;
    entity_reset(entity);
    entity->dirty = false;
    *deleted = true;
    return ST_OK;
}

uint64_t entity_log_footprint(const struct entity_log *log)
{
    return loaded_bytes(log) + row_cache_bytes(log->kept);
}

uint64_t entity_log_touched_bytes(const struct entity_log *log)
{
    return log->touched_bytes;
}

/* Once the order is kept, the oldest tells of all whether the transaction needs them. */
bool entity_log_is_overfull(const struct entity_log *log)
{
    const struct entity *oldest = map_oldest(log->entities);
    return log->in_order && oldest != NULL && is_touched(log, oldest) &&
           entity_log_footprint(log) > log->spec->cache_bytes;
}
