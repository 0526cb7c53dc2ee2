#include <criterion/criterion.h>

#include "world.h"

Test(arithmetic, ints_are_checked_and_stay_ints)
{
    static const struct world_row rows[] = {
        { "1 + 2 * 3", "int 7" },
        { "(1 + 2) * 3", "int 9" },
        { "10 - 4 - 3", "int 3" },
        { "n - m", "int 10" },
        { "n * m", "int -21" },
        { "-n", "int -7" },
        { "--n", "int 7" },
        { "-n * m", "int 21" },
        { "n % 4", "int 3" },
        { "-7 % 4", "int -3" },
        { "7 % m", "int 1" },
        { "small % -1", "int 0" },
        { "n % zero", "int null, division by zero" },
        { "big + 1", "int null, overflow" },
        { "small - 1", "int null, overflow" },
        { "big * 2", "int null, overflow" },
        { "-small", "int null, overflow" },
        { "big + small", "int -1" },
        { "9223372036854775807", "int 9223372036854775807" },
        { "-9223372036854775808", "int -9223372036854775808" },
        { "(big + 1) + 1", "int null, overflow" },
        { "n_null + 1", "int? null" },
        { "1 - n_null", "int? null" },
        { "n_null * n_null", "int? null" },
        { "n_null % zero", "int? null" },
        { "-n_null", "int? null" },
        { "n_maybe + 1", "int? 5" },
        { "over * 2 + over", "int 3" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, decimals_are_exact)
{
    static const struct world_row rows[] = {
        { "0.1 + 0.2", "decimal(1) 0.3" },
        { "12.50", "decimal(2) 12.50" },
        { "-0.05", "decimal(2) -0.05" },
        { "amount + price", "decimal(4) 12.6999" },
        { "price - amount", "decimal(4) -12.3001" },
        { "amount * price", "decimal(6) 2.498750" },
        { "amount + 1", "decimal(2) 13.50" },
        { "1 - amount", "decimal(2) -11.50" },
        { "amount * n", "decimal(2) 87.50" },
        { "2 * amount", "decimal(2) 25.00" },
        { "amount % 5", "decimal(2) 2.50" },
        { "refund % 5", "decimal(2) -2.50" },
        { "n % 2.5", "decimal(1) 2.0" },
        { "amount % price", "decimal(4) 0.1062" }, /* 12.5 - 62 * 0.1999 */
        { "amount % zero", "decimal(2) null, division by zero" },
        { "-amount", "decimal(2) -12.50" },
        { "- refund", "decimal(2) 12.50" },
        { "huge + huge", "decimal(0) 170141183460469231694793815568465002498" },
        { "huge + huge + huge", "decimal(0) null, overflow" },
        { "huge * 3", "decimal(0) null, overflow" },
        { "-huge - huge - huge", "decimal(0) null, overflow" },
        { "huge + fine", "decimal(18) null, overflow" },
        { "huge % fine", "decimal(18) null, overflow" },
        { "huge + 1", "decimal(0) 85070591730234615847396907784232501250" },
        { "dec_null + 1", "decimal(2)? null" },
        { "amount * dec_null", "decimal(4)? null" },
        { "fine + 1", "decimal(18) 1.000000000000000001" },
        { "0.123456789 * 0.123456789", "decimal(18) 0.015241578750190521" },
        { "99999999999999999999.5", "decimal(1) 99999999999999999999.5" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, a_double_makes_a_double)
{
    static const struct world_row rows[] = {
        { "1e3", "double 1000" },
        { "1.5e-3", "double 0.0015" },
        { "2E2", "double 200" },
        { "-1e0", "double -1" },
        { "-0e0", "double 0" },
        { "x + 1", "double 3.5" },
        { "x * amount", "double 31.25" },
        { "amount - x", "double 10" },
        { "1e0 + 0.1 + 0.2", "double 1.3" },
        { "0.1 + 0.2 + 0e0", "double 0.3" },
        { "0.1e0 + 0.2e0", "double 0.30000000000000004" },
        { "-x", "double -2.5" },
        { "x % 1", "double 0.5" },
        { "-x % 2", "double -0.5" },
        { "x % zero", "double null, division by zero" },
        { "vast * 10", "double null, overflow" },
        { "vast * -10", "double null, overflow" },
        { "vast + vast", "double null, overflow" },
        { "vast - -vast", "double null, overflow" },
        { "x_null + 1", "double? null" },
        { "x_null / zero", "double? null" },
        { "-x_null", "double? null" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, division_by_a_literal_power_of_ten_is_exact)
{
    static const struct world_row rows[] = {
        { "n / 100", "decimal(2) 0.07" },
        { "n / 10", "decimal(1) 0.7" },
        { "n / 1", "int 7" },
        { "amount / 100", "decimal(4) 0.1250" },
        { "amount / 1.0", "decimal(2) 12.50" },
        { "amount / 10.0", "decimal(3) 1.250" },
        { "amount / 0.1", "decimal(2) 125.00" },
        { "n / 0.01", "decimal(0) 700" },
        { "huge / 0.1", "decimal(0) null, overflow" },
        { "big / 1000000000000000000", "decimal(18) 9.223372036854775807" },
        { "n_null / 100", "decimal(2)? null" },
        { "x / 100", "double 0.025" },
        { "fine / 10", "error 5+1: the result would have 19 digits behind the point, at most 18 "
                       "are kept: round a side first, round(x, 2), or use double(x)" },
        { "fine / 0.1", "decimal(18) 0.000000000000000010" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, any_other_division_is_a_double)
{
    static const struct world_row rows[] = {
        { "n / 2", "double 3.5" },
        { "n / m", "double -2.3333333333333335" },
        { "6 / 3", "double 2" },
        { "amount / 4", "double 3.125" },
        { "amount / amount", "double 1" },
        { "1 / 3.0", "double 0.3333333333333333" },
        { "n / 20", "double 0.35" },
        { "n / -10", "double -0.7" },
        { "n / (5 + 5)", "double 0.7" },
        { "n / zero", "double null, division by zero" },
        { "x / (amount - amount)", "double null, division by zero" },
        { "1 / 1e-320", "double null, overflow" },
        { "n / zero + n / zero", "double null, division by zero, division by zero" },
        { "n / 0", "error 4+1: a division by zero is null always" },
        { "n / 0.00", "error 4+4: a division by zero is null always" },
        { "n % 0", "error 4+1: a division by zero is null always" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, times_and_durations)
{
    static const struct world_row rows[] = {
        { "t - ago", "duration 1h30m" },
        { "ago - t", "duration -1h30m" },
        { "t + 30s", "timestamp 2026-01-31T12:00:30.250Z" },
        { "1d + t", "timestamp 2026-02-01T12:00:00.250Z" },
        { "t - 250ms", "timestamp 2026-01-31T12:00:00Z" },
        { "gap + 30m", "duration 2h" },
        { "gap - 2h", "duration -30m" },
        { "gap * 2", "duration 3h" },
        { "3 * gap", "duration 4h30m" },
        { "gap / 30m", "double 3" },
        { "gap / 0s", "double null, division by zero" },
        { "-gap", "duration -1h30m" },
        { "-30s", "duration -30s" },
        { "abs(ago - t)", "duration 1h30m" },
        { "gap * big", "duration null, overflow" },
        { "t + 100000000d * 2", "timestamp null, overflow" },
        { "t_null - t", "duration? null" },
        { "t + gap_null", "timestamp? null" },
        { "gap_null / 1s", "double? null" },
        { "1h30m == 90m", "bool true" },
        { "7d == 168h", "bool true" },
        { "1d2h3m4s5ms6us", "duration 1d2h3m4s5ms6us" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(arithmetic, refuses_what_makes_no_sense)
{
    static const struct world_row rows[] = {
        { "s + 1", "error 2+1: cannot add string and int; to join texts write concat(a, b)" },
        { "s + s", "error 2+1: cannot add string and string; to join texts write concat(a, b)" },
        { "s * 2", "error 2+1: cannot multiply string and int; to read a text as a number write "
                   "int(x), decimal(x, 2) or double(x)" },
        { "t + t", "error 2+1: cannot add timestamp and timestamp" },
        { "t + 30", "error 2+1: cannot add timestamp and int; write a duration: event_time + 30s" },
        { "t * 2",
          "error 2+1: cannot multiply timestamp and int; write a duration: event_time + 30s" },
        { "gap - t", "error 4+1: cannot subtract duration and timestamp" },
        { "gap + 5", "error 4+1: cannot add duration and int; write a duration (30s), or make a "
                     "number of one: seconds(d), hours(d)" },
        { "gap * 1.5",
          "error 4+1: cannot multiply duration and decimal(1); a duration is multiplied "
          "by an int; for anything else use seconds(d) or hours(d)" },
        { "gap / 2", "error 4+1: cannot divide duration by int; write a duration (30s), or make a "
                     "number of one: seconds(d), hours(d)" },
        { "gap % 1h", "error 4+1: cannot take the remainder of duration and duration" },
        { "yes + yes", "error 4+1: cannot add bool and bool; to count a bool write int(x), or "
                       "if(x, 1, 0)" },
        { "raw + 1", "error 4+1: cannot add bytes and int" },
        { "-s", "error 0+1: cannot negate string" },
        { "-t", "error 0+1: cannot negate timestamp" },
        { "-yes", "error 0+1: cannot negate bool; write `not`" },
        { "n + null", "error 4+4: null here makes the result null always; to ask whether x is null "
                      "write is_null(x), to replace a null write x ?? 0" },
        { "null * n", "error 0+4: null here makes the result null always; to ask whether x is null "
                      "write is_null(x), to replace a null write x ?? 0" },
        { "-null", "error 1+4: null here makes the result null always; to ask whether x is null "
                   "write is_null(x), to replace a null write x ?? 0" },
        { "n + never",
          "error 4+5: null here makes the result null always; to ask whether x is null "
          "write is_null(x), to replace a null write x ?? 0" },
        { "fine * amount",
          "error 5+1: the result would have 20 digits behind the point, at most 18 "
          "are kept: round a side first, round(x, 2), or use double(x)" },
    };
    WORLD_ASSERT_ROWS(rows);
}
