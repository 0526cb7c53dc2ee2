/*
 * entity_log: what one key (a user, a card) did lately, and exact look-back aggregates over it.
 *
 * An entity remembers events, not counters. Its events are kept in order (time, then arrival),
 * packed: the newest in the entity's head row, older ones in sealed chunk rows, written once and
 * rewritten only when a late event lands in them. Aggregates are never stored: they live with the
 * entity in a bounded cache of loaded entities, add one event and drop the expired ones (amortised
 * O(1) whatever the window), and are rebuilt from the events when an entity is loaded, unless it was let
 * go lately. So a feature that is added tomorrow starts warm, and state is only what happened.
 *
 * Order and look-back. Event x is before y when x.time < y.time, or the times are equal and x
 * arrived first. For the event e at time t a window holds, among the events up to and with e:
 *     over SPAN             t - span < x.time
 *     over previous SPAN    the same without e
 *     ... delay D           t - D - span < x.time <= t - D   (which excludes e by itself)
 *     over N / previous N   the newest N events that match (condition, group, argument not null)
 *                           with t - look-back < x.time
 * An aggregate takes the events of its window whose condition is true (null is not), whose group
 * values equal e's group values (null equals null), and whose argument is not null. count, distinct
 * of nothing are 0, sum is 0 (exact), the others null.
 *
 * Exactness: count, distinct: int. sum: int stays int (overflow of 64 bits gives null), decimal
 * keeps its scale. avg, stddev (population): one division of exact 128-bit sums at the end, a
 * double. min, max, first, last: the argument's type. A double argument must be scaled before (the
 * plan refuses it).
 *
 * Rows (KEY_ENTITY_LOG): [1][stream u8][varint key size][key][0] head, [1][stream][varint key
 * size][key][1][chunk number BE64] chunk.
 * Head: u8 format = 2 | varint next chunk number | varint chunk count, per chunk: varint number,
 * varint events, zigzag first time - the last chunk's last time, varint last - first time | the
 * open events (event_chunk.h; format 1 counts them). A transaction that only adds events at the end
 * appends to it (overlay_append).
 * Events carry their layout number (layouts.h), so that rows written before a change of columns
 * stay readable: a column that did not exist then is null.
 *
 * One task's thread. Borrows the overlay and the spec.
 */
#ifndef WEIR_STATE_ENTITY_LOG_H
#define WEIR_STATE_ENTITY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/value.h"
#include "state/layouts.h"
#include "state/overlay.h"

enum aggregate_kind {
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_STDDEV,
    AGGREGATE_DISTINCT,
    AGGREGATE_FIRST,
    AGGREGATE_LAST
};

struct window_spec {
    int64_t span_us;     /* > 0, or 0 when span_events is set */
    int64_t span_events; /* > 0, or 0; at most ENTITY_SPAN_EVENTS_MAX */
    int64_t delay_us;    /* 0: none; only with span_us */
    bool previous;
};
enum {
    ENTITY_SPAN_EVENTS_MAX = 1000,
    AGGREGATE_GROUP_MAX = 4,
    ENTITY_ALERTED_MAX = 255,
    ENTITY_CHUNKS_MAX = 16384,
    ENTITY_EVENTS_MAX = 1 << 30,
    ENTITY_CHUNK_BYTES_MAX = 256 * 1024,
    ENTITY_EVENT_BYTES_MAX = 64 * 1024, /* of one event's remembered columns: a few fit any row */
    /* When so many more events than a chunk's are open as this part of them, or when their rests have so many bytes, all but that
     * part are sealed. Chunks of entities with many have more events, and more bytes. */
    ENTITY_CHUNK_EVENTS = 16,
    ENTITY_OPEN_SHARE = 4,
    ENTITY_OPEN_RESTS = 768,
};

/* Measures are what aggregates take: measure i < column_count is column i, the others are
 * computed from the columns. */
struct aggregate_spec {
    enum aggregate_kind kind;
    int window;    /* index into windows */
    int argument;  /* measure, or -1: count() */
    int condition; /* a bool measure, or -1 */
    int group[AGGREGATE_GROUP_MAX];
    int group_count; /* the stream's key is not among them: it is always equal */
    struct value_type argument_type;
};

struct entity_log_spec {
    uint8_t stream;
    const struct layout_column *columns; /* the remembered columns, name and type */
    size_t column_count;
    size_t measure_count; /* >= column_count */
    /* Fills measures[column_count .. measure_count) from columns; total, deterministic, no I/O. */
    void (*measure)(void *context, const struct value *columns, struct value *measures,
                    struct arena *arena);
    void *measure_context;
    const struct window_spec *windows;
    size_t window_count;
    const struct aggregate_spec *aggregates;
    size_t aggregate_count;
    bool finds_ids;       /* entity_find_id is called */
    int id;               /* for it: the measure, a text or an integer, by which events are told apart */
    int64_t retention_us; /* events older than the entity's newest by more may be forgotten */
    int64_t look_back_us; /* of windows of N events; at most retention_us less the accepted lateness */
    size_t chunk_events;  /* 0: ENTITY_CHUNK_EVENTS, and more for entities with many */
    size_t chunk_bytes;   /* chunks are sealed by size as well; 0: the open one early, so that heads are short */
    uint64_t cache_bytes; /* of loaded entities, and of what is kept of those that were let go lately */
    /* There is no abort, and rows are written only of entities that leave the cache: for a run over
     * files, whose state nobody reads afterwards. */
    bool never_aborts;
};

struct entity_log;
struct entity;

/* Saturating. */
static inline int64_t time_before(int64_t time_us, int64_t by_us)
{
    int64_t before_us;
    return __builtin_sub_overflow(time_us, by_us, &before_us) ? INT64_MIN : before_us;
}

MUST_CHECK enum status entity_log_create(struct entity_log **out,
                                         const struct entity_log_spec *borrowed_spec,
                                         struct overlay *borrowed_overlay,
                                         struct layouts *borrowed_layouts, struct error *err);
void entity_log_destroy(struct entity_log **log);

/*
 * This key will be acquired soon: what of its entity is in memory starts on its way into the processor's cache, a step
 * further with each of the next calls, ENTITY_LOG_AHEAD in all. Nothing is loaded or changed.
 */
enum { ENTITY_LOG_AHEAD = 8 };
void entity_log_look_ahead(struct entity_log *log, struct bytes key);

/* The entity, loaded or new; valid until the transaction ends. */
MUST_CHECK enum status entity_log_acquire(struct entity_log *log, struct bytes key,
                                          struct entity **out, struct error *err);

struct entity_event {
    int64_t time_us;
    int64_t offset; /* in the stream's partition */
    const struct value *columns;
};

/* Where an event of this time would go: the number of events before it. */
MUST_CHECK enum status entity_position_of(struct entity *entity, int64_t time_us, size_t *position,
                                          struct error *err);
size_t entity_event_count(const struct entity *entity);
/*
 * Whether an event of this id is remembered that lies within span_us of the time, before or after. oldest_us is how far
 * back that can be for any event that may still come; it never falls.
 */
MUST_CHECK enum status entity_find_id(struct entity *entity, const struct value *id, int64_t time_us, int64_t span_us,
                                      int64_t oldest_us, bool *found, struct error *err);
/* Inserts in order (after all events of the same time) and gives the position. The time is within
 * INT64_MAX / 4 of 1970, the offset not negative. ST_TOO_LARGE: the event, or the number of events
 * that are remembered, is; nothing was changed. */
MUST_CHECK enum status entity_insert(struct entity *entity, const struct entity_event *event,
                                     size_t *position, struct error *err);
/* All aggregates as of the event at `position`; out has aggregate_count values; text lives in the
 * arena or the entity (until the next call on it). Cheap when positions go forward. */
MUST_CHECK enum status entity_aggregates(struct entity *entity, size_t position, struct value *out,
                                         struct arena *arena, struct error *err);
/* The event at a position, its columns decoded into `columns` (column_count values), text in the
 * arena. */
MUST_CHECK enum status entity_event_at(struct entity *entity, size_t position,
                                       struct entity_event *out, struct value *columns,
                                       struct arena *arena, struct error *err);

/* The set of rules that alerted on the event, as 32-bit ids. */
MUST_CHECK enum status entity_has_alerted(struct entity *entity, size_t position, uint32_t rule_id,
                                          bool *alerted, struct error *err);
MUST_CHECK enum status entity_set_alerted(struct entity *entity, size_t position, uint32_t rule_id,
                                          struct error *err);

/* The events that aggregate `index` took for the event at `position`, newest first, at most `max`;
 * `total` is how many there are in all. `each` gets position, time and offset. */
MUST_CHECK enum status entity_contributors(struct entity *entity, size_t index, size_t position, size_t max,
                                           void (*each)(void *context, size_t position, int64_t time_us, int64_t offset),
                                           void *context, size_t *total, struct error *err);

/* Writes every changed entity's rows into the overlay (never_aborts: of those that leave the cache
 * at this commit); before the tail record is made. */
MUST_CHECK enum status entity_log_flush(struct entity_log *log, struct error *err);
/* After overlay_commit / overlay_abort: trims the cache / forgets every entity that was changed. */
void entity_log_commit(struct entity_log *log);
void entity_log_abort(struct entity_log *log);
/* Deletes the entity's rows if its newest event is older than `before_us`; else says when to ask
 * again (its newest event's time). For the expiry timers. */
MUST_CHECK enum status entity_log_expire(struct entity_log *log, struct bytes key,
                                         int64_t before_us, bool *deleted, int64_t *newest_us,
                                         struct error *err);
/* Bytes of the heap. Entities that the transaction does not need make room for those that it loads,
 * so it stays within spec->cache_bytes unless the transaction needs more: then it is overfull, and
 * committing helps. */
uint64_t entity_log_footprint(const struct entity_log *log);
bool entity_log_is_overfull(const struct entity_log *log);
/* Bytes of the rows that entity_log_flush will write, about. */
uint64_t entity_log_touched_bytes(const struct entity_log *log);

#endif
