#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"

static struct buffer buffer_of(const char *hex)
{
    struct buffer buf;
    buffer_init(&buf);
    unsigned byte = 0;
    for (int taken = 0; sscanf(hex, "%2x%n", &byte, &taken) == 1; hex += taken)
        buffer_put_u8(&buf, (uint8_t)byte);
    return buf;
}

static void assert_hex(const struct buffer *buf, const char *hex, const char *what)
{
    struct buffer expected = buffer_of(hex);
    cr_assert(bytes_equal(buffer_view(buf), buffer_view(&expected)), "%s: not %s", what, hex);
    buffer_fini(&expected);
}

/* Reaches every width of a varint, not only the widest. */
static uint64_t any_number(struct prng *prng)
{
    return prng_next(prng) >> prng_below(prng, 64);
}

Test(buffer, varints_are_those_of_leb128)
{
    static const struct {
        uint64_t number;
        const char *hex;
    } rows[] = {
        { 0, "00" },
        { 1, "01" },
        { 127, "7f" },
        { 128, "8001" },
        { 300, "ac02" },
        { 16383, "ff7f" },
        { 16384, "808001" },
        { UINT32_MAX, "ffffffff0f" },
        { (uint64_t)1 << 63, "80808080808080808001" },
        { UINT64_MAX, "ffffffffffffffffff01" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer buf;
        buffer_init(&buf);
        buffer_put_varint(&buf, rows[i].number);
        assert_hex(&buf, rows[i].hex, "varint");
        struct reader r = reader_of(buffer_view(&buf));
        cr_assert_eq(reader_varint(&r), rows[i].number, "%s", rows[i].hex);
        cr_assert(reader_done(&r));
        buffer_fini(&buf);
    }
}

Test(buffer, varints_that_lose_bits_or_do_not_end_are_failures)
{
    static const char *const rows[] = {
        "",
        "80",
        "ffffff",
        "808080808080808080",
        "80808080808080808002",   /* bit 64 */
        "ffffffffffffffffff7f",   /* more than 64 bits */
        "8080808080808080808000", /* an eleventh byte */
        "80808080808080808080808001",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer buf = buffer_of(rows[i]);
        struct reader r = reader_of(buffer_view(&buf));
        cr_assert_eq(reader_varint(&r), 0, "%s", rows[i]);
        cr_assert(r.failed, "%s", rows[i]);
        cr_assert_not(reader_done(&r));
        cr_assert_eq(reader_left(&r), 0);
        buffer_fini(&buf);
    }
}

Test(buffer, zigzag_keeps_small_numbers_short)
{
    static const struct {
        int64_t number;
        const char *hex;
    } rows[] = {
        { 0, "00" },
        { -1, "01" },
        { 1, "02" },
        { -64, "7f" },
        { 64, "8001" },
        { INT64_MAX, "feffffffffffffffff01" },
        { INT64_MIN, "ffffffffffffffffff01" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer buf;
        buffer_init(&buf);
        buffer_put_zigzag(&buf, rows[i].number);
        assert_hex(&buf, rows[i].hex, "zigzag");
        struct reader r = reader_of(buffer_view(&buf));
        cr_assert_eq(reader_zigzag(&r), rows[i].number, "%s", rows[i].hex);
        buffer_fini(&buf);
    }
}

Test(buffer, fixed_integers_are_big_endian)
{
    struct buffer buf;
    buffer_init(&buf);
    buffer_put_u8(&buf, 0xfe);
    buffer_put_be16(&buf, 0x0102);
    buffer_put_be32(&buf, 0x03040506);
    buffer_put_be64(&buf, 0x0708090a0b0c0d0e);
    assert_hex(&buf, "fe0102030405060708090a0b0c0d0e", "fixed");
    buffer_fini(&buf);
}

Test(buffer, runs_carry_their_length_and_optional_ones_their_absence)
{
    struct buffer buf;
    buffer_init(&buf);
    buffer_put_run(&buf, BYTES_LITERAL("ab"));
    buffer_put_run(&buf, BYTES_NONE);
    buffer_put_optional_run(&buf, BYTES_LITERAL("c"));
    buffer_put_optional_run(&buf, BYTES_LITERAL(""));
    buffer_put_optional_run(&buf, BYTES_NONE);
    assert_hex(&buf,
               "02616200"
               "02630100",
               "runs");
    struct reader r = reader_of(buffer_view(&buf));
    cr_assert(bytes_equal(reader_run(&r), BYTES_LITERAL("ab")));
    cr_assert(bytes_equal(reader_run(&r), BYTES_LITERAL("")));
    cr_assert(bytes_equal(reader_optional_run(&r), BYTES_LITERAL("c")));
    cr_assert(bytes_equal(reader_optional_run(&r), BYTES_LITERAL("")));
    cr_assert_null(reader_optional_run(&r).data);
    cr_assert(reader_done(&r));
    buffer_fini(&buf);
}

Test(buffer, texts_are_appended_without_their_end)
{
    struct buffer buf;
    buffer_init(&buf);
    cr_assert_str_eq(buffer_text(&buf), "");
    buffer_put_string(&buf, "a=");
    buffer_printf(&buf, "%d %0200d", -1, 0);
    buffer_put_bytes(&buf, BYTES_LITERAL("!"));
    cr_assert_eq(buf.size, 2 + 3 + 200 + 1);
    cr_assert_eq(strlen(buffer_text(&buf)), buf.size);
    cr_assert_eq(strncmp(buffer_text(&buf), "a=-1 000", 8), 0);
    const uint8_t *data = buf.data;
    buffer_clear(&buf);
    cr_assert_eq(buf.size, 0);
    cr_assert_eq(buf.data, data);
    cr_assert_str_eq(buffer_text(&buf), "");
    buffer_fini(&buf);
    cr_assert_null(buf.data);
    cr_assert_not_null(buffer_view(&buf).data);
}

Test(buffer, extended_and_reserved_room_is_where_it_says)
{
    struct buffer buf;
    buffer_init(&buf);
    cr_assert_eq(buffer_view(&buf).size, 0);
    buffer_extend(&buf, 0);
    buffer_put(&buf, NULL, 0);
    for (size_t n = 1; n < 300; n++) {
        const size_t before = buf.size;
        uint8_t *at = buffer_extend(&buf, n);
        cr_assert_eq(at, buf.data + before);
        memset(at, (int)n, n);
        cr_assert_eq(buf.size, before + n);
        cr_assert_leq(buf.size, buf.capacity);
    }
    buffer_reserve(&buf, 10000);
    const uint8_t *data = buf.data;
    buffer_extend(&buf, 10000);
    cr_assert_eq(buf.data, data);
    for (size_t n = 1, at = 0; n < 300; at += n++)
        cr_assert_eq(buf.data[at + n - 1], (uint8_t)n);
    buffer_fini(&buf);
}

Test(buffer, growing_by_single_bytes_moves_seldom)
{
    struct buffer buf;
    buffer_init(&buf);
    int moves = 0;
    for (size_t i = 0; i < 1000000; i++) {
        const size_t before = buf.capacity;
        buffer_put_u8(&buf, (uint8_t)i);
        moves += buf.capacity != before;
    }
    cr_assert_lt(moves, 20);
    for (size_t i = 0; i < 1000000; i++)
        cr_assert(buf.data[i] == (uint8_t)i);
    buffer_fini(&buf);
}

enum field { U8, BE16, BE32, BE64, VARINT, ZIGZAG, RUN, OPTIONAL_RUN, TAKE_FIELD, FIELD_COUNT };

static void put_field(struct buffer *buf, enum field field, uint64_t x, struct bytes run)
{
    switch (field) {
    case U8:
        buffer_put_u8(buf, (uint8_t)x);
        break;
    case BE16:
        buffer_put_be16(buf, (uint16_t)x);
        break;
    case BE32:
        buffer_put_be32(buf, (uint32_t)x);
        break;
    case BE64:
        buffer_put_be64(buf, x);
        break;
    case VARINT:
        buffer_put_varint(buf, x);
        break;
    case ZIGZAG:
        buffer_put_zigzag(buf, (int64_t)x);
        break;
    case RUN:
        buffer_put_run(buf, run);
        break;
    case OPTIONAL_RUN:
        buffer_put_optional_run(buf, run);
        break;
    case TAKE_FIELD:
    default:
        buffer_put_bytes(buf, run);
        break;
    }
}

static bool read_field(struct reader *r, enum field field, uint64_t x, struct bytes run)
{
    switch (field) {
    case U8:
        return reader_u8(r) == (uint8_t)x;
    case BE16:
        return reader_be16(r) == (uint16_t)x;
    case BE32:
        return reader_be32(r) == (uint32_t)x;
    case BE64:
        return reader_be64(r) == x;
    case VARINT:
        return reader_varint(r) == x;
    case ZIGZAG:
        return reader_zigzag(r) == (int64_t)x;
    case RUN:
        return bytes_equal(reader_run(r), run);
    case OPTIONAL_RUN:
        return bytes_equal(reader_optional_run(r), run);
    case TAKE_FIELD:
    default:
        return bytes_equal(reader_take(r, run.size), run);
    }
}

/* Model: the list of what was written. A shorter input fails and is not read past its end. */
Test(buffer, reads_back_what_was_written_and_fails_when_cut)
{
    enum { FIELDS = 12 };
    struct prng prng = prng_from_env("TEST_SEED", 12);
    static const char text[] = "the quick brown fox";
    for (int round = 0; round < 300; round++) {
        enum field fields[FIELDS];
        uint64_t numbers[FIELDS];
        struct bytes runs[FIELDS];
        struct buffer buf;
        buffer_init(&buf);
        for (size_t i = 0; i < FIELDS; i++) {
            fields[i] = (enum field)prng_below(&prng, FIELD_COUNT);
            numbers[i] = any_number(&prng);
            runs[i] = bytes_of(text, prng_below(&prng, sizeof text));
            if (fields[i] == OPTIONAL_RUN && prng_chance(&prng, 1, 3))
                runs[i] = BYTES_NONE;
            put_field(&buf, fields[i], numbers[i], runs[i]);
        }

        for (size_t size = 0; size <= buf.size; size++) {
            /* A copy of just this size, so that the address sanitizer sees a read too far. */
            struct buffer cut;
            buffer_init(&cut);
            cut.data = mem_copy(buf.data, size);
            cut.size = cut.capacity = size;
            struct reader r = reader_of(buffer_view(&cut));
            for (size_t i = 0; i < FIELDS; i++) {
                const bool same = read_field(&r, fields[i], numbers[i], runs[i]);
                cr_assert(same || r.failed, "TEST_SEED=%" PRIu64 " round=%d field=%zu", prng.seed,
                          round, i);
            }
            cr_assert_eq(reader_done(&r), size == buf.size,
                         "TEST_SEED=%" PRIu64 " round=%d size=%zu", prng.seed, round, size);
            buffer_fini(&cut);
        }
        buffer_fini(&buf);
    }
}

Test(buffer, a_failed_reader_gives_only_zero_and_empty_runs)
{
    struct reader r = reader_of(BYTES_LITERAL("\x05"
                                              "abc"));
    const struct bytes run = reader_run(&r);
    cr_assert(r.failed);
    cr_assert_not_null(run.data);
    cr_assert_eq(run.size, 0);
    cr_assert_eq(reader_u8(&r), 0);
    cr_assert_eq(reader_be16(&r), 0);
    cr_assert_eq(reader_be32(&r), 0);
    cr_assert_eq(reader_be64(&r), 0);
    cr_assert_eq(reader_varint(&r), 0);
    cr_assert_eq(reader_zigzag(&r), 0);
    cr_assert_eq(reader_run(&r).size, 0);
    cr_assert_not_null(reader_optional_run(&r).data);
    cr_assert_eq(reader_take(&r, 0).size, 0);
    cr_assert_not(reader_done(&r));
}

Test(buffer, absurd_lengths_fail)
{
    struct buffer buf;
    buffer_init(&buf);
    buffer_put_varint(&buf, UINT64_MAX);
    buffer_put_string(&buf, "abc");
    for (int optional = 0; optional < 2; optional++) {
        struct reader r = reader_of(buffer_view(&buf));
        const struct bytes run = optional ? reader_optional_run(&r) : reader_run(&r);
        cr_assert_eq(run.size, 0);
        cr_assert(r.failed);
    }
    buffer_fini(&buf);
}

Test(buffer, a_reader_of_none_is_done)
{
    struct reader r = reader_of(BYTES_NONE);
    cr_assert(reader_done(&r));
    cr_assert_not_null(reader_take(&r, 0).data);
    cr_assert_not(r.failed);
    cr_assert_eq(reader_u8(&r), 0);
    cr_assert(r.failed);
}

Test(bytes, none_and_empty_differ_and_prefixes_sort_first)
{
    cr_assert(bytes_equal(BYTES_NONE, BYTES_NONE));
    cr_assert_not(bytes_equal(BYTES_NONE, BYTES_LITERAL("")));
    cr_assert(bytes_equal(bytes_of("", 0), BYTES_LITERAL("")));
    cr_assert_null(bytes_of_string(NULL).data);

    const struct bytes rising[] = {
        BYTES_LITERAL(""),   BYTES_LITERAL("a"), BYTES_LITERAL("a\0"),
        BYTES_LITERAL("ab"), BYTES_LITERAL("b"), BYTES_LITERAL("\xff")
    };
    const size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            const int order = bytes_compare(rising[i], rising[k]);
            cr_assert_eq((order > 0) - (order < 0), (i > k) - (i < k), "%zu and %zu", i, k);
            cr_assert_eq(bytes_equal(rising[i], rising[k]), i == k);
        }
    cr_assert(bytes_starts_with(BYTES_LITERAL("abc"), BYTES_LITERAL("ab")));
    cr_assert(bytes_starts_with(BYTES_LITERAL("abc"), BYTES_NONE));
    cr_assert_not(bytes_starts_with(BYTES_LITERAL("abc"), BYTES_LITERAL("b")));
    cr_assert_not(bytes_starts_with(BYTES_LITERAL("a"), BYTES_LITERAL("ab")));
}
