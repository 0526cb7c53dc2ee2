/* A chunk in less memory: without its rests, or as bytes that only this process reads. */
#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { PLACES = 3, FACTS_AT = 2, FACTS = 3, RESTS_AWAY = 1 << 4 };

/* Without its rest. */
static void copy_entry(uint8_t *to, const struct event_chunk *chunk, const uint8_t *from, const struct event_chunk *before)
{
    memcpy(to, from, chunk->place_size);
    if (chunk->places == PLACE_WIDE)
        memset(to + offsetof(struct event_place, at), 0, 2 * sizeof(uint32_t));
    memcpy(to + chunk->place_size, from + before->place_size, (size_t)chunk->entry_size - chunk->place_size);
}

void event_chunk_forget_rests(struct event_chunk *chunk)
{
    ENSURE(chunk->loaded && chunk->stored && !chunk->dirty);
    if (chunk->rest_bytes == 0)
        return;
    const struct event_chunk before = *chunk;
    chunk->room = NULL;
    chunk->count = chunk->rest_used = chunk->rest_bytes = 0;
    event_chunk_reserve(chunk, before.places == PLACE_WIDE ? PLACE_WIDE : PLACE_BARE, before.facts_width, before.count, 0, 0);
    for (size_t i = 0; i < before.count; i++)
        copy_entry(chunk->room + i * chunk->entry_size, chunk, event_chunk_entry(&before, i), &before);
    chunk->count = before.count;
    chunk->rests_away = true;
    mem_free(before.room);
}

void event_chunk_image_write(const struct event_chunk *chunk, struct buffer *out)
{
    ENSURE(chunk->loaded);
    buffer_put_u8(out, (uint8_t)(chunk->places | chunk->facts_width << FACTS_AT | (chunk->rests_away ? RESTS_AWAY : 0)));
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

/* The entries, and the rests, into a room that has been made for them. */
static void read_room(struct event_chunk *chunk, uint32_t count, struct reader *in)
{
    const struct bytes entries = reader_take(in, (size_t)count * chunk->entry_size);
    const struct bytes rests = reader_take(in, chunk->rest_used);
    ENSURE(!in->failed);
    memcpy(chunk->room, entries.data, entries.size);
    if (rests.size > 0)
        memcpy(chunk->room + chunk->room_size - rests.size, rests.data, rests.size);
    chunk->count = count;
    chunk->base_is_first = event_chunk_time(chunk, 0) == chunk->base_us;
    chunk->last_us = event_chunk_time(chunk, count - 1);
}

void event_chunk_image_read(struct event_chunk *chunk, struct reader *in, size_t more)
{
    ENSURE(!chunk->loaded && chunk->room == NULL);
    const uint8_t flags = reader_u8(in);
    const uint32_t count = (uint32_t)reader_varint(in);
    chunk->loaded = true;
    chunk->rests_away = (flags & RESTS_AWAY) != 0;
    chunk->count = chunk->rest_used = 0;
    if (count > 0) {
        chunk->written = (uint32_t)reader_varint(in);
        chunk->rest_bytes = (uint32_t)reader_varint(in);
        chunk->rest_used = (uint32_t)reader_varint(in);
        chunk->base_us = reader_zigzag(in);
        chunk->base_offset = reader_zigzag(in);
    }
    event_chunk_reserve(chunk, flags & PLACES, flags >> FACTS_AT & FACTS, count, chunk->rest_used, more);
    if (count > 0)
        read_room(chunk, count, in);
}
