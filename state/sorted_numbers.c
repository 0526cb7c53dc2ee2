#include "state/sorted_numbers.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 4 };

void sorted_numbers_fini(struct sorted_numbers *numbers)
{
    mem_free(numbers->items);
    *numbers = (struct sorted_numbers){ .items = NULL };
}

/* Where x is, or belongs: behind all that are smaller. */
static uint32_t place_of(const struct sorted_numbers *numbers, int64_t x)
{
    uint32_t low = 0, high = numbers->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (numbers->items[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sorted_numbers_add(struct sorted_numbers *numbers, int64_t x)
{
    if (numbers->count == numbers->capacity) {
        numbers->capacity = numbers->capacity == 0 ? CAPACITY_MIN : 2 * numbers->capacity;
        numbers->items = mem_resize_array(numbers->items, numbers->capacity, sizeof *numbers->items);
    }
    const uint32_t at = place_of(numbers, x);
    memmove(numbers->items + at + 1, numbers->items + at, (numbers->count - at) * sizeof *numbers->items);
    numbers->items[at] = x;
    numbers->count++;
}

void sorted_numbers_remove(struct sorted_numbers *numbers, int64_t x)
{
    const uint32_t at = place_of(numbers, x);
    ENSURE(at < numbers->count && numbers->items[at] == x);
    numbers->count--;
    memmove(numbers->items + at, numbers->items + at + 1, (numbers->count - at) * sizeof *numbers->items);
}

size_t sorted_numbers_footprint(const struct sorted_numbers *numbers)
{
    return mem_size_of(numbers->capacity * sizeof *numbers->items);
}
