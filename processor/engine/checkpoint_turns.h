/*
 * checkpoint_turns: whose checkpoint begins next, of the partitions that share a worker and its memory. A pure function.
 */
#ifndef WEIR_PROCESSOR_ENGINE_CHECKPOINT_TURNS_H
#define WEIR_PROCESSOR_ENGINE_CHECKPOINT_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct checkpoint_turn {
    uint64_t active_bytes; /* of rows that no checkpoint has yet */
    int64_t waited_us;     /* since its last checkpoint ended */
    bool running;          /* one is being written */
    bool ready; /* it could begin now: something has changed, and no transaction is in hand */
};

struct checkpoint_pace {
    uint64_t bytes_max;     /* for all rows that no checkpoint has yet, and those that are being written */
    int64_t interval_us;    /* between one partition's checkpoints, if there is memory */
    int64_t since_start_us; /* since the last one began, whosever it was */
};

/*
 * The partition that begins now; `count`: none does.
 *
 * When the memory is nearly full it is the one with the most of it: so their checkpoints come one after the other, and the rows
 * of each wait, and are changed again meanwhile, for longer than an equal part of the memory would let them. Else it is the one
 * that has waited longest, and starts are as far apart as the interval lets them be: all at once they would hold up everything.
 */
size_t checkpoint_turns_next(const struct checkpoint_turn *turns, size_t count,
                             const struct checkpoint_pace *pace);

#endif
