#include "schemas/utf8.h"

/* The second byte's range depends on the first; all others are 80..BF (Unicode 15, table 3-7). */
static size_t sequence_size(const uint8_t *at, size_t left)
{
    const uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    const size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                        : (first & 0xf0) == 0xe0         ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
    if (size == 0 || size > left)
        return 0;
    const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool utf8_valid_slowly(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        const size_t size = sequence_size(text.data + i, text.size - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}
