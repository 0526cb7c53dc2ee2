/*
 * Both kinds of table against a list of everything that ever arrived: versions, deletions, lookups
 * as of a time, arrivals out of order, ties, columns that change.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/random.h"
#include "state/table.h"
#include "task_rows.h"

/* --- the model ------------------------------------------------------------------------------ */

enum { KEYS = 4, NAMES = 4, TYPES = 3, ARRIVALS_MAX = 600 };

static const char *const keys[KEYS] = { "", "k", "kk", "another key" };
static const char *const names[NAMES] = { "name", "limit", "country", "since" };
static const struct value_type types[TYPES] = { { VALUE_INT, 0, true },
                                                { VALUE_STRING, 0, true },
                                                { VALUE_DECIMAL, 2, true } };

/* Every name and what it holds; VALUE_NULL: no such column. */
struct row {
    struct value_type types[NAMES];
    struct value values[NAMES];
};

struct arrival {
    int64_t time_us;
    bool deletes;
    struct row row;
};

struct model {
    struct arrival arrivals[KEYS][ARRIVALS_MAX];
    size_t counts[KEYS];
    size_t committed[KEYS];
};

/* By the definition in the header, over everything that ever came; NULL: nothing. */
static const struct arrival *model_get(const struct model *model, int key, int64_t versions_us,
                                       int64_t as_of_us)
{
    const struct arrival *newest = NULL, *current = NULL, *border = NULL;
    const struct arrival *all = model->arrivals[key];
    for (size_t i = 0; i < model->counts[key]; i++) {
        if (newest == NULL || all[i].time_us >= newest->time_us)
            newest = &all[i];
    }
    for (size_t i = 0; i < model->counts[key]; i++) {
        if (newest->time_us - all[i].time_us >= versions_us &&
            (border == NULL || all[i].time_us >= border->time_us))
            border = &all[i];
    }
    for (size_t i = 0; i < model->counts[key]; i++) {
        const bool kept = &all[i] == border || newest->time_us - all[i].time_us < versions_us;
        if (kept && all[i].time_us <= as_of_us &&
            (current == NULL || all[i].time_us >= current->time_us))
            current = &all[i];
    }
    if (versions_us == 0)
        current = newest;
    return current == NULL || current->deletes ? NULL : current;
}

/* --- the world ------------------------------------------------------------------------------ */

struct world {
    struct prng prng;
    int step;
    struct task_rows rows;
    struct model model;
    struct layout_column *columns; /* a new list after every change: mappings borrow it */
    size_t name_of[NAMES];
    struct table_spec spec;
    struct table *table;
    struct everywhere_table *everywhere; /* only while the columns have not changed */
    struct arena *arena;
    int64_t now_us;
    struct layout_column *lists[ARRIVALS_MAX];
    size_t list_count;
};

#define CHECK(w, condition, what)                                                         \
    do {                                                                                  \
        if (!(condition))                                                                 \
            cr_assert_fail("%s: TEST_SEED=%" PRIu64 " step=%d versions=%" PRIi64, (what), \
                           (w)->prng.seed, (w)->step, (w)->spec.versions_us);             \
    } while (0)

static void choose_columns(struct world *w)
{
    w->columns = calloc(NAMES, sizeof *w->columns);
    w->lists[w->list_count++] = w->columns;
    w->spec.column_count = 0;
    for (size_t i = 0; i < NAMES; i++) {
        const size_t name = prng_below(&w->prng, NAMES);
        bool taken = false;
        for (size_t j = 0; j < w->spec.column_count; j++)
            taken = taken || w->name_of[j] == name;
        if (taken)
            continue;
        w->name_of[w->spec.column_count] = name;
        w->columns[w->spec.column_count++] =
            (struct layout_column){ names[name], types[prng_below(&w->prng, TYPES)] };
    }
    w->spec.columns = w->columns;
}

static void open_table(struct world *w)
{
    cr_assert_eq(table_create(&w->table, &w->spec, w->rows.overlay, w->rows.layouts, NULL), ST_OK);
}

static struct value any_value(struct prng *prng, struct value_type type)
{
    static const char *const texts[] = { "", "x", "a longer text than the others" };
    if (prng_chance(prng, 1, 5))
        return value_null();
    if (type.kind == VALUE_STRING)
        return value_string(bytes_of_string(texts[prng_below(prng, 3)]));
    const int64_t x = prng_between(prng, -1000000, 1000000);
    return type.kind == VALUE_INT ? value_int(x) : value_decimal(x, 2);
}

static void do_put(struct world *w)
{
    const int key = (int)prng_below(&w->prng, KEYS);
    if (w->model.counts[key] == ARRIVALS_MAX)
        return;
    struct arrival *arrival = &w->model.arrivals[key][w->model.counts[key]++];
    struct value columns[NAMES];
    w->now_us += prng_between(&w->prng, 0, 3);
    *arrival = (struct arrival){ .time_us = w->now_us - prng_between(&w->prng, 0, 25),
                                 .deletes = prng_chance(&w->prng, 1, 6) };
    for (size_t i = 0; i < w->spec.column_count; i++) {
        columns[i] = any_value(&w->prng, w->columns[i].type);
        arrival->row.types[w->name_of[i]] = w->columns[i].type;
        arrival->row.values[w->name_of[i]] = columns[i];
    }
    const struct bytes name = bytes_of_string(keys[key]);
    const struct value *given = arrival->deletes ? NULL : columns;
    CHECK(w, table_put(w->table, name, arrival->time_us, given, NULL) == ST_OK, "put");
    if (w->everywhere != NULL)
        everywhere_table_put(w->everywhere, name, arrival->time_us, given);
}

static void check_columns(struct world *w, const struct arrival *expected,
                          const struct value *found)
{
    for (size_t i = 0; i < w->spec.column_count; i++) {
        const size_t name = w->name_of[i];
        const bool is_known = expected->row.types[name].kind == w->columns[i].type.kind;
        const struct value v = is_known ? expected->row.values[name] : value_null();
        CHECK(w, value_same(&v, &found[i]), "a column");
    }
}

static void check_get(struct world *w)
{
    const int key = (int)prng_below(&w->prng, KEYS);
    const int64_t as_of_us = w->now_us - prng_between(&w->prng, -2, 30);
    const struct arrival *expected = model_get(&w->model, key, w->spec.versions_us, as_of_us);
    struct value columns[NAMES];
    bool found;
    CHECK(w,
          table_get(w->table, bytes_of_string(keys[key]), as_of_us, columns, &found, w->arena,
                    NULL) == ST_OK,
          "get");
    CHECK(w, found == (expected != NULL), "found");
    if (found)
        check_columns(w, expected, columns);
    if (w->everywhere == NULL)
        return;
    found = everywhere_table_get(w->everywhere, bytes_of_string(keys[key]), as_of_us, columns);
    CHECK(w, found == (expected != NULL), "found everywhere");
    if (found)
        check_columns(w, expected, columns);
}

static void check_count(struct world *w)
{
    size_t present = 0;
    for (int key = 0; key < KEYS; key++)
        present += model_get(&w->model, key, w->spec.versions_us, INT64_MAX) != NULL;
    CHECK(w, w->everywhere == NULL || everywhere_table_count(w->everywhere) == present, "count");
}

static void end_transaction(struct world *w, bool commit)
{
    if (commit)
        task_rows_commit(&w->rows);
    else
        task_rows_abort(&w->rows);
    for (int key = 0; key < KEYS; key++)
        *(commit ? &w->model.committed[key] : &w->model.counts[key]) =
            commit ? w->model.counts[key] : w->model.committed[key];
    if (!commit)
        everywhere_table_destroy(&w->everywhere); /* knows no transactions: from here on without */
}

static void restart(struct world *w)
{
    end_transaction(w, true);
    table_destroy(&w->table);
    task_rows_restart(&w->rows);
    if (prng_chance(&w->prng, 1, 2)) {
        everywhere_table_destroy(&w->everywhere);
        choose_columns(w);
    }
    open_table(w);
}

static void take_step(struct world *w)
{
    switch (prng_below(&w->prng, 40)) {
    case 0:
        end_transaction(w, false);
        break;
    case 1:
        restart(w);
        break;
    case 2:
    case 3:
        task_rows_checkpoint_step(&w->rows, &w->prng);
        break;
    case 4:
    case 5:
    case 6:
        end_transaction(w, true);
        break;
    default:
        if (w->step % 3 == 0)
            do_put(w);
        else
            check_get(w);
        check_count(w);
    }
    arena_reset(w->arena);
}

static void live(uint64_t seed)
{
    static const int64_t spans[] = { 0, 1, 5, 20, 1000 };
    static struct world w;
    w = (struct world){ .prng = prng_of_seed(seed), .now_us = 1000 };
    const struct overlay_options options = { .cache_bytes = prng_below(&w.prng, 2) * 4096 };
    task_rows_open(&w.rows, &options);
    arena_create(&w.arena, 1024);
    w.spec.number = 3;
    w.spec.versions_us = spans[prng_below(&w.prng, 5)];
    choose_columns(&w);
    open_table(&w);
    everywhere_table_create(&w.everywhere, &w.spec);
    for (w.step = 0; w.step < 2000; w.step++)
        take_step(&w);
    everywhere_table_destroy(&w.everywhere);
    table_destroy(&w.table);
    arena_destroy(&w.arena);
    task_rows_close(&w.rows);
    for (size_t i = 0; i < w.list_count; i++)
        free(w.lists[i]);
}

Test(table, agrees_with_everything_that_ever_arrived)
{
    const struct prng first = prng_from_env("TEST_SEED", 0);
    if (first.seed != 0)
        live(first.seed);
    for (uint64_t seed = 1; seed <= 60 && first.seed == 0; seed++)
        live(seed);
}

/* --- stories -------------------------------------------------------------------------------- */

static const struct layout_column one_column = { "c", { VALUE_INT, 0, true } };

static void open_small(struct task_rows *rows, struct table **table, const struct table_spec *spec)
{
    task_rows_open(rows, &(struct overlay_options){ 0 });
    cr_assert_eq(table_create(table, spec, rows->overlay, rows->layouts, NULL), ST_OK);
}

static void close_small(struct task_rows *rows, struct table **table)
{
    table_destroy(table);
    task_rows_close(rows);
}

static void put(struct table *table, int64_t time_us, int64_t x)
{
    const struct value v = value_int(x);
    cr_assert_eq(table_put(table, BYTES_LITERAL("k"), time_us, &v, NULL), ST_OK);
}

static int64_t get(struct table *table, int64_t as_of_us)
{
    struct value v;
    bool found;
    struct arena *arena = NULL;
    arena_create(&arena, 64);
    cr_assert_eq(table_get(table, BYTES_LITERAL("k"), as_of_us, &v, &found, arena, NULL), ST_OK);
    arena_destroy(&arena);
    return found ? v.i : -1;
}

Test(table, a_deletion_hides_older_rows_that_come_late)
{
    const struct table_spec spec = { .columns = &one_column, .column_count = 1 };
    struct task_rows rows;
    struct table *table = NULL;
    open_small(&rows, &table, &spec);
    put(table, 10, 1);
    cr_assert_eq(get(table, 0), 1, "without versions the time of the lookup does not matter");
    cr_assert_eq(table_put(table, BYTES_LITERAL("k"), 20, NULL, NULL), ST_OK);
    put(table, 15, 2);
    cr_assert_eq(get(table, 100), -1);
    put(table, 20, 3);
    cr_assert_eq(get(table, 100), 3, "of two with one time the later one counts");
    close_small(&rows, &table);
}

Test(table, the_version_at_the_border_is_kept)
{
    const struct table_spec spec = { .columns = &one_column, .column_count = 1, .versions_us = 10 };
    struct task_rows rows;
    struct table *table = NULL;
    open_small(&rows, &table, &spec);
    for (int64_t t = 1; t <= 5; t++)
        put(table, 10 * t, t);
    cr_assert_eq(get(table, 39), -1);
    cr_assert_eq(get(table, 40), 4);
    cr_assert_eq(get(table, 49), 4);
    cr_assert_eq(get(table, 50), 5);
    put(table, INT64_MAX, 6);
    put(table, INT64_MIN, 7); /* the difference does not fit */
    cr_assert_eq(get(table, 49), -1);
    cr_assert_eq(get(table, INT64_MAX - 1), 5);
    cr_assert_eq(get(table, INT64_MAX), 6);
    close_small(&rows, &table);
}

Test(table, a_row_has_a_bounded_number_of_versions)
{
    const struct table_spec spec = { .columns = &one_column,
                                     .column_count = 1,
                                     .versions_us = INT64_MAX };
    struct task_rows rows;
    struct table *table = NULL;
    open_small(&rows, &table, &spec);
    enum { KEPT = 10000 };
    struct buffer row; /* as if all but two had been put */
    buffer_init(&row);
    buffer_put_u8(&row, 1);
    buffer_put_varint(&row, KEPT);
    for (int64_t t = KEPT; t >= 1; t--) {
        buffer_put_zigzag(&row, t);
        buffer_put_u8(&row, 1);
        buffer_put_varint(&row, 1);
        struct buffer columns;
        buffer_init(&columns);
        const struct value v = value_int(t);
        layout_write_values(&columns, &v, 1);
        buffer_put_run(&row, buffer_view(&columns));
        buffer_fini(&columns);
    }
    cr_assert_eq(overlay_put(rows.overlay, BYTES_LITERAL("\2\0\1k"), buffer_view(&row), NULL),
                 ST_OK);
    buffer_fini(&row);
    cr_assert_eq(get(table, 1), 1);
    put(table, KEPT + 1, KEPT + 1);
    put(table, KEPT + 2, KEPT + 2);
    cr_assert_eq(get(table, KEPT + 2), KEPT + 2);
    cr_assert_eq(get(table, 3), 3);
    cr_assert_eq(get(table, 2), -1);
    put(table, 1, 1); /* older than all that are kept */
    cr_assert_eq(get(table, 2), -1);
    close_small(&rows, &table);

    struct everywhere_table *everywhere = NULL;
    everywhere_table_create(&everywhere, &spec);
    struct value v;
    for (int64_t t = 1; t <= KEPT + 2; t++) {
        v = value_int(t);
        everywhere_table_put(everywhere, BYTES_LITERAL("k"), t, &v);
    }
    cr_assert(everywhere_table_get(everywhere, BYTES_LITERAL("k"), 3, &v) && v.i == 3);
    cr_assert(!everywhere_table_get(everywhere, BYTES_LITERAL("k"), 2, &v));
    everywhere_table_destroy(&everywhere);
}

Test(table, everywhere_gives_the_memory_of_old_versions_back)
{
    const struct table_spec spec = { .columns = &one_column, .column_count = 1, .versions_us = 5 };
    struct everywhere_table *table = NULL;
    everywhere_table_create(&table, &spec);
    uint64_t settled = 0;
    for (int64_t t = 0; t < 1000; t++) {
        const struct value v = value_int(t);
        everywhere_table_put(table, BYTES_LITERAL("k"), t, &v);
        if (t == 100)
            settled = everywhere_table_footprint(table);
    }
    cr_assert_eq(everywhere_table_footprint(table), settled);
    cr_assert_eq(everywhere_table_count(table), 1);
    everywhere_table_destroy(&table);
}

/* --- corrupted rows ------------------------------------------------------------------------- */

Test(table, a_malformed_row_is_corrupt)
{
    static const struct {
        const char *name;
        struct bytes row;
    } cases[] = {
        /* format, count, per version: zigzag time, present, layout, size, columns */
        { "good", BYTES_LITERAL("\1\2\x14\1\1\2\2\5\x0a\0") },
        { "empty", BYTES_LITERAL("") },
        { "another format", BYTES_LITERAL("\2\0") },
        { "a version is missing", BYTES_LITERAL("\1\3\x14\0\x0a\0") },
        { "bytes left", BYTES_LITERAL("\1\1\x14\0\0") },
        { "present is a bool", BYTES_LITERAL("\1\1\x14\2") },
        { "oldest first", BYTES_LITERAL("\1\2\x0a\0\x14\0") },
        { "too many versions", BYTES_LITERAL("\1\xff\xff\xff\xff\x7f") },
        { "more versions than bytes", BYTES_LITERAL("\1\x90\x4e\x14\0\x0a\0") },
        { "an unknown layout", BYTES_LITERAL("\1\1\x14\1\2\2\2\5") },
        { "a layout cut to 32 bits", BYTES_LITERAL("\1\1\x14\1\x81\x80\x80\x80\x10\2\2\5") },
        { "columns too short", BYTES_LITERAL("\1\1\x14\1\1\0") },
        { "columns too long", BYTES_LITERAL("\1\1\x14\1\1\3\2\5\0") },
    };
    const struct table_spec spec = { .columns = &one_column,
                                     .column_count = 1,
                                     .versions_us = 100 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task_rows rows;
        struct table *table = NULL;
        open_small(&rows, &table, &spec);
        if (i == 0) { /* the row above is what is really written */
            put(table, 10, 5);
            cr_assert_eq(table_put(table, BYTES_LITERAL("k"), 5, NULL, NULL), ST_OK);
            struct bytes row;
            cr_assert_eq(overlay_get(rows.overlay, BYTES_LITERAL("\2\0\1k"), &row, NULL), ST_OK);
            cr_assert(bytes_equal(row, cases[0].row));
        }
        cr_assert_eq(overlay_put(rows.overlay, BYTES_LITERAL("\2\0\1k"), cases[i].row, NULL),
                     ST_OK);
        struct value v;
        bool found;
        struct arena *arena = NULL;
        arena_create(&arena, 64);
        const enum status expected = i == 0 ? ST_OK : ST_CORRUPT;
        cr_assert_eq(table_get(table, BYTES_LITERAL("k"), 50, &v, &found, arena, NULL), expected,
                     "%s", cases[i].name);
        arena_destroy(&arena);
        close_small(&rows, &table);
    }
}
