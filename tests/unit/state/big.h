/*
 * big: integers by schoolbook arithmetic, the naive oracle of wide sums. Sign and magnitude, up to
 * 384 bits; an overflow fails the test.
 */
#ifndef WEIR_TESTS_STATE_BIG_H
#define WEIR_TESTS_STATE_BIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/int128.h"

enum { BIG_DIGITS = 12 };

struct big {
    bool negative;               /* never of zero */
    uint32_t digits[BIG_DIGITS]; /* least significant first */
};

struct big big_of(int128 x);
struct big big_add(struct big a, struct big b);
struct big big_subtract(struct big a, struct big b);
struct big big_multiply(struct big a, struct big b);
bool big_is_zero(const struct big *a);
/* false when it needs more than 128 bits. */
bool big_to_int128(int128 *out, const struct big *a);
/* By way of its hexadecimal text and strtod, which rounds to the nearest, half to even. */
double big_to_double(const struct big *a);

#endif
