#include "state/entity_ids.h"

#include "base/ensure.h"

enum { FEW = 32 };

static bool looks_for_ids(const struct entity *entity)
{
    return entity_spec_of(entity->log)->finds_ids;
}

void entity_ids_forget(struct entity *entity)
{
    if (looks_for_ids(entity))
        code_counts_fini(entity_ids(entity));
}

size_t entity_ids_footprint(const struct entity *entity)
{
    return looks_for_ids(entity) ? code_counts_footprint(entity_ids(entity)) : 0;
}

void entity_ids_inserted(struct entity *entity, const uint64_t *words)
{
    if (!looks_for_ids(entity))
        return;
    const uint64_t hash = words[entity->log->facts.id_word];
    if (entity_ids(entity)->slot_count > 0 && hash != 0)
        code_counts_add(entity_ids(entity), hash);
}

/* Calls for the events [low, high), which are loaded, until it says true. */
typedef enum status each_hash_fn(struct entity *entity, uint64_t index, uint64_t hash, const void *context, bool *stop,
                                 struct error *err);

static uint64_t hash_of(const struct event_chunk *chunk, size_t i, size_t word)
{
    const struct fact_view facts = event_chunk_facts(chunk, i);
    return fact_word(&facts, word);
}

static enum status each_hash(struct entity *entity, uint64_t low, uint64_t high, each_hash_fn *each, const void *context,
                             bool *stop, struct error *err)
{
    const size_t word = entity->log->facts.id_word;
    for (uint64_t index = low; index < high && !*stop;) {
        struct event_chunk *chunk;
        TRY(entity_find_chunk(entity, index, &chunk, err));
        for (size_t i = index - chunk->start; i < chunk->count && index < high && !*stop; i++, index++)
            TRY(each(entity, index, hash_of(chunk, i, word), context, stop, err));
    }
    return ST_OK;
}

struct wanted {
    const struct value *id;
    uint64_t hash;
};

static enum status compare(struct entity *entity, uint64_t index, uint64_t hash, const void *context, bool *stop,
                           struct error *err)
{
    const struct wanted *wanted = context;
    if (hash != wanted->hash)
        return ST_OK;
    TRY(entity_measure(entity, index, err));
    *stop = value_same(&entity_scratch_of(entity->log)->measures[entity_spec_of(entity->log)->id], wanted->id);
    return ST_OK;
}

static enum status add(struct entity *entity, uint64_t index, uint64_t hash, const void *context, bool *stop,
                       struct error *err)
{
    (void)index, (void)context, (void)stop, (void)err;
    if (hash != 0)
        code_counts_add(entity_ids(entity), hash);
    return ST_OK;
}

/* The table holds all ids from the event at `low` on, and not too many others. */
static enum status know_ids(struct entity *entity, uint64_t low, struct error *err)
{
    const uint64_t end = entity_end_index(entity);
    bool stop = false;
    if (entity_ids(entity)->slot_count > 0 && code_counts_distinct(entity_ids(entity)) <= 2 * (end - low))
        return ST_OK;
    code_counts_fini(entity_ids(entity));
    const enum status st = each_hash(entity, low, end, add, NULL, &stop, err);
    if (st != ST_OK)
        code_counts_fini(entity_ids(entity));
    return st;
}

static int64_t time_after(int64_t time_us, int64_t by_us)
{
    int64_t after_us;
    return __builtin_add_overflow(time_us, by_us, &after_us) ? INT64_MAX : after_us;
}

enum status entity_find_id(struct entity *entity, const struct value *id, int64_t time_us, int64_t span_us,
                           int64_t oldest_us, bool *found, struct error *err)
{
    const int64_t near_us = time_before(time_us, span_us);
    ENSURE(entity_spec_of(entity->log)->finds_ids && span_us > 0 && oldest_us <= near_us);
    const struct wanted wanted = { id, entity_facts_id(id, &entity_scratch_of(entity->log)->value) };
    uint64_t low, high;
    *found = false;
    if (entity_event_count(entity) == 0)
        return ST_OK;
    TRY(entity_upper_bound(entity, time_before(near_us, 1), &low, err));
    TRY(entity_upper_bound(entity, time_after(time_us, span_us), &high, err));
    if (high > low + FEW) {
        uint64_t oldest;
        TRY(entity_upper_bound(entity, time_before(oldest_us, 1), &oldest, err));
        TRY(know_ids(entity, oldest, err));
        if (!code_counts_has(entity_ids(entity), wanted.hash))
            return ST_OK;
    }
    return each_hash(entity, low, high, compare, &wanted, found, err);
}
