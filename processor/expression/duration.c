#include "processor/expression/duration.h"

#include <string.h>

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    { "d", INT64_C(86400000000) },
    { "h", INT64_C(3600000000) },
    { "m", 60000000 },
    { "s", 1000000 },
    { "ms", 1000 },
    { "us", 1 },
};
enum { UNIT_COUNT = sizeof units / sizeof *units };

static bool take_number(int64_t *out, struct bytes *text)
{
    size_t size = 0;
    int64_t number = 0;
    for (; size < text->size && text->data[size] >= '0' && text->data[size] <= '9'; size++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text->data[size] - '0', &number))
            return false;
    *out = number;
    *text = bytes_of(text->data + size, text->size - size);
    return size > 0;
}

/* The unit's index, or UNIT_COUNT. */
static size_t take_unit(struct bytes *text)
{
    size_t size = 0;
    while (size < text->size && text->data[size] >= 'a' && text->data[size] <= 'z')
        size++;
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (strlen(units[i].name) == size && memcmp(units[i].name, text->data, size) == 0) {
            *text = bytes_of(text->data + size, text->size - size);
            return i;
        }
    return UNIT_COUNT;
}

bool duration_parse_bytes(int64_t *out_us, struct bytes text)
{
    int64_t total = 0;
    size_t smallest = 0; /* the first unit that may still come */
    if (text.size == 0)
        return false;
    while (text.size > 0) {
        int64_t number;
        if (!take_number(&number, &text))
            return false;
        const size_t unit = take_unit(&text);
        if (unit == UNIT_COUNT || unit < smallest)
            return false;
        if (__builtin_mul_overflow(number, units[unit].us, &number) ||
            __builtin_add_overflow(total, number, &total))
            return false;
        smallest = unit + 1;
    }
    *out_us = total;
    return true;
}

bool duration_parse(int64_t *out_us, const char *text)
{
    return duration_parse_bytes(out_us, bytes_of_string(text));
}
