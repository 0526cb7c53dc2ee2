#include <criterion/criterion.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "schemas/value.h"

static const int128 int128_max = (int128)(~(uint128)0 >> 1);
static const int128 int128_min = -int128_max - 1;

static struct value make_double(double d)
{
    return (struct value){ .kind = VALUE_DOUBLE, .d = d };
}

static struct value text(const char *s)
{
    return value_string(bytes_of_string(s));
}

Test(value, is_as_small_as_promised)
{
    cr_assert_eq(sizeof(struct value), 24);
    cr_assert_eq(_Alignof(struct value), 8);
}

Test(value, nan_becomes_null_and_minus_zero_zero)
{
    const struct value nan_value = value_double(NAN), zero = value_double(-0.0);
    cr_assert(value_is_null(&nan_value));
    cr_assert(!signbit(zero.d));
    cr_assert_eq(value_double(-INFINITY).d, -INFINITY);
}

static void assert_text(const struct value v, const char *expected)
{
    struct buffer out;
    buffer_init(&out);
    value_format(&out, &v);
    cr_assert_str_eq(buffer_text(&out), expected);
    buffer_fini(&out);
}

Test(value, text_of_single_kinds)
{
    assert_text(value_null(), "null");
    assert_text(value_bool(true), "true");
    assert_text(value_bool(false), "false");
    assert_text(value_int(INT64_MIN), "-9223372036854775808");
    assert_text(value_decimal(1250, 2), "12.50");
    assert_text(value_decimal(-5, 3), "-0.005");
    assert_text(text("d\xc3\xa9j\xc3\xa0 vu"), "d\xc3\xa9j\xc3\xa0 vu");
    assert_text(text(""), "");
    assert_text(value_bytes(bytes_of("\x00\xff\x1a", 3)), "00ff1a");
}

Test(value, text_of_doubles_is_that_of_ecmascript)
{
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1, "1" },
        { -1, "-1" },
        { 0.1, "0.1" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 100, "100" },
        { 123.456, "123.456" },
        { 1e20, "100000000000000000000" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 1e21, "1e+21" },
        { 1.5e300, "1.5e+300" },
        { 0.000001, "0.000001" },
        { 0.0000001, "1e-7" },
        { 1.25e-9, "1.25e-9" },
        { 5e-324, "5e-324" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 9007199254740993.0, "9007199254740992" },
        { INFINITY, "Infinity" },
        { -INFINITY, "-Infinity" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(make_double(rows[i].d), rows[i].text);
}

Test(value, text_of_doubles_reads_back_and_is_shortest)
{
    struct prng prng = prng_from_env("TEST_SEED", 11);
    for (int i = 0; i < 20000; i++) {
        const uint64_t bits = prng_next(&prng);
        double d;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d))
            continue;
        const struct value v = make_double(d);
        struct buffer out;
        buffer_init(&out);
        value_format(&out, &v);
        cr_assert_eq(strtod(buffer_text(&out), NULL), d, "TEST_SEED=%" PRIu64 " %s", prng.seed,
                     buffer_text(&out));
        size_t digits = 0, shorter = 1;
        for (size_t k = 0; k < out.size && out.data[k] != 'e'; k++)
            digits += out.data[k] >= '0' && out.data[k] <= '9';
        char text_at[40];
        do
            snprintf(text_at, sizeof text_at, "%.*e", (int)shorter - 1, d);
        while (strtod(text_at, NULL) != d && ++shorter);
        if (fabs(d) >= 1e21 || fabs(d) < 1e-6)
            cr_assert_eq(digits, shorter, "TEST_SEED=%" PRIu64 " %s", prng.seed, buffer_text(&out));
        buffer_fini(&out);
    }
}

Test(value, text_ignores_the_locale)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL)
        cr_skip_test("no locale with a comma is installed");
    assert_text(make_double(0.5), "0.5");
}

Test(value, text_of_timestamps)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { 1769860800250000, "2026-01-31T12:00:00.250Z" },
        { 1769860800250001, "2026-01-31T12:00:00.250001Z" },
        { -1, "1969-12-31T23:59:59.999999Z" },
        { 951782400000000, "2000-02-29T00:00:00Z" },
        { 1709164800000000, "2024-02-29T00:00:00Z" },
        { 4107542400000000, "2100-03-01T00:00:00Z" },
        { -62135596800000000, "0001-01-01T00:00:00Z" },
        { -62167219200000000, "0000-01-01T00:00:00Z" },
        { -62167219200000001, "-0001-12-31T23:59:59.999999Z" },
        { 253402300799999999, "9999-12-31T23:59:59.999999Z" },
        { 253402300800000000, "+10000-01-01T00:00:00Z" },
        { INT64_MAX, "+294247-01-10T04:00:54.775807Z" },
        { INT64_MIN, "-290308-12-21T19:59:05.224192Z" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(value_timestamp(rows[i].us), rows[i].text);
}

Test(value, text_of_durations)
{
    assert_text(value_duration(0), "0s");
    assert_text(value_duration(INT64_C(5400000000)), "1h30m");
    assert_text(value_duration(250000), "250ms");
    assert_text(value_duration(15), "15us");
    assert_text(value_duration(-61000015), "-1m1s15us");
    assert_text(value_duration(INT64_C(30) * 86400000000), "30d");
    assert_text(value_duration(INT64_MIN), "-106751991d4h54s775ms808us");
}

Test(value, type_names)
{
    char out[VALUE_TYPE_TEXT_SIZE];
    cr_assert_str_eq(value_type_text((struct value_type){ VALUE_DECIMAL, 2, true }, out),
                     "decimal(2)?");
    cr_assert_str_eq(value_type_text((struct value_type){ VALUE_STRING, 0, false }, out), "string");
    cr_assert_str_eq(value_type_text((struct value_type){ VALUE_NULL, 0, true }, out), "null");
}

/* ---- order ---- */

Test(value, numbers_compare_exactly)
{
    /* ascending; rows with the same rank are equal */
    const struct {
        int rank;
        struct value v;
    } rows[] = {
        { 0, make_double(-INFINITY) },
        { 1, make_double(-0x1p127 * 2) },
        { 2, value_decimal(int128_min, 0) },
        { 2, make_double(-0x1p127) },
        { 3, value_decimal(int128_min, 18) },
        { 4, value_int(INT64_MIN) },
        { 4, make_double(-0x1p63) },
        { 4, value_decimal((int128)INT64_MIN * 100, 2) },
        { 5, value_int(-1) },
        { 5, value_decimal(-1000000000000000000, 18) },
        { 6, make_double(-0.1) }, /* a little below -1/10 */
        { 7, value_decimal(-1, 1) },
        { 8, make_double(-5e-324) },
        { 9, value_int(0) },
        { 9, value_decimal(0, 7) },
        { 9, make_double(0) },
        { 10, make_double(5e-324) },
        { 11, value_decimal(1, 18) },
        { 12, value_decimal(1, 1) },
        { 13, make_double(0.1) }, /* a little above 1/10 */
        { 14, value_decimal(25, 2) },
        { 14, make_double(0.25) },
        { 15, value_int(9007199254740992) },
        { 15, make_double(9007199254740992.0) },
        { 16, value_int(9007199254740993) },
        { 17, value_int(INT64_MAX) },
        { 18, make_double(0x1p63) },
        { 19, value_decimal(int128_max, 0) },
        { 20, make_double(0x1p127) },
        { 21, make_double(INFINITY) },
    };
    const size_t count = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            const int expected = (rows[i].rank > rows[j].rank) - (rows[i].rank < rows[j].rank);
            cr_assert_eq(value_compare(&rows[i].v, &rows[j].v), expected, "rows %zu and %zu", i, j);
        }
}

/* value * 10^18 * 2^10, where that is an integer below 2^127. */
static int128 scaled(const struct value *v)
{
    const int128 one = int128_power_of_ten(18) << 10;
    if (v->kind == VALUE_INT)
        return v->i * one;
    if (v->kind == VALUE_DECIMAL)
        return v->decimal * (one / int128_power_of_ten(v->scale));
    return (int128)(v->d * 1024) * int128_power_of_ten(18);
}

static struct value small_number(struct prng *prng)
{
    switch (prng_below(prng, 3)) {
    case 0:
        return value_int(prng_between(prng, -50, 50));
    case 1: {
        const uint8_t scale = (uint8_t)prng_below(prng, DECIMAL_SCALE_MAX + 1);
        const int64_t digits = prng_between(prng, -50, 50);
        const int64_t near = prng_between(prng, -1, 1);
        return value_decimal(digits * int128_power_of_ten(scale) / 4 + near, scale);
    }
    default:
        return make_double((double)prng_between(prng, -50 * 1024, 50 * 1024) / 1024);
    }
}

Test(value, comparison_agrees_with_big_integers)
{
    struct prng prng = prng_from_env("TEST_SEED", 12);
    for (int step = 0; step < 200000; step++) {
        const struct value a = small_number(&prng), b = small_number(&prng);
        const int128 x = scaled(&a), y = scaled(&b);
        cr_assert_eq(value_compare(&a, &b), (x > y) - (x < y), "TEST_SEED=%" PRIu64 " step=%d",
                     prng.seed, step);
    }
}

Test(value, text_booleans_and_times_compare)
{
    const struct value a = text("ab"), b = text("abc"), c = text("\xc3\xa9"),
                       no = value_bool(false), yes = value_bool(true), early = value_timestamp(-5),
                       late = value_timestamp(3);
    cr_assert_lt(value_compare(&a, &b), 0);
    cr_assert_lt(value_compare(&b, &c), 0);
    cr_assert_eq(value_compare(&c, &c), 0);
    cr_assert_lt(value_compare(&no, &yes), 0);
    cr_assert_gt(value_compare(&late, &early), 0);
    cr_assert(value_kinds_comparable(VALUE_INT, VALUE_DOUBLE));
    cr_assert(!value_kinds_comparable(VALUE_INT, VALUE_STRING));
    cr_assert(!value_kinds_comparable(VALUE_TIMESTAMP, VALUE_DURATION));
    cr_assert(!value_kinds_comparable(VALUE_NULL, VALUE_NULL));
}

/* ---- the stored form ---- */

static struct value random_value(struct prng *prng, enum value_kind kind)
{
    static const char bytes[] = "0123456789abcdef\0\xff\xc3\xa9xyz";
    const unsigned shift = (unsigned)prng_below(prng, 127);
    const int128 wide = (int128)((uint128)prng_next(prng) << 64 | prng_next(prng)) >> shift;
    switch (kind) {
    case VALUE_BOOL:
        return value_bool(prng_chance(prng, 1, 2));
    case VALUE_DECIMAL:
        return value_decimal(wide, 4);
    case VALUE_DOUBLE: {
        const uint64_t bits = prng_next(prng);
        double d;
        memcpy(&d, &bits, sizeof d);
        return isnan(d) ? make_double(0) : value_double(d);
    }
    case VALUE_STRING:
    case VALUE_BYTES:
        return (struct value){ .kind = (uint8_t)kind,
                               .text = bytes_of(bytes, prng_below(prng, sizeof bytes)) };
    case VALUE_INT:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return (struct value){ .kind = (uint8_t)kind, .i = (int64_t)(wide >> 64 >> shift % 7) };
    default:
        return value_null();
    }
}

Test(value, stored_form_reads_back)
{
    struct prng prng = prng_from_env("TEST_SEED", 13);
    struct buffer out;
    buffer_init(&out);
    for (int step = 0; step < 100000; step++) {
        const enum value_kind kind = (enum value_kind)prng_below(&prng, VALUE_KIND_COUNT);
        const struct value v = prng_chance(&prng, 1, 8) ? value_null() : random_value(&prng, kind);
        buffer_clear(&out);
        value_write(&out, &v);
        const struct value_type type = { kind, kind == VALUE_DECIMAL ? 4 : 0, true };
        struct reader in = reader_of(buffer_view(&out));
        struct value back;
        struct error err;
        cr_assert_eq(value_read(&back, &in, type, &err), ST_OK, "TEST_SEED=%" PRIu64 " step=%d: %s",
                     prng.seed, step, err.text);
        cr_assert(value_same(&v, &back) && reader_done(&in), "TEST_SEED=%" PRIu64 " step=%d",
                  prng.seed, step);

        for (size_t size = 0; size < out.size; size++) { /* cut short anywhere: corrupt */
            uint8_t *exact = malloc(size + 1);
            memcpy(exact, out.data, size);
            exact = realloc(exact, size > 0 ? size : 1);
            in = reader_of(bytes_of(exact, size));
            cr_assert_eq(value_read(&back, &in, type, &err), ST_CORRUPT,
                         "TEST_SEED=%" PRIu64 " step=%d", prng.seed, step);
            free(exact);
        }
    }
    buffer_fini(&out);
}

Test(value, stored_form_is_what_the_file_says)
{
    static const struct {
        struct value v;
        const char *bytes;
        size_t size;
    } rows[] = {
        { { .kind = VALUE_NULL }, "\x00", 1 },
        { { .kind = VALUE_BOOL, .b = false }, "\x01", 1 },
        { { .kind = VALUE_BOOL, .b = true }, "\x02", 1 },
        { { .kind = VALUE_INT, .i = 0 }, "\x01", 1 },
        { { .kind = VALUE_INT, .i = 127 }, "\x02\x7f", 2 },
        { { .kind = VALUE_INT, .i = 128 }, "\x03\x00\x80", 3 },
        { { .kind = VALUE_INT, .i = -1 }, "\x02\xff", 2 },
        { { .kind = VALUE_INT, .i = -128 }, "\x02\x80", 2 },
        { { .kind = VALUE_INT, .i = -129 }, "\x03\xff\x7f", 3 },
        { { .kind = VALUE_INT, .i = INT64_MIN }, "\x09\x80\0\0\0\0\0\0\0", 9 },
        { { .kind = VALUE_DOUBLE, .d = 1.0 }, "\x01\x3f\xf0\0\0\0\0\0\0", 9 },
        { { .kind = VALUE_STRING, .text = { (const uint8_t *)"ab", 2 } },
          "\x03"
          "ab",
          3 },
        { { .kind = VALUE_STRING, .text = { (const uint8_t *)"", 0 } }, "\x01", 1 },
    };
    struct buffer out;
    buffer_init(&out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buffer_clear(&out);
        value_write(&out, &rows[i].v);
        cr_assert_eq(out.size, rows[i].size, "row %zu", i);
        cr_assert_arr_eq(out.data, rows[i].bytes, out.size, "row %zu", i);
    }
    buffer_fini(&out);
}

Test(value, stored_form_refuses_what_is_never_written)
{
    static const struct {
        enum value_kind kind;
        const char *bytes;
        size_t size;
    } rows[] = {
        { VALUE_BOOL, "\x03", 1 },
        { VALUE_INT, "\x02\x00", 2 },                                      /* 0 has no bytes */
        { VALUE_INT, "\x03\x00\x7f", 3 },                                  /* longer than needed */
        { VALUE_INT, "\x03\xff\x80", 3 },                                  /* the same, negative */
        { VALUE_INT, "\x0a\x01\0\0\0\0\0\0\0\0", 10 },                     /* more than 64 bits */
        { VALUE_DECIMAL, "\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18 }, /* more than 128 */
        { VALUE_DOUBLE, "\x02\x3f\xf0\0\0\0\0\0\0", 9 },
        { VALUE_DOUBLE, "\x01\x7f\xf8\0\0\0\0\0\0", 9 }, /* NaN */
        { VALUE_DOUBLE, "\x01\x80\0\0\0\0\0\0\0", 9 },   /* -0.0 */
        { VALUE_STRING, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 },
        { VALUE_NULL, "\x01", 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader in = reader_of(bytes_of(rows[i].bytes, rows[i].size));
        struct value v;
        struct error err;
        cr_assert_eq(value_read(&v, &in, (struct value_type){ rows[i].kind, 0, true }, &err),
                     ST_CORRUPT, "row %zu", i);
    }
}

Test(value, decimals_from_bytes)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool fits;
        int64_t expected; /* 0 when beyond 64 bits */
    } rows[] = {
        { "", 0, true, 0 },
        { "\x00", 1, true, 0 },
        { "\x7f", 1, true, 127 },
        { "\x80", 1, true, -128 },
        { "\x00\x80", 2, true, 128 },
        { "\xff\xff\xff", 3, true, -1 },
        { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05", 20, true, 5 },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 18, true,
          -2 },
        { "\x00\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, false, 0 },
        { "\xff\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, false, 0 },
        { "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct value v;
        const bool fits = value_decimal_of_bytes(&v, bytes_of(rows[i].bytes, rows[i].size), 3);
        cr_assert_eq(fits, rows[i].fits, "row %zu", i);
        if (fits)
            cr_assert(v.decimal == rows[i].expected && v.scale == 3, "row %zu", i);
    }
}
