#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"

Test(clock, a_virtual_clock_moves_only_when_told)
{
    struct clock_virtual hands = { .wall_ms = 1700000000000, .monotonic_us = 5 };
    const struct clock clock = clock_of_virtual(&hands);
    cr_assert_eq(clock_wall_ms(&clock), 1700000000000);
    cr_assert_eq(clock_us(&clock), 5);
    clock_virtual_advance(&hands, 2500000);
    cr_assert_eq(clock_wall_ms(&clock), 1700000002500);
    cr_assert_eq(clock_us(&clock), 2500005);
}

Test(clock, sleeping_on_a_virtual_clock_moves_it)
{
    struct clock_virtual hands = { 0 };
    const struct clock clock = clock_of_virtual(&hands);
    clock_sleep_us(&clock, 3000);
    cr_assert_eq(clock_us(&clock), 3000);
    cr_assert_eq(clock_wall_ms(&clock), 3);
    clock_sleep_us(&clock, 0);
    clock_sleep_us(&clock, -1);
    cr_assert_eq(clock_us(&clock), 3000);
}

Test(clock, small_steps_of_a_virtual_clock_add_up)
{
    struct clock_virtual hands = { 0 };
    for (int i = 0; i < 10000; i++)
        clock_virtual_advance(&hands, 333);
    cr_assert_eq(hands.monotonic_us, 3330000);
    cr_assert_eq(hands.wall_ms, 3330);
}

Test(clock, the_real_clock_sleeps_and_never_goes_back)
{
    const struct clock clock = clock_real();
    const int64_t before = clock_us(&clock);
    clock_sleep_us(&clock, 20000);
    cr_assert_geq(clock_us(&clock), before + 20000);
    clock_sleep_us(&clock, 0);
    clock_sleep_us(&clock, -5);
    int64_t last = clock_us(&clock);
    for (int i = 0; i < 1000; i++) {
        const int64_t now = clock_us(&clock);
        cr_assert_geq(now, last);
        last = now;
    }
}

Test(clock, the_real_wall_shows_the_time_of_day)
{
    const struct clock clock = clock_real();
    /* time() may be a tick behind. */
    const int64_t early_ms = ((int64_t)time(NULL) - 1) * 1000;
    const int64_t now_ms = clock_wall_ms(&clock);
    cr_assert_geq(now_ms, early_ms);
    cr_assert_leq(now_ms, ((int64_t)time(NULL) + 2) * 1000);
}
