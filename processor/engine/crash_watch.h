/*
 * crash_watch: at which record did the process die, and what follows for that record.
 *
 * A worker notes the record that it is about to process in memory that its caller lends, and takes the note back afterwards: stores
 * to memory, no system call. In production the memory is a file that is mapped, so the note survives any death of the process. The
 * caller counts deaths by record over starts (processor/cli/crash_ledger.h) and tells the worker of them:
 *
 *     3 deaths   the record is processed alone: a commit before it, and one after it
 *     4 deaths   it is not processed: it is a dead letter, with the reason `crashed`
 *
 * A record is cleared when it is committed. A transaction holds many records, but one is in hand: after a death everything since the
 * committed positions is processed again, in the same order, so a record that kills is in hand at each death.
 *
 * A death while nothing is in hand (a commit, a restore, a poll) is nobody's.
 */
#ifndef WEIR_PROCESSOR_ENGINE_CRASH_WATCH_H
#define WEIR_PROCESSOR_ENGINE_CRASH_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRASH_ALONE_DEATHS = 3, CRASH_SKIP_DEATHS = 4, CRASH_SUSPECTS_MAX = 16 };

/* What one worker has in hand. Written by its thread, read by the next process. */
struct in_hand {
    _Atomic uint64_t where; /* topic number << 32 | partition */
    _Atomic int64_t next;   /* offset + 1; 0: nothing */
};

/* A process that dies keeps its stores in their order; only the compiler must not change it. */
static inline void in_hand_take(struct in_hand *hand, int topic, int32_t partition, int64_t offset)
{
    if (hand == NULL)
        return;
    atomic_store_explicit(&hand->where, (uint64_t)topic << 32 | (uint32_t)partition, memory_order_relaxed);
    atomic_store_explicit(&hand->next, offset + 1, memory_order_release);
}

static inline void in_hand_put_down(struct in_hand *hand)
{
    if (hand != NULL)
        atomic_store_explicit(&hand->next, 0, memory_order_release);
}

struct crash_suspect {
    int topic;
    int32_t partition;
    int64_t offset;
    int deaths;
};

struct crash_watch {
    struct crash_suspect items[CRASH_SUSPECTS_MAX];
    size_t count;
};

/* Deaths at this record; 0 for nearly every record there is. */
int crash_watch_deaths(const struct crash_watch *watch, int topic, int32_t partition, int64_t offset);
/* Takes out one suspect of the partition before `position`; false: there is none. */
bool crash_watch_take_passed(struct crash_watch *watch, int topic, int32_t partition, int64_t position,
                             struct crash_suspect *out);

#endif
