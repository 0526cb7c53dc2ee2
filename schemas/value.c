#include "schemas/value.h"

#include <math.h>
#include <stdio.h>

#include "base/ensure.h"

_Static_assert(sizeof(struct value) == 24, "slots are copied by the million");

/*
 * The stored form (value_write). The first byte of a null is 0, whatever the type; else
 *   bool                                1 false, 2 true
 *   int, timestamp, duration, decimal   1 + n, then n bytes, big-endian two's complement, as few as
 *                                       hold the number; none for 0
 *   double                              1, then the 8 bytes, big-endian
 *   string, bytes                       the length + 1 as a varint, then the bytes
 * Numbers have one encoding each, and a reader refuses any other: rows and keys are compared as
 * bytes. To change it, raise the format versions of the state and of the changelog.
 */
enum {
    STORED_NULL = 0,
    STORED_FALSE = 1,
    STORED_TRUE = 2,
    STORED_NUMBER = 1,
    STORED_DOUBLE = 1,
    STORED_NUMBER_MAX = 16
};

static int compare_numbers(const struct value *a, const struct value *b);
static int compare_int64(int64_t a, int64_t b);
static void write_integer(struct buffer *out, int128 x);
static enum status read_integer(int128 *out, uint8_t head, struct reader *in, size_t size_max,
                                struct error *err);
static enum status read_double(struct value *out, uint8_t head, struct reader *in,
                               struct error *err);

struct value value_double(double d)
{
    if (isnan(d))
        return value_null();
    return (struct value){ .kind = VALUE_DOUBLE, .d = d == 0.0 ? 0.0 : d };
}

bool value_decimal_of_bytes(struct value *out, struct bytes digits, uint8_t scale)
{
    const uint8_t sign = digits.size > 0 && (digits.data[0] & 0x80) != 0 ? 0xff : 0;
    /* a wide fixed may carry a small number: leading bytes that only repeat the sign say nothing */
    while (digits.size > sizeof(int128) && digits.data[0] == sign)
        digits = bytes_of(digits.data + 1, digits.size - 1);
    if (digits.size > sizeof(int128) ||
        (digits.size == sizeof(int128) && ((digits.data[0] ^ sign) & 0x80) != 0))
        return false;
    if (digits.size <= sizeof(int64_t)) { /* nearly every number */
        uint64_t low = sign != 0 ? UINT64_MAX : 0;
        for (size_t i = 0; i < digits.size; i++)
            low = low << 8 | digits.data[i];
        *out = value_decimal((int64_t)low, scale);
        return true;
    }
    uint128 bits = sign != 0 ? ~(uint128)0 : 0;
    for (size_t i = 0; i < digits.size; i++)
        bits = bits << 8 | digits.data[i];
    *out = value_decimal((int128)bits, scale);
    return true;
}

const char *value_kind_name(enum value_kind kind)
{
    static const char *const names[VALUE_KIND_COUNT] = {
        [VALUE_NULL] = "null",       [VALUE_BOOL] = "bool",           [VALUE_INT] = "int",
        [VALUE_DECIMAL] = "decimal", [VALUE_DOUBLE] = "double",       [VALUE_STRING] = "string",
        [VALUE_BYTES] = "bytes",     [VALUE_TIMESTAMP] = "timestamp", [VALUE_DURATION] = "duration",
    };
    ENSURE((unsigned)kind < VALUE_KIND_COUNT);
    return names[kind];
}

const char *value_type_text(struct value_type type, char out[VALUE_TYPE_TEXT_SIZE])
{
    const char *mark = type.nullable && type.kind != VALUE_NULL ? "?" : "";
    if (type.kind == VALUE_DECIMAL)
        snprintf(out, VALUE_TYPE_TEXT_SIZE, "decimal(%u)%s", (unsigned)type.scale, mark);
    else
        snprintf(out, VALUE_TYPE_TEXT_SIZE, "%s%s", value_kind_name(type.kind), mark);
    return out;
}

bool value_same(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind)
        return false;
    switch ((enum value_kind)a->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->b == b->b;
    case VALUE_INT:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return a->i == b->i;
    case VALUE_DECIMAL:
        return a->scale == b->scale && a->decimal == b->decimal;
    case VALUE_DOUBLE:
        return a->d == b->d;
    case VALUE_STRING:
    case VALUE_BYTES:
        return bytes_equal(a->text, b->text);
    case VALUE_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

static bool kind_is_number(enum value_kind kind)
{
    return kind == VALUE_INT || kind == VALUE_DECIMAL || kind == VALUE_DOUBLE;
}

bool value_kinds_comparable(enum value_kind a, enum value_kind b)
{
    return (a == b && a != VALUE_NULL) || (kind_is_number(a) && kind_is_number(b));
}

int value_compare(const struct value *a, const struct value *b)
{
    ENSURE(value_kinds_comparable((enum value_kind)a->kind, (enum value_kind)b->kind));
    switch ((enum value_kind)a->kind) {
    case VALUE_BOOL:
        return (int)a->b - (int)b->b;
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return compare_int64(a->i, b->i);
    case VALUE_STRING:
    case VALUE_BYTES:
        return bytes_compare(a->text, b->text);
    case VALUE_INT:
    case VALUE_DECIMAL:
    case VALUE_DOUBLE:
        return compare_numbers(a, b);
    case VALUE_NULL:
    case VALUE_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

static int compare_int64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/*
 * A finite number cut at the decimal point, towards zero. Both parts have the number's sign; the
 * fraction is in units of 10^-18, so that no scale can make a comparison overflow.
 */
struct cut_number {
    int128 whole;
    int64_t fraction;
};

static struct cut_number cut_exact(const struct value *v)
{
    if (v->kind == VALUE_INT)
        return (struct cut_number){ .whole = v->i };
    ENSURE(v->scale <= DECIMAL_SCALE_MAX);
    const int128 unit = int128_power_of_ten(v->scale);
    const int128 rest = v->decimal % unit;
    return (struct cut_number){ .whole = v->decimal / unit,
                                .fraction = (int64_t)(rest * int128_power_of_ten(DECIMAL_SCALE_MAX -
                                                                                 v->scale)) };
}

static int compare_cut(struct cut_number a, struct cut_number b)
{
    if (a.whole != b.whole)
        return a.whole > b.whole ? 1 : -1;
    return compare_int64(a.fraction, b.fraction);
}

/* fraction / 10^18 against d, both in [0, 1), exactly: d is an integer times a power of two. */
static int compare_fraction(int64_t fraction, double d)
{
    enum { MANTISSA_BITS = 53 };
    int exponent;
    const uint64_t mantissa = (uint64_t)ldexp(frexp(d, &exponent), MANTISSA_BITS);
    const uint128 scaled = (uint128)mantissa * (uint128)int128_power_of_ten(DECIMAL_SCALE_MAX);
    const int shift = MANTISSA_BITS - exponent; /* d = mantissa / 2^shift, shift >= 53 */
    const uint128 floor = shift >= 128 ? 0 : scaled >> shift;
    if ((uint128)fraction != floor)
        return (uint128)fraction > floor ? 1 : -1;
    const bool exact = shift >= 128 ? scaled == 0 : floor << shift == scaled;
    return exact ? 0 : -1;
}

static int compare_cut_with_double(struct cut_number a, double d)
{
    static const double whole_limit = 0x1p127; /* beyond it every int128 is on the same side */
    if (d >= whole_limit || d < -whole_limit)
        return d > 0 ? -1 : 1;
    const double cut = trunc(d);
    const int128 whole = (int128)cut;
    if (a.whole != whole)
        return a.whole > whole ? 1 : -1;
    const double rest = d - cut; /* exact */
    if (a.fraction >= 0 && rest >= 0)
        return compare_fraction(a.fraction, rest);
    if (a.fraction <= 0 && rest <= 0)
        return -compare_fraction(-a.fraction, -rest);
    return a.fraction > 0 ? 1 : -1;
}

/* Most numbers differ as doubles already. Rounding keeps the order, and a double is its own
 * rounding: what rounds to less than d is less than d. 0: they may still differ. */
static int compare_rounded(const struct value *v, double d)
{
    static const double powers_of_ten[DECIMAL_SCALE_MAX + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
        1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    };
    static const int64_t exact_max = INT64_C(1) << 53;
    const int128 unscaled = v->kind == VALUE_INT ? v->i : v->decimal;
    if (unscaled < -exact_max || unscaled > exact_max)
        return 0;
    /* two exact doubles, one rounding */
    const double rounded =
        v->kind == VALUE_INT ? (double)v->i : (double)(int64_t)unscaled / powers_of_ten[v->scale];
    return (rounded > d) - (rounded < d);
}

static int compare_with_double(const struct value *v, double d)
{
    const int order = compare_rounded(v, d);
    return order != 0 ? order : compare_cut_with_double(cut_exact(v), d);
}

static int compare_numbers(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_INT && b->kind == VALUE_INT)
        return compare_int64(a->i, b->i);
    if (a->kind == VALUE_DOUBLE && b->kind == VALUE_DOUBLE)
        return (a->d > b->d) - (a->d < b->d);
    if (a->kind == VALUE_DOUBLE)
        return -compare_with_double(b, a->d);
    if (b->kind == VALUE_DOUBLE)
        return compare_with_double(a, b->d);
    if (a->kind == b->kind && a->scale == b->scale)
        return (a->decimal > b->decimal) - (a->decimal < b->decimal);
    return compare_cut(cut_exact(a), cut_exact(b));
}

void value_write(struct buffer *out, const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_NULL:
        buffer_put_u8(out, STORED_NULL);
        return;
    case VALUE_BOOL:
        buffer_put_u8(out, v->b ? STORED_TRUE : STORED_FALSE);
        return;
    case VALUE_INT:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        write_integer(out, v->i);
        return;
    case VALUE_DECIMAL:
        write_integer(out, v->decimal);
        return;
    case VALUE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &v->d, sizeof bits);
        buffer_put_u8(out, STORED_DOUBLE);
        buffer_put_be64(out, bits);
        return;
    }
    case VALUE_STRING:
    case VALUE_BYTES:
        ENSURE(v->text.data != NULL || v->text.size == 0);
        buffer_put_varint(out, (uint64_t)v->text.size + 1);
        buffer_put_bytes(out, v->text);
        return;
    case VALUE_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

/* How many bytes the two's complement of x needs; none for 0. */
static size_t integer_size(int128 x)
{
    const uint128 bits = (uint128)(x < 0 ? ~x : x);
    const uint64_t high = (uint64_t)(bits >> 64), low = (uint64_t)bits;
    if (x == 0)
        return 0;
    /* one bit more than the number has: the sign must be readable from the first byte */
    if (high != 0)
        return (size_t)(128 - __builtin_clzll(high)) / 8 + 1;
    return low == 0 ? 1 : (size_t)(64 - __builtin_clzll(low)) / 8 + 1;
}

static void write_integer(struct buffer *out, int128 x)
{
    const size_t size = integer_size(x);
    uint8_t *at = buffer_extend(out, 1 + size);
    at[0] = (uint8_t)(STORED_NUMBER + size);
    for (size_t i = 0; i < size; i++)
        at[1 + i] = (uint8_t)((uint128)x >> (8 * (size - 1 - i)));
}

uint8_t *value_write_integer(uint8_t *at, int64_t i)
{
    enum { BYTE_BITS = 8, WORD_BITS = 64 };
    const uint64_t bits = (uint64_t)(i < 0 ? ~i : i);
    const size_t size = i == 0 ? 0 : bits == 0 ? 1 : (size_t)(WORD_BITS - __builtin_clzll(bits)) / BYTE_BITS + 1;
    const uint64_t digits = size == 0 ? 0 : __builtin_bswap64((uint64_t)i << (WORD_BITS - BYTE_BITS * size));
    *at = (uint8_t)(STORED_NUMBER + size);
    memcpy(at + 1, &digits, sizeof digits);
    return at + 1 + size;
}

enum status value_read(struct value *out, struct reader *in, struct value_type type,
                       struct error *err)
{
    *out = value_null();
    if (type.kind == VALUE_STRING || type.kind == VALUE_BYTES) {
        const uint64_t head = reader_varint(in);
        if (head == STORED_NULL && !in->failed)
            return ST_OK;
        const struct bytes text = reader_take(in, head == 0 ? 0 : (size_t)(head - 1));
        if (in->failed)
            return FAIL(err, ST_CORRUPT, "a stored %s is cut short", value_kind_name(type.kind));
        *out = (struct value){ .kind = (uint8_t)type.kind, .text = text };
        return ST_OK;
    }

    const uint8_t head = reader_u8(in);
    if (in->failed)
        return FAIL(err, ST_CORRUPT, "a stored %s is missing", value_kind_name(type.kind));
    if (head == STORED_NULL)
        return ST_OK;
    int128 integer = 0;
    switch (type.kind) {
    case VALUE_BOOL:
        if (head > STORED_TRUE)
            break;
        *out = value_bool(head == STORED_TRUE);
        return ST_OK;
    case VALUE_INT:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        TRY(read_integer(&integer, head, in, sizeof(int64_t), err));
        *out = (struct value){ .kind = (uint8_t)type.kind, .i = (int64_t)integer };
        return ST_OK;
    case VALUE_DECIMAL:
        TRY(read_integer(&integer, head, in, STORED_NUMBER_MAX, err));
        *out = value_decimal(integer, type.scale);
        return ST_OK;
    case VALUE_DOUBLE:
        return read_double(out, head, in, err);
    case VALUE_NULL:
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_KIND_COUNT:
        break;
    }
    return FAIL(err, ST_CORRUPT, "a stored %s begins with the byte %u", value_kind_name(type.kind),
                (unsigned)head);
}

static enum status read_integer(int128 *out, uint8_t head, struct reader *in, size_t size_max,
                                struct error *err)
{
    const size_t size = (size_t)head - STORED_NUMBER;
    if (size > size_max)
        return FAIL(err, ST_CORRUPT, "a stored number of %zu bytes", size);
    const struct bytes digits = reader_take(in, size);
    if (in->failed)
        return FAIL(err, ST_CORRUPT, "a stored number is cut short");
    struct value number;
    ENSURE(value_decimal_of_bytes(&number, digits, 0));
    *out = number.decimal;
    if (integer_size(*out) != size)
        return FAIL(err, ST_CORRUPT, "a stored number is not in its shortest form");
    return ST_OK;
}

static enum status read_double(struct value *out, uint8_t head, struct reader *in,
                               struct error *err)
{
    const uint64_t bits = reader_be64(in);
    if (in->failed || head != STORED_DOUBLE)
        return FAIL(err, ST_CORRUPT, "a stored double is %s",
                    in->failed ? "cut short" : "malformed");
    double d;
    memcpy(&d, &bits, sizeof d);
    if (isnan(d) || (d == 0.0 && bits != 0))
        return FAIL(err, ST_CORRUPT, "a stored double is one that never enters a slot");
    *out = value_double(d);
    return ST_OK;
}
