/*
 * buffer: bytes being written, growing as needed; and reader: bytes being read, bounds-checked.
 *
 * The encodings shared by every format of ours: unsigned LEB128 varints, zig-zag for signed
 * numbers, big-endian fixed integers (they sort), length-prefixed byte runs.
 *
 * A reader never reads past its end: the first failed read sets `failed` and every later read gives
 * zero or an empty run, so a caller may check once at the end.
 */
#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the big-endian integers are byte swaps");

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buffer_init(struct buffer *buf);
void buffer_fini(struct buffer *buf);
void buffer_clear(struct buffer *buf); /* keeps the memory */
/* Only for the inline functions below. */
void buffer_grow(struct buffer *buf, size_t more);
enum { VARINT_SIZE_MAX = 10 };
void buffer_put_long_varint(struct buffer *buf, uint64_t x);

static inline void buffer_reserve(struct buffer *buf, size_t more)
{
    if (__builtin_expect(more > buf->capacity - buf->size, 0))
        buffer_grow(buf, more);
}

/* Appends n uninitialised bytes and returns where they start; valid until the next append. */
static inline uint8_t *buffer_extend(struct buffer *buf, size_t n)
{
    buffer_reserve(buf, n);
    uint8_t *start = buf->data == NULL ? NULL : buf->data + buf->size; /* NULL: n is 0 */
    buf->size += n;
    return start;
}

/* `data` must not lie in the buffer itself, which may move. */
static inline void buffer_put(struct buffer *buf, const void *data, size_t size)
{
    if (size > 0)
        memcpy(buffer_extend(buf, size), data, size);
}

static inline void buffer_put_bytes(struct buffer *buf, struct bytes b)
{
    buffer_put(buf, b.data, b.size);
}

static inline void buffer_put_u8(struct buffer *buf, uint8_t x)
{
    *buffer_extend(buf, 1) = x;
}

static inline uint64_t zigzag_of(int64_t x)
{
    return ((uint64_t)x << 1) ^ (x < 0 ? UINT64_MAX : 0);
}

/* Where there is room for VARINT_SIZE_MAX bytes; returns the end. */
static inline uint8_t *varint_write(uint8_t *at, uint64_t x)
{
    while (x >= 0x80) {
        *at++ = (uint8_t)(x | 0x80);
        x >>= 7;
    }
    *at++ = (uint8_t)x;
    return at;
}

static inline void buffer_put_varint(struct buffer *buf, uint64_t x)
{
    if (x < 0x80)
        buffer_put_u8(buf, (uint8_t)x);
    else
        buffer_put_long_varint(buf, x);
}

static inline void buffer_put_zigzag(struct buffer *buf, int64_t x)
{
    buffer_put_varint(buf, zigzag_of(x));
}

void buffer_put_string(struct buffer *buf, const char *s); /* no length, no NUL */
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *buf, const char *format,
                                                         ...);
void buffer_put_be16(struct buffer *buf, uint16_t x);
void buffer_put_be32(struct buffer *buf, uint32_t x);
void buffer_put_be64(struct buffer *buf, uint64_t x);
/* varint length, then the bytes. */
void buffer_put_run(struct buffer *buf, struct bytes b);
/* varint length + 1, then the bytes; 0 stands for none. */
void buffer_put_optional_run(struct buffer *buf, struct bytes b);
static inline struct bytes buffer_view(const struct buffer *buf)
{
    return (struct bytes){ buf->data == NULL ? (const uint8_t *)"" : buf->data, buf->size };
}
/* NUL-terminates (not counted in size) and returns the text; valid until the next append. */
const char *buffer_text(struct buffer *buf);

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct reader reader_of(struct bytes b);

/* Whoever finds what was read to be senseless may fail the reader too. */
static inline void reader_fail(struct reader *r)
{
    r->at = r->end; /* so that every later read fails by itself */
    r->failed = true;
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Borrowed from the input. */
static inline struct bytes reader_take(struct reader *r, uint64_t size)
{
    if (__builtin_expect(size > reader_left(r), 0)) {
        reader_fail(r);
        return bytes_of(r->at, 0);
    }
    const struct bytes taken = bytes_of(r->at, size);
    r->at += size;
    return taken;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const struct bytes b = reader_take(r, 1);
    return b.size == 0 ? 0 : b.data[0];
}

static inline uint16_t reader_be16(struct reader *r)
{
    uint16_t be = 0;
    const struct bytes b = reader_take(r, sizeof be);
    memcpy(&be, b.data, b.size);
    return __builtin_bswap16(be);
}

static inline uint32_t reader_be32(struct reader *r)
{
    uint32_t be = 0;
    const struct bytes b = reader_take(r, sizeof be);
    memcpy(&be, b.data, b.size);
    return __builtin_bswap32(be);
}

static inline uint64_t reader_be64(struct reader *r)
{
    uint64_t be = 0;
    const struct bytes b = reader_take(r, sizeof be);
    memcpy(&be, b.data, b.size);
    return __builtin_bswap64(be);
}

uint64_t reader_long_varint(struct reader *r); /* only for reader_varint */

/* More than 10 bytes, or bits lost, is a failure. */
static inline uint64_t reader_varint(struct reader *r)
{
    if (__builtin_expect(r->at < r->end && *r->at < 0x80, 1))
        return *r->at++;
    return reader_long_varint(r);
}

static inline int64_t reader_zigzag(struct reader *r)
{
    const uint64_t x = reader_varint(r);
    return (int64_t)((x >> 1) ^ ((x & 1) != 0 ? UINT64_MAX : 0));
}

struct bytes reader_run(struct reader *r);
struct bytes reader_optional_run(struct reader *r);
/* true when everything was read and nothing failed. */
bool reader_done(const struct reader *r);

#endif
