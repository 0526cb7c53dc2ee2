/*
 * A block: the plain size as a varint, then elements. The low two bits of an element's first byte
 * say what it is; "upper" are the other six:
 *
 *   0  a literal of upper + 1 bytes; for 60 to 63 the size - 1 follows in upper - 59 bytes instead
 *   1  a copy of 4 + (upper & 7) bytes, from (upper >> 3) << 8 | the next byte back
 *   2  a copy of upper + 1 bytes, from two bytes (little-endian) back
 *   3  the same, four bytes
 */
#include "schemas/snappy.h"

static uint32_t read_little_endian(struct reader *in, size_t size)
{
    const struct bytes b = reader_take(in, size);
    uint32_t x = 0;
    for (size_t i = 0; i < b.size; i++)
        x |= (uint32_t)b.data[i] << (8 * i);
    return x;
}

static bool put_literal(struct buffer *out, size_t end, struct reader *in, uint8_t tag)
{
    enum { SHORT_MAX = 60 };
    size_t size = (size_t)tag >> 2;
    if (size >= SHORT_MAX)
        size = read_little_endian(in, size - SHORT_MAX + 1);
    size++;
    const struct bytes literal = reader_take(in, size);
    if (in->failed || size > end - out->size)
        return false;
    buffer_put_bytes(out, literal);
    return true;
}

/* May reach into what it writes: "ab" copied from 2 back for 6 bytes is "ababab". */
static bool put_copy(struct buffer *out, size_t start, size_t end, size_t distance, size_t size)
{
    if (distance == 0 || distance > out->size - start || size > end - out->size)
        return false;
    uint8_t *to = buffer_extend(out, size);
    for (size_t i = 0; i < size; i++)
        to[i] = *(to + i - distance);
    return true;
}

static bool put_element(struct buffer *out, size_t start, size_t end, struct reader *in)
{
    const uint8_t tag = reader_u8(in);
    size_t size = (size_t)(tag >> 2) + 1, distance;
    switch (tag & 3) {
    case 0:
        return put_literal(out, end, in, tag);
    case 1:
        size = 4 + (((size_t)tag >> 2) & 7);
        distance = ((size_t)tag >> 5) << 8 | reader_u8(in);
        break;
    case 2:
        distance = read_little_endian(in, 2);
        break;
    default:
        distance = read_little_endian(in, 4);
        break;
    }
    return !in->failed && put_copy(out, start, end, distance, size);
}

enum status snappy_decompress(struct buffer *out, struct bytes packed, size_t size_max,
                              struct error *err)
{
    struct reader in = reader_of(packed);
    const size_t start = out->size;
    const uint64_t size = reader_varint(&in);
    if (in.failed || size > size_max)
        return FAIL(err, ST_CORRUPT, "a snappy block of more than %zu bytes", size_max);
    const size_t end = start + (size_t)size;
    while (reader_left(&in) > 0)
        if (!put_element(out, start, end, &in))
            return FAIL(err, ST_CORRUPT, "a snappy block is malformed");
    if (out->size != end)
        return FAIL(err, ST_CORRUPT, "a snappy block is too short");
    return ST_OK;
}
