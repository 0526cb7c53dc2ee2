/*
 * entity: one key's events in memory. The part of the entity log that knows nothing of rows and
 * caches; its aggregates are entity_windows.h's.
 *
 * Events have indexes, which stay the same when the oldest are forgotten, until they are counted from the first one that
 * is remembered again (entity_tidy). A position (entity_log.h) is an index less the first remembered one's.
 * Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_H
#define WEIR_STATE_ENTITY_H

#include "base/map.h"
#include "state/aggregate_state.h"
#include "state/code_counts.h"
#include "state/entity_facts.h"
#include "state/entity_log.h"
#include "state/event_chunk.h"

/* An index between two events: that of the first one after any time in [from_us, until_us). */
struct event_edge {
    uint64_t index;
    int64_t from_us, until_us;
};

/* Where a window stands: its aggregates hold exactly the events [low, high). */
struct window_edges {
    int64_t begin_from_us, begin_until_us; /* an event_edge: its begin where it was last; */
    uint32_t begin;                        /* not known when from > until */
    uint32_t low, high;
    uint32_t low_chunk; /* perhaps that of `low` */
};

struct tally {
    union {
        int64_t sum;
        struct wide *huge; /* when it does not fit */
    };
    uint32_t count;
    bool is_huge; /* until the window starts again */
};

/* distinct values of a window */
struct coded {
    int64_t count; /* of members */
    struct code_counts codes;
    struct aggregate_state *others; /* of those that have no code; NULL until there is one */
};

/* The smallest or largest number of a window, as far as it is known without the others (entity_tops.h). */
struct top {
    int64_t number;
    struct extremes *order; /* of all of them, if it was needed; then it alone knows */
    uint32_t count;
    enum { TOP_KNOWN, TOP_LEFT, TOP_UNKNOWN } state;
};

/* An event enters windows, or leaves them. */
enum passing { PASSING_IN, PASSING_OUT };

/*
 * An entity is the value of its key in the log's map, and the room for its windows is behind it (entity_rooms): all that an
 * event always touches lies together. There are as many of them as keys in memory, so they are small.
 */
struct entity {
    struct entity_log *log;

    struct event_chunk open; /* the newest events */
    struct event_chunk *sealed; /* those before, oldest first */
    uint64_t *dropped; /* numbers of chunks whose rows must be deleted */
    uint64_t next_number; /* of the row of a chunk to be sealed */
    uint32_t sealed_count, dropped_count;
    uint32_t footprint;    /* at most UINT32_MAX, and without itself, which the map counts */
    uint64_t nested_bytes; /* held by the tallies, codes, tops and states */
    uint64_t touched_in;   /* the number of the last transaction that needed it */
    /* When the whole head row was put last (overlay_epoch), if nothing in it but the open events is another now; else 0. */
    uint32_t head_epoch;
    uint32_t head_bytes; /* of its head row, when it was last read or written */
    bool chunk_came; /* one was sealed or read since entity_forget_rests looked last */
    bool dirty;   /* rows must be written */
    bool stored;  /* the overlay has a head row */
};

/* Where an entity's windows are, in bytes from its beginning. */
struct entity_rooms {
    uint32_t tallies, edges, coded, tops;
    uint32_t states, groups; /* per state; and if any has groups: group values -> state, or NULL */
    uint32_t ids;            /* of the hashes of ids, or empty (entity_ids.c) */
    uint32_t size;
};

enum { ENTITY_NAMED_KEY_MAX = 36 };

/* What the log gives its entities to work with. */
struct entity_scratch {
    struct arena *arena;
    struct value *columns;
    struct value *measures;
    uint64_t *words, *read_words; /* of an event that comes, and of one that is read */
    const struct entity *measured; /* whose event the measures are of, or NULL */
    uint64_t measured_index;
    struct buffer group, value, rest;
    struct window_edges *wanted; /* per window */
};

/* A key that comes soon. */
struct entity_named {
    uint64_t hash;
    const struct entity *entity;        /* NULL: it was not looked for yet, or is not loaded */
    uint32_t kept_hash, kept;           /* then what is kept of it, if its key is not too long: row_cache.h */
    uint32_t key_size;                  /* 0: it is too long */
    uint8_t key[ENTITY_NAMED_KEY_MAX];
};

/* The cache of loaded entities, which is entity_log.c's alone, and what its entities work with. */
struct entity_log {
    const struct entity_log_spec *spec;
    struct entity_facts facts;
    struct entity_scratch scratch;
    struct entity_rooms rooms; /* in each entity */
    bool decodes; /* the events that windows pass */
    const struct layout_mapping *mapping; /* of the current layout */
    uint32_t layout;

    struct overlay *overlay;
    struct layouts *layouts;
    struct map *entities; /* key -> struct entity, and what is behind it; in order of use, as far as room has been short */
    bool in_order;                  /* those of this transaction are the newest, in order */
    uint64_t footprint;             /* of the heap */
    struct row_cache *kept;         /* rows of entities that were let go: of those that are not loaded, or their chunks */
    struct entity *loaded;          /* by the last event: its windows are not counted yet */
    uint64_t touched_bytes;         /* of rows that the transaction writes, about */
    uint64_t transaction;           /* from 1 */
    struct entity **touched;        /* in this transaction */
    size_t touched_count, touched_capacity;
    bool settled;         /* all of them have been written and measured since */
    size_t emptied_count; /* of those that have no events then: expired, or looked at only */
    struct buffer row_key, row;
    struct entity_named ahead[ENTITY_LOG_AHEAD]; /* the one that comes last is at ahead_next - 1 */
    size_t ahead_next;
};
static inline struct entity_scratch *entity_scratch_of(struct entity_log *log)
{
    return &log->scratch;
}
static inline const struct entity_log_spec *entity_spec_of(const struct entity_log *log)
{
    return log->spec;
}
/* The facts of an event whose columns are the first of the scratch's measures; for event_chunk_read. */
const uint64_t *entity_read_facts(void *log);
/* Reads a sealed chunk's row. */
MUST_CHECK enum status entity_load_chunk(struct entity *entity, struct event_chunk *chunk,
                                         struct error *err);
/* The same for a chunk that has only its rests away: they are in its row. What was asked of its events before is no more. */
MUST_CHECK enum status entity_load_rests(struct entity *entity, struct event_chunk *chunk, struct error *err);

/* The same value, its text in the arena. */
struct value entity_keep_value(const struct value *v, struct arena *arena);

/* Of a place in the log's map, zeroed. */
void entity_init(struct entity *entity, struct entity_log *log);
/* Frees what it has; the place is still the map's. */
void entity_fini(struct entity *entity);
/* As if it had never had an event. */
void entity_reset(struct entity *entity);

static inline struct bytes entity_key(const struct entity *entity)
{
    return map_key_of(entity->log->entities, entity);
}

static inline void *entity_room(const struct entity *entity, uint32_t at)
{
    return (uint8_t *)(uintptr_t)entity + at;
}
static inline struct tally *entity_tallies(const struct entity *entity)
{
    return entity_room(entity, entity->log->rooms.tallies);
}
static inline struct window_edges *entity_edges(const struct entity *entity)
{
    return entity_room(entity, entity->log->rooms.edges);
}
static inline struct coded *entity_coded(const struct entity *entity)
{
    return entity_room(entity, entity->log->rooms.coded);
}
static inline struct top *entity_tops(const struct entity *entity)
{
    return entity_room(entity, entity->log->rooms.tops);
}
/* State n (entity_facts.h), its groups if it has any, and what it is the state of. */
static inline struct aggregate_state *entity_state(const struct entity *entity, size_t n)
{
    return (struct aggregate_state *)entity_room(entity, entity->log->rooms.states) + n;
}
static inline struct map **entity_groups(const struct entity *entity, size_t n)
{
    return (struct map **)entity_room(entity, entity->log->rooms.groups) + n;
}
static inline const struct aggregate_spec *entity_stated(const struct entity *entity, size_t n)
{
    return &entity_spec_of(entity->log)->aggregates[entity->log->facts.states[n].aggregate];
}
/* Only if ids are looked for. */
static inline struct code_counts *entity_ids(const struct entity *entity)
{
    return entity_room(entity, entity->log->rooms.ids);
}

/* All chunks, oldest first; the open one is the last. */
static inline size_t entity_chunk_count(const struct entity *entity)
{
    return (size_t)entity->sealed_count + 1;
}
static inline struct event_chunk *entity_chunk(const struct entity *entity, size_t i)
{
    return i < entity->sealed_count ? &entity->sealed[i] : entity_room(entity, offsetof(struct entity, open));
}
static inline size_t entity_chunk_number(const struct entity *entity, const struct event_chunk *chunk)
{
    return chunk == &entity->open ? entity->sealed_count : (size_t)(chunk - entity->sealed);
}
/* What names a sealed chunk's row. So many are never sealed while it lives that its lowest bits would not tell. */
static inline uint64_t entity_row_number(const struct entity *entity, const struct event_chunk *chunk)
{
    return entity->next_number - ((uint32_t)entity->next_number - chunk->number);
}
uint64_t entity_first_index(const struct entity *entity);
uint64_t entity_end_index(const struct entity *entity);
/* The chunk that holds the index, loaded. */
MUST_CHECK enum status entity_find_chunk(struct entity *entity, uint64_t index,
                                         struct event_chunk **out, struct error *err);
MUST_CHECK enum status entity_place_of(struct entity *entity, uint64_t index,
                                       struct event_place *out, struct error *err);
/* The index of the first event with time > time_us. */
MUST_CHECK enum status entity_upper_bound(struct entity *entity, int64_t time_us, uint64_t *index,
                                          struct error *err);
/* The same, and the times around it. */
MUST_CHECK enum status entity_find_edge(struct entity *entity, int64_t time_us,
                                        struct event_edge *edge, struct error *err);
/* Decodes the event's columns and computes its measures into the scratch. */
MUST_CHECK enum status entity_measure(struct entity *entity, uint64_t index, struct error *err);
int64_t entity_newest_us(const struct entity *entity); /* INT64_MIN: no events */
/* Forgets what has expired; before rows are written. */
void entity_tidy(struct entity *entity);
void entity_measure_footprint(struct entity *entity);

#endif
