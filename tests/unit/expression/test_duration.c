#include <criterion/criterion.h>
#include <inttypes.h>

#include "base/random.h"
#include "processor/expression/duration.h"
#include "schemas/value.h"

Test(duration, units_go_down_and_stand_once)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: none */
    } rows[] = {
        { "30s", 30000000 },
        { "1h30m", 5400000000 },
        { "250ms", 250000 },
        { "7d", INT64_C(604800000000) },
        { "15us", 15 },
        { "0s", 0 },
        { "1d1h1m1s1ms1us", INT64_C(90061001001) },
        { "1m1ms", 60001000 },
        { "90m", 5400000000 },
        { "007s", 7000000 },
        { "106751991d4h54s775ms807us",
          INT64_C(9223372036854775807) - INT64_C(9223372036854775807) % 1 },
        { "", -1 },
        { "5", -1 },
        { "s", -1 },
        { "5x", -1 },
        { "5min", -1 },
        { "5 m", -1 },
        { " 5m", -1 },
        { "5m ", -1 },
        { "-5m", -1 },
        { "1.5h", -1 },
        { "30m1h", -1 },
        { "1h1h", -1 },
        { "1ms1m", -1 },
        { "5S", -1 },
        { "9223372036854775807us", INT64_MAX },
        { "9223372036854775808us", -1 },
        { "106751992d", -1 },
        { "99999999999999999999d", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = -1;
        const bool is = duration_parse(&us, rows[i].text);
        if (rows[i].us < 0)
            cr_expect_not(is, "%s", rows[i].text);
        else
            cr_expect(is && us == rows[i].us, "%s: %" PRId64, rows[i].text, us);
    }
}

Test(duration, reads_what_values_write)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    struct buffer text;
    buffer_init(&text);
    for (int i = 0; i < 10000; i++) {
        const int64_t us = (int64_t)(prng_next(&prng) >> (1 + prng_below(&prng, 63)));
        const struct value v = value_duration(us);
        buffer_clear(&text);
        value_format(&text, &v);
        int64_t read = -1;
        cr_assert(duration_parse(&read, buffer_text(&text)) && read == us,
                  "TEST_SEED=%" PRIu64 " %s", prng.seed, buffer_text(&text));
    }
    buffer_fini(&text);
}
