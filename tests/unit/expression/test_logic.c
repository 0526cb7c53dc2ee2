#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

Test(logic, and_or_not_know_three_values)
{
    static const struct world_row rows[] = {
        { "yes and yes", "bool true" },
        { "yes and no", "bool false" },
        { "no and yes", "bool false" },
        { "no and no", "bool false" },
        { "unsure and yes", "bool? null" },
        { "yes and unsure", "bool? null" },
        { "unsure and no", "bool? false" },
        { "no and unsure", "bool? false" },
        { "unsure and unsure", "bool? null" },
        { "yes or yes", "bool true" },
        { "yes or no", "bool true" },
        { "no or yes", "bool true" },
        { "no or no", "bool false" },
        { "unsure or yes", "bool? true" },
        { "yes or unsure", "bool? true" },
        { "unsure or no", "bool? null" },
        { "no or unsure", "bool? null" },
        { "unsure or unsure", "bool? null" },
        { "not yes", "bool false" },
        { "not no", "bool true" },
        { "not unsure", "bool? null" },
        { "not not yes", "bool true" },
        { "true", "bool true" },
        { "false or true", "bool true" },
        { "yes or no and no", "bool true" },
        { "(yes or no) and no", "bool false" },
        { "not no and no", "bool false" },
        { "not (no and no)", "bool true" },
        { "not n == 7", "bool false" },
        { "yes and yes and yes and no or yes", "bool true" },
        { "n > 5 and amount > 10 and country == 'DE'", "bool true" },
        { "n > 5 and (unsure or amount > 10)", "bool? true" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(logic, the_right_side_is_left_alone_when_the_left_decides)
{
    static const struct world_row rows[] = {
        { "no and n / zero > 1", "bool false" },
        { "yes or n / zero > 1", "bool true" },
        { "yes and n / zero > 1", "bool null, division by zero" },
        { "no or n / zero > 1", "bool null, division by zero" },
        { "unsure and n / zero > 1", "bool? null, division by zero" },
        { "if(yes, 1, big + 1)", "int 1" },
        { "if(no, big + 1, 1)", "int 1" },
        { "n ?? big + 1", "int 7" },
        { "coalesce(n_null, n, big + 1)", "int 7" },
    };
    WORLD_ASSERT_ROWS(rows);
    struct world world;
    world_init(&world);
    world_run(&world, "no and user in profiles and user in broken");
    cr_expect_eq(world.lookup_count, 0);
    world_run(&world, "yes and user in profiles");
    cr_expect_eq(world.lookup_count, 1);
    world_fini(&world);
}

Test(logic, wants_bools)
{
    static const struct world_row rows[] = {
        { "n and yes",
          "error 0+1: `and` wants a bool, this is int; compare it with something: x > 0" },
        { "yes and s", "error 8+1: `and` wants a bool, this is string" },
        { "amount or yes", "error 0+6: `or` wants a bool, this is decimal(2); compare it with "
                           "something: x > 0" },
        { "yes or n + 1", "error 7+5: `or` wants a bool, this is int; compare it with something: "
                          "x > 0" },
        { "not t", "error 4+1: `not` wants a bool, this is timestamp" },
        { "null and yes", "error 0+4: `and` wants a bool, this is null" },
        { "if(n, 1, 2)", "error 3+1: the condition of `if` wants a bool, this is int; compare it "
                         "with something: x > 0" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(logic, if_takes_the_type_that_both_fit)
{
    static const struct world_row rows[] = {
        { "if(yes, 1, 2)", "int 1" },
        { "if(no, 1, 2)", "int 2" },
        { "if(unsure, 1, 2)", "int? null" },
        { "if(unsure ?? false, 1, 2)", "int 2" },
        { "if(yes, 1, 2.50)", "decimal(2) 1.00" },
        { "if(no, 1, 2.5)", "decimal(1) 2.5" },
        { "if(no, 1.123, n)", "decimal(3) 7.000" },
        { "if(yes, amount, price)", "decimal(4) 12.5000" },
        { "if(yes, 1, x)", "double 1" },
        { "if(yes, amount, x)", "double 12.5" },
        { "if(yes, huge, fine)", "decimal(18) null, overflow" },
        { "if(yes, null, 1)", "int? null" },
        { "if(no, null, 1.5)", "decimal(1)? 1.5" },
        { "if(yes, n_null, 1)", "int? null" },
        { "if(yes, null, null)", "null null" },
        { "if(yes, 'a', 'b')", "string a" },
        { "if(n > 5, 0.4, 0.0) + if(no, 0.3, 0.0)", "decimal(1) 0.4" },
        { "if(n > 5, if(n > 6, 'big', 'middle'), 'small')", "string big" },
        { "if(yes, t, ago) - if(no, t, ago)", "duration 1h30m" },
        { "if(yes, 1, 'a')", "error 11+3: if gives either int or string; make them alike" },
        { "if(yes, t, 5)", "error 11+1: if gives either timestamp or int; make them alike" },
        { "if(yes, 1)", "error 0+10: 'if' is called with 2 arguments; write if(condition, a, b)" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(logic, coalesce_takes_the_first_that_is_not_null)
{
    static const struct world_row rows[] = {
        { "n_null ?? 5", "int 5" },
        { "n_maybe ?? 5", "int 4" },
        { "n_null ?? n_null", "int? null" },
        { "n_null ?? n_null ?? 3", "int 3" },
        { "n_null ?? 2.50", "decimal(2) 2.50" },
        { "n_maybe ?? 2.50", "decimal(2) 4.00" },
        { "x_null ?? amount", "double 12.5" },
        { "null ?? 3", "int 3" },
        { "3 ?? null", "int 3" },
        { "null ?? null", "null null" },
        { "dec_null ?? 0 > 5", "bool false" },
        { "1 + n_null ?? 9", "int 9" },
        { "n_null ?? 1 + 1", "int 2" },
        { "s_null ?? 'x' == 'x'", "bool true" },
        { "unsure ?? false", "bool false" },
        { "coalesce(n_null, 5)", "int 5" },
        { "coalesce(n_null, n_maybe, 5)", "int 4" },
        { "coalesce(n_null, 2.5, 3)", "decimal(1) 2.5" },
        { "coalesce(n_null, n_null, x_null, 1)", "double 1" },
        { "is_null(n_null)", "bool true" },
        { "is_null(n)", "bool false" },
        { "is_null(null)", "bool true" },
        { "is_null(n / zero)", "bool true, division by zero" },
        { "not is_null(n_maybe) and n_maybe > 3", "bool? true" },
        { "huge ?? fine", "decimal(18) null, overflow" }, /* it was not null: fine is not asked */
        { "n ?? 's'", "error 5+3: `??` gives either int or string; make them alike" },
        { "coalesce(n, 1, t)",
          "error 15+1: coalesce gives either int or timestamp; make them alike" },
        { "coalesce(n)",
          "error 0+11: 'coalesce' is called with 1 argument; write coalesce(a, b, ...)" },
    };
    WORLD_ASSERT_ROWS(rows);
}

static void count_slot(void *context, int slot)
{
    int *counts = context;
    counts[slot]++;
}

Test(logic, the_slots_that_are_read_are_known)
{
    struct world world;
    world_init(&world);
    int counts[WORLD_SLOTS_MAX] = { 0 };
    struct expression *expression =
        world_compile(&world, "n > 5 and n < m or profiles[user].age > x and count(over 1m) > 2");
    expression_each_slot(expression, count_slot, counts);
    int total = 0;
    for (int i = 0; i < WORLD_SLOTS_MAX; i++)
        total += counts[i];
    cr_expect_eq(total, 5);
    cr_expect_eq(counts[world_slot("n")], 1);
    cr_expect_eq(counts[world_slot("m")], 1);
    cr_expect_eq(counts[world_slot("user")], 1);
    cr_expect_eq(counts[world_slot("x")], 1);
    expression_destroy(&expression);
    world_fini(&world);
}

Test(logic, a_screen_is_the_comparison_that_decides_alone)
{
    static const struct {
        const char *text;
        bool has, passes; /* n is 7 */
    } cases[] = {
        { "n > 7", true, false },
        { "n >= 7", true, true },
        { "n == 8", true, false },
        { "n != 7", true, false },
        { "7 < n", true, false },
        { "6 < n", true, true },
        { "n > 7 and yes", true, false },
        { "n > 7 and yes and amount > 10 and n > 1", true, false },
        { "n > 7 and (yes or no)", true, false },
        { "n_null > 7 and yes", true, true },
        { "n > 7 or yes", false, true },
        { "n > 7 and yes or yes", false, true },
        { "(n > 7 or yes) and yes", false, true },
        { "not (n > 7 and yes)", false, true },
        { "not (n > 7) and yes", false, true },
        { "yes and n > 7", false, true },
        { "n > n_null", false, true },
        { "n + 1 > 7", false, true },
        { "if(n > 7, yes, yes)", false, true },
        { "amount > 10 and yes", false, true },
        { "n", false, true },
    };
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expression *expression = world_compile(&world, cases[i].text);
        struct expression_screen screen;
        cr_assert_not_null(expression, "%s: %s", cases[i].text, world.err.text);
        const bool has = expression_screen(expression, &screen);
        cr_expect_eq(has, cases[i].has, "%s", cases[i].text);
        if (has)
            cr_expect_eq(expression_screen_passes(&screen, world.slots), cases[i].passes, "%s", cases[i].text);
        world_evaluate(&world, expression); /* which compares */
        expression_destroy(&expression);
    }
    world_fini(&world);
}
