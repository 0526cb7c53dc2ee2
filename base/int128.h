/*
 * int128: the exact integer in which sums are kept, 8-byte aligned so that a value stays 24 bytes.
 */
#ifndef WEIR_BASE_INT128_H
#define WEIR_BASE_INT128_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef __int128 int128 __attribute__((aligned(8)));
__extension__ typedef unsigned __int128 uint128 __attribute__((aligned(8)));

/* 10^n as int128; 0 <= n <= 38. */
int128 int128_power_of_ten(unsigned n);
/* false on overflow. */
static inline bool int128_add(int128 *out, int128 a, int128 b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool int128_subtract(int128 *out, int128 a, int128 b)
{
    return !__builtin_sub_overflow(a, b, out);
}

static inline bool int128_fits_int64(int128 x)
{
    return x == (int64_t)x;
}

static inline bool int128_multiply(int128 *out, int128 a, int128 b)
{
    if (int128_fits_int64(a) && int128_fits_int64(b)) { /* nearly always: one multiplication */
        *out = (int128)(int64_t)a * (int64_t)b;
        return true;
    }
    return !__builtin_mul_overflow(a, b, out);
}

/* The nearest double (round half to even). */
double int128_to_double(int128 x);

enum { INT64_TEXT_SIZE = 20, INT128_TEXT_SIZE = 48 };
/* Decimal text of x without a NUL; returns the length. */
int int64_format(char out[INT64_TEXT_SIZE], int64_t x);
/* Decimal text of x / 10^scale, e.g. (-12345, 2) -> "-123.45"; returns the length. */
int int128_format(char out[INT128_TEXT_SIZE], int128 x, unsigned scale);

#endif
