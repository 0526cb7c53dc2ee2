#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "world.h"

enum { SECOND = 1000000 };

static void format(char *out, size_t size, const struct node *node)
{
    struct buffer text;
    buffer_init(&text);
    if (node != NULL)
        node_format(&text, node);
    snprintf(out, size, "%s", buffer_text(&text));
    buffer_fini(&text);
}

Test(aggregate, the_call_says_what_was_written)
{
    static const struct {
        const char *text, *function, *argument, *stream, *condition, *by[3];
        int64_t span_us, span_events, delay_us;
        bool previous;
    } rows[] = {
        { .text = "count(over 1m)", .function = "count", .span_us = 60 },
        { .text = "sum(amount over 1h30m)",
          .function = "sum",
          .argument = "amount",
          .span_us = 5400 },
        { .text = "count(over 6h by user, country)",
          .function = "count",
          .span_us = 6 * 3600,
          .by = { "user", "country" } },
        { .text = "avg(amount over previous 30d)",
          .function = "avg",
          .argument = "amount",
          .previous = true,
          .span_us = 30 * 86400 },
        { .text = "last(t over previous 1)",
          .function = "last",
          .argument = "t",
          .previous = true,
          .span_events = 1 },
        { .text = "last(t over previous 10 events)",
          .function = "last",
          .argument = "t",
          .previous = true,
          .span_events = 10 },
        { .text = "distinct(customer.address.country over 6h by customer.address.country)",
          .function = "distinct",
          .argument = "customer.address.country",
          .span_us = 6 * 3600,
          .by = { "customer.address.country" } },
        { .text = "count(of logins where not yes over 10m)",
          .function = "count",
          .stream = "logins",
          .condition = "not yes",
          .span_us = 600 },
        { .text = "sum(amount where amount < 10 and n in [1, 2] over 1h delay 5m)",
          .function = "sum",
          .argument = "amount",
          .condition = "amount < 10 and n in [1, 2]",
          .span_us = 3600,
          .delay_us = 300 },
        { .text = "sum(amount*2 + 1 by user over 1h of logins where yes)",
          .function = "sum",
          .argument = "amount * 2 + 1",
          .stream = "logins",
          .condition = "yes",
          .span_us = 3600,
          .by = { "user" } },
        { .text = "max(over + 1 over 1h)",
          .function = "max",
          .argument = "over + 1",
          .span_us = 3600 },
        { .text = "max(over over 1h)", .function = "max", .argument = "over", .span_us = 3600 },
        { .text = "count(where -n > 1 over 1m)",
          .function = "count",
          .condition = "-n > 1",
          .span_us = 60 },
        { .text = "count(n over 1m)", .function = "count", .argument = "n", .span_us = 60 },
        { .text = "stddev(if(yes, amount, 0) over 7d)",
          .function = "stddev",
          .argument = "if(yes, amount, 0)",
          .span_us = 7 * 86400 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        world_init(&world);
        struct nodes *nodes = NULL;
        struct expression *expression = NULL;
        const char *text = rows[i].text;
        cr_assert_eq(expression_parse(&nodes, text, &world.position, &world.err), ST_OK, "%s: %s",
                     text, world.err.text);
        cr_assert_eq(expression_compile(&expression, nodes_root(nodes), &world.scope,
                                        &world.position, &world.err),
                     ST_OK, "%s: %s", text, world.err.text);
        const struct aggregate_call *call = &world.last_call;
        char argument[200], condition[200];
        format(argument, sizeof argument, call->argument);
        format(condition, sizeof condition, call->condition);
        cr_expect_str_eq(call->function, rows[i].function, "%s", text);
        cr_expect_str_eq(argument, rows[i].argument == NULL ? "" : rows[i].argument, "%s", text);
        cr_expect_str_eq(condition, rows[i].condition == NULL ? "" : rows[i].condition, "%s", text);
        cr_expect_str_eq(call->stream == NULL ? "" : call->stream,
                         rows[i].stream == NULL ? "" : rows[i].stream, "%s", text);
        cr_expect(call->has_over, "%s", text);
        cr_expect_eq(call->previous, rows[i].previous, "%s", text);
        cr_expect_eq(call->span_us, rows[i].span_us * SECOND, "%s", text);
        cr_expect_eq(call->span_events, rows[i].span_events, "%s", text);
        cr_expect_eq(call->delay_us, rows[i].delay_us * SECOND, "%s", text);
        size_t by_count = 0;
        for (; rows[i].by[by_count] != NULL; by_count++)
            cr_expect_str_eq(call->by[by_count], rows[i].by[by_count], "%s", text);
        cr_expect_eq(call->by_count, by_count, "%s", text);
        cr_expect_eq(call->position.offset, 0, "%s", text);
        cr_expect_eq(call->position.size, strlen(text), "%s", text);
        expression_destroy(&expression);
        nodes_destroy(&nodes);
        world_fini(&world);
    }
}

Test(aggregate, its_slot_is_used_like_a_name)
{
    static const struct world_row rows[] = {
        { "count(over 1m) > 0 and yes", "bool true" },
        { "count(over 1m) + count(over 2m) * 10", "int 21" },
        { "t - from_s(last(n over previous 1))", "duration? 20484d11h59m59s250ms" },
        { "last(n over previous 1) ?? 0", "int 1" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(aggregate, refuses_what_is_no_aggregate)
{
    static const struct world_row rows[] = {
        { "count()",
          "error 0+7: `count` needs to know how far to look back: add `over 1m`, or `over "
          "previous 30d` to leave the current event out" },
        { "1 + sum(amount)",
          "error 4+11: `sum` needs to know how far to look back: add `over 1m`, or "
          "`over previous 30d` to leave the current event out" },
        { "sum(over 1m)", "error 0+3: `sum` of what? Write sum(amount over 1m), for example" },
        { "distinct(by user over 1m)",
          "error 0+8: `distinct` of what? Write distinct(amount over 1m), "
          "for example" },
        { "count(over)",
          "error 10+1: a span is missing after `over`: a duration (over 1m, over previous "
          "30d) or a number of events (over 10)" },
        { "count(over previous)",
          "error 19+1: a span is missing after `over`: a duration (over 1m, over "
          "previous 30d) or a number of events (over 10)" },
        { "count(over n)", "error 11+1: a span is missing after `over`: a duration (over 1m, over "
                           "previous 30d) or a number of events (over 10)" },
        { "count(over -1m)",
          "error 0+15: `count` needs to know how far to look back: add `over 1m`, or "
          "`over previous 30d` to leave the current event out" },
        { "count(over previous -1m)",
          "error 20+1: a span looks back by itself: leave the minus sign "
          "out" },
        { "count(over 1.5)",
          "error 11+3: a span is a duration or a whole number of events; 1.5h is "
          "1h30m" },
        { "count(over 0s)", "error 11+2: a span of nothing: say how far to look back" },
        { "count(over 0)", "error 11+1: a span of nothing: say how far to look back" },
        { "count(over 5 minutes)",
          "error 13+7: units stand directly behind the number, as d h m s ms "
          "us: over 5m" },
        { "count(over 1m previous)", "error 14+8: `previous` comes first: over previous ..." },
        { "count(over 1m delay)", "error 19+1: a duration is missing after `delay`, like 5m" },
        { "count(over 1m delay 5)", "error 20+1: a duration is missing after `delay`, like 5m" },
        { "count(over 1m delay 0s)", "error 20+2: a duration is missing after `delay`, like 5m" },
        { "count(over 1m over 2m)", "error 14+4: `over` stands here twice" },
        { "count(over 1m by)", "error 16+1: the name of a column is missing after `by`" },
        { "count(over 1m by user,)", "error 22+1: the name of a column is missing after ','" },
        { "count(over 1m by 'user')", "error 17+6: the name of a column is missing after `by`" },
        { "count(of)", "error 8+1: the name of a stream is missing after `of`" },
        { "count(of 5 over 1m)", "error 9+1: the name of a stream is missing after `of`" },
        { "count(where over 1m)", "error 12+4: a condition is missing after `where`" },
        { "count(where)", "error 11+1: a condition is missing after `where`" },
        { "count(over 1m wehre yes)", "error 14+5: unexpected 'wehre'; did you mean `where`?" },
        { "count(amount ovr 1m)", "error 13+3: unexpected 'ovr'; did you mean `over`?" },
        { "count(over 1m every 5)",
          "error 14+5: expected `of`, `where`, `over`, `by` or ')', found "
          "'every'; the form is count(value of STREAM where CONDITION over "
          "SPAN by KEY)" },
        { "sum(amount, n)", "error 10+1: `sum` takes one value" },
        { "count(over 1m", "error 5+1: this is never closed: ')' is missing" },
        { "count(", "error 6+0: the expression ends too early: a value is missing" },
        { "count(of nowhere over 1m)", "error 9+7: no stream 'nowhere'" },
        { "1 + count(over 13)", "error 4+14: thirteen" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(aggregate, may_be_refused_or_need_no_over)
{
    struct world world;
    world_init(&world);
    world.scope.over_optional = true;
    cr_expect_str_eq(world_run(&world, "count()"), "int 1");
    cr_expect_not(world.last_call.has_over);
    world.scope.aggregate = NULL;
    cr_expect_str_eq(world_run(&world, "1 + count(over 1m)"),
                     "error 4+5: `count` cannot stand here: aggregates belong into features");
    world.scope.aggregates_refused = "fields are computed from one event";
    cr_expect_str_eq(world_run(&world, "1 + count(over 1m)"),
                     "error 4+5: `count` cannot stand here: fields are computed from one event");
    world_fini(&world);
}

Test(aggregate, takes_so_many_names_after_by_and_no_more)
{
    struct world world;
    world_init(&world);
    cr_expect_str_eq(
        world_run(&world, "count(over 1m by a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a)"),
        "int 1");
    cr_expect_str_eq(
        world_run(&world, "count(over 1m by a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, b)"),
        "error 65+1: more than 16 names after `by`");
    world_fini(&world);
}
