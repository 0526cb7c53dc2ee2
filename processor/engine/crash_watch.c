#include "processor/engine/crash_watch.h"

int crash_watch_deaths(const struct crash_watch *watch, int topic, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct crash_suspect *item = &watch->items[i];
        if (item->offset == offset && item->partition == partition && item->topic == topic)
            return item->deaths;
    }
    return 0;
}

bool crash_watch_take_passed(struct crash_watch *watch, int topic, int32_t partition, int64_t position,
                             struct crash_suspect *out)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct crash_suspect *item = &watch->items[i];
        if (item->topic != topic || item->partition != partition || item->offset >= position)
            continue;
        *out = *item;
        watch->items[i] = watch->items[--watch->count];
        return true;
    }
    return false;
}
