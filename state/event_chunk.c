#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

void event_chunk_fini(struct event_chunk *chunk)
{
    mem_free(chunk->places);
    buffer_fini(&chunk->bytes);
    *chunk = (struct event_chunk){ .count = 0 };
}

size_t event_chunk_upper_bound(const struct event_chunk *chunk, int64_t time_us)
{
    size_t low = 0, high = chunk->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (event_chunk_place(chunk, middle)->time_us <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void reserve(struct event_chunk *chunk, size_t count)
{
    if (count <= chunk->capacity)
        return;
    /* By halves: there are as many chunks as entities, and what lies idle in each is not there for others. */
    size_t capacity = chunk->capacity == 0 ? 4 : chunk->capacity;
    while (capacity < count)
        capacity += capacity / 2;
    chunk->places = mem_resize_array(chunk->places, capacity, event_chunk_place_words(chunk) * sizeof *chunk->places);
    chunk->capacity = capacity;
}

/* Moves all events from `from` on. */
static void move_events(struct event_chunk *chunk, size_t to, size_t from)
{
    if (from < chunk->count)
        memmove(event_chunk_place(chunk, to), event_chunk_place(chunk, from),
                (chunk->count - from) * event_chunk_place_words(chunk) * sizeof *chunk->places);
}

static void set_extent(struct event_chunk *chunk)
{
    if (chunk->count == 0)
        return;
    chunk->first_us = event_chunk_place(chunk, 0)->time_us;
    chunk->last_us = event_chunk_place(chunk, chunk->count - 1)->time_us;
}

/* The rests lie in the order of the events, as they do until a late one comes or one is replaced. */
static bool is_in_order(const struct event_chunk *chunk)
{
    for (size_t i = 1; i < chunk->count; i++) {
        if (event_chunk_place(chunk, i)->at < event_chunk_place(chunk, i - 1)->at)
            return false;
    }
    return true;
}

/* Moves them together where they are: the open chunk does so each time one is sealed, and its memory
 * is as large as it will need again. */
static void close_gaps(struct event_chunk *chunk)
{
    uint8_t *data = chunk->bytes.data;
    size_t size = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        struct event_place *place = event_chunk_place(chunk, i);
        memmove(data + size, data + place->at, place->size);
        place->at = (uint32_t)size;
        size += place->size;
    }
    chunk->bytes.size = size;
}

/* Rewrites the bytes in order, without what was replaced. */
static void compact(struct event_chunk *chunk)
{
    struct buffer bytes;
    if (is_in_order(chunk))
        return close_gaps(chunk);
    buffer_init(&bytes);
    buffer_reserve(&bytes, chunk->rest_bytes);
    for (size_t i = 0; i < chunk->count; i++) {
        const uint32_t at = (uint32_t)bytes.size;
        buffer_put_bytes(&bytes, event_chunk_rest(chunk, i));
        event_chunk_place(chunk, i)->at = at;
    }
    buffer_fini(&chunk->bytes);
    chunk->bytes = bytes;
}

static void put_rest(struct event_chunk *chunk, size_t i, struct bytes rest)
{
    ENSURE(chunk->bytes.size + rest.size <= UINT32_MAX);
    struct event_place *place = event_chunk_place(chunk, i);
    place->at = (uint32_t)chunk->bytes.size;
    place->size = (uint32_t)rest.size;
    chunk->rest_bytes += rest.size;
    buffer_put_bytes(&chunk->bytes, rest);
}

void event_chunk_insert(struct event_chunk *chunk, size_t i, int64_t time_us, int64_t offset,
                        struct bytes rest)
{
    ENSURE(chunk->loaded && i <= chunk->count);
    reserve(chunk, chunk->count + 1);
    move_events(chunk, i + 1, i);
    struct event_place *place = event_chunk_place(chunk, i);
    place->time_us = time_us;
    place->offset = offset;
    put_rest(chunk, i, rest);
    chunk->count++;
    chunk->dirty = true;
    if (i < chunk->written)
        chunk->written = 0;
    set_extent(chunk);
}

void event_chunk_replace_rest(struct event_chunk *chunk, size_t i, struct bytes rest)
{
    ENSURE(chunk->loaded && i < chunk->count);
    chunk->rest_bytes -= event_chunk_place(chunk, i)->size;
    put_rest(chunk, i, rest);
    if (chunk->bytes.size / 2 > chunk->rest_bytes)
        compact(chunk);
    chunk->dirty = true;
    if (i < chunk->written)
        chunk->written = 0;
}

void event_chunk_drop(struct event_chunk *chunk, size_t n)
{
    ENSURE(chunk->loaded && n <= chunk->count);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        chunk->rest_bytes -= event_chunk_place(chunk, i)->size;
    move_events(chunk, 0, n);
    chunk->count -= n;
    chunk->start += n;
    chunk->dirty = true;
    chunk->written = 0;
    set_extent(chunk);
    compact(chunk);
}

void event_chunk_split(struct event_chunk *chunk, size_t n, struct event_chunk *into)
{
    ENSURE(chunk->loaded && n <= chunk->count && into->count == 0);
    into->loaded = true;
    into->start = chunk->start;
    into->fact_words = chunk->fact_words;
    reserve(into, n);
    for (size_t i = 0; i < n; i++) {
        const struct event_place *place = event_chunk_place(chunk, i);
        event_chunk_insert(into, i, place->time_us, place->offset, event_chunk_rest(chunk, i));
        if (chunk->fact_words > 0)
            memcpy(event_chunk_facts(into, i), place->facts, chunk->fact_words * sizeof *place->facts);
    }
    event_chunk_drop(chunk, n);
}

enum { EVENT_OVERHEAD = 16, HEADER_SIZE = 24, EVENT_HEAD_MAX = 3 * VARINT_SIZE_MAX };

size_t event_chunk_row_size(const struct event_chunk *chunk)
{
    return HEADER_SIZE + chunk->count * EVENT_OVERHEAD + chunk->rest_bytes;
}

struct chunk_base {
    int64_t time_us, offset;
};

static struct chunk_base base_of(const struct event_chunk *chunk)
{
    if (chunk->count == 0)
        return (struct chunk_base){ 0, 0 };
    return (struct chunk_base){ event_chunk_place(chunk, 0)->time_us, event_chunk_place(chunk, 0)->offset };
}

/* Most of what a commit costs: room is asked for once, and the end is written back once. */
static void write_events(const struct event_chunk *chunk, size_t from, struct chunk_base base, struct buffer *out)
{
    size_t rest_bytes = 0;
    for (size_t i = from; i < chunk->count; i++)
        rest_bytes += event_chunk_place(chunk, i)->size;
    buffer_reserve(out, (chunk->count - from) * EVENT_HEAD_MAX + rest_bytes);
    uint8_t *at = out->data + out->size;
    for (size_t i = from; i < chunk->count; i++) {
        const struct event_place *place = event_chunk_place(chunk, i);
        at = varint_write(at, zigzag_of(place->time_us - base.time_us));
        at = varint_write(at, zigzag_of(place->offset - base.offset));
        at = varint_write(at, place->size);
        memcpy(at, chunk->bytes.data + place->at, place->size);
        at += place->size;
    }
    out->size = (size_t)(at - out->data);
}

static void write_base(struct chunk_base base, struct buffer *out)
{
    buffer_put_zigzag(out, base.time_us);
    buffer_put_zigzag(out, base.offset);
}

void event_chunk_write(const struct event_chunk *chunk, uint32_t layout, struct buffer *out)
{
    ENSURE(chunk->loaded);
    const struct chunk_base base = base_of(chunk);
    buffer_put_varint(out, layout);
    buffer_put_varint(out, chunk->count);
    write_base(base, out);
    write_events(chunk, 0, base, out);
}

void event_chunk_write_open(struct event_chunk *chunk, uint32_t layout, struct buffer *out)
{
    ENSURE(chunk->loaded);
    const struct chunk_base base = base_of(chunk);
    buffer_put_varint(out, layout);
    write_base(base, out);
    write_events(chunk, 0, base, out);
    chunk->written = chunk->count;
    chunk->base_us = base.time_us;
    chunk->base_offset = base.offset;
}

void event_chunk_write_new(struct event_chunk *chunk, struct buffer *out)
{
    ENSURE(chunk->loaded && event_chunk_only_grew(chunk));
    write_events(chunk, chunk->written, (struct chunk_base){ chunk->base_us, chunk->base_offset }, out);
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
    event_chunk_insert(chunk, chunk->count, time_us, offset, rest);
    return ST_OK;
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
    reading.columns = mem_alloc_array(column_count + 1, sizeof *reading.columns);
    chunk->loaded = true;
    chunk->count = 0;
    enum status st = ST_OK;
    for (uint64_t i = 0; i < count && st == ST_OK && (is_counted || reader_left(in) > 0); i++)
        st = read_event(chunk, in, base_us, base_offset, &reading, err);
    mem_free(reading.columns);
    buffer_fini(&reading.converted);
    chunk->dirty = false;
    TRY(st);
    return reader_done(in)
               ? ST_OK
               : FAIL(err, ST_CORRUPT, "an entity's events do not end where their row does");
}

uint64_t event_chunk_footprint(const struct event_chunk *chunk)
{
    return mem_size_of(chunk->capacity * event_chunk_place_words(chunk) * sizeof *chunk->places) +
           mem_size_of(chunk->bytes.capacity);
}
