/* A chunk in less memory: without its rests, or as bytes that only this process reads. */
#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { WIDE_FACTS = 1 << 2, RESTS_AWAY = 1 << 3, PLACES = WIDE_FACTS - 1, REST_SLACK = 4 };

static uint8_t *entry(struct event_chunk *chunk, size_t i)
{
    return chunk->room + i * chunk->entry_size;
}

/* The room is there. */
static void take_entry(struct event_chunk *chunk, const struct event_chunk *from, size_t i)
{
    static const uint8_t no_rest[sizeof(uint32_t) * 2] = { 0 };
    memcpy(entry(chunk, i), event_chunk_entry(from, i), chunk->place_size);
    if (chunk->places == PLACE_WIDE)
        memcpy(entry(chunk, i) + offsetof(struct event_place, at), no_rest, sizeof no_rest);
    memcpy(entry(chunk, i) + chunk->place_size, event_chunk_entry(from, i) + from->place_size,
           (size_t)chunk->entry_size - chunk->place_size);
}

void event_chunk_forget_rests(struct event_chunk *chunk)
{
    ENSURE(chunk->loaded && chunk->stored && !chunk->dirty);
    if (chunk->rest_bytes == 0)
        return;
    const struct event_chunk before = *chunk;
    chunk->room = NULL;
    chunk->count = chunk->rest_used = chunk->rest_bytes = 0;
    event_chunk_reserve(chunk, before.places == PLACE_WIDE ? PLACE_WIDE : PLACE_BARE, before.wide_facts, before.count, 0);
    for (size_t i = 0; i < before.count; i++)
        take_entry(chunk, &before, i);
    chunk->count = before.count;
    chunk->rests_away = true;
    mem_free(before.room);
}

void event_chunk_image_write(const struct event_chunk *chunk, struct buffer *out)
{
    ENSURE(chunk->loaded);
    buffer_put_u8(out, (uint8_t)(chunk->places | (chunk->wide_facts ? WIDE_FACTS : 0) | (chunk->rests_away ? RESTS_AWAY : 0)));
    buffer_put_varint(out, chunk->count);
    if (chunk->count == 0)
        return;
    buffer_put_varint(out, chunk->written);
    buffer_put_varint(out, chunk->rest_bytes);
    buffer_put_varint(out, chunk->rest_used);
    buffer_put_zigzag(out, chunk->base_us);
    buffer_put_zigzag(out, chunk->base_offset);
    buffer_put(out, chunk->room, (size_t)chunk->count * chunk->entry_size);
    buffer_put(out, chunk->room + chunk->room_size - chunk->rest_used, chunk->rest_used);
}

/* What comes before the entries. */
struct image_begin {
    enum place_form places;
    bool wide_facts, rests_away;
    uint32_t count, written, rest_bytes, rest_used;
    int64_t base_us, base_offset;
};

static struct image_begin read_begin(struct reader *in)
{
    const uint8_t flags = reader_u8(in);
    struct image_begin begin = { .places = flags & PLACES,
                                 .wide_facts = (flags & WIDE_FACTS) != 0,
                                 .rests_away = (flags & RESTS_AWAY) != 0,
                                 .count = (uint32_t)reader_varint(in) };
    if (begin.count == 0)
        return begin;
    begin.written = (uint32_t)reader_varint(in);
    begin.rest_bytes = (uint32_t)reader_varint(in);
    begin.rest_used = (uint32_t)reader_varint(in);
    begin.base_us = reader_zigzag(in);
    begin.base_offset = reader_zigzag(in);
    return begin;
}

void event_chunk_image_read(struct event_chunk *chunk, struct reader *in, size_t more)
{
    ENSURE(!chunk->loaded && chunk->room == NULL);
    const struct image_begin begin = read_begin(in);
    const size_t more_rests = begin.rest_bytes == 0 ? 0 : more * (begin.rest_bytes / begin.count + REST_SLACK);
    chunk->count = 0;
    chunk->loaded = true;
    event_chunk_reserve(chunk, begin.places, begin.wide_facts, begin.count + more, begin.rest_used + more_rests);
    if (begin.count == 0)
        return;
    const struct bytes entries = reader_take(in, (size_t)begin.count * chunk->entry_size);
    const struct bytes rests = reader_take(in, begin.rest_used);
    ENSURE(!in->failed);
    memcpy(chunk->room, entries.data, entries.size);
    if (rests.size > 0)
        memcpy(chunk->room + chunk->room_size - rests.size, rests.data, rests.size);
    chunk->rests_away = begin.rests_away;
    chunk->count = begin.count;
    chunk->written = begin.written;
    chunk->rest_bytes = begin.rest_bytes;
    chunk->rest_used = begin.rest_used;
    chunk->base_us = begin.base_us;
    chunk->base_offset = begin.base_offset;
    chunk->first_us = event_chunk_time(chunk, 0);
    chunk->last_us = event_chunk_time(chunk, begin.count - 1);
}
