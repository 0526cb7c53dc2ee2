#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buf)
{
    *buf = (struct buffer){ 0 };
}

void buffer_fini(struct buffer *buf)
{
    mem_free(buf->data);
    *buf = (struct buffer){ 0 };
}

void buffer_clear(struct buffer *buf)
{
    buf->size = 0;
}

void buffer_grow(struct buffer *buf, size_t more)
{
    ENSURE(more <= SIZE_MAX / 4 && buf->capacity <= SIZE_MAX / 4);
    const size_t wanted = buf->size + more;
    size_t capacity = buf->capacity < CAPACITY_MIN ? CAPACITY_MIN : 2 * buf->capacity;
    if (capacity < wanted)
        capacity = wanted;
    buf->data = mem_resize_array(buf->data, capacity, 1);
    buf->capacity = capacity;
}

void buffer_put_string(struct buffer *buf, const char *s)
{
    buffer_put(buf, s, strlen(s));
}

void buffer_printf(struct buffer *buf, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    ENSURE(length >= 0);
    buffer_reserve(buf, (size_t)length + 1); /* room for the NUL, which is not counted */
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, again);
    buf->size += (size_t)length;
    va_end(again);
    va_end(arguments);
}

void buffer_put_be16(struct buffer *buf, uint16_t x)
{
    const uint16_t be = __builtin_bswap16(x);
    memcpy(buffer_extend(buf, sizeof be), &be, sizeof be);
}

void buffer_put_be32(struct buffer *buf, uint32_t x)
{
    const uint32_t be = __builtin_bswap32(x);
    memcpy(buffer_extend(buf, sizeof be), &be, sizeof be);
}

void buffer_put_be64(struct buffer *buf, uint64_t x)
{
    const uint64_t be = __builtin_bswap64(x);
    memcpy(buffer_extend(buf, sizeof be), &be, sizeof be);
}

void buffer_put_long_varint(struct buffer *buf, uint64_t x)
{
    buffer_reserve(buf, VARINT_SIZE_MAX);
    buf->size = (size_t)(varint_write(buf->data + buf->size, x) - buf->data);
}

void buffer_put_run(struct buffer *buf, struct bytes b)
{
    buffer_put_varint(buf, b.size);
    buffer_put(buf, b.data, b.size);
}

void buffer_put_optional_run(struct buffer *buf, struct bytes b)
{
    if (b.data == NULL) {
        buffer_put_u8(buf, 0);
        return;
    }
    buffer_put_varint(buf, (uint64_t)b.size + 1);
    buffer_put(buf, b.data, b.size);
}

const char *buffer_text(struct buffer *buf)
{
    buffer_reserve(buf, 1);
    buf->data[buf->size] = '\0';
    return (const char *)buf->data;
}

struct reader reader_of(struct bytes b)
{
    /* Never NULL, so that pointer arithmetic and empty runs are well defined. */
    const uint8_t *at = b.data == NULL ? (const uint8_t *)"" : b.data;
    return (struct reader){ .at = at, .end = at + b.size, .failed = false };
}

uint64_t reader_long_varint(struct reader *r)
{
    enum { LAST_SHIFT = 63 };
    const uint8_t *at = r->at;
    uint64_t x = 0;
    for (unsigned shift = 0; at < r->end; shift += 7) {
        const uint8_t byte = *at++;
        if (shift == LAST_SHIFT && byte > 1)
            break; /* an eleventh byte, or bits that do not fit */
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            r->at = at;
            return x;
        }
    }
    reader_fail(r);
    return 0;
}

struct bytes reader_run(struct reader *r)
{
    const uint64_t size = reader_varint(r);
    return reader_take(r, size);
}

struct bytes reader_optional_run(struct reader *r)
{
    const uint64_t size_plus_one = reader_varint(r);
    if (size_plus_one == 0 && !r->failed)
        return BYTES_NONE;
    return reader_take(r, r->failed ? 0 : size_plus_one - 1);
}

bool reader_done(const struct reader *r)
{
    return !r->failed && r->at == r->end;
}
