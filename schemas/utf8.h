/*
 * utf8: whether bytes are UTF-8 text as RFC 3629 defines it (no surrogates, nothing overlong, at
 * most U+10FFFF).
 */
#ifndef WEIR_SCHEMAS_UTF8_H
#define WEIR_SCHEMAS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* The answer for any text, byte by byte. */
bool utf8_valid_slowly(struct bytes text);

static inline uint64_t utf8_load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Most text is short and ASCII: eight bytes at a time, the last eight may overlap. */
static inline bool utf8_valid(struct bytes text)
{
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t seen = 0;
    if (text.size >= sizeof(uint64_t)) {
        const uint8_t *last = text.data + text.size - sizeof(uint64_t);
        for (const uint8_t *at = text.data; at < last; at += sizeof(uint64_t))
            seen |= utf8_load(at);
        seen |= utf8_load(last);
    } else {
        for (size_t i = 0; i < text.size; i++)
            seen |= text.data[i];
    }
    return __builtin_expect((seen & high_bits) == 0, 1) || utf8_valid_slowly(text);
}

#endif
