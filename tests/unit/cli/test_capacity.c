/* What a load needs: every part counts, more of anything costs more, and what is advised is enough and not too much. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/capacity.h"
#include "processor/cli/command.h"
#include "processor/topology/topology.h"

static const struct capacity_load usual = {
    .events_per_s = 50000,
    .average_per_s = 200,
    .keys = 1e6,
    .alert_share = 0.001,
    .text_bytes = 12,
    .memory_bytes = 512 << 20,
    .workers = 1,
    .commit_interval_us = 100000,
    .alert_floor_us = 2000,
    .checkpoint_interval_us = 10000000,
    .replication = 3,
};

/* Of payments, with lines for the stream, the section of the features, and what its rule says. */
static struct plan *plan_that(const char *stream, const char *features, const char *when)
{
    AUTO(mem_auto_free)
    char *text = mem_format("topology: t\nstreams:\n  payments:\n    topic: transactions\n    "
                            "format: avro\n    schema: transaction.avsc\n"
                            "    key: user_id\n    id: tx_id\n    time: "
                            "event_time\n%s\n%s\n"
                            "rules:\n  many: { when: %s, severity: low }\noutputs:\n  alerts: { "
                            "topic: alerts, format: avro }\n",
                            stream, features, when);
    const struct topology_options options = { .schemas_directory = WEIR_SOURCE_DIR "/schemas" };
    struct diagnostics diagnostics;
    struct error err = { .text = "" };
    struct plan *plan = NULL;
    AUTO(buffer_fini) struct buffer told;
    buffer_init(&told);
    diagnostics_init(&diagnostics, "t.yaml");
    const enum status st =
        topology_load_text(&plan, "t.yaml", bytes_of_string(text), &options, &diagnostics, &err);
    diagnostics_format(&diagnostics, &told);
    cr_assert_eq(st, ST_OK, "%s %s", err.text, buffer_text(&told));
    diagnostics_fini(&diagnostics);
    return plan;
}

static struct plan *plan_of(const char *stream, const char *features)
{
    AUTO(mem_auto_free) char *section = mem_format("features:\n  n: count(over 1h)\n%s", features);
    return plan_that(stream, section, "n > 5");
}

static struct capacity capacity_of(const char *stream, const char *features,
                                   struct capacity_load load)
{
    AUTO(plan_destroy) struct plan *plan = plan_of(stream, features);
    struct capacity capacity;
    struct error err;
    cr_assert_eq(capacity_estimate(plan, &load, &capacity, &err), ST_OK, "%s", err.text);
    return capacity;
}

static struct capacity usual_with(struct capacity_load load)
{
    return capacity_of("", "", load);
}

Test(capacity, reads_rates_and_counts)
{
    static const struct {
        const char *text;
        bool rate;
        double expected; /* 0: refused */
    } rows[] = {
        { "50000/s", true, 50000 }, { "50k/s", true, 50000 },  { "1.5M/s", true, 1.5e6 },
        { "700", true, 700 },       { "5000000", false, 5e6 }, { "5M", false, 5e6 },
        { "2K", false, 2000 },      { "5M/s", false, 0 },      { "0", false, 0 },
        { "-3", true, 0 },          { "", true, 0 },           { "/s", true, 0 },
        { "5x", true, 0 },          { "5 M", true, 0 },        { "nan", true, 0 },
        { "inf/s", true, 0 },       { "1e400", true, 0 },      { "5M/h", true, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double found = 0;
        struct error err;
        const enum status st = capacity_number(rows[i].text, "load", rows[i].rate, &found, &err);
        cr_expect_eq(st, rows[i].expected > 0 ? ST_OK : ST_INVALID, "'%s'", rows[i].text);
        if (st == ST_OK)
            cr_expect_float_eq(found, rows[i].expected, 1e-6, "'%s' is %f", rows[i].text, found);
    }
}

Test(capacity, an_event_costs_the_sum_of_its_parts)
{
    const struct capacity c = usual_with(usual);
    cr_expect_float_eq(c.event_ns,
                       c.ns.event + c.ns.columns + c.ns.look_backs + c.ns.rules + c.ns.rows +
                           c.ns.misses + c.ns.commits,
                       1e-6);
    cr_expect_float_eq(c.processors, c.event_ns * 50000 / 1e9, 1e-9);
    cr_expect_float_eq(c.events_per_processor * c.event_ns, 1e9, 1);
}

Test(capacity, whatever_is_added_costs_something)
{
    static const char *const features[] = {
        "  x: count(over 1h)\n  y: count(over 2h)",
        "  x: sum(amount_cents over 1h)",
        "  x: max(amount_cents over 1h)",
        "  x: distinct(country over 1h)",
        "  x: last(country over 1h)",
        "  x: count(where country == 'DE' over 1h)",
        "  x: count(over 1h by user_id, country)",
    };
    const struct capacity without = usual_with(usual);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        const struct capacity with = capacity_of("", features[i], usual);
        cr_expect_gt(with.ns.look_backs, without.ns.look_backs, "%s", features[i]);
        cr_expect_gt(with.key_bytes, without.key_bytes, "%s", features[i]);
    }
    const struct capacity dedupe = capacity_of("    dedupe: 24h", "", usual);
    cr_expect_gt(dedupe.ns.columns, without.ns.columns);
    const struct capacity computed = capacity_of("", "  x: n * 2", usual);
    cr_expect_gt(computed.ns.rules, without.ns.rules);
    const struct capacity computed_more = capacity_of("", "  x: n * 2\n  y: n * 3 - x", usual);
    cr_expect_gt(computed_more.ns.rules, computed.ns.rules);
    const struct capacity longer = capacity_of("    remember: { for: 30d }", "", usual);
    cr_expect_gt(longer.state_bytes, 10 * without.state_bytes);
    cr_expect_gt(longer.disk_bytes, without.disk_bytes);
    cr_expect_gt(longer.restore_s, without.restore_s);
}

Test(capacity, what_remembers_nothing_needs_no_state)
{
    AUTO(plan_destroy) struct plan *plan = plan_that("", "", "amount_cents > 5");
    struct capacity c;
    struct error err;
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    cr_assert_eq(capacity_estimate(plan, &usual, &c, &err), ST_OK, "%s", err.text);
    cr_expect_eq(c.state_bytes + c.key_bytes + c.changelog_bytes + c.disk_bytes + c.restore_s + c.ns.rows + c.ns.misses, 0);
    cr_expect_eq(c.resident_share, 1);
    cr_expect_lt(c.event_ns, usual_with(usual).event_ns);
    cr_expect_lt(c.tail_bytes, usual_with(usual).tail_bytes);
    capacity_describe(plan, &usual, &c, false, &text);
    cr_expect_not_null(strstr(buffer_text(&text), "no events are remembered"), "%s", buffer_text(&text));
}

Test(capacity, busy_keys_write_few_whole_rows)
{
    struct capacity_load load = usual;
    double before = 0;
    for (load.keys = 100; load.keys < 1e9; load.keys *= 10) {
        const struct capacity c = usual_with(load);
        cr_expect_gt(c.whole_rows, before, "%g keys", load.keys);
        cr_expect_leq(c.whole_rows, 1);
        before = c.whole_rows;
    }
    load.keys = 100;
    cr_expect_lt(usual_with(load).whole_rows, 0.001);
    load.keys = 1e9;
    cr_expect_gt(usual_with(load).whole_rows, 0.99);
    /* Little memory for them makes checkpoints come sooner, and more rows whole. */
    load.keys = 1e6;
    const double roomy =
        usual_with((struct capacity_load){ load.events_per_s, load.average_per_s, load.keys,
                                           load.alert_share, load.text_bytes, 1, INT64_C(8) << 30,
                                           1, load.commit_interval_us, load.alert_floor_us,
                                           load.checkpoint_interval_us, 3 })
            .whole_rows;
    load.pods = 1;
    load.memory_bytes = 128 << 20;
    cr_expect_gt(usual_with(load).whole_rows, roomy);
}

Test(capacity, the_memory_that_is_advised_holds_all_keys)
{
    struct capacity_load load = usual;
    load.pods = 1;
    const struct capacity little = usual_with(load);
    cr_expect_lt(little.resident_share, 1);
    cr_expect_gt(little.ns.misses, 0);
    load.memory_bytes = little.memory_for_all_bytes;
    const struct capacity all = usual_with(load);
    cr_expect_eq(all.resident_share, 1);
    cr_expect_eq(all.ns.misses, 0);
    load.memory_bytes -= 4 << 20;
    cr_expect_lt(usual_with(load).resident_share, 1);
}

Test(capacity, pods_are_as_many_as_keep_each_half_busy)
{
    struct capacity_load load = usual;
    for (load.events_per_s = 100; load.events_per_s < 1e8; load.events_per_s *= 7)
        for (load.workers = 1; load.workers <= 4; load.workers *= 4) {
            struct capacity_load fewer = load;
            const struct capacity c = usual_with(load);
            cr_expect_leq(c.processors, 0.5 * c.pods * (double)load.workers + 1e-9);
            cr_expect_eq(c.partitions, c.pods * load.workers);
            fewer.pods = c.pods - 1;
            if (fewer.pods == 0)
                continue;
            const struct capacity tight = usual_with(fewer);
            cr_expect_eq(tight.pods, fewer.pods);
            cr_expect_gt(tight.processors, 0.5 * fewer.pods * (double)load.workers, "%g/s",
                         load.events_per_s);
        }
}

Test(capacity, commits_are_bounded_by_the_floor_and_by_the_events)
{
    struct capacity_load load = usual;
    load.pods = 1;
    load.alert_share = 1;
    cr_expect_float_eq(usual_with(load).commits_per_s, 500, 1e-6); /* 2 ms */
    load.alert_share = 0;
    cr_expect_float_eq(usual_with(load).commits_per_s, 10, 1e-6);
    load.events_per_s = load.average_per_s = 3;
    cr_expect_float_eq(usual_with(load).commits_per_s, 3, 1e-6);
}

Test(capacity, what_cannot_be_is_refused)
{
    AUTO(plan_destroy) struct plan *plan = plan_of("", "");
    struct capacity_load load = usual;
    struct capacity capacity;
    struct error err;
    load.memory_bytes = 64 << 20;
    cr_expect_eq(capacity_estimate(plan, &load, &capacity, &err), ST_INVALID);
    load = usual;
    load.events_per_s = 1e12;
    cr_expect_eq(capacity_estimate(plan, &load, &capacity, &err), ST_TOO_LARGE);
}

Test(capacity, is_told_to_people_and_to_programs)
{
    AUTO(plan_destroy) struct plan *plan = plan_of("", "");
    AUTO(buffer_fini) struct buffer text;
    struct capacity capacity;
    struct error err;
    struct capacity_load load = usual;
    load.pods = 1;
    load.events_per_s = 3e6;
    buffer_init(&text);
    cr_assert_eq(capacity_estimate(plan, &load, &capacity, &err), ST_OK);
    capacity_describe(plan, &load, &capacity, false, &text);
    cr_expect_not_null(strstr(buffer_text(&text),
                              "3,000,000 events/s of payments (200 on average), 1,000,000 keys"),
                       "%s", buffer_text(&text));
    cr_expect_not_null(strstr(buffer_text(&text), "too few, the lag will grow"), "%s",
                       buffer_text(&text));
    buffer_clear(&text);
    capacity_describe(plan, &load, &capacity, true, &text);
    cr_expect_not_null(strstr(buffer_text(&text), "\"average_per_s\": 200"), "%s",
                       buffer_text(&text));
    cr_expect_not_null(strstr(buffer_text(&text), "\"pods\": 1"), "%s", buffer_text(&text));
}

extern const struct command command_plan;

/* The program's own prints. */
int command_failed(const struct error *err)
{
    (void)err;
    return EXIT_CODE_USAGE;
}

/* The exit code of `weir plan velocity.yaml` with these options. */
static int plan_with(const char *const *options)
{
    char *argv[16] = { "velocity.yaml" };
    int argc = 1;
    struct arguments arguments;
    struct error err;
    for (; options[argc - 1] != NULL; argc++)
        argv[argc] = (char *)options[argc - 1];
    cr_assert_eq(arguments_parse(&arguments, argc, argv, command_plan.options, NULL, &err), ST_OK, "%s", err.text);
    return command_plan.run(&arguments);
}

Test(capacity, is_asked_for_with_load_and_keys)
{
    static const struct {
        const char *options[8];
        bool is_answered;
    } rows[] = {
        { { "--load", "50k/s", "--keys", "5M" }, true },
        { { "--load", "50k/s", "--keys", "5M", "--alerts", "100", "--json" }, true },
        { { "--load", "50k/s", "--keys", "5M", "--average", "1k/s" }, true },
        { { "--load", "50k/s" }, false },
        { { "--keys", "5M" }, false },
        { { "--load", "many", "--keys", "5M" }, false },
        { { "--load", "50k/s", "--keys", "5M", "--alerts", "101" }, false },
        { { "--load", "50k/s", "--keys", "5M", "--pods", "-1" }, false },
        { { "--load", "50k/s", "--keys", "5M", "--average", "0" }, false },
    };
    cr_redirect_stdout();
    cr_redirect_stderr();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_eq(plan_with(rows[i].options) == 0, rows[i].is_answered, "row %zu", i);
}
