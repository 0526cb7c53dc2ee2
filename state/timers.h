/*
 * timers: deadlines in event time, ordered. What a deadline means is its owner's business.
 *
 * Row: [4][due_us, sign bit flipped, BE64][kind u8][key] -> empty.
 *
 * The earliest due time is kept in memory, so asking when nothing is due costs nothing; searching
 * starts there, so that it need not step over the remains of deadlines that fired.
 *
 * One task's thread. Borrows the overlay.
 */
#ifndef WEIR_STATE_TIMERS_H
#define WEIR_STATE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "state/overlay.h"

enum timer_kind { TIMER_ENTITY_EXPIRY = 1, TIMER_SNOOZE_EXPIRY = 2 };

struct timers;
MUST_CHECK enum status timers_create(struct timers **out, struct overlay *borrowed,
                                     struct error *err);
void timers_destroy(struct timers **timers);
/* The same (due, kind, key) twice is one deadline. ST_TOO_LARGE: the key is. */
MUST_CHECK enum status timers_add(struct timers *timers, int64_t due_us, enum timer_kind kind,
                                  struct bytes key, struct error *err);
/* Removes and hands out the deadlines with due_us <= now_us in order, at most max. `fire` may
 * add deadlines; those that are due already fire in the next call. When it fails, what was
 * handed out is gone and the rest remains: abort. */
typedef enum status timer_fire_fn(void *context, int64_t due_us, enum timer_kind kind,
                                  struct bytes key, struct error *err);
MUST_CHECK enum status timers_fire(struct timers *timers, int64_t now_us, size_t max,
                                   timer_fire_fn *fire, void *context, size_t *fired,
                                   struct error *err);
/* After overlay_abort. */
void timers_abort(struct timers *timers);

#endif
