#include <criterion/criterion.h>

#include "places.h"
#include "state/snooze.h"

static struct place place;
static struct overlay *overlay;

static void open_overlay(void)
{
    place_open(&place, false);
    overlay_create(&overlay, place.partition, &(struct overlay_options){ 0 });
}

static void close_overlay(void)
{
    overlay_destroy(&overlay);
    place_close(&place);
}

TestSuite(snooze, .init = open_overlay, .fini = close_overlay);

static void expect(uint32_t rule, const char *key, int64_t last_alert_us, bool was_true)
{
    struct snooze snooze;
    cr_assert_eq(snooze_get(overlay, rule, bytes_of_string(key), &snooze, NULL), ST_OK);
    cr_assert_eq(snooze.last_alert_us, last_alert_us);
    cr_assert_eq(snooze.was_true, was_true);
}

static void put(uint32_t rule, const char *key, int64_t last_alert_us, bool was_true)
{
    const struct snooze snooze = { last_alert_us, was_true };
    cr_assert_eq(snooze_put(overlay, rule, bytes_of_string(key), &snooze, NULL), ST_OK);
}

Test(snooze, remembers_per_rule_and_key)
{
    static const int64_t times[] = { 0, 1, -1, INT64_MAX, INT64_MIN + 1, 1700000000000000 };
    expect(1, "user", INT64_MIN, false);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        put(1, "user", times[i], i % 2 == 0);
        expect(1, "user", times[i], i % 2 == 0);
    }
    put(2, "user", 5, false);
    put(1, "", 6, true);
    put(UINT32_MAX, "user", INT64_MIN, true);
    expect(1, "user", 1700000000000000, false);
    expect(2, "user", 5, false);
    expect(1, "", 6, true);
    expect(UINT32_MAX, "user", INT64_MIN, true);
    expect(2, "", INT64_MIN, false);
}

Test(snooze, nothing_to_remember_is_no_row)
{
    const struct row_change *rows;
    size_t count;
    put(1, "user", INT64_MIN, false);
    overlay_changes(overlay, &rows, &count);
    cr_assert_eq(count, 0, "not even a tombstone");
    put(1, "user", 7, true);
    overlay_commit(overlay);
    put(1, "user", INT64_MIN, false);
    overlay_changes(overlay, &rows, &count);
    cr_assert(count == 1 && rows[0].value.data == NULL);
    expect(1, "user", INT64_MIN, false);
}

Test(snooze, a_damaged_row_is_corrupt)
{
    const struct bytes values[] = { BYTES_LITERAL(""), BYTES_LITERAL("\2"), BYTES_LITERAL("\2\2"),
                                    BYTES_LITERAL("\2\1x") };
    struct snooze snooze;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        cr_assert_eq(overlay_put(overlay, BYTES_LITERAL("\5\0\0\0\1\4user"), values[i], NULL),
                     ST_OK);
        cr_expect_eq(snooze_get(overlay, 1, BYTES_LITERAL("user"), &snooze, NULL), ST_CORRUPT,
                     "%zu", i);
    }
    cr_assert_eq(
        overlay_put(overlay, BYTES_LITERAL("\5\0\0\0\1\4user"), BYTES_LITERAL("\2\1"), NULL),
        ST_OK);
    expect(1, "user", 1, true);
}
