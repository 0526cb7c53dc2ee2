/*
 * keys: the first byte of every row key says whose it is. Numbers are never reused.
 *     [store u8][...the store's own layout...]
 * 0x00 is the changelog's (changelog.h).
 */
#ifndef WEIR_STATE_KEYS_H
#define WEIR_STATE_KEYS_H

enum store_key {
    KEY_ENTITY_LOG = 1, /* entity_log.h */
    KEY_TABLE = 2,      /* table.h */
    KEY_DEDUPE = 3,     /* dedupe.h */
    KEY_TIMER = 4,      /* timers.h */
    KEY_SNOOZE = 5,     /* snooze.h */
    KEY_TASK = 6,       /* the task's own: time per input, layouts (layouts.h) */
};

#endif
