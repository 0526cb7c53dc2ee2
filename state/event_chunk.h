/*
 * event_chunk: a run of one entity's events in order, in memory as they are stored: an index (time,
 * offset, place) over the packed rest of each event. A chunk whose row has not been read yet knows
 * only its extent. Beside each event lie `fact_words` words that mean nothing here and are not
 * stored (entity_facts.h).
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
#include "state/layouts.h"

enum { EVENTS_IN_CHUNK_MAX = 1 << 20 };
/* So that differences do not overflow. */
static const int64_t EVENT_TIME_MAX_US = INT64_MAX / 4;

struct event_place {
    int64_t time_us;
    int64_t offset;
    uint32_t at, size; /* the rest, in the chunk's bytes */
    uint64_t facts[];  /* fact_words of them */
};
enum { EVENT_PLACE_WORDS = 3 };
_Static_assert(sizeof(struct event_place) == EVENT_PLACE_WORDS * sizeof(uint64_t), "places lie side by side, with facts");

struct event_chunk {
    uint64_t number; /* names the row; the open chunk has none */
    uint64_t start;  /* index of its first event among all events of the entity, ever */
    int64_t first_us, last_us;
    size_t count;
    bool loaded, dirty;
    bool stored;                /* the overlay has a row of this number */
    uint64_t *places;           /* loaded: `count` of them, in order (event_chunk_place) */
    size_t fact_words;          /* set before the first event is put in */
    size_t capacity;
    /* Of the open chunk: so many of the first events, and what they count from, are as they were written last. */
    size_t written;
    int64_t base_us, base_offset;
    size_t rest_bytes; /* of all places; `bytes` also has what was replaced, up to as much again */
    struct buffer bytes;
};

void event_chunk_fini(struct event_chunk *chunk);
/* How many of its events have time <= time_us. Loaded only. */
size_t event_chunk_upper_bound(const struct event_chunk *chunk, int64_t time_us);
/* Inserts at place i; `rest` is copied, the facts are the caller's to fill in. */
void event_chunk_insert(struct event_chunk *chunk, size_t i, int64_t time_us, int64_t offset,
                        struct bytes rest);
void event_chunk_replace_rest(struct event_chunk *chunk, size_t i, struct bytes rest);
static inline size_t event_chunk_place_words(const struct event_chunk *chunk)
{
    return EVENT_PLACE_WORDS + chunk->fact_words;
}
static inline struct event_place *event_chunk_place(const struct event_chunk *chunk, size_t i)
{
    return (struct event_place *)(void *)(chunk->places + i * event_chunk_place_words(chunk));
}
static inline struct bytes event_chunk_rest(const struct event_chunk *chunk, size_t i)
{
    const struct event_place *place = event_chunk_place(chunk, i);
    return bytes_of(chunk->bytes.data + place->at, place->size);
}
static inline uint64_t *event_chunk_facts(const struct event_chunk *chunk, size_t i)
{
    return event_chunk_place(chunk, i)->facts;
}
/* Moves the first n events into `into`, which is empty. */
void event_chunk_split(struct event_chunk *chunk, size_t n, struct event_chunk *into);
void event_chunk_drop(struct event_chunk *chunk, size_t n); /* the first n events */
/* Bytes that the row would have, about. */
size_t event_chunk_row_size(const struct event_chunk *chunk);

void event_chunk_write(const struct event_chunk *chunk, uint32_t layout, struct buffer *out);
/* As open events. */
void event_chunk_write_open(struct event_chunk *chunk, uint32_t layout, struct buffer *out);
/* Whether what was written is still true of the first `written` events, some of which there are. */
static inline bool event_chunk_only_grew(const struct event_chunk *chunk)
{
    return chunk->written > 0;
}
/* What has come since. */
void event_chunk_write_new(struct event_chunk *chunk, struct buffer *out);

/* Reads until the reader's end. Events of another layout are rewritten to `columns`. ST_CORRUPT. */
enum event_chunk_kind { EVENT_CHUNK_SEALED, EVENT_CHUNK_OPEN };
MUST_CHECK enum status event_chunk_read(struct event_chunk *chunk, enum event_chunk_kind kind, struct reader *in,
                                        struct layouts *layouts,
                                        const struct layout_column *columns, size_t column_count,
                                        uint32_t layout, struct error *err);
uint64_t event_chunk_footprint(const struct event_chunk *chunk);

#endif
