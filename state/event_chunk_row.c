/* A chunk's events as they are stored. How they lie in memory is event_chunk.c. */
#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { EVENT_OVERHEAD = 16, HEADER_SIZE = 24, EVENT_HEAD_MAX = 3 * VARINT_SIZE_MAX, REST_SLACK = 4 };

size_t event_chunk_row_size(const struct event_chunk *chunk)
{
    return HEADER_SIZE + chunk->count * EVENT_OVERHEAD + chunk->rest_bytes;
}

/* Most of what a commit costs: room is asked for once, and the end is written back once. */
static void write_events(const struct event_chunk *chunk, size_t from, struct buffer *out)
{
    size_t rest_bytes = 0;
    for (size_t i = from; i < chunk->count; i++)
        rest_bytes += event_chunk_place(chunk, i).size;
    buffer_reserve(out, (chunk->count - from) * EVENT_HEAD_MAX + rest_bytes);
    uint8_t *at = out->data + out->size;
    for (size_t i = from; i < chunk->count; i++) {
        const struct event_place place = event_chunk_place(chunk, i);
        at = varint_write(at, zigzag_of(place.time_us - chunk->base_us));
        at = varint_write(at, zigzag_of(place.offset - chunk->base_offset));
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
    ENSURE(chunk->loaded);
    event_chunk_count_from_first(chunk);
    buffer_put_varint(out, layout);
    buffer_put_varint(out, chunk->count);
    write_base(chunk, out);
    write_events(chunk, 0, out);
}

void event_chunk_write_open(struct event_chunk *chunk, uint32_t layout, struct buffer *out)
{
    ENSURE(chunk->loaded);
    event_chunk_count_from_first(chunk);
    buffer_put_varint(out, layout);
    write_base(chunk, out);
    write_events(chunk, 0, out);
    chunk->written = chunk->count;
}

void event_chunk_write_new(struct event_chunk *chunk, struct buffer *out)
{
    ENSURE(chunk->loaded && event_chunk_only_grew(chunk));
    write_events(chunk, chunk->written, out);
    chunk->written = chunk->count;
}

/* The alerted rules stay as they are, the columns are read by the old layout and written by the
 * new one. */
static enum status convert_rest(const struct layout_mapping *mapping, struct bytes rest,
                                struct value *columns, size_t column_count, struct buffer *out,
                                struct error *err)
{
    struct reader in = reader_of(rest);
    const uint64_t alerted = reader_varint(&in);
    if (in.failed || alerted > reader_left(&in) / 4)
        return FAIL(err, ST_CORRUPT, "an event's alerted rules are malformed");
    const size_t head = (size_t)(in.at - rest.data) + 4 * (size_t)alerted;
    reader_take(&in, 4 * (size_t)alerted);
    TRY(layout_read_values(mapping, &in, columns, err));
    buffer_clear(out);
    buffer_put(out, rest.data, head);
    layout_write_values(out, columns, column_count);
    return reader_done(&in) ? ST_OK : FAIL(err, ST_CORRUPT, "an event's columns are malformed");
}

static enum status check_rest(const struct layout_mapping *mapping, struct bytes rest,
                              struct error *err)
{
    struct reader in = reader_of(rest);
    const uint64_t alerted = reader_varint(&in);
    if (in.failed || alerted > reader_left(&in) / 4)
        return FAIL(err, ST_CORRUPT, "an event's alerted rules are malformed");
    reader_take(&in, 4 * (size_t)alerted);
    TRY(layout_skip_values(mapping, &in, err));
    return reader_done(&in) ? ST_OK : FAIL(err, ST_CORRUPT, "an event's columns are malformed");
}

struct chunk_reading {
    const struct layout_mapping *mapping;
    struct value *columns;
    size_t column_count;
    bool same_layout;
    struct buffer converted;
};

static enum status read_event(struct event_chunk *chunk, struct reader *in, int64_t base_us,
                              int64_t base_offset, struct chunk_reading *reading, struct error *err)
{
    int64_t time_us, offset;
    const bool overflow = __builtin_add_overflow(base_us, reader_zigzag(in), &time_us) ||
                          __builtin_add_overflow(base_offset, reader_zigzag(in), &offset);
    struct bytes rest = reader_run(in);
    if (in->failed || overflow || time_us < -EVENT_TIME_MAX_US || time_us > EVENT_TIME_MAX_US ||
        offset < 0 || (chunk->count > 0 && time_us < chunk->last_us))
        return FAIL(err, ST_CORRUPT, "an entity's events are malformed");
    if (reading->same_layout) {
        TRY(check_rest(reading->mapping, rest, err));
    } else {
        TRY(convert_rest(reading->mapping, rest, reading->columns, reading->column_count,
                         &reading->converted, err));
        rest = buffer_view(&reading->converted);
    }
    event_chunk_insert(chunk, chunk->count, time_us, offset, rest, NULL);
    return ST_OK;
}

/* What the reader is before, as far as it is well-formed. */
static void reserve_read(struct event_chunk *chunk, struct reader in, bool is_counted)
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
    event_chunk_reserve(chunk, count + more, rest_bytes + (count == 0 ? 0 : more * (rest_bytes / count + REST_SLACK)));
}

enum status event_chunk_read(struct event_chunk *chunk, enum event_chunk_kind kind, struct reader *in,
                             struct layouts *layouts, const struct layout_column *columns, size_t column_count,
                             uint32_t layout, struct error *err)
{
    ENSURE(!chunk->loaded);
    const uint64_t found_layout = reader_varint(in);
    const bool is_counted = kind == EVENT_CHUNK_SEALED;
    const uint64_t count = is_counted ? reader_varint(in) : EVENTS_IN_CHUNK_MAX;
    const int64_t base_us = reader_zigzag(in);
    const int64_t base_offset = reader_zigzag(in);
    if (in->failed || count > EVENTS_IN_CHUNK_MAX || found_layout > UINT32_MAX)
        return FAIL(err, ST_CORRUPT, "an entity's events are malformed");
    struct chunk_reading reading = { .column_count = column_count,
                                     .same_layout = found_layout == layout };
    TRY(layouts_mapping(layouts, (uint32_t)found_layout, columns, column_count, &reading.mapping,
                        err));
    if (!reading.same_layout)
        reading.columns = mem_alloc_array(column_count + 1, sizeof *reading.columns);
    chunk->loaded = true;
    chunk->count = 0;
    reserve_read(chunk, *in, is_counted);
    enum status st = ST_OK;
    for (uint64_t i = 0; i < count && st == ST_OK && (is_counted || reader_left(in) > 0); i++)
        st = read_event(chunk, in, base_us, base_offset, &reading, err);
    mem_free(reading.columns);
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
