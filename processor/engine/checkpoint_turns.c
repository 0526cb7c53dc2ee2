#include "processor/engine/checkpoint_turns.h"

/* Of the memory so much may wait. What is being written is about a third of it, and is written three times as fast as it came. */
enum { FULL_PERCENT = 85 };

/* The one with the most rows, if they are worth a checkpoint: not while those that have most are being written. */
static size_t fullest(const struct checkpoint_turn *turns, size_t count,
                      const struct checkpoint_pace *pace)
{
    size_t found = count;
    uint64_t all = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        all += turns[i].active_bytes;
        if (!turns[i].running && turns[i].active_bytes > most) {
            most = turns[i].active_bytes;
            found = i;
        }
    }
    const bool is_full = all >= pace->bytes_max / 100 * FULL_PERCENT;
    return is_full && found < count && turns[found].ready && most >= all / count ? found : count;
}

static size_t longest_waiting(const struct checkpoint_turn *turns, size_t count,
                              const struct checkpoint_pace *pace)
{
    size_t found = count;
    if (count == 0 || pace->since_start_us < pace->interval_us / (int64_t)count)
        return count;
    for (size_t i = 0; i < count; i++) {
        if (turns[i].ready && turns[i].waited_us >= pace->interval_us &&
            (found == count || turns[i].waited_us > turns[found].waited_us))
            found = i;
    }
    return found;
}

size_t checkpoint_turns_next(const struct checkpoint_turn *turns, size_t count,
                             const struct checkpoint_pace *pace)
{
    const size_t found = fullest(turns, count, pace);
    return found < count ? found : longest_waiting(turns, count, pace);
}
