#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/random.h"
#include "processor/offline/csv_line.h"

static struct bytes fields[CSV_FIELDS_MAX];

/* The fields with `|` between them, or "! " and the refusal. */
static const char *split(struct bytes line, size_t fields_max)
{
    static char text[512];
    struct arena *arena = NULL;
    struct error err;
    size_t count, size = 0;
    arena_create(&arena, 256);
    if (csv_split(line, fields, fields_max, &count, arena, &err) != ST_OK) {
        cr_expect_eq(err.status, ST_UNDECODABLE);
        snprintf(text, sizeof text, "! %s", err.text);
        count = 0;
    }
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", i == 0 ? "" : "|",
                                 (int)fields[i].size, (const char *)fields[i].data);
    arena_destroy(&arena);
    return text;
}

Test(csv_line, takes_a_line_apart)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        { "a,b,c", "a|b|c" },
        { "a", "a" },
        { "x,,", "x||" },
        { "x, y ,z", "x| y |z" },
        { "x,\"a,b\",c", "x|a,b|c" },
        { "\"say \"\"hi\"\"\",2", "say \"hi\"|2" },
        { "x,\"\",y", "x||y" },
        { "x,\"\"\"\",y", "x|\"|y" },
        { "x,\"y\"", "x|y" },
        { "a\"b,c", "a\"b|c" }, /* a quote that does not begin the field is a quote */
        { "\"open", "! a quoted field does not end on its line" },
        { "a,\"x\"\"", "! a quoted field does not end on its line" },
        { "a,\"x\"y,z", "! field 2 goes on after its closing quote" },
        { "a,b,c,d,e", "! more than 4 fields" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(split(bytes_of_string(rows[i].line), 4), rows[i].expected, "%s",
                         rows[i].line);
}

Test(csv_line, an_empty_line_is_one_empty_field)
{
    size_t count;
    struct error err;
    cr_assert_eq(csv_split(BYTES_LITERAL(""), fields, 4, &count, NULL, &err), ST_OK);
    cr_expect_eq(count, 1);
    cr_expect_eq(fields[0].size, 0);
}

static void put_field(struct buffer *line, struct bytes field, bool quoted)
{
    for (size_t i = 0; i < field.size; i++)
        quoted |= field.data[i] == ',' || field.data[i] == '"';
    if (quoted)
        buffer_put_u8(line, '"');
    for (size_t i = 0; i < field.size; i++) {
        if (field.data[i] == '"')
            buffer_put_u8(line, '"');
        buffer_put_u8(line, field.data[i]);
    }
    if (quoted)
        buffer_put_u8(line, '"');
}

Test(csv_line, gives_back_what_was_written)
{
    enum { FIELD_COUNT = 5, FIELD_MAX = 9 };
    struct prng prng = prng_from_env("TEST_SEED", 20260131);
    struct arena *arena = NULL;
    struct error err;
    arena_create(&arena, 256);
    for (int round = 0; round < 5000; round++) {
        uint8_t texts[FIELD_COUNT][FIELD_MAX];
        struct bytes expected[FIELD_COUNT];
        struct buffer line;
        buffer_init(&line);
        for (size_t i = 0; i < FIELD_COUNT; i++) {
            const size_t size = prng_below(&prng, FIELD_MAX + 1);
            for (size_t j = 0; j < size; j++)
                texts[i][j] = (uint8_t) "ab,\"\"\xc3x "[prng_below(&prng, 8)];
            expected[i] = bytes_of(texts[i], size);
            if (i > 0)
                buffer_put_u8(&line, ',');
            put_field(&line, expected[i], prng_below(&prng, 3) == 0);
        }
        size_t count;
        arena_reset(arena);
        cr_assert_eq(csv_split(buffer_view(&line), fields, CSV_FIELDS_MAX, &count, arena, &err),
                     ST_OK, "%s: %s", buffer_text(&line), err.text);
        cr_assert_eq(count, FIELD_COUNT, "%s", buffer_text(&line));
        for (size_t i = 0; i < FIELD_COUNT; i++)
            cr_assert(bytes_equal(fields[i], expected[i]), "TEST_SEED=%lu field %zu of %s",
                      prng.seed, i, buffer_text(&line));
        buffer_fini(&line);
    }
    arena_destroy(&arena);
}
