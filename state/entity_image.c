/*
 * Per window: varint low | varint high - low | zigzag when its begin moves back | zigzag when it moves on | varint begin,
 *     less low | varint its chunk
 * per tally: varint count | zigzag sum
 * per distinct(): varint number of codes | per code: varint code, varint count
 * per top: varint count | zigzag number | u8 state
 * Indexes are counted from the first event that is remembered, as they are in an entity that is read.
 */
#include "state/entity_image.h"

#include "base/ensure.h"
#include "state/entity.h"
#include "state/entity_windows.h"

/* Fewer are passed again as fast. */
enum { EVENTS_MIN = 8 };

static size_t window_count(const struct entity *entity)
{
    return entity_spec_of(entity->log)->window_count;
}

static bool is_worth_it(const struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    bool simple = facts->state_count == 0;
    for (size_t t = 0; t < facts->tally_count && simple; t++)
        simple = !entity_tallies(entity)[t].is_huge;
    for (size_t c = 0; c < facts->code_count && simple; c++)
        simple = entity_coded(entity)[c].others == NULL;
    for (size_t t = 0; t < facts->top_count && simple; t++)
        simple = entity_tops(entity)[t].order == NULL;
    return simple && entity_event_count(entity) >= EVENTS_MIN;
}

static void write_edges(const struct window_edges *edges, uint32_t first, struct buffer *out)
{
    const bool is_known = edges->begin_from_us <= edges->begin_until_us && edges->begin >= first;
    buffer_put_varint(out, edges->low - first);
    buffer_put_varint(out, edges->high - edges->low);
    buffer_put_varint(out, edges->low_chunk);
    buffer_put_varint(out, is_known ? edges->begin - first + 1 : 0);
    if (!is_known)
        return;
    buffer_put_zigzag(out, edges->begin_from_us);
    buffer_put_zigzag(out, edges->begin_until_us);
}

static void read_edges(struct window_edges *edges, struct reader *in)
{
    edges->low = (uint32_t)reader_varint(in);
    edges->high = edges->low + (uint32_t)reader_varint(in);
    edges->low_chunk = (uint32_t)reader_varint(in);
    const uint64_t begin = reader_varint(in);
    if (begin == 0)
        return;
    edges->begin = (uint32_t)(begin - 1);
    edges->begin_from_us = reader_zigzag(in);
    edges->begin_until_us = reader_zigzag(in);
}

static void write_codes(const struct coded *coded, struct buffer *out)
{
    buffer_put_varint(out, code_counts_distinct(&coded->codes));
    for (struct code_counts_cursor cursor = { 0 }; code_counts_next(&coded->codes, &cursor);) {
        buffer_put_varint(out, cursor.code);
        buffer_put_varint(out, cursor.count);
    }
}

static void read_codes(struct coded *coded, struct reader *in)
{
    for (uint64_t left = reader_varint(in); left > 0; left--) {
        const uint64_t code = reader_varint(in), count = reader_varint(in);
        code_counts_set(&coded->codes, code, count);
        coded->count += (int64_t)count;
    }
}

static void write_top(const struct top *top, struct buffer *out)
{
    buffer_put_varint(out, top->count);
    buffer_put_zigzag(out, top->number);
    buffer_put_u8(out, (uint8_t)top->state);
}

static void read_top(struct top *top, struct reader *in)
{
    top->count = (uint32_t)reader_varint(in);
    top->number = reader_zigzag(in);
    top->state = reader_u8(in);
}

void entity_image_write(const struct entity *entity, struct buffer *out)
{
    const struct entity_facts *facts = &entity->log->facts;
    if (!is_worth_it(entity))
        return;
    for (size_t w = 0; w < window_count(entity); w++)
        write_edges(&entity_edges(entity)[w], (uint32_t)entity_first_index(entity), out);
    for (size_t t = 0; t < facts->tally_count; t++) {
        buffer_put_varint(out, entity_tallies(entity)[t].count);
        buffer_put_zigzag(out, entity_tallies(entity)[t].sum);
    }
    for (size_t c = 0; c < facts->code_count; c++)
        write_codes(&entity_coded(entity)[c], out);
    for (size_t t = 0; t < facts->top_count; t++)
        write_top(&entity_tops(entity)[t], out);
}

void entity_image_read(struct entity *entity, struct bytes image)
{
    const struct entity_facts *facts = &entity->log->facts;
    struct reader in = reader_of(image);
    if (image.size == 0)
        return;
    for (size_t w = 0; w < window_count(entity); w++)
        read_edges(&entity_edges(entity)[w], &in);
    for (size_t t = 0; t < facts->tally_count; t++) {
        entity_tallies(entity)[t].count = (uint32_t)reader_varint(&in);
        entity_tallies(entity)[t].sum = reader_zigzag(&in);
    }
    for (size_t c = 0; c < facts->code_count; c++) {
        read_codes(&entity_coded(entity)[c], &in);
        entity->nested_bytes += code_counts_footprint(&entity_coded(entity)[c].codes);
    }
    for (size_t t = 0; t < facts->top_count; t++)
        read_top(&entity_tops(entity)[t], &in);
    ENSURE(reader_done(&in));
}
