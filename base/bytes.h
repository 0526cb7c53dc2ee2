/*
 * bytes: a borrowed run of bytes. It never owns; whoever returns one says until when it is valid.
 * `data == NULL` means "none" (Kafka's null key or value), which differs from an empty run.
 */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/prefetch.h"

struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_NONE       ((struct bytes){ NULL, 0 })
/* The bytes of a string literal, without the final NUL. */
#define BYTES_LITERAL(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){ (const uint8_t *)data, size };
}

static inline struct bytes bytes_of_string(const char *s)
{
    return (struct bytes){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

/* none equals none only. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    if ((a.data == NULL) != (b.data == NULL) || a.size != b.size)
        return false;
    return a.size == 0 || memcmp(a.data, b.data, a.size) == 0;
}

/* memcmp order, a prefix sorts first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    const size_t common = a.size < b.size ? a.size : b.size;
    const int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

/* On their way into the processor's cache: worth it for what will be read whole a few microseconds from now. */
static inline void bytes_prefetch(struct bytes b)
{
    enum { LINE = 64 };
    const size_t before = (uintptr_t)b.data % LINE; /* of the first line */
    for (size_t at = 0; at < before + b.size; at += LINE)
        prefetch(b.data - before + at);
}

static inline bool bytes_starts_with(struct bytes a, struct bytes prefix)
{
    return a.size >= prefix.size &&
           (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

#endif
