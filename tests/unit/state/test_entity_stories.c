/* What the entity log promises, one story each; test_entity_log.c is the model test. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "state/entity.h"
#include "task_rows.h"

enum { N, WHO, OK, COLUMNS };

static const struct layout_column columns[COLUMNS] = {
    [N] = { "n", { VALUE_INT, 0, true } },
    [WHO] = { "who", { VALUE_STRING, 0, true } },
    [OK] = { "ok", { VALUE_BOOL, 0, true } },
};

#define TYPE_INT           \
    {                      \
        VALUE_INT, 0, true \
    }
#define TYPE_STRING           \
    {                         \
        VALUE_STRING, 0, true \
    }

struct small {
    struct task_rows rows;
    struct window_spec window;
    struct aggregate_spec aggregate;
    struct entity_log_spec spec;
    struct entity_log *log;
    struct entity *entity; /* of key "k" */
    struct arena *arena;
    int64_t next_offset;
};

static void small_open(struct small *s, struct window_spec window, struct aggregate_spec aggregate)
{
    *s = (struct small){ .window = window, .aggregate = aggregate };
    task_rows_open(&s->rows, &(struct overlay_options){ 0 });
    s->spec = (struct entity_log_spec){
        .stream = 1,
        .columns = columns,
        .column_count = COLUMNS,
        .measure_count = COLUMNS,
        .windows = &s->window,
        .window_count = 1,
        .aggregates = &s->aggregate,
        .aggregate_count = 1,
        .look_back_us = 100,
        .retention_us = 200,
        .cache_bytes = 1 << 20,
    };
    arena_create(&s->arena, 1024);
}

static void small_start(struct small *s)
{
    cr_assert_eq(entity_log_create(&s->log, &s->spec, s->rows.overlay, s->rows.layouts, NULL),
                 ST_OK);
    cr_assert_eq(entity_log_acquire(s->log, BYTES_LITERAL("k"), &s->entity, NULL), ST_OK);
}

static void small_close(struct small *s)
{
    entity_log_destroy(&s->log);
    arena_destroy(&s->arena);
    task_rows_close(&s->rows);
}

static void commit(struct small *s)
{
    cr_assert_eq(entity_log_flush(s->log, NULL), ST_OK);
    task_rows_commit(&s->rows);
    entity_log_commit(s->log);
    cr_assert_eq(entity_log_acquire(s->log, BYTES_LITERAL("k"), &s->entity, NULL), ST_OK);
}

static void reload(struct small *s)
{
    commit(s);
    entity_log_destroy(&s->log);
    small_start(s);
}

static enum status try_insert(struct small *s, int64_t time_us, const struct value *values)
{
    size_t position;
    const struct entity_event event = { time_us, s->next_offset++, values };
    return entity_insert(s->entity, &event, &position, NULL);
}

static void insert(struct small *s, int64_t time_us, struct value n)
{
    const struct value values[COLUMNS] = { n };
    cr_assert_eq(try_insert(s, time_us, values), ST_OK);
}

static struct value result_at(struct small *s, size_t position)
{
    struct value v;
    cr_assert_eq(entity_aggregates(s->entity, position, &v, s->arena, NULL), ST_OK);
    return v;
}

static const struct aggregate_spec count_all = { .kind = AGGREGATE_COUNT,
                                                 .argument = -1,
                                                 .condition = -1 };

/* --- windows -------------------------------------------------------------------------------- */

/* Events at 10, 20, 20, 25, 30, 40: n is 1, 2, 3, null, 5, 6; who a, b, a, a, null, null. */
Test(entity_stories, windows_hold_what_the_header_says)
{
    static const struct {
        const char *name;
        struct window_spec window;
        struct aggregate_spec aggregate;
        int64_t expected[6]; /* -1: null */
    } cases[] = {
        { "over 10",
          { .span_us = 10 },
          { AGGREGATE_COUNT, 0, -1, -1, { 0 }, 0, { 0 } },
          { 1, 1, 2, 3, 2, 1 } },
        { "over 11",
          { .span_us = 11 },
          { AGGREGATE_COUNT, 0, -1, -1, { 0 }, 0, { 0 } },
          { 1, 2, 3, 3, 4, 2 } },
        { "over previous 11",
          { .span_us = 11, .previous = true },
          { AGGREGATE_COUNT, 0, -1, -1, { 0 }, 0, { 0 } },
          { 0, 1, 2, 2, 3, 1 } },
        { "over 11, delay 5",
          { .span_us = 11, .delay_us = 5 },
          { AGGREGATE_COUNT, 0, -1, -1, { 0 }, 0, { 0 } },
          { 0, 1, 1, 3, 3, 2 } },
        { "of n",
          { .span_us = 11 },
          { AGGREGATE_COUNT, 0, N, -1, { 0 }, 0, { 0 } },
          { 1, 2, 3, 2, 3, 2 } },
        { "sum",
          { .span_us = 100 },
          { AGGREGATE_SUM, 0, N, -1, { 0 }, 0, TYPE_INT },
          { 1, 3, 6, 6, 11, 17 } },
        { "by who",
          { .span_us = 100 },
          { AGGREGATE_COUNT, 0, -1, -1, { WHO }, 1, { 0 } },
          { 1, 1, 2, 3, 1, 2 } },
        { "over 2",
          { .span_events = 2 },
          { AGGREGATE_SUM, 0, N, -1, { 0 }, 0, TYPE_INT },
          { 1, 3, 5, 5, 8, 11 } },
        { "over previous 2",
          { .span_events = 2, .previous = true },
          { AGGREGATE_SUM, 0, N, -1, { 0 }, 0, TYPE_INT },
          { 0, 1, 3, 5, 5, 8 } },
        { "first",
          { .span_us = 11 },
          { AGGREGATE_FIRST, 0, N, -1, { 0 }, 0, TYPE_INT },
          { 1, 1, 1, 2, 2, 5 } },
        { "last",
          { .span_us = 11 },
          { AGGREGATE_LAST, 0, N, -1, { 0 }, 0, TYPE_INT },
          { 1, 2, 3, 3, 5, 6 } },
        { "last previous",
          { .span_us = 11, .previous = true },
          { AGGREGATE_LAST, 0, N, -1, { 0 }, 0, TYPE_INT },
          { -1, 1, 2, 3, 3, 5 } },
        { "where",
          { .span_us = 100 },
          { AGGREGATE_COUNT, 0, -1, OK, { 0 }, 0, { 0 } },
          { 1, 1, 2, 2, 3, 3 } },
        { "distinct",
          { .span_us = 100 },
          { AGGREGATE_DISTINCT, 0, WHO, -1, { 0 }, 0, TYPE_STRING },
          { 1, 2, 2, 2, 2, 2 } },
    };
    static const int64_t times[] = { 10, 20, 20, 25, 30, 40 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct small s;
        small_open(&s, cases[i].window, cases[i].aggregate);
        small_start(&s);
        for (int e = 0; e < 6; e++) {
            struct value v[COLUMNS] = { value_int(e + 1), value_string(BYTES_LITERAL("a")),
                                        value_bool(e % 2 == 0) };
            if (e == 3)
                v[N] = value_null();
            if (e == 1)
                v[WHO] = value_string(BYTES_LITERAL("b"));
            if (e >= 4)
                v[WHO] = value_null();
            if (e == 5)
                v[OK] = value_null(); /* is not true */
            cr_assert_eq(try_insert(&s, times[e], v), ST_OK);
        }
        for (size_t e = 0; e < 6; e++) {
            const struct value found = result_at(&s, e);
            const int64_t expected = cases[i].expected[e];
            cr_assert(expected == -1 ? value_is_null(&found)
                                     : found.kind == VALUE_INT && found.i == expected,
                      "%s at %zu: %" PRIi64, cases[i].name, e, found.i);
        }
        small_close(&s);
    }
}

Test(entity_stories, the_longest_windows_and_the_farthest_times)
{
    static const int64_t times[] = { -INT64_MAX / 4, 0, INT64_MAX / 4 };
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = INT64_MAX }, count_all);
    s.spec.look_back_us = s.spec.retention_us = INT64_MAX;
    small_start(&s);
    for (int i = 0; i < 3; i++)
        insert(&s, times[i], value_int(1));
    reload(&s);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(result_at(&s, (size_t)i).i, i + 1);
    s.window = (struct window_spec){ .span_us = INT64_MAX, .delay_us = INT64_MAX };
    reload(&s);
    cr_assert_eq(result_at(&s, 2).i, 0);
    small_close(&s);
}

/* --- rows ----------------------------------------------------------------------------------- */

static size_t change_count(struct small *s)
{
    const struct row_change *changes;
    size_t count;
    cr_assert_eq(entity_log_flush(s->log, NULL), ST_OK);
    overlay_changes(s->rows.overlay, &changes, &count);
    return count;
}

Test(entity_stories, reading_writes_nothing)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    for (int i = 0; i < 200; i++)
        insert(&s, i, value_int(i));
    reload(&s);
    result_at(&s, 150);
    bool deleted, alerted;
    int64_t newest_us;
    cr_assert_eq(entity_has_alerted(s.entity, 3, 1, &alerted, NULL), ST_OK);
    cr_assert_eq(entity_log_expire(s.log, BYTES_LITERAL("k"), 199, &deleted, &newest_us, NULL),
                 ST_OK);
    cr_assert(!deleted && newest_us == 199);
    cr_assert_eq(
        entity_log_expire(s.log, BYTES_LITERAL("unknown"), 199, &deleted, &newest_us, NULL), ST_OK);
    cr_assert(deleted);
    cr_assert_eq(change_count(&s), 0);
    small_close(&s);
}

Test(entity_stories, an_entity_that_came_and_went_leaves_no_row)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    commit(&s);
    for (int i = 0; i < 200; i++)
        insert(&s, i, value_int(i));
    cr_assert_eq(result_at(&s, 199).i, 100);
    bool deleted;
    int64_t newest_us;
    cr_assert_eq(entity_log_expire(s.log, BYTES_LITERAL("k"), 200, &deleted, &newest_us, NULL),
                 ST_OK);
    cr_assert(deleted && entity_event_count(s.entity) == 0);
    cr_assert_eq(change_count(&s), 0, "rows that were never written need no deletion");
    insert(&s, 7, value_int(7));
    insert(&s, 199, value_int(7)); /* nothing is left of how it was, not even where windows were */
    cr_assert_eq(result_at(&s, 1).i, 1);
    small_close(&s);
}

struct row_sizes {
    size_t count, largest;
};

static bool measure_row(void *context, struct bytes key, struct bytes value)
{
    struct row_sizes *sizes = context;
    (void)key;
    sizes->count++;
    if (value.size > sizes->largest)
        sizes->largest = value.size;
    return true;
}

Test(entity_stories, rows_stay_small_whatever_comes_in_one_transaction)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.look_back_us = 100;
    s.spec.retention_us = INT64_MAX;
    small_start(&s);
    char text[400];
    memset(text, 'x', sizeof text);
    const struct value v[COLUMNS] = { value_int(1), value_string(bytes_of(text, sizeof text)) };
    for (int i = 0; i < 300; i++)
        cr_assert_eq(try_insert(&s, i, v), ST_OK);
    reload(&s);
    for (int i = 0; i < 3000; i++) /* all into one sealed chunk */
        cr_assert_eq(try_insert(&s, 7, v), ST_OK);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(try_insert(&s, 300, v), ST_OK);
    for (size_t i = 0; i < 40; i++) /* and one row's worth of alerts */
        for (uint32_t rule = 0; rule < 255; rule++)
            cr_assert_eq(entity_set_alerted(s.entity, i, rule, NULL), ST_OK);
    commit(&s);
    struct row_sizes sizes = { 0 };
    task_rows_each(&s.rows, measure_row, &sizes);
    cr_assert(sizes.largest < 40 * 1024, "%zu", sizes.largest);
    cr_assert_eq(entity_event_count(s.entity), 6300);
    small_close(&s);
}

Test(entity_stories, what_has_expired_is_not_written_again)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    for (int i = 0; i < 1000; i++) { /* five of them within the retention */
        insert(&s, 50 * i, value_int(i));
        commit(&s);
        cr_assert(entity_event_count(s.entity) <= 8, "%zu", entity_event_count(s.entity));
    }
    cr_assert_gt(s.rows.appends, 700, "%" PRIu64 ": a head is written whole when four have expired", s.rows.appends);
    struct row_sizes sizes = { 0 };
    task_rows_each(&s.rows, measure_row, &sizes);
    cr_assert_eq(sizes.count, 2, "the layout and the head");
    small_close(&s);
}

Test(entity_stories, what_was_never_written_needs_no_deletion)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    for (int i = 0; i < 500; i++)
        insert(&s, i, value_int(i));
    insert(&s, 10000, value_int(1));
    cr_assert_eq(change_count(&s), 2, "the layout and the head");
    cr_assert_eq(entity_event_count(s.entity), 1);
    small_close(&s);
}

Test(entity_stories, a_window_does_not_take_away_what_is_forgotten)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 },
               (struct aggregate_spec){ AGGREGATE_SUM, 0, N, -1, { 0 }, 0, TYPE_INT });
    s.spec.retention_us = 100;
    s.spec.chunk_events = 2;
    small_start(&s);
    for (int i = 0; i < 10; i++)
        insert(&s, 10 * i, value_int(1 << i));
    cr_assert_eq(result_at(&s, 9).i, 1023);
    insert(&s, 151, value_int(1 << 10));
    commit(&s);
    const size_t count = entity_event_count(s.entity);
    cr_assert_lt(count, 10);
    cr_assert_eq(result_at(&s, count - 1).i, 1024 + 512 + 256 + 128 + 64);
    small_close(&s);
}

Test(entity_stories, chunks_follow_a_smaller_size)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    for (int i = 0; i < 30; i++)
        insert(&s, i, value_int(i));
    commit(&s);
    s.spec.chunk_events = 2;
    reload(&s);
    insert(&s, 30, value_int(30));
    commit(&s);
    struct row_sizes sizes = { 0 };
    task_rows_each(&s.rows, measure_row, &sizes);
    cr_assert_gt(sizes.count, 8); /* 14 open events became six chunks */
    cr_assert_eq(result_at(&s, 30).i, 31);
    small_close(&s);
}

Test(entity_stories, chunks_grow_with_their_number)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.retention_us = INT64_MAX;
    small_start(&s);
    for (int i = 0; i < 100000; i++)
        insert(&s, i, value_int(i));
    commit(&s);
    struct row_sizes sizes = { 0 };
    task_rows_each(&s.rows, measure_row, &sizes);
    cr_assert_lt(sizes.largest, 10 * 1024, "the head: %zu", sizes.largest);
    cr_assert_lt(sizes.count, 1100, "%zu", sizes.count);
    small_close(&s);
}

/* --- limits --------------------------------------------------------------------------------- */

Test(entity_stories, an_event_that_is_too_large_changes_nothing)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    insert(&s, 1, value_int(1));
    commit(&s);
    struct value v[COLUMNS] = { value_int(1) };
    char *text = mem_alloc(ENTITY_EVENT_BYTES_MAX);
    v[WHO] = value_string(bytes_of(text, ENTITY_EVENT_BYTES_MAX));
    cr_assert_eq(try_insert(&s, 2, v), ST_TOO_LARGE);
    cr_assert_eq(entity_event_count(s.entity), 1);
    cr_assert_eq(change_count(&s), 0);
    for (int i = 0; i < 40; i++) { /* the largest that goes */
        v[WHO].text.size = ENTITY_EVENT_BYTES_MAX - 16;
        cr_assert_eq(try_insert(&s, 3, v), ST_OK);
    }
    commit(&s);
    cr_assert_eq(result_at(&s, 40).i, 41);
    mem_free(text);
    small_close(&s);
}

Test(entity_stories, the_number_of_events_is_limited)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.chunk_events = 2;
    s.spec.retention_us = INT64_MAX / 8;
    small_start(&s);
    const struct value v[COLUMNS] = { value_int(1) };
    int64_t time_us = 0;
    while (try_insert(&s, time_us, v) == ST_OK)
        time_us++;
    cr_assert_eq(time_us, 2 * ENTITY_CHUNKS_MAX);
    const size_t count = entity_event_count(s.entity);
    cr_assert_eq(result_at(&s, count - 1).i, 100);
    commit(&s); /* the head is not too large */
    cr_assert_eq(try_insert(&s, time_us, v), ST_TOO_LARGE);
    cr_assert_eq(try_insert(&s, time_us - 5, v), ST_TOO_LARGE);
    cr_assert_eq(entity_event_count(s.entity), count);
    /* Time goes on: there is room again. */
    cr_assert_eq(try_insert(&s, INT64_MAX / 8 + 10, v), ST_OK);
    cr_assert_lt(entity_event_count(s.entity), count);
    cr_assert_eq(result_at(&s, entity_event_count(s.entity) - 1).i, 1);
    commit(&s);
    small_close(&s);
}

Test(entity_stories, the_rules_that_alerted_are_a_bounded_set)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    insert(&s, 1, value_int(1));
    insert(&s, 2, value_int(2));
    for (uint32_t rule = 0; rule <= ENTITY_ALERTED_MAX; rule++) {
        for (int twice = 0; twice < 2; twice++)
            cr_assert_eq(entity_set_alerted(s.entity, 0, rule << 20, NULL), ST_OK);
        if (rule == 100)
            reload(&s);
    }
    for (uint32_t rule = 0; rule <= ENTITY_ALERTED_MAX; rule++) {
        bool alerted;
        cr_assert_eq(entity_has_alerted(s.entity, 0, rule << 20, &alerted, NULL), ST_OK);
        cr_assert_eq(alerted, rule < ENTITY_ALERTED_MAX);
        cr_assert_eq(entity_has_alerted(s.entity, 1, rule << 20, &alerted, NULL), ST_OK);
        cr_assert_eq(alerted, false);
    }
    cr_assert_eq(result_at(&s, 1).i, 2);
    small_close(&s);
}

/* --- tops ----------------------------------------------------------------------------------- */

enum { TOPS = 1200 };

static int64_t rising(int64_t n)
{
    return n;
}

static int64_t falling(int64_t n)
{
    return -n;
}

static int64_t alike(int64_t n)
{
    return n % 7 == 0 ? 1 : 5;
}

static int64_t mixed(int64_t n)
{
    return n * 7919 % 1009;
}

static int64_t steps(int64_t n)
{
    return n / 100 % 2 == 0 ? n : -n;
}

static int64_t top_of(const int64_t *numbers, int64_t from, int64_t to, bool smallest)
{
    int64_t top = numbers[from];
    for (int64_t i = from; i <= to; i++)
        top = (smallest ? numbers[i] < top : numbers[i] > top) ? numbers[i] : top;
    return top;
}

/* Numbers a microsecond apart: the window of the event at i begins `span` events before. */
static void check_tops(int64_t (*number_at)(int64_t), enum aggregate_kind kind, int64_t span)
{
    static int64_t numbers[TOPS];
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = span },
               (struct aggregate_spec){ kind, 0, N, -1, { 0 }, 0, TYPE_INT });
    s.spec.look_back_us = s.spec.retention_us = 2 * TOPS;
    small_start(&s);
    for (int64_t i = 0; i < TOPS; i++) {
        numbers[i] = number_at(i);
        insert(&s, i, value_int(numbers[i]));
        const int64_t asked = i % 10 == 9 ? i / 2 : i; /* now and then one of long ago */
        if (i % 3 == 0)
            continue;
        const int64_t from = asked < span ? 0 : asked - span + 1;
        cr_assert_eq(result_at(&s, (size_t)asked).i, top_of(numbers, from, asked, kind == AGGREGATE_MIN),
                     "%" PRId64 " of a span of %" PRId64, asked, span);
        if (i % 401 == 0)
            reload(&s);
    }
    small_close(&s);
}

/* Of few numbers the next top is looked for when one has left, of many there is an order. */
Test(entity_stories, the_top_of_numbers_that_come_and_go)
{
    static int64_t (*const numbers[])(int64_t) = { rising, falling, alike, mixed, steps };
    static const int64_t spans[] = { 1, 5, 63, 64, 65, 66, 300 };
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        for (size_t s = 0; s < sizeof spans / sizeof *spans; s++) {
            check_tops(numbers[n], AGGREGATE_MIN, spans[s]);
            check_tops(numbers[n], AGGREGATE_MAX, spans[s]);
        }
    }
}

/* With an order of 200 numbers, and when their window has gone by. */
Test(entity_stories, an_order_of_numbers_is_given_back_with_its_window)
{
    enum { NUMBERS = 200 };
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = NUMBERS },
               (struct aggregate_spec){ AGGREGATE_MAX, 0, N, -1, { 0 }, 0, TYPE_INT });
    s.spec.look_back_us = s.spec.retention_us = 100 * NUMBERS;
    small_start(&s);
    for (int64_t i = 0; i < 2 * NUMBERS; i++) {
        insert(&s, i, value_int(-i));
        result_at(&s, (size_t)i);
    }
    commit(&s);
    const uint64_t before = entity_log_footprint(s.log);
    insert(&s, 50 * NUMBERS, value_int(1));
    cr_assert_eq(result_at(&s, 2 * NUMBERS).i, 1);
    commit(&s);
    cr_assert_lt(entity_log_footprint(s.log) + NUMBERS * sizeof(int64_t), before);
    small_close(&s);
}

/* --- memory --------------------------------------------------------------------------------- */

static void check_memory(struct aggregate_spec aggregate, int64_t step_us)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, aggregate);
    s.spec.cache_bytes = UINT64_C(1) << 30;
    small_start(&s);
    uint64_t settled = 0;
    for (int n = 0; n < 20000; n++) {
        insert(&s, n * step_us, value_int(n));
        result_at(&s, entity_event_count(s.entity) - 1);
        if (n % 10 == 0)
            commit(&s);
        if (n == 2000)
            settled = entity_log_footprint(s.log);
    }
    cr_assert_lt(entity_log_footprint(s.log), settled + settled / 2);
    small_close(&s);
}

Test(entity_stories, memory_follows_the_window)
{
    static const struct aggregate_spec cases[] = {
        { AGGREGATE_COUNT, 0, -1, -1, { N }, 1, { 0 } },
        { AGGREGATE_DISTINCT, 0, N, -1, { WHO, N }, 2, TYPE_INT },
        { AGGREGATE_MIN, 0, N, -1, { 0 }, 0, TYPE_INT },
        { AGGREGATE_DISTINCT, 0, N, -1, { 0 }, 0, TYPE_INT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_memory(cases[i], 1);
        check_memory(cases[i], 1000); /* the window never overlaps the one before */
    }
}

static void insert_with(struct small *s, int64_t time_us, struct bytes who)
{
    const struct value values[COLUMNS] = { [N] = value_int(time_us), [WHO] = value_string(who) };
    cr_assert_eq(try_insert(s, time_us, values), ST_OK);
}

/* Bytes in memory of 60 events that remember 200 bytes each, of which a window asks for nothing. */
static uint64_t bytes_of_long_events(uint64_t cache_bytes)
{
    enum { EVENTS = 60, TEXT = 200 };
    struct small s;
    char text[TEXT];
    memset(text, 'x', sizeof text);
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.cache_bytes = cache_bytes;
    small_start(&s);
    for (int i = 0; i < EVENTS; i++)
        insert_with(&s, i, bytes_of(text, sizeof text));
    commit(&s);
    const uint64_t bytes = entity_log_footprint(s.log);
    for (size_t i = 0; i < EVENTS; i++) {
        struct entity_event event;
        struct value found[COLUMNS];
        cr_assert_eq(entity_event_at(s.entity, i, &event, found, s.arena, NULL), ST_OK);
        cr_assert(found[N].i == (int64_t)i && bytes_equal(found[WHO].text, bytes_of(text, sizeof text)));
        cr_assert_eq(result_at(&s, i).i, (int64_t)i + 1);
    }
    small_close(&s);
    return bytes;
}

Test(entity_stories, short_of_memory_older_events_leave_to_their_rows_what_no_window_asks_for)
{
    const uint64_t plenty = bytes_of_long_events(1 << 20), little = bytes_of_long_events(12 * 1024);
    cr_assert_gt(plenty, 60 * 200);
    cr_assert_lt(little, plenty / 2, "%" PRIu64 " bytes, and %" PRIu64 " where there is room", little, plenty);
}

static struct bytes number_key(const uint32_t *number)
{
    return bytes_of(number, sizeof *number);
}

static void insert_of(struct small *s, uint32_t number)
{
    cr_assert_eq(entity_log_acquire(s->log, number_key(&number), &s->entity, NULL), ST_OK);
    insert(s, number, value_int(number));
}

static bool is_loaded(const struct small *s, struct bytes key)
{
    return map_find(s->log->entities, key) != NULL;
}

Test(entity_stories, the_cache_is_bounded_and_forgets_the_oldest)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.cache_bytes = 64 * 1024;
    small_start(&s);
    for (uint32_t i = 0; i < 2000; i++) {
        insert_of(&s, i);
        if (i % 10 == 0)
            commit(&s);
    }
    commit(&s);
    cr_assert_lt(entity_log_footprint(s.log), 128 * 1024);
    cr_assert(is_loaded(&s, BYTES_LITERAL("k")), "just used");
    cr_assert(is_loaded(&s, number_key(&(uint32_t){ 1999 })));
    cr_assert_not(is_loaded(&s, number_key(&(uint32_t){ 0 })));
    small_close(&s);
}

/* The order of use is not kept while there is room for all. */
Test(entity_stories, room_that_becomes_short_within_a_transaction_is_made_by_those_it_does_not_need)
{
    enum { FIRST = 20, OLD = 40, LAST = 400 };
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    s.spec.cache_bytes = 64 * 1024;
    small_start(&s);
    for (uint32_t i = 0; i < OLD; i++)
        insert_of(&s, i);
    commit(&s);
    for (uint32_t i = 0; i < FIRST; i++) /* the oldest ones are needed now */
        insert_of(&s, i);
    uint32_t next = OLD;
    while (is_loaded(&s, number_key(&(uint32_t){ OLD - 1 })) && next < LAST)
        insert_of(&s, next++);
    cr_assert_lt(next, LAST, "%" PRIu64 " bytes, and none of the others was let go", entity_log_footprint(s.log));
    for (uint32_t i = 0; i < FIRST; i++)
        cr_assert(is_loaded(&s, number_key(&i)));
    for (uint32_t i = FIRST; i < OLD - 1; i++)
        cr_assert_not(is_loaded(&s, number_key(&i)), "%" PRIu32, i);
    commit(&s);
    small_close(&s);
}

Test(entity_stories, an_abort_gives_everything_back)
{
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    entity_log_commit(s.log);
    const uint64_t before = entity_log_footprint(s.log);
    cr_assert_eq(entity_log_acquire(s.log, BYTES_LITERAL("k"), &s.entity, NULL), ST_OK);
    for (int i = 0; i < 500; i++)
        insert(&s, i, value_int(i));
    result_at(&s, 400);
    entity_log_abort(s.log);
    task_rows_abort(&s.rows);
    cr_assert_eq(entity_log_footprint(s.log), before);
    small_close(&s);
}

/* --- damage --------------------------------------------------------------------------------- */

enum { HEAD_KEY_SIZE = 5 };
static const struct bytes head_key = { (const uint8_t *)"\1\1\1k", HEAD_KEY_SIZE };
static const struct bytes chunk_key = { (const uint8_t *)"\1\1\1k\1\0\0\0\0\0\0\0\0", 13 };

/* Everything that reads rows; OK or ST_CORRUPT. */
static enum status read_all(struct small *s)
{
    struct value v[COLUMNS], result;
    struct entity_event event;
    bool alerted;
    entity_log_destroy(&s->log);
    cr_assert_eq(entity_log_create(&s->log, &s->spec, s->rows.overlay, s->rows.layouts, NULL),
                 ST_OK);
    TRY(entity_log_acquire(s->log, BYTES_LITERAL("k"), &s->entity, NULL));
    const size_t count = entity_event_count(s->entity);
    for (size_t i = 0; i < count && i < 50; i++) {
        TRY(entity_aggregates(s->entity, i, &result, s->arena, NULL));
        TRY(entity_event_at(s->entity, i, &event, v, s->arena, NULL));
        TRY(entity_has_alerted(s->entity, i, 5, &alerted, NULL));
        TRY(entity_set_alerted(s->entity, i, 6, NULL));
    }
    if (count > 0)
        TRY(entity_aggregates(s->entity, count - 1, &result, s->arena, NULL));
    arena_reset(s->arena);
    const enum status st = entity_log_flush(s->log, NULL);
    entity_log_abort(s->log);
    task_rows_abort(&s->rows);
    return st;
}

enum { CHUNK_EVENTS = 3, OPEN_EVENTS_MAX = 2 * CHUNK_EVENTS };

static enum status read_damaged(struct small *s, struct bytes key, struct bytes row)
{
    cr_assert_eq(overlay_put(s->rows.overlay, key, row, NULL), ST_OK);
    const enum status st = read_all(s);
    entity_log_abort(s->log);
    task_rows_abort(&s->rows);
    return st;
}

/* Counted: the row says how many events it has. The open ones of the head are not counted, since they are appended to. */
static void damage_row(struct small *s, struct bytes key, bool counted)
{
    struct buffer row;
    buffer_init(&row);
    task_rows_get(&s->rows, key, &row);
    cr_assert_eq(read_damaged(s, key, buffer_view(&row)), ST_OK);
    size_t whole = 0;
    for (size_t cut = 0; cut < row.size; cut++) {
        const enum status st = read_damaged(s, key, bytes_of(row.data, cut));
        cr_assert(st == ST_CORRUPT || st == ST_OK, "cut at %zu", cut);
        whole += st == ST_OK;
    }
    cr_assert(counted ? whole == 0 : whole <= OPEN_EVENTS_MAX, "%zu cuts were not seen", whole);
    for (size_t i = 0; i < row.size; i++) {
        static const uint8_t changes[] = { 0x01, 0x80, 0xff, 0x7f, 0x02, 0x40 };
        for (size_t c = 0; c < sizeof changes; c++) {
            row.data[i] ^= changes[c];
            const enum status st = read_damaged(s, key, buffer_view(&row));
            cr_assert(st == ST_OK || st == ST_CORRUPT, "byte %zu: %s", i, status_name(st));
            row.data[i] ^= changes[c];
        }
    }
    buffer_put_u8(&row, 0);
    cr_assert_eq(read_damaged(s, key, buffer_view(&row)), ST_CORRUPT, "a byte too much");
    buffer_fini(&row);
}

static void open_damaged(struct small *s)
{
    small_open(s, (struct window_spec){ .span_us = 100 },
               (struct aggregate_spec){ AGGREGATE_DISTINCT, 0, WHO, -1, { N }, 1, TYPE_STRING });
    s->spec.chunk_events = CHUNK_EVENTS;
    s->spec.retention_us = 1000;
    small_start(s);
    for (int i = 0; i < 20; i++) {
        const struct value v[COLUMNS] = { value_int(i * i),
                                          value_string(BYTES_LITERAL("somebody")) };
        cr_assert_eq(try_insert(s, i * i, v), ST_OK);
        cr_assert_eq(entity_set_alerted(s->entity, (size_t)i, 5, NULL), ST_OK);
    }
    commit(s);
}

Test(entity_stories, damaged_rows_are_corrupt_at_worst)
{
    struct small s;
    open_damaged(&s);
    damage_row(&s, head_key, false);
    damage_row(&s, chunk_key, true);
    small_close(&s);
}

Test(entity_stories, a_chunk_that_its_head_does_not_know_is_corrupt)
{
    struct small s;
    open_damaged(&s);
    struct buffer row;
    buffer_init(&row);
    uint8_t other[13];
    memcpy(other, chunk_key.data, sizeof other);
    other[12] = 1;
    task_rows_get(&s.rows, bytes_of(other, sizeof other), &row);
    cr_assert_eq(read_damaged(&s, chunk_key, buffer_view(&row)), ST_CORRUPT, "another chunk's row");
    overlay_delete(s.rows.overlay, chunk_key);
    cr_assert_eq(read_all(&s), ST_CORRUPT, "no row");
    buffer_fini(&row);
    small_close(&s);
}

static struct bytes chunk_key_of(uint8_t key[13], uint64_t number)
{
    memcpy(key, chunk_key.data, HEAD_KEY_SIZE);
    for (size_t i = 0; i < sizeof number; i++)
        key[HEAD_KEY_SIZE + i] = (uint8_t)(number >> 8 * (sizeof number - 1 - i));
    return bytes_of(key, 13);
}

/* As if so many more chunks had been sealed before. */
static void renumber_chunks(struct small *s, uint64_t by)
{
    struct buffer head, renumbered, row;
    buffer_init(&head);
    buffer_init(&renumbered);
    buffer_init(&row);
    task_rows_get(&s->rows, head_key, &head);
    struct reader in = reader_of(buffer_view(&head));
    buffer_put_u8(&renumbered, reader_u8(&in));
    buffer_put_varint(&renumbered, reader_varint(&in) + by);
    const uint64_t count = reader_varint(&in);
    buffer_put_varint(&renumbered, count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t key[13];
        const uint64_t number = reader_varint(&in);
        task_rows_get(&s->rows, chunk_key_of(key, number), &row);
        overlay_delete(s->rows.overlay, chunk_key_of(key, number));
        cr_assert_eq(overlay_put(s->rows.overlay, chunk_key_of(key, number + by), buffer_view(&row), NULL), ST_OK);
        buffer_put_varint(&renumbered, number + by);
        buffer_put_varint(&renumbered, reader_varint(&in));
        buffer_put_zigzag(&renumbered, reader_zigzag(&in));
        buffer_put_varint(&renumbered, reader_varint(&in));
    }
    buffer_put(&renumbered, in.at, reader_left(&in));
    cr_assert(count > 3 && !in.failed);
    cr_assert_eq(overlay_put(s->rows.overlay, head_key, buffer_view(&renumbered), NULL), ST_OK);
    task_rows_commit(&s->rows);
    buffer_fini(&head);
    buffer_fini(&renumbered);
    buffer_fini(&row);
}

Test(entity_stories, numbers_of_chunks_pass_32_bits)
{
    enum { EVENTS = 20 };
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 1000 }, count_all);
    s.spec.chunk_events = CHUNK_EVENTS;
    s.spec.look_back_us = s.spec.retention_us = 1000;
    small_start(&s);
    for (int i = 0; i < EVENTS; i++)
        insert(&s, i, value_int(i));
    commit(&s);
    entity_log_destroy(&s.log);
    renumber_chunks(&s, (UINT64_C(1) << 32) - 2);
    small_start(&s);
    for (int i = EVENTS; i < 2 * EVENTS; i++)
        insert(&s, i, value_int(i));
    reload(&s);
    cr_assert_eq(entity_event_count(s.entity), (size_t)2 * EVENTS);
    for (size_t i = 0; i < (size_t)2 * EVENTS; i++) {
        struct entity_event event;
        struct value found[COLUMNS];
        cr_assert_eq(entity_event_at(s.entity, i, &event, found, s.arena, NULL), ST_OK);
        cr_assert_eq(found[N].i, (int64_t)i);
    }
    cr_assert_eq(result_at(&s, (size_t)2 * EVENTS - 1).i, (int64_t)2 * EVENTS);
    insert(&s, 2000, value_int(0)); /* and they go again */
    reload(&s);
    cr_assert_leq(entity_event_count(s.entity), 4); /* of open events a few may stay */
    small_close(&s);
}

Test(entity_stories, a_malformed_head_is_corrupt)
{
    static const struct {
        const char *name;
        struct bytes row;
    } cases[] = {
        /* format, next number, chunks, each: number, events, gap, extent; then the open events:
         * layout, count (format 1 only), time, offset, each: time, offset, size, alerted, n, who, ok */
        { "good", BYTES_LITERAL("\2\0\0\1\x14\0\0\0\4\0\0\0\0") },
        { "no events", BYTES_LITERAL("\2\0\0\1\0\0") },
        { "counted", BYTES_LITERAL("\1\0\0\1\1\x14\0\0\0\4\0\0\0\0") },
        { "none, counted", BYTES_LITERAL("\1\0\0\1\0\0\0") },
        { "another format", BYTES_LITERAL("\3\0\0\1\0\0\0") },
        { "an event cut short", BYTES_LITERAL("\2\0\0\1\x14\0\0\0\4\0\0\0") },
        { "events in disorder", BYTES_LITERAL("\2\0\0\1\x14\0\0\0\4\0\0\0\0\1\0\4\0\0\0\0") },
        { "an unknown layout", BYTES_LITERAL("\1\0\0\2\0\0\0") },
        { "a layout cut to 32 bits", BYTES_LITERAL("\1\0\0\x81\x80\x80\x80\x10\0\0\0") },
        { "a chunk number to come", BYTES_LITERAL("\1\3\1\3\1\0\0\1\0\0\0") },
        { "a chunk without events", BYTES_LITERAL("\1\3\1\2\0\0\0\1\0\0\0") },
        { "a chunk with too many", BYTES_LITERAL("\1\3\1\2\x81\x80\x80\x80\x10\0\0\1\0\0\0") },
        { "an extent that overflows",
          BYTES_LITERAL("\1\3\1\2\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1\0\0\0") },
        { "a time out of range",
          BYTES_LITERAL("\1\0\0\1\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\4\0\0\0\0") },
        { "an offset below zero", BYTES_LITERAL("\1\0\0\1\1\x14\1\0\0\4\0\0\0\0") },
        { "more chunks than bytes", BYTES_LITERAL("\1\x7f\x7f\0\1\0\0\1\0\0\0") },
        { "chunks in disorder", BYTES_LITERAL("\1\3\2\0\1\x14\0\1\1\1\0\1\0\0\0") },
        { "open events before sealed ones",
          BYTES_LITERAL("\1\3\1\0\1\x14\0\1\1\x12\0\0\0\4\0\0\0\0") },
        { "more alerts than bytes", BYTES_LITERAL("\1\0\0\1\1\x14\0\0\0\4\x40\0\0\0") },
        { "columns too short", BYTES_LITERAL("\1\0\0\1\1\x14\0\0\0\3\0\0\0") },
        { "columns too long", BYTES_LITERAL("\1\0\0\1\1\x14\0\0\0\5\0\0\0\0\0") },
    };
    struct small s;
    small_open(&s, (struct window_spec){ .span_us = 100 }, count_all);
    small_start(&s);
    commit(&s);
    entity_log_destroy(&s.log);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(overlay_put(s.rows.overlay, head_key, cases[i].row, NULL), ST_OK);
        cr_assert_eq(entity_log_create(&s.log, &s.spec, s.rows.overlay, s.rows.layouts, NULL),
                     ST_OK);
        const enum status st = entity_log_acquire(s.log, BYTES_LITERAL("k"), &s.entity, NULL);
        cr_assert_eq(st, i < 4 ? ST_OK : ST_CORRUPT, "%s", cases[i].name);
        entity_log_destroy(&s.log);
        task_rows_abort(&s.rows);
    }
    small_start(&s);
    insert(&s, 10, value_null());
    commit(&s);
    struct buffer row;
    buffer_init(&row);
    task_rows_get(&s.rows, head_key, &row);
    cr_assert(bytes_equal(buffer_view(&row), cases[0].row), "that is what is written");
    buffer_fini(&row);
    small_close(&s);
}
