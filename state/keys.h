/*
 * keys: the first byte of every row key says whose it is. Numbers are never reused.
 *     [store u8][...the store's own layout...]
 * 0x00 is the changelog's (changelog.h).
 */
#ifndef WEIR_STATE_KEYS_H
#define WEIR_STATE_KEYS_H

#include <stdint.h>

#include "base/buffer.h"

enum store_key {
    KEY_ENTITY_LOG = 1, /* entity_log.h */
    KEY_TABLE = 2,      /* table.h */
    /* 3 were the ids that had been seen, before events were compared by theirs */
    KEY_TIMER = 4,      /* timers.h */
    KEY_SNOOZE = 5,     /* snooze.h */
    KEY_TASK = 6,       /* the task's own: time per input, layouts (layouts.h), the engine's */
};

/* A time, or any signed number, so that memcmp orders it: big-endian with the sign bit flipped. */
static inline void key_put_signed(struct buffer *key, int64_t x)
{
    buffer_put_be64(key, (uint64_t)x ^ (UINT64_C(1) << 63));
}

static inline int64_t key_read_signed(struct reader *key)
{
    return (int64_t)(reader_be64(key) ^ (UINT64_C(1) << 63));
}

#endif
