/* Which columns a row was written with: numbers that outlive restarts, and reading by name. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/random.h"
#include "task_rows.h"

#define SEED(prng) "TEST_SEED=%" PRIu64, (prng).seed

static const struct value_type type_int = { VALUE_INT, 0, true };
static const struct value_type type_string = { VALUE_STRING, 0, true };

static uint32_t number_of(struct task_rows *rows, const struct layout_column *columns, size_t count)
{
    uint32_t number = 0;
    cr_assert_eq(layouts_number(rows->layouts, columns, count, &number, NULL), ST_OK);
    return number;
}

Test(layouts, a_list_of_columns_keeps_its_number)
{
    const struct layout_column ab[] = { { "a", type_int }, { "b", type_string } };
    const struct layout_column ba[] = { { "b", type_string }, { "a", type_int } };
    const struct layout_column retyped[] = { { "a", type_int }, { "b", type_int } };
    const struct layout_column scaled[] = { { "a", { VALUE_DECIMAL, 2, true } } };
    const struct layout_column rescaled[] = { { "a", { VALUE_DECIMAL, 3, true } } };
    const struct layout_column never_null[] = { { "a", { VALUE_INT, 0, false } },
                                                { "b", type_string } };
    struct task_rows rows;
    task_rows_open(&rows, &(struct overlay_options){ 0 });
    cr_assert_eq(number_of(&rows, ab, 2), 1);
    cr_assert_eq(number_of(&rows, ba, 2), 2);
    cr_assert_eq(number_of(&rows, ab, 1), 3);
    cr_assert_eq(number_of(&rows, NULL, 0), 4);
    cr_assert_eq(number_of(&rows, retyped, 2), 5);
    cr_assert_eq(number_of(&rows, scaled, 1), 6);
    cr_assert_eq(number_of(&rows, rescaled, 1), 7);
    task_rows_commit(&rows);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(number_of(&rows, never_null, 2), 1, "to be nullable makes no other layout");
        cr_assert_eq(number_of(&rows, ba, 2), 2);
        cr_assert_eq(number_of(&rows, ab, 1), 3);
        cr_assert_eq(number_of(&rows, NULL, 0), 4);
        cr_assert_eq(number_of(&rows, rescaled, 1), 7);
        task_rows_restart(&rows);
    }
    const struct layout_column c = { "c", type_int };
    cr_assert_eq(number_of(&rows, &c, 1), 8);
    task_rows_close(&rows);
}

Test(layouts, an_abort_takes_the_row_back_and_prepare_puts_it_again)
{
    const struct layout_column a = { "a", type_int };
    struct task_rows rows;
    task_rows_open(&rows, &(struct overlay_options){ 0 });
    cr_assert_eq(number_of(&rows, &a, 1), 1);
    cr_assert(overlay_changes_bytes(rows.overlay) > 0);
    task_rows_abort(&rows);
    cr_assert_eq(overlay_changes_bytes(rows.overlay), 0);
    cr_assert_eq(number_of(&rows, &a, 1), 1); /* whoever asks puts it back, too */
    cr_assert(overlay_changes_bytes(rows.overlay) > 0);
    task_rows_abort(&rows);
    task_rows_commit(&rows);
    cr_assert_eq(overlay_active_count(rows.overlay), 1);
    task_rows_abort(&rows);
    task_rows_commit(&rows); /* is there: nothing to put */
    task_rows_restart(&rows);
    const struct layout_column b = { "b", type_int };
    cr_assert_eq(number_of(&rows, &b, 1), 2);
    cr_assert_eq(number_of(&rows, &a, 1), 1);
    task_rows_close(&rows);
}

/* --- reading by name ------------------------------------------------------------------------ */

enum { NAMES = 6, TYPES = 3 };

static const char *const names[NAMES] = { "a", "b", "c", "d", "e", "a b" };
static const struct value_type types[TYPES] = { { VALUE_INT, 0, true },
                                                { VALUE_STRING, 0, true },
                                                { VALUE_DECIMAL, 2, true } };

struct columns {
    struct layout_column items[NAMES];
    struct value values[NAMES];
    size_t count;
};

static void any_columns(struct columns *columns, struct prng *prng)
{
    bool taken[NAMES] = { false };
    columns->count = prng_below(prng, NAMES + 1);
    for (size_t i = 0; i < columns->count; i++) {
        size_t name = prng_below(prng, NAMES);
        while (taken[name])
            name = (name + 1) % NAMES;
        taken[name] = true;
        const struct value_type type = types[prng_below(prng, TYPES)];
        columns->items[i] = (struct layout_column){ names[name], type };
        struct value v = value_int(prng_between(prng, -1000, 1000));
        if (type.kind == VALUE_STRING)
            v = value_string(bytes_of_string(names[prng_below(prng, NAMES)]));
        if (type.kind == VALUE_DECIMAL)
            v = value_decimal(prng_between(prng, -1000, 1000), 2);
        columns->values[i] = prng_chance(prng, 1, 4) ? value_null() : v;
    }
}

static struct value expected_of(const struct columns *written, const struct layout_column *wanted)
{
    for (size_t i = 0; i < written->count; i++) {
        const struct layout_column *column = &written->items[i];
        if (strcmp(column->name, wanted->name) == 0 && column->type.kind == wanted->type.kind)
            return written->values[i];
    }
    return value_null();
}

Test(layouts, values_are_read_by_name_and_type)
{
    struct prng prng = prng_from_env("TEST_SEED", 5);
    struct task_rows rows;
    task_rows_open(&rows, &(struct overlay_options){ 0 });
    struct columns *worlds = calloc(400, sizeof *worlds); /* a mapping keeps the columns' address */
    for (int round = 0; round < 200; round++) {
        struct columns *written = &worlds[2 * round], *wanted = &worlds[2 * round + 1];
        any_columns(written, &prng);
        any_columns(wanted, &prng);
        struct buffer row;
        buffer_init(&row);
        layout_write_values(&row, written->values, written->count);
        buffer_put_u8(&row, 77); /* what follows is left alone */
        const struct layout_mapping *mapping;
        const uint32_t number = number_of(&rows, written->items, written->count);
        cr_assert_eq(
            layouts_mapping(rows.layouts, number, wanted->items, wanted->count, &mapping, NULL),
            ST_OK);
        struct value found[NAMES];
        struct reader in = reader_of(buffer_view(&row));
        cr_assert_eq(layout_read_values(mapping, &in, found, NULL), ST_OK, SEED(prng));
        cr_assert_eq(reader_u8(&in), 77, SEED(prng));
        for (size_t i = 0; i < wanted->count; i++) {
            const struct value expected = expected_of(written, &wanted->items[i]);
            cr_assert(value_same(&expected, &found[i]), SEED(prng));
        }
        for (size_t cut = 0; cut + 1 < row.size; cut++) {
            in = reader_of(bytes_of(row.data, cut));
            cr_assert_eq(layout_read_values(mapping, &in, found, NULL), ST_CORRUPT, SEED(prng));
        }
        buffer_fini(&row);
    }
    task_rows_close(&rows);
    free(worlds);
}

/* --- corrupted rows ------------------------------------------------------------------------- */

Test(layouts, an_unknown_layout_is_corrupt)
{
    const struct layout_column a = { "a", type_int };
    const struct layout_mapping *mapping;
    struct task_rows rows;
    task_rows_open(&rows, &(struct overlay_options){ 0 });
    cr_assert_eq(number_of(&rows, &a, 1), 1);
    cr_assert_eq(layouts_mapping(rows.layouts, 2, &a, 1, &mapping, NULL), ST_CORRUPT);
    cr_assert_eq(layouts_mapping(rows.layouts, 0, &a, 1, &mapping, NULL), ST_CORRUPT);
    task_rows_close(&rows);
}

Test(layouts, a_malformed_row_is_corrupt)
{
    static const struct {
        const char *name;
        struct bytes key, row;
    } cases[] = {
        { "good", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\1\1a\2\0\1") },
        { "empty", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("") },
        { "another format", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\2\0") },
        { "no number", BYTES_LITERAL("\6L"), BYTES_LITERAL("\1\0") },
        { "a short number", BYTES_LITERAL("\6L\0\0\1"), BYTES_LITERAL("\1\0") },
        { "a long number", BYTES_LITERAL("\6L\0\0\0\1\0"), BYTES_LITERAL("\1\0") },
        { "number zero", BYTES_LITERAL("\6L\0\0\0\0"), BYTES_LITERAL("\1\0") },
        { "the last number", BYTES_LITERAL("\6L\xff\xff\xff\xff"), BYTES_LITERAL("\1\0") },
        { "a column is missing", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\2\1a\2\0\1") },
        { "bytes left", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\1\1a\2\0\1\0") },
        { "no such kind", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\1\1a\x63\0\1") },
        { "no such scale", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\1\1a\3\x13\1") },
        { "nullable is a bool", BYTES_LITERAL("\6L\0\0\0\1"), BYTES_LITERAL("\1\1\1a\2\0\2") },
        { "too many columns", BYTES_LITERAL("\6L\0\0\0\1"),
          BYTES_LITERAL("\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f") },
        { "a name too long", BYTES_LITERAL("\6L\0\0\0\1"),
          BYTES_LITERAL("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x61") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task_rows rows;
        task_rows_open(&rows, &(struct overlay_options){ 0 });
        cr_assert_eq(overlay_put(rows.overlay, cases[i].key, cases[i].row, NULL), ST_OK);
        struct layouts *layouts = NULL;
        struct error err = { 0 };
        const enum status st = layouts_open(&layouts, rows.overlay, &err);
        cr_assert_eq(st, i == 0 ? ST_OK : ST_CORRUPT, "%s", cases[i].name);
        layouts_close(&layouts);
        task_rows_close(&rows);
    }
}
