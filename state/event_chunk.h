/*
 * event_chunk: a run of one entity's events in order: an index (time, offset, place, facts) over the packed rest of each
 * event. A chunk whose row has not been read yet knows only its extent. The facts of an event are words that are not
 * stored (fact_form.h).
 *
 * In memory an event is an entry of the index and its rest, in one room: entries from its beginning, rests from its end.
 * An event of which no rule has alerted, and whose facts tell its columns (fact_columns.h), is bare: it has no rest.
 * A sealed chunk whose row is stored may leave the rests to it (rests_away), where its facts are all that windows ask for.
 * Entries are as small as all of a chunk's events allow it:
 *     bare:   i32 milliseconds after the base time, i32 offset after the base offset
 *     narrow: the same, u16 at, u16 size of the rest; a bare event's is 0
 *     wide:   i64 time, i64 offset, u32 at, u32 size
 * and so, independently, are the facts that follow in each entry: small, narrow, long or wide. The chunk turns wider when an
 * event needs it, and may be narrower again when events are taken out.
 *
 * The row of a sealed chunk:
 *     varint layout | varint count | zigzag base time | zigzag base offset
 *     | per event: zigzag time - base, zigzag offset - base, varint size of the rest, the rest
 * The open events are the end of the head row, and written the same way but without the count, so that an event that
 * comes last only makes that row longer.
 *     the rest of an event: varint number of rules that alerted, each BE32
 *         | the columns (layouts.h)
 */
#ifndef WEIR_STATE_EVENT_CHUNK_H
#define WEIR_STATE_EVENT_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "schemas/value.h"
#include "state/fact_columns.h"
#include "state/layouts.h"

enum { EVENTS_IN_CHUNK_MAX = 1 << 20 };
/* So that differences do not overflow. */
static const int64_t EVENT_TIME_MAX_US = INT64_MAX / 4;

struct event_place {
    int64_t time_us;
    int64_t offset;
    uint32_t at, size; /* the rest: it begins so many bytes before the room's end; size 0: the event is bare */
};
enum place_form { PLACE_BARE, PLACE_NARROW, PLACE_WIDE };

/* There are several for each entity, and so they are small. */
struct event_chunk {
    int64_t last_us;
    /* What narrow entries and the row count from. If it is not loaded, base_us is the first event's time. */
    int64_t base_us, base_offset;
    const struct fact_form *facts; /* set before the first event is put in; NULL: there are none */
    uint8_t *room;                 /* loaded: `count` entries in order, and the rests that begin last at its end */
    uint32_t number; /* the lowest bits of what names the row (entity_row_number); the open chunk has none */
    uint32_t room_size;
    uint32_t start;                 /* index of its first event among the entity's (entity.h) */
    uint32_t rest_used, rest_bytes; /* with and without what was replaced, which is up to as much again */
    uint32_t written; /* of the open chunk: so many of the first events, and the base, are as they were written last */
    uint32_t count;
    uint16_t entry_size;
    uint16_t place_size : 5;
    uint16_t places : 2;     /* enum place_form */
    uint16_t facts_width : 2; /* enum fact_width */
    bool base_is_first : 1;  /* loaded: base_us is the first event's time */
    bool loaded : 1, dirty : 1;
    bool used : 1;                 /* of a sealed one: asked for since entity_unload_chunks looked last */
    bool rests_used : 1;           /* its rests, since entity_forget_rests did */
    bool stored : 1;               /* the overlay has a row of this number */
    bool rests_away : 1;           /* loaded and stored: only the row has them */
};
_Static_assert(sizeof(struct event_chunk) == 72, "it is small");

void event_chunk_fini(struct event_chunk *chunk);
/* How many of its events have time <= time_us. Loaded only. */
size_t event_chunk_upper_bound(const struct event_chunk *chunk, int64_t time_us);
/* Inserts at place i; `rest` (empty: a bare event) and the facts are copied. words NULL: there are none. */
void event_chunk_insert(struct event_chunk *chunk, size_t i, int64_t time_us, int64_t offset, struct bytes rest,
                        const uint64_t *words);
/* Room for so many events of this form and their rests, and for `more` like them, in a chunk that has none. */
void event_chunk_reserve(struct event_chunk *chunk, enum place_form places, enum fact_width facts_width, size_t count,
                         size_t rest_bytes, size_t more);
void event_chunk_replace_rest(struct event_chunk *chunk, size_t i, struct bytes rest);

static inline const uint8_t *event_chunk_entry(const struct event_chunk *chunk, size_t i)
{
    return chunk->room + i * chunk->entry_size;
}

struct narrow_place {
    int32_t ms, offset;
    uint16_t at, size; /* not of a bare one */
};
enum { BARE_PLACE_SIZE = offsetof(struct narrow_place, at) };

static inline int64_t event_chunk_time(const struct event_chunk *chunk, size_t i)
{
    int64_t time_us;
    int32_t ms;
    if (__builtin_expect(chunk->places == PLACE_WIDE, 0)) {
        memcpy(&time_us, event_chunk_entry(chunk, i) + offsetof(struct event_place, time_us), sizeof time_us);
        return time_us;
    }
    memcpy(&ms, event_chunk_entry(chunk, i) + offsetof(struct narrow_place, ms), sizeof ms);
    return chunk->base_us + ms * INT64_C(1000);
}

/* Of one that has events. */
static inline int64_t event_chunk_first_us(const struct event_chunk *chunk)
{
    return !chunk->loaded || chunk->base_is_first ? chunk->base_us : event_chunk_time(chunk, 0);
}

static inline struct event_place event_chunk_place(const struct event_chunk *chunk, size_t i)
{
    struct event_place place;
    struct narrow_place narrow = { .at = 0 };
    if (__builtin_expect(chunk->places == PLACE_WIDE, 0)) {
        memcpy(&place, event_chunk_entry(chunk, i), sizeof place);
        return place;
    }
    if (chunk->places == PLACE_BARE)
        memcpy(&narrow, event_chunk_entry(chunk, i), BARE_PLACE_SIZE);
    else
        memcpy(&narrow, event_chunk_entry(chunk, i), sizeof narrow);
    return (struct event_place){ chunk->base_us + narrow.ms * INT64_C(1000), chunk->base_offset + narrow.offset,
                                 narrow.at, narrow.size };
}

static inline struct bytes event_chunk_rest_at(const struct event_chunk *chunk, const struct event_place *place)
{
    return bytes_of(chunk->room + chunk->room_size - place->at, place->size);
}

/* Empty: the event is bare. */
static inline struct bytes event_chunk_rest(const struct event_chunk *chunk, size_t i)
{
    const struct event_place place = event_chunk_place(chunk, i);
    return event_chunk_rest_at(chunk, &place);
}

static inline struct fact_view event_chunk_facts(const struct event_chunk *chunk, size_t i)
{
    return (struct fact_view){ chunk->facts, event_chunk_entry(chunk, i) + chunk->place_size, chunk->facts_width };
}
/* Moves the first n events into `into`, which is empty. */
void event_chunk_split(struct event_chunk *chunk, size_t n, struct event_chunk *into);
void event_chunk_drop(struct event_chunk *chunk, size_t n); /* the first n events */
/* What entries count from is the first event: a row says the same whatever was in memory before. */
void event_chunk_count_from_first(struct event_chunk *chunk);
/* For chunks that will hardly grow: that were read, or sealed. */
void event_chunk_give_back_room(struct event_chunk *chunk);
/* The rest, also of a bare event. */
void event_chunk_put_rest(const struct event_chunk *chunk, size_t i, struct buffer *out);
/* Bytes that the row would have, about. */
size_t event_chunk_row_size(const struct event_chunk *chunk);

void event_chunk_write(struct event_chunk *chunk, uint32_t layout, struct buffer *out);
/* As open events. */
void event_chunk_write_open(struct event_chunk *chunk, uint32_t layout, struct buffer *out);
/* Whether what was written is still true of the first `written` events, some of which there are. */
static inline bool event_chunk_only_grew(const struct event_chunk *chunk)
{
    return chunk->written > 0;
}
/* What has come since. */
void event_chunk_write_new(struct event_chunk *chunk, struct buffer *out);

/* What a row is read with. */
struct event_chunk_reading {
    struct layouts *layouts;
    const struct layout_column *columns;
    size_t column_count;
    uint32_t layout;      /* of the columns */
    struct value *values; /* column_count of them, to work with */
    /* The facts of an event with the columns that `values` are now; they stay until the next call. NULL: there are none. */
    const uint64_t *(*facts_of)(void *context);
    void *context;
};
/* Reads until the reader's end. Events of another layout are rewritten to the columns. ST_CORRUPT. */
enum event_chunk_kind { EVENT_CHUNK_SEALED, EVENT_CHUNK_OPEN };
MUST_CHECK enum status event_chunk_read(struct event_chunk *chunk, enum event_chunk_kind kind, struct reader *in,
                                        const struct event_chunk_reading *with, struct error *err);
/* The time of a row's last event, without reading the others' columns; INT64_MIN: there is none. ST_CORRUPT. */
MUST_CHECK enum status event_chunk_read_newest(enum event_chunk_kind kind, struct reader *in, int64_t *newest_us,
                                               struct error *err);
uint64_t event_chunk_footprint(const struct event_chunk *chunk);

/* Leaves the rests of a clean, stored chunk to its row; the other calls want them back, but for those that ask for times,
 * offsets and facts. */
void event_chunk_forget_rests(struct event_chunk *chunk);
/*
 * A chunk as it lies in memory, for a process that will want it back: no more bytes than a row, and quickly made.
 *     u8 places | facts_width << 2 | rests away << 4 | varint count, written, rest bytes, bytes of the rests | zigzag base time
 *     | zigzag base offset | the entries | the rests
 */
void event_chunk_image_write(const struct event_chunk *chunk, struct buffer *out);
/* Of a chunk that is not loaded, `more` events of which are about to come. */
void event_chunk_image_read(struct event_chunk *chunk, struct reader *in, size_t more);

#endif
