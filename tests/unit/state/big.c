#include "big.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct big big_of(int128 x)
{
    struct big a = { .negative = x < 0 };
    uint128 magnitude = x < 0 ? -(uint128)x : (uint128)x;
    for (int i = 0; i < 4; i++, magnitude >>= 32)
        a.digits[i] = (uint32_t)magnitude;
    return a;
}

bool big_is_zero(const struct big *a)
{
    for (int i = 0; i < BIG_DIGITS; i++) {
        if (a->digits[i] != 0)
            return false;
    }
    return true;
}

static int compare_magnitudes(const struct big *a, const struct big *b)
{
    for (int i = BIG_DIGITS - 1; i >= 0; i--) {
        if (a->digits[i] != b->digits[i])
            return a->digits[i] < b->digits[i] ? -1 : 1;
    }
    return 0;
}

static struct big add_magnitudes(const struct big *a, const struct big *b)
{
    struct big sum = { 0 };
    uint64_t carry = 0;
    for (int i = 0; i < BIG_DIGITS; i++) {
        carry += (uint64_t)a->digits[i] + b->digits[i];
        sum.digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
    cr_assert_eq(carry, 0, "the test's integers are too small");
    return sum;
}

/* |a| >= |b| */
static struct big subtract_magnitudes(const struct big *a, const struct big *b)
{
    struct big difference = { 0 };
    int64_t borrow = 0;
    for (int i = 0; i < BIG_DIGITS; i++) {
        const int64_t digit = (int64_t)a->digits[i] - b->digits[i] - borrow;
        borrow = digit < 0;
        difference.digits[i] = (uint32_t)(digit + (borrow << 32));
    }
    return difference;
}

struct big big_add(struct big a, struct big b)
{
    struct big sum;
    if (a.negative == b.negative) {
        sum = add_magnitudes(&a, &b);
        sum.negative = a.negative;
    } else if (compare_magnitudes(&a, &b) >= 0) {
        sum = subtract_magnitudes(&a, &b);
        sum.negative = a.negative;
    } else {
        sum = subtract_magnitudes(&b, &a);
        sum.negative = b.negative;
    }
    sum.negative = sum.negative && !big_is_zero(&sum);
    return sum;
}

struct big big_subtract(struct big a, struct big b)
{
    b.negative = !b.negative && !big_is_zero(&b);
    return big_add(a, b);
}

struct big big_multiply(struct big a, struct big b)
{
    struct big product = { 0 };
    for (int i = 0; i < BIG_DIGITS; i++) {
        if (a.digits[i] == 0)
            continue;
        uint64_t carry = 0;
        for (int j = 0; i + j < BIG_DIGITS; j++) {
            carry += (uint64_t)a.digits[i] * b.digits[j] + product.digits[i + j];
            product.digits[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        cr_assert_eq(carry, 0, "the test's integers are too small");
    }
    product.negative = a.negative != b.negative && !big_is_zero(&product);
    return product;
}

bool big_to_int128(int128 *out, const struct big *a)
{
    uint128 magnitude = 0;
    for (int i = 0; i < BIG_DIGITS; i++) {
        if (i >= 4 && a->digits[i] != 0)
            return false;
        if (i < 4)
            magnitude |= (uint128)a->digits[i] << (32 * i);
    }
    const uint128 limit = (uint128)1 << 127;
    if (magnitude > limit || (magnitude == limit && !a->negative))
        return false;
    *out = (int128)(a->negative ? -magnitude : magnitude);
    return true;
}

double big_to_double(const struct big *a)
{
    char text[8 * BIG_DIGITS + 8];
    int size = sprintf(text, "%s0x", a->negative ? "-" : "");
    int top = BIG_DIGITS - 1;
    while (top > 0 && a->digits[top] == 0)
        top--;
    for (int i = top; i >= 0; i--)
        size += sprintf(text + size, "%08x", a->digits[i]);
    strcpy(text + size, "p0");
    const double d = strtod(text, NULL);
    return d == 0 ? 0.0 : d;
}
