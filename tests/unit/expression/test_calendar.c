#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "processor/expression/calendar.h"
#include "schemas/value.h"

Test(calendar, reads_times)
{
    static const struct {
        const char *text, *time; /* NULL: none */
    } rows[] = {
        { "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z" },
        { "2026-01-31t12:00:00z", "2026-01-31T12:00:00Z" },
        { "2026-01-31 12:00:00", "2026-01-31T12:00:00Z" },
        { "2026-01-31T12:00", "2026-01-31T12:00:00Z" },
        { "2026-01-31", "2026-01-31T00:00:00Z" },
        { "2026-01-31T12:00:00.25Z", "2026-01-31T12:00:00.250Z" },
        { "2026-01-31T12:00:00,5", "2026-01-31T12:00:00.500Z" },
        { "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z" },
        { "2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z" },
        { "2026-01-31T00:30:00.5+01:00", "2026-01-30T23:30:00.500Z" },
        { "2026-01-31T12:00:00-0530", "2026-01-31T17:30:00Z" },
        { "2026-01-31T12:00+02", "2026-01-31T10:00:00Z" },
        { "2024-02-29", "2024-02-29T00:00:00Z" },
        { "2000-02-29", "2000-02-29T00:00:00Z" },
        { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
        { "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z" },
        { "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
        { "", NULL },
        { "2026", NULL },
        { "2026-1-31", NULL },
        { "2026-13-01", NULL },
        { "2026-00-01", NULL },
        { "2026-01-00", NULL },
        { "2026-01-32", NULL },
        { "2025-02-29", NULL },
        { "1900-02-29", NULL },
        { "2026-04-31", NULL },
        { "2026-01-31T", NULL },
        { "2026-01-31T12", NULL },
        { "2026-01-31T24:00:00Z", NULL },
        { "2026-01-31T12:60:00Z", NULL },
        { "2026-01-31T12:00:61Z", NULL },
        { "2026-01-31T12:00:00.Z", NULL },
        { "2026-01-31T12:00:00X", NULL },
        { "2026-01-31T12:00:00Z ", NULL },
        { "2026-01-31T12:00:00+19:00", NULL },
        { "2026-01-31T12:00:00+02:60", NULL },
        { "2026-01-31T12:00:00+2", NULL },
        { "2026-01-31T12:00:00+02:", NULL },
        { "2026-01-31Z", NULL },
        { "31.01.2026", NULL },
        { " 2026-01-31", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = 0;
        const bool is = calendar_parse(&us, bytes_of_string(rows[i].text));
        cr_expect_eq(is, rows[i].time != NULL, "%s", rows[i].text);
        if (!is || rows[i].time == NULL)
            continue;
        const struct value v = value_timestamp(us);
        struct buffer text;
        buffer_init(&text);
        value_format(&text, &v);
        cr_expect_str_eq(buffer_text(&text), rows[i].time);
        buffer_fini(&text);
    }
}

Test(calendar, parts_are_those_of_the_c_library)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 20000; i++) {
        const int64_t seconds = prng_between(&prng, INT64_C(-200000000000), INT64_C(300000000000));
        const int64_t offset = 60 * prng_between(&prng, -18 * 60, 18 * 60);
        const time_t local = seconds + offset;
        struct tm tm;
        cr_assert_not_null(gmtime_r(&local, &tm));
        const int64_t us = seconds * 1000000 + (int64_t)prng_below(&prng, 1000000);
        const struct calendar_time is = calendar_of(us, offset * 1000000);
        cr_assert(is.year == tm.tm_year + INT64_C(1900) && is.month == tm.tm_mon + 1 &&
                      is.day == tm.tm_mday && is.hour == tm.tm_hour && is.minute == tm.tm_min &&
                      is.second == tm.tm_sec &&
                      is.day_of_week == (tm.tm_wday == 0 ? 7 : tm.tm_wday),
                  "TEST_SEED=%lu %" PRId64 " %" PRId64, prng.seed, us, offset);
    }
}

Test(calendar, the_ends_of_time_have_parts_too)
{
    const int64_t day_us = INT64_C(86400000000);
    cr_expect_eq(calendar_of(INT64_MAX, day_us).year, 294247);
    cr_expect_eq(calendar_of(INT64_MAX, day_us).month, 1);
    cr_expect_eq(calendar_of(INT64_MAX, day_us).day, 11);
    cr_expect_eq(calendar_of(INT64_MIN, -day_us).year, -290308);
    cr_expect_eq(calendar_of(-1, 0).second, 59);
    cr_expect_eq(calendar_of(-1, 0).year, 1969);
}
