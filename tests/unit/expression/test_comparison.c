#include <criterion/criterion.h>

#include "world.h"

Test(comparison, numbers_compare_exactly_across_kinds)
{
    static const struct world_row rows[] = {
        { "n > 5", "bool true" },
        { "n > 7", "bool false" },
        { "n >= 7", "bool true" },
        { "n < 7", "bool false" },
        { "n <= 7", "bool true" },
        { "n == 7", "bool true" },
        { "n != 7", "bool false" },
        { "5 < n", "bool true" },
        { "7 <= n", "bool true" },
        { "8 <= n", "bool false" },
        { "7 == n", "bool true" },
        { "7 > n", "bool false" },
        { "n == m", "bool false" },
        { "n > m", "bool true" },
        { "n == 7.00", "bool true" },
        { "n > 6.99", "bool true" },
        { "n < 7.000000000000000001", "bool true" },
        { "n == 7e0", "bool true" },
        { "n > 6.5e0", "bool true" },
        { "big < 9223372036854775807.5", "bool true" },
        { "big == 9223372036854775807e0", "bool false" }, /* that double is 2^63 */
        { "big < 9.3e18", "bool true" },
        { "small == -9.223372036854775808e18", "bool true" },
        { "amount > 12", "bool true" },
        { "amount == 12.5", "bool true" },
        { "amount == 12.500", "bool true" },
        { "amount >= 12.5001", "bool false" },
        { "amount < 12.5001", "bool true" },
        { "12.5001 > amount", "bool true" },
        { "12.5001 != amount", "bool true" },
        { "amount < big", "bool true" },
        { "amount == price", "bool false" },
        { "amount > price", "bool true" },
        { "huge > fine", "bool true" },
        { "fine < huge", "bool true" },
        { "fine > 0", "bool true" },
        { "fine == 0.000000000000000001", "bool true" },
        { "x == 2.5", "bool true" },
        { "x > 2.5", "bool false" },
        { "x >= 5", "bool false" },
        { "x < n", "bool true" },
        { "x < amount", "bool true" },
        { "x == x", "bool true" },
        { "vast > huge", "bool true" },
        { "12.50 == 12.5", "bool true" },
        { "1 < 2", "bool true" },
    };
    WORLD_ASSERT_ROWS(rows);
}

/* The double nearest to 0.1 is a little more than 0.1, -0.1 a little less. */
Test(comparison, a_decimal_between_two_doubles_equals_neither)
{
    static const struct world_row rows[] = {
        { "y == -0.1", "bool false" },
        { "y != -0.1", "bool true" },
        { "y < -0.1", "bool true" },
        { "y <= -0.1", "bool true" },
        { "y > -0.1", "bool false" },
        { "y >= -0.1", "bool false" },
        { "-y == 0.1", "bool false" },
        { "-y > 0.1", "bool true" },
        { "-y >= 0.1", "bool true" },
        { "-y < 0.1", "bool false" },
        { "-y <= 0.1", "bool false" },
        { "0.1 < -y", "bool true" },
        { "0.3e0 < 0.3", "bool true" }, /* the double is 0.299999999999999988... */
        { "x * 0 + 0.3 < 0.3", "bool true" },
        { "x * 0 + 0.3 <= 0.3", "bool true" },
        { "x * 0 + 0.3 == 0.3", "bool false" },
        { "x * 0 + 0.3 != 0.3", "bool true" },
        { "x * 0 + 0.3 > 0.3", "bool false" },
        { "x * 0 + 0.3 >= 0.3", "bool false" },
        { "x * 0 + 0.3 == 0.3e0", "bool true" },
        { "x * 0 + 9007199254740993 == 9007199254740992", "bool true" },
        { "x * 0 + 9007199254740992 < 9007199254740993", "bool true" },
        { "x * 0 + 9007199254740992 == 9007199254740993", "bool false" },
        { "x * 0 + 9007199254740994 > 9007199254740993", "bool true" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, other_kinds_compare_with_their_own)
{
    static const struct world_row rows[] = {
        { "country == 'DE'", "bool true" },
        { "country != \"FR\"", "bool true" },
        { "country == 'DEU'", "bool false" },
        { "country == 'de'", "bool false" },
        { "country < 'DF'", "bool true" },
        { "country >= 'D'", "bool true" },
        { "empty == ''", "bool true" },
        { "empty < country", "bool true" },
        { "'a' == 'a'", "bool true" },
        { "raw == raw", "bool true" },
        { "raw != raw", "bool false" },
        { "t > ago", "bool true" },
        { "t == ago + gap", "bool true" },
        { "t < parse_time('2026-01-31T12:00:01Z')", "bool? true" },
        { "gap > 1h", "bool true" },
        { "gap <= 90m", "bool true" },
        { "t - ago >= 1h30m", "bool true" },
        { "yes == true", "bool true" },
        { "yes != no", "bool true" },
        { "customer.address.country == 'FR'", "bool? true" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, with_null_is_null)
{
    static const struct world_row rows[] = {
        { "n_null == 1", "bool? null" },          { "n_null != 1", "bool? null" },
        { "1 < n_null", "bool? null" },           { "n_null == n_null", "bool? null" },
        { "dec_null > 3", "bool? null" },         { "dec_null == price", "bool? null" },
        { "x_null > 0.1", "bool? null" },         { "s_null == 'a'", "bool? null" },
        { "s_null < 'a'", "bool? null" },         { "t_null < t", "bool? null" },
        { "gap_null > 1s", "bool? null" },        { "unsure == true", "bool? null" },
        { "big + 1 > 0", "bool null, overflow" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, refuses_what_cannot_be_compared)
{
    static const struct world_row rows[] = {
        { "n == null", "error 2+2: nothing equals null: write is_null(x)" },
        { "null == n", "error 5+2: nothing equals null: write is_null(x)" },
        { "n != null", "error 2+2: nothing differs from null either: write not is_null(x)" },
        { "n > null", "error 2+1: a comparison with null is null always" },
        { "null == null", "error 5+2: nothing equals null: write is_null(x)" },
        { "n == never", "error 2+2: nothing equals null: write is_null(x)" },
        { "s == 5",
          "error 2+2: cannot compare string with int; write the number without quotes, or "
          "read the text: int(x), decimal(x, 2)" },
        { "n > '5'", "error 2+1: cannot compare int with string; write the number without quotes, "
                     "or read the text: int(x), decimal(x, 2)" },
        { "amount == s",
          "error 7+2: cannot compare decimal(2) with string; write the number without "
          "quotes, or read the text: int(x), decimal(x, 2)" },
        { "t > '2026-01-31'", "error 2+1: cannot compare timestamp with string; write "
                              "parse_time('2026-01-31T12:00:00Z')" },
        { "gap == '1h'", "error 4+2: cannot compare duration with string; a duration is written "
                         "without quotes: 30s" },
        { "yes == 'true'", "error 4+2: cannot compare bool with string; true and false are written "
                           "without quotes" },
        { "gap > 5", "error 4+1: cannot compare duration with int; write a duration (30s, 5m, 1h), "
                     "or make a number of one: seconds(d), hours(d)" },
        { "t > 5s", "error 2+1: cannot compare timestamp with duration; subtract two timestamps to "
                    "get a duration" },
        { "t > 1769860800", "error 2+1: cannot compare timestamp with int; make a timestamp of a "
                            "number: from_ms(x), from_s(x)" },
        { "yes == 1", "error 4+2: cannot compare bool with int" },
        { "yes < no", "error 4+1: true and false have no order; use == or !=" },
        { "raw == s", "error 4+2: cannot compare bytes with string" },
        { "n_null > s_null",
          "error 7+1: cannot compare int? with string?; write the number without "
          "quotes, or read the text: int(x), decimal(x, 2)" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, in_a_list)
{
    static const struct world_row rows[] = {
        { "country in ['DE', 'FR']", "bool true" },
        { "country in ['FR']", "bool false" },
        { "country not in ['FR', 'IT']", "bool true" },
        { "not country in ['DE']", "bool false" },
        { "n in [1, 3, 5, 7, 9, 11]", "bool true" },
        { "n in [11, 9, 5, 3, 1, 6]", "bool false" },
        { "n in [7.0]", "bool true" },
        { "n in [6.9, 7e0]", "bool true" },
        { "amount in [12, 12.5, 13]", "bool true" },
        { "x in [2, 2.5]", "bool true" },
        { "y in [-0.1]", "bool false" },
        { "gap in [1h, 90m]", "bool true" },
        { "yes in [true]", "bool true" },
        { "n in [m, n]", "bool true" },
        { "n in [m, 6]", "bool false" },
        { "n in [m, m, m, 7]", "bool true" },
        { "n + 1 in [m, zero, 8]", "bool true" },
        { "n_null in [1, 2]", "bool? null" },
        { "n_null in [n, m]", "bool? null" },
        { "n in [n_null, 7]", "bool? true" },
        { "n in [n_null, 8]", "bool? null" },
        { "n in [8, n_null]", "bool? null" },
        { "s_null in ['a']", "bool? null" },
        { "n in ['a']", "error 6+3: cannot compare int with string in this list" },
        { "n in [m, s]", "error 9+1: cannot compare int with string in this list" },
        { "n in [1, null]", "error 9+4: nothing equals null: write is_null(x) or x in [...]" },
        { "null in [1]", "error 0+4: null here makes the result null always; to ask whether x is "
                         "null write is_null(x), to replace a null write x ?? 0" },
        { "n in []", "error 5+2: an empty list contains nothing" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, in_a_table_and_looking_up)
{
    static const struct world_row rows[] = {
        { "user in profiles", "bool true" },
        { "stranger in profiles", "bool false" },
        { "stranger not in profiles", "bool true" },
        { "s_null in profiles", "bool? null" },
        { "country in blocked_merchants", "bool true" },
        { "n in accounts", "bool true" },
        { "profiles[user].country", "string? DE" },
        { "profiles[stranger].country", "string? null" },
        { "profiles['u2'].age", "int? null" },
        { "profiles[user].age + 1", "int? 31" },
        { "profiles[user].address.city", "string? Bremen" },
        { "profiles[s_null].country", "string? null" },
        { "profiles[concat('u', 2 - 1)].age", "int? 30" },
        { "accounts[n].balance", "decimal(2)? 99.90" },
        { "accounts[n + 0].balance * 2", "decimal(2)? 199.80" },
        { "profiles[user].country != country", "bool? false" },
        { "profiles[stranger].country ?? 'none'", "string none" },
        { "user in broken", "bool null, failure CORRUPT" },
        { "broken[user].column", "int? null, failure CORRUPT" },
        { "n in profiles", "error 0+1: the key of table 'profiles' is string, this is int; write "
                           "string(x)" },
        { "accounts[user].balance",
          "error 9+4: the key of table 'accounts' is int, this is string; "
          "write int(x)" },
        { "accounts[amount].balance", "error 9+6: the key of table 'accounts' is int, this is "
                                      "decimal(2); write int(x)" },
        { "profiles[null].age",
          "error 9+4: null here makes the result null always; to ask whether x "
          "is null write is_null(x), to replace a null write x ?? 0" },
        { "profiles[user].cuontry", "error 15+7: table 'profiles' has no column 'cuontry'; did you "
                                    "mean 'country'?" },
        { "profiles[user].zzz", "error 15+3: table 'profiles' has no column 'zzz'" },
        { "profile[user].age", "error 0+7: unknown table 'profile'; did you mean 'profiles'?" },
        { "user in profile", "error 8+7: unknown table 'profile'; did you mean 'profiles'?" },
        { "user in quux", "error 8+4: unknown table 'quux'" },
        { "user in country",
          "error 8+7: 'country' is no table (it is string); a list is written in "
          "brackets: x in [a, b]" },
        { "n[user].age", "error 0+1: 'n' is no table (it is int); a list is written in brackets: x "
                         "in [a, b]" },
        { "profiles", "error 0+8: 'profiles' is a table: write x in profiles, or "
                      "profiles[key].column" },
        { "profiles.country", "error 0+16: a table is looked up by a key: profiles[key].country" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(comparison, tables_may_be_refused)
{
    struct world world;
    world_init(&world);
    world.scope.tables_refused = "an id is read before tables are";
    cr_expect_str_eq(
        world_run(&world, "user in profiles"),
        "error 8+8: the table 'profiles' cannot be used here: an id is read before tables are");
    cr_expect_str_eq(
        world_run(&world, "profiles[user].age"),
        "error 0+8: the table 'profiles' cannot be used here: an id is read before tables are");
    world_fini(&world);
}

static enum status only_bare_names(void *context, int table, const struct node *key,
                                   struct error *err)
{
    (void)context;
    (void)table;
    return node_name(key) != NULL ? ST_OK : FAIL(err, ST_INVALID, "only a bare name");
}

Test(comparison, a_table_key_may_be_refused)
{
    struct world world;
    world_init(&world);
    world.scope.check_table_key = only_bare_names;
    cr_expect_str_eq(world_run(&world, "user in profiles"), "bool true");
    cr_expect_str_eq(world_run(&world, "profiles[lower(user)].age"),
                     "error 9+11: only a bare name");
    world_fini(&world);
}

Test(comparison, a_failed_lookup_keeps_its_first_status)
{
    struct world world;
    world_init(&world);
    struct expression *both = world_compile(&world, "user in broken or broken[user].column > 1");
    const struct value v = world_evaluate(&world, both);
    cr_expect(value_is_null(&v));
    cr_expect_eq(world.context.failure, ST_CORRUPT);
    cr_expect_str_eq(world.err.text, "broken");
    cr_expect(expression_uses_tables(both));
    expression_destroy(&both);
    struct expression *none = world_compile(&world, "n > 1");
    cr_expect_not(expression_uses_tables(none));
    expression_destroy(&none);
    world_fini(&world);
}
