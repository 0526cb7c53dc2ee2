#include "base/int128.h"

#include "base/ensure.h"

enum { POWER_MAX = 38 };

/* clang-format takes these products for pointers. */
/* clang-format off */
#define E9  ((int128)1000000000)
#define E18 (E9 * E9)
#define NINE_ROWS(e)                                                                \
    (e), (e) * 10, (e) * 100, (e) * 1000, (e) * 10000, (e) * 100000, (e) * 1000000, \
    (e) * 10000000, (e) * 100000000

static const int128 powers[POWER_MAX + 1] = {
    NINE_ROWS((int128)1), NINE_ROWS(E9), NINE_ROWS(E18), NINE_ROWS(E18 * E9),
    E18 * E18, E18 * E18 * 10, E18 * E18 * 100,
};
/* clang-format on */

int128 int128_power_of_ten(unsigned n)
{
    ENSURE(n <= POWER_MAX);
    return powers[n];
}

double int128_to_double(int128 x)
{
    return (double)x; /* libgcc's __floattidf rounds to nearest, ties to even */
}

static int digit_count(uint64_t x)
{
    int count = 1;
    for (; x >= 10000; x /= 10000)
        count += 4;
    return count + (x >= 10) + (x >= 100) + (x >= 1000);
}

int int64_format(char out[INT64_TEXT_SIZE], int64_t x)
{
    uint64_t rest = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    const int size = digit_count(rest) + (x < 0);
    out[0] = '-';
    for (int at = size - 1; at > 0 || (at == 0 && x >= 0); at--, rest /= 10)
        out[at] = (char)('0' + (int)(rest % 10));
    return size;
}

/* The digits of x from the last one on, with the point after `scale` of them. */
static int format_reversed(char *reversed, uint128 x, unsigned scale)
{
    int size = 0;
    unsigned digit = 0;
    uint128 rest = x;
    for (; rest > UINT64_MAX; digit++, rest /= 10) {
        if (digit == scale && scale > 0)
            reversed[size++] = '.';
        reversed[size++] = (char)('0' + (int)(rest % 10));
    }
    /* Nearly every number is this short, and a division by ten is then a multiplication. */
    uint64_t low = (uint64_t)rest;
    for (; low != 0 || digit <= scale; digit++, low /= 10) {
        if (digit == scale && scale > 0)
            reversed[size++] = '.';
        reversed[size++] = (char)('0' + (int)(low % 10));
    }
    return size;
}

int int128_format(char out[INT128_TEXT_SIZE], int128 x, unsigned scale)
{
    ENSURE(scale <= POWER_MAX);
    char reversed[INT128_TEXT_SIZE];
    int size = format_reversed(reversed, x < 0 ? 0 - (uint128)x : (uint128)x, scale);
    if (x < 0)
        reversed[size++] = '-';
    ENSURE(size < INT128_TEXT_SIZE);
    for (int i = 0; i < size; i++)
        out[i] = reversed[size - 1 - i];
    out[size] = '\0';
    return size;
}
