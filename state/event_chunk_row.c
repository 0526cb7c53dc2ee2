/* A chunk's events as they are stored. How they lie in memory is event_chunk.c. */
#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { EVENT_OVERHEAD = 16, HEADER_SIZE = 24, EVENT_HEAD_MAX = 3 * VARINT_SIZE_MAX };

/* Of the rest of a bare event, which is written when it is asked for. 0: no event is bare. */
static size_t bare_rest_max(const struct event_chunk *chunk)
{
    return chunk->facts == NULL || chunk->facts->column_count == 0 ? 0 : 1 + chunk->facts->told_bytes_max;
}

size_t event_chunk_row_size(const struct event_chunk *chunk)
{
    return HEADER_SIZE + chunk->count * (EVENT_OVERHEAD + bare_rest_max(chunk)) + chunk->rest_bytes;
}

static uint8_t *write_bare_rest(const struct event_chunk *chunk, size_t i, uint8_t *at)
{
    const struct fact_view facts = event_chunk_facts(chunk, i);
    *at++ = 0; /* no rule has alerted */
    return fact_columns_write(&facts, at);
}

void event_chunk_put_rest(const struct event_chunk *chunk, size_t i, struct buffer *out)
{
    const struct bytes rest = event_chunk_rest(chunk, i);
    buffer_put_bytes(out, rest);
    if (rest.size > 0)
        return;
    buffer_reserve(out, bare_rest_max(chunk));
    out->size = (size_t)(write_bare_rest(chunk, i, out->data + out->size) - out->data);
}

/* Most of what a commit costs: room is asked for once, and the end is written back once. */
static void write_events(const struct event_chunk *chunk, size_t from, struct buffer *out)
{
    const size_t rest_bytes = (chunk->count - from) * bare_rest_max(chunk) + chunk->rest_bytes;
    buffer_reserve(out, (chunk->count - from) * EVENT_HEAD_MAX + rest_bytes);
    uint8_t *at = out->data + out->size;
    for (size_t i = from; i < chunk->count; i++) {
        const struct event_place place = event_chunk_place(chunk, i);
        at = varint_write(at, zigzag_of(place.time_us - chunk->base_us));
        at = varint_write(at, zigzag_of(place.offset - chunk->base_offset));
        if (place.size == 0) {
            uint8_t *size_at = at;
            at = write_bare_rest(chunk, i, at + 1);
            *size_at = (uint8_t)(at - size_at - 1); /* one byte: FACT_COLUMNS_MAX */
            continue;
        }
        at = varint_write(at, place.size);
        memcpy(at, event_chunk_rest_at(chunk, &place).data, place.size);
        at += place.size;
    }
    out->size = (size_t)(at - out->data);
}

static void write_base(const struct event_chunk *chunk, struct buffer *out)
{
    const bool empty = chunk->count == 0;
    buffer_put_zigzag(out, empty ? 0 : chunk->base_us);
    buffer_put_zigzag(out, empty ? 0 : chunk->base_offset);
}

void event_chunk_write(struct event_chunk *chunk, uint32_t layout, struct buffer *out)
{
    ENSURE(chunk->loaded && !chunk->rests_away);
    event_chunk_count_from_first(chunk);
    buffer_put_varint(out, layout);
    buffer_put_varint(out, chunk->count);
    write_base(chunk, out);
    write_events(chunk, 0, out);
}

void event_chunk_write_open(struct event_chunk *chunk, uint32_t layout, struct buffer *out)
{
    ENSURE(chunk->loaded && !chunk->rests_away);
    event_chunk_count_from_first(chunk);
    buffer_put_varint(out, layout);
    write_base(chunk, out);
    write_events(chunk, 0, out);
    chunk->written = chunk->count;
}

void event_chunk_write_new(struct event_chunk *chunk, struct buffer *out)
{
    ENSURE(chunk->loaded && !chunk->rests_away && event_chunk_only_grew(chunk));
    write_events(chunk, chunk->written, out);
    chunk->written = chunk->count;
}

/* The number of rules that alerted, and `values`. */
static enum status read_rest(const struct layout_mapping *mapping, struct bytes rest, struct value *values,
                             uint64_t *alerted, struct error *err)
{
    struct reader in = reader_of(rest);
    *alerted = reader_varint(&in);
    if (in.failed || *alerted > reader_left(&in) / sizeof(uint32_t))
        return FAIL(err, ST_CORRUPT, "an event's alerted rules are malformed");
    reader_take(&in, sizeof(uint32_t) * *alerted);
    TRY(layout_read_values(mapping, &in, values, err));
    return reader_done(&in) ? ST_OK : FAIL(err, ST_CORRUPT, "an event's columns are malformed");
}

/* The alerted rules stay as they are, the columns are written by the new layout. */
static void convert_rest(struct bytes rest, uint64_t alerted, const struct event_chunk_reading *with, struct buffer *out)
{
    struct reader in = reader_of(rest);
    (void)reader_varint(&in);
    reader_take(&in, sizeof(uint32_t) * alerted);
    buffer_clear(out);
    buffer_put(out, rest.data, rest.size - reader_left(&in));
    layout_write_values(out, with->values, with->column_count);
}

struct row_reading {
    const struct event_chunk_reading *with;
    const struct layout_mapping *mapping;
    bool same_layout, is_counted;
    int64_t base_us, base_offset;
    struct reader events; /* all of them */
    struct buffer converted;
};

/* For what the reader is before, as far as it is well-formed, if all are as the first one. */
static void reserve_read(struct event_chunk *chunk, struct reader in, bool is_counted, enum fact_width facts_width)
{
    size_t count = 0, rest_bytes = 0;
    while (reader_left(&in) > 0) {
        (void)reader_varint(&in);
        (void)reader_varint(&in);
        const size_t size = reader_run(&in).size;
        if (in.failed)
            break;
        count++;
        rest_bytes += size;
    }
    const size_t more = is_counted || count == 0 ? 0 : 1; /* it is read because another event comes */
    if (bare_rest_max(chunk) > 0)
        rest_bytes = 0; /* nearly all of them are bare */
    event_chunk_reserve(chunk, rest_bytes == 0 ? PLACE_BARE : PLACE_NARROW, facts_width, count, rest_bytes, more);
}

static enum status read_event(struct event_chunk *chunk, struct reader *in, struct row_reading *reading, struct error *err)
{
    const struct event_chunk_reading *with = reading->with;
    int64_t time_us, offset;
    const bool overflow = __builtin_add_overflow(reading->base_us, reader_zigzag(in), &time_us) ||
                          __builtin_add_overflow(reading->base_offset, reader_zigzag(in), &offset);
    struct bytes rest = reader_run(in);
    if (in->failed || overflow || time_us < -EVENT_TIME_MAX_US || time_us > EVENT_TIME_MAX_US ||
        offset < 0 || (chunk->count > 0 && time_us < chunk->last_us))
        return FAIL(err, ST_CORRUPT, "an entity's events are malformed");
    uint64_t alerted;
    TRY(read_rest(reading->mapping, rest, with->values, &alerted, err));
    const uint64_t *facts = with->facts_of == NULL ? NULL : with->facts_of(with->context);
    if (alerted == 0 && facts != NULL && fact_columns_are_told(chunk->facts, with->values, facts)) {
        rest = bytes_of(NULL, 0);
    } else if (!reading->same_layout) {
        convert_rest(rest, alerted, with, &reading->converted);
        rest = buffer_view(&reading->converted);
    }
    if (chunk->room == NULL)
        reserve_read(chunk, reading->events, reading->is_counted,
                     facts == NULL ? FACTS_SMALL : fact_width_of(chunk->facts, facts));
    event_chunk_insert(chunk, chunk->count, time_us, offset, rest, facts);
    return ST_OK;
}

enum status event_chunk_read(struct event_chunk *chunk, enum event_chunk_kind kind, struct reader *in,
                             const struct event_chunk_reading *with, struct error *err)
{
    ENSURE(!chunk->loaded);
    const uint64_t layout = reader_varint(in);
    const bool is_counted = kind == EVENT_CHUNK_SEALED;
    const uint64_t count = is_counted ? reader_varint(in) : EVENTS_IN_CHUNK_MAX;
    struct row_reading reading = { .with = with, .same_layout = layout == with->layout, .is_counted = is_counted };
    reading.base_us = reader_zigzag(in);
    reading.base_offset = reader_zigzag(in);
    if (in->failed || count > EVENTS_IN_CHUNK_MAX || layout > UINT32_MAX)
        return FAIL(err, ST_CORRUPT, "an entity's events are malformed");
    TRY(layouts_mapping(with->layouts, (uint32_t)layout, with->columns, with->column_count, &reading.mapping, err));
    reading.events = *in;
    chunk->loaded = true;
    chunk->count = 0;
    enum status st = ST_OK;
    for (uint64_t i = 0; i < count && st == ST_OK && (is_counted || reader_left(in) > 0); i++)
        st = read_event(chunk, in, &reading, err);
    buffer_fini(&reading.converted);
    chunk->dirty = false;
    TRY(st);
    if (is_counted)
        event_chunk_give_back_room(chunk);
    return reader_done(in)
               ? ST_OK
               : FAIL(err, ST_CORRUPT, "an entity's events do not end where their row does");
}

enum status event_chunk_read_newest(enum event_chunk_kind kind, struct reader *in, int64_t *newest_us, struct error *err)
{
    (void)reader_varint(in);
    if (kind == EVENT_CHUNK_SEALED)
        (void)reader_varint(in);
    const int64_t base_us = reader_zigzag(in);
    (void)reader_zigzag(in);
    bool overflow = false;
    *newest_us = INT64_MIN;
    while (!in->failed && reader_left(in) > 0) {
        overflow |= __builtin_add_overflow(base_us, reader_zigzag(in), newest_us);
        (void)reader_zigzag(in);
        (void)reader_run(in);
    }
    return in->failed || overflow ? FAIL(err, ST_CORRUPT, "an entity's events are malformed") : ST_OK;
}
