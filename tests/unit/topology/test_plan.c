#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "base/memory.h"
#include "loaded.h"
#include "schemas/schema.h"

/* ---- the plan of a stream as text: what the tables below compare ---- */

static const char *type_of(struct value_type type)
{
    static char text[VALUE_TYPE_TEXT_SIZE];
    return value_type_text(type, text);
}

static void put_window(struct buffer *out, const struct window_spec *window)
{
    buffer_printf(out, "%s", window->previous ? "previous " : "");
    const struct value span = value_duration(window->span_us),
                       delay = value_duration(window->delay_us);
    if (window->span_events > 0)
        buffer_printf(out, "%d events", (int)window->span_events);
    else
        value_format(out, &span);
    if (window->delay_us > 0) {
        buffer_put_string(out, " delay ");
        value_format(out, &delay);
    }
}

static void put_measure(struct buffer *out, const struct plan_stream *stream, int measure)
{
    if (measure < 0)
        buffer_put_string(out, "-");
    else if (measure < (int)stream->remembered_count)
        buffer_put_string(out, stream->remembered_columns[measure].name);
    else
        buffer_printf(out, "(%s)", stream->measures[measure - (int)stream->remembered_count].text);
}

static void put_aggregate(struct buffer *out, const struct plan_stream *stream,
                          const struct plan_aggregate *aggregate)
{
    const struct aggregate_spec *spec = &aggregate->spec;
    buffer_printf(out, "%s: %s", aggregate->text, type_of(aggregate->type));
    buffer_put_string(out, " = [");
    put_window(out, &stream->windows[spec->window]);
    buffer_put_string(out, "] ");
    put_measure(out, stream, spec->argument);
    buffer_put_string(out, " where ");
    put_measure(out, stream, spec->condition);
    for (int i = 0; i < spec->group_count; i++) {
        buffer_put_string(out, i == 0 ? " by " : ", ");
        put_measure(out, stream, spec->group[i]);
    }
    buffer_put_string(out, "\n");
}

static char *aggregates_text(const struct plan_stream *stream)
{
    struct buffer out;
    buffer_init(&out);
    for (size_t i = 0; i < stream->aggregate_count; i++)
        put_aggregate(&out, stream, &stream->aggregates[i]);
    char *text = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    return text;
}

static void expect_names(const char *what, const char *found, const char *wanted)
{
    cr_expect_str_eq(found, wanted, "%s: '%s', expected '%s'", what, found, wanted);
}

static char *remembered_text(const struct plan_stream *stream)
{
    struct buffer out;
    buffer_init(&out);
    for (size_t i = 0; i < stream->remembered_count; i++) {
        const struct plan_field *named = &stream->slots_named[stream->remembered[i]];
        cr_assert_str_eq(named->name, stream->remembered_columns[i].name);
        buffer_printf(&out, "%s%s", i == 0 ? "" : " ", named->name);
    }
    char *text = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    return text;
}

static char *slots_text(const struct plan_stream *stream)
{
    struct buffer out;
    buffer_init(&out);
    for (size_t i = 0; i < stream->named_count; i++)
        buffer_printf(&out, "%s%s", i == 0 ? "" : " ", stream->slots_named[i].name);
    buffer_put_string(&out, " |");
    for (size_t i = 0; i < stream->feature_count; i++)
        buffer_printf(&out, " %s", stream->features[i].name);
    char *text = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    return text;
}

/* Every index and slot of a plan lies where the frame says it does. */
static void check_layout(const struct plan *plan)
{
    const struct plan_stream *stream = &plan->streams[0];
    for (size_t i = 0; i < stream->named_count; i++) {
        const struct plan_field *named = &stream->slots_named[i];
        cr_assert_eq(named->slot, (int)i);
        cr_assert_eq(named->program == NULL, i < stream->decoder_column_count, "%s", named->name);
        if (i < stream->decoder_column_count)
            cr_assert_str_eq(named->name, stream->decoder_columns[i].path);
    }
    for (size_t i = 0; i < stream->aggregate_count; i++)
        cr_assert_eq(stream->aggregates[i].slot, (int)(stream->named_count + i));
    size_t computed = 0;
    for (size_t i = 0; i < stream->feature_count; i++) {
        const struct plan_feature *feature = &stream->features[i];
        const int own = (int)(stream->named_count + stream->aggregate_count + i), same = expression_slot(feature->program);
        cr_assert_eq(feature->is_computed, same < 0, "%s", feature->name);
        cr_assert_eq(feature->slot, feature->is_computed ? own : same, "%s", feature->name);
        if (feature->is_computed)
            cr_assert_eq(stream->computed[computed++], feature, "%s", feature->name);
    }
    cr_assert_eq(stream->computed_count, computed);
    cr_assert_eq(stream->slot_count,
                 stream->named_count + stream->aggregate_count + stream->feature_count);
    for (size_t i = 0; i < stream->aggregate_count; i++) {
        const struct aggregate_spec *spec = &stream->aggregates[i].spec;
        const int measures = (int)(stream->remembered_count + stream->measure_count);
        cr_assert(spec->argument < measures && spec->condition < measures);
        cr_assert(spec->window >= 0 && spec->window < (int)stream->window_count);
        for (int j = 0; j < spec->group_count; j++)
            cr_assert(spec->group[j] >= 0 && spec->group[j] < (int)stream->remembered_count);
    }
}

static struct loaded load_sound(const char *yaml)
{
    struct loaded loaded = loaded_from(yaml);
    cr_assert_not_null(loaded.plan, "%s\n%s", yaml, loaded.text);
    check_layout(loaded.plan);
    return loaded;
}

/* ---- look-backs ---- */

Test(plan, look_backs_become_windows_measures_and_groups)
{
    static const struct {
        const char *feature, *aggregates;
    } rows[] = {
        { "count(over 1m)", "count(over 1m): int = [1m] - where -\n" },
        { "count(over previous 30d)",
          "count(over previous 30d): int = [previous 30d] - where -\n" },
        { "count(note over 1m)", "count(note over 1m): int = [1m] note where -\n" },
        { "sum(cents over 1m)", "sum(cents over 1m): int? = [1m] cents where -\n" },
        { "sum(cents / 100 over 1m)",
          "sum(cents / 100 over 1m): decimal(2) = [1m] (cents / 100) where -\n" },
        { "sum(decimal(rate, 2) over 1m)",
          "sum(decimal(rate, 2) over 1m): decimal(2) = [1m] (decimal(rate, 2)) where -\n" },
        { "avg(cents over 1m)", "avg(cents over 1m): double = [1m] cents where -\n" },
        { "avg(cents over previous 1m)",
          "avg(cents over previous 1m): double? = [previous 1m] cents where -\n" },
        { "avg(cents where ok over 1m)",
          "avg(cents where ok over 1m): double? = [1m] cents where ok\n" },
        { "max(rate over 1h delay 5m)",
          "max(rate over 1h delay 5m): double? = [1h delay 5m] rate where -\n" },
        { "min(lat over 1h)", "min(lat over 1h): double? = [1h] lat where -\n" },
        { "max(at over 1h)", "max(at over 1h): timestamp = [1h] at where -\n" },
        { "min(country over 1h)", "min(country over 1h): string = [1h] country where -\n" },
        { "stddev(cents over 1h)", "stddev(cents over 1h): double = [1h] cents where -\n" },
        { "distinct(raw over 1h)", "distinct(raw over 1h): int = [1h] raw where -\n" },
        { "first(ok over 1h)", "first(ok over 1h): bool = [1h] ok where -\n" },
        { "last(shop.name over previous 3)",
          "last(shop.name over previous 3): string? = [previous 3 events] shop.name where -\n" },
        { "count(where cents > 5 and not ok over 1d by user, card)",
          "count(where cents > 5 and not ok over 1d by user, card): int = [1d] - where "
          "(cents > 5 and not ok) by card\n" },
        { "count(over 1d by user)", "count(over 1d by user): int = [1d] - where -\n" },
        { "count(of s over 1d)", "count(over 1d): int = [1d] - where -\n" },
        { "count(over 60s) + count(over 1m) + count( over  1m )",
          "count(over 1m): int = [1m] - where -\n" },
        { "sum(cents over 1m) - sum(cents over previous 1m)",
          "sum(cents over 1m): int? = [1m] cents where -\n"
          "sum(cents over previous 1m): int? = [previous 1m] cents where -\n" },
        { "if(ok, 1, 2)", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(mem_auto_free)
        char *yaml = mem_format(
            HEAD
            "    remember: { for: 1h, columns: [tx, user, card, note, cents, ok, rate, lat, at,"
            " raw, country, shop.name] }\nfeatures:\n  f: \"%s\"\n",
            rows[i].feature);
        struct loaded loaded = load_sound(yaml);
        AUTO(mem_auto_free) char *text = aggregates_text(&loaded.plan->streams[0]);
        cr_expect_str_eq(text, rows[i].aggregates, "%s\n%s", rows[i].feature, text);
        loaded_fini(&loaded);
    }
}

Test(plan, equal_measures_and_windows_are_one)
{
    struct loaded loaded =
        load_sound(HEAD "features:\n"
                        "  a: sum(cents / 100 over 1m)\n"
                        "  b: avg(cents / 100 over 60s)\n"
                        "  c: count(where cents / 100 > 5 over 1h)\n"
                        "  d: count(where cents/100 > 5 over 1h by user, card)\n"
                        "rules:\n"
                        "  r: { severity: low, when: avg(cents / 100 over 1m) > 5 }\n");
    const struct plan_stream *stream = &loaded.plan->streams[0];
    cr_assert_eq(stream->window_count, 2);
    cr_assert_eq(stream->measure_count, 2);
    cr_assert_eq(stream->aggregate_count, 4);
    loaded_fini(&loaded);
}

Test(plan, a_feature_that_is_another_name_has_no_slot_of_its_own)
{
    struct loaded loaded =
        load_sound(HEAD "features:\n"
                        "  third: second\n"
                        "  computed: second + 1\n"
                        "  second: first\n"
                        "  first: count(over 1m)\n"
                        "  fourth: computed\n"
                        "  amount: cents\n"
                        "rules:\n"
                        "  r: { severity: low, when: third > 5 and fourth > 5 and amount > 5 }\n");
    const struct plan_stream *stream = &loaded.plan->streams[0];
    const struct plan_rule *rule = &loaded.plan->rules[0];
    check_layout(loaded.plan);
    cr_assert_eq(stream->computed_count, 1);
    cr_assert_str_eq(stream->computed[0]->name, "computed");
    for (size_t i = 0; i < stream->feature_count; i++) {
        const struct plan_feature *feature = &stream->features[i];
        int slot = stream->aggregates[0].slot;
        if (strcmp(feature->name, "computed") == 0 || strcmp(feature->name, "fourth") == 0)
            slot = stream->computed[0]->slot;
        else if (strcmp(feature->name, "amount") == 0)
            for (slot = 0; strcmp(stream->slots_named[slot].name, "cents") != 0; slot++) {}
        cr_assert_eq(feature->slot, slot, "%s", feature->name);
    }
    cr_assert_eq(rule->aggregate_count, 1);
    cr_assert_eq(rule->aggregates[0], 0);
    loaded_fini(&loaded);
}

Test(plan, a_computed_key_stays_in_the_group)
{
    struct loaded loaded =
        load_sound("topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n"
                   "    schema: tx.avsc\n    key: lower(user)\n"
                   "features:\n  f: count(over 1h by user)\n");
    AUTO(mem_auto_free) char *text = aggregates_text(&loaded.plan->streams[0]);
    cr_assert_str_eq(text, "count(over 1h by user): int = [1h] - where - by user\n", "%s", text);
    cr_assert_eq(loaded.plan->streams[0].key_column_count, 1);
    cr_assert_str_eq(loaded.plan->streams[0].key_columns[0], "user");
    loaded_fini(&loaded);
}

/* ---- what is decoded and remembered ---- */

Test(plan, only_what_is_read_is_decoded_and_remembered)
{
    static const struct {
        const char *name, *rest, *slots, *remembered;
    } rows[] = {
        { "nothing looks back", HEAD "rules:\n  r: { severity: low, when: cents > 5 }\n",
          "tx user cents at |", "" },
        { "a look-back and what rules read",
          HEAD "features:\n  n: count(where ok over 1h)\n"
               "rules:\n  r: { severity: low, when: n > cents, message: '{country}' }\n",
          "tx user country cents ok at | n", "tx country cents ok" },
        { "late events at their own time",
          HEAD "    late_events: own_time\n"
               "features:\n  n: count(where ok over 1h)\n"
               "rules:\n  r: { severity: low, when: n > cents, message: '{country}' }\n",
          "tx user country cents ok at | n", "ok" },
        { "what tells events apart, though late ones change nothing",
          HEAD "    late_events: own_time\n    dedupe: 1d\n"
               "features:\n  n: count(where ok over 1h)\n"
               "rules:\n  r: { severity: low, when: n > cents, message: '{country}' }\n",
          "tx user country cents ok at | n", "tx ok" },
        { "that alone, when nothing looks back",
          HEAD "    dedupe: 1d\nrules:\n  r: { severity: low, when: cents > 5 }\n", "tx user cents at |", "tx" },
        { "a field and the columns behind it",
          HEAD "    fields:\n      a: cents / 100\n      b: a * 2\n"
               "features:\n  n: sum(b over 1h)\n",
          "tx user cents at a b | n", "tx b" },
        { "fields that nobody reads are computed, not remembered",
          HEAD "    fields:\n      a: cents / 100\nfeatures:\n  n: count(over 1h)\n",
          "tx user cents at a | n", "tx" },
        { "columns by name",
          HEAD "    remember: { columns: [country, shop.size] }\nfeatures:\n  n: count(over 1h)\n",
          "tx user country at shop.size | n", "tx country shop.size" },
        { "columns by name without a look-back",
          HEAD "    remember: { for: 1d, columns: [country] }\n", "tx user country at |",
          "tx country" },
        { "all",
          HEAD "    remember: { for: 1d, columns: all }\n    fields:\n      a: cents / 100\n",
          "tx user card device note country cents count_of ok rate lat at raw shop.name shop.size "
          "a |",
          "tx user card device note country cents count_of ok rate lat at raw shop.name shop.size "
          "a" },
        { "features in whatever order",
          HEAD "features:\n  a: b + c\n  b: c * 2\n  c: count(over 1h)\n  d: 1 + 1\n",
          "tx user at | c b a d", "tx" },
        { "on rise, without a look-back",
          HEAD "    remember: { for: 1d }\nrules:\n  r: { severity: low, when: cents > 5, repeat: "
               "on rise }\n",
          "tx user cents at |", "tx cents" },
        { "the key in a group of its own", HEAD "features:\n  n: count(over 1h by user, card)\n",
          "tx user card at | n", "tx card" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loaded loaded = load_sound(rows[i].rest);
        AUTO(mem_auto_free) char *slots = slots_text(&loaded.plan->streams[0]);
        AUTO(mem_auto_free) char *remembered = remembered_text(&loaded.plan->streams[0]);
        expect_names(rows[i].name, slots, rows[i].slots);
        expect_names(rows[i].name, remembered, rows[i].remembered);
        loaded_fini(&loaded);
    }
}

/* ---- times ---- */

Test(plan, durations_have_defaults_that_fit_each_other)
{
    enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
    static const struct {
        const char *options;
        int out_of_order, accept_late, max_ahead, dedupe, remember, retention; /* seconds */
        size_t warnings;
    } rows[] = {
        { "", 0, HOUR, 5 * MINUTE, 0, 2 * HOUR, 3 * HOUR, 0 },
        { "    out_of_order: 30s\n", 30, HOUR, 5 * MINUTE, 0, 2 * HOUR, 3 * HOUR, 0 },
        { "    out_of_order: 3h\n", 3 * HOUR, 3 * HOUR, 5 * MINUTE, 0, 2 * HOUR, 5 * HOUR, 0 },
        { "    accept_late: 2m\n    max_ahead: 0s\n", 0, 2 * MINUTE, 0, 0, 2 * HOUR, 2 * HOUR + 120,
          0 },
        { "    dedupe: 1d\n", 0, HOUR, 5 * MINUTE, DAY, 2 * HOUR, DAY + HOUR, 0 },
        { "    dedupe: 1h\n", 0, HOUR, 5 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 0 },
        { "    remember: { for: 1d }\n", 0, HOUR, 5 * MINUTE, 0, DAY, DAY + HOUR, 0 },
        { "    remember: { for: 1h }\n", 0, HOUR, 5 * MINUTE, 0, HOUR, 3 * HOUR, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(mem_auto_free)
        char *yaml =
            mem_format(HEAD "%sfeatures:\n  a: count(over 90m delay 30m)\n  b: count(over 1h)\n",
                       rows[i].options);
        struct loaded loaded = load_sound(yaml);
        const struct plan_stream *stream = &loaded.plan->streams[0];
        const int64_t second = 1000000;
        cr_expect_eq(stream->out_of_order_us, rows[i].out_of_order * second, "%s", rows[i].options);
        cr_expect_eq(stream->accept_late_us, rows[i].accept_late * second, "%s", rows[i].options);
        cr_expect_eq(stream->max_ahead_us, rows[i].max_ahead * second, "%s", rows[i].options);
        cr_expect_eq(stream->dedupe_us, rows[i].dedupe * second, "%s", rows[i].options);
        cr_expect_eq(stream->remember_us, rows[i].remember * second, "%s", rows[i].options);
        cr_expect_eq(stream->retention_us, rows[i].retention * second, "%s", rows[i].options);
        cr_expect_eq(loaded.diagnostics.count, rows[i].warnings, "%s", loaded.text);
        loaded_fini(&loaded);
    }
}

Test(plan, where_nothing_looks_back_no_events_are_remembered)
{
    static const struct {
        const char *options;
        bool remembers;
        size_t warnings;
    } rows[] = {
        { "    late_events: own_time\n    accept_late: 2h\n", false, 0 },
        { "    dedupe: 1d\n", true, 0 },
        { "    remember: { for: 1d }\n", true, 0 },
        { "    remember: { columns: all }\n", false, 1 }, /* not for how long */
        { "    remember: { columns: all }\n    dedupe: 1d\n", true, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(mem_auto_free)
        char *yaml = mem_format(HEAD "%srules:\n  r: { severity: low, when: cents > 5 }\n", rows[i].options);
        struct loaded loaded = load_sound(yaml);
        AUTO(buffer_fini) struct buffer text;
        buffer_init(&text);
        plan_describe(loaded.plan, false, &text);
        cr_expect_eq(loaded.plan->streams[0].retention_us > 0, rows[i].remembers, "%s", rows[i].options);
        cr_expect_eq(strstr(buffer_text(&text), "remembers no events") == NULL, rows[i].remembers, "%s", buffer_text(&text));
        cr_expect_eq(loaded.diagnostics.count, rows[i].warnings, "%s", loaded.text);
        loaded_fini(&loaded);
    }
}

/* ---- rules ---- */

static const struct plan_rule *rule_named(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->rule_count; i++)
        if (strcmp(plan->rules[i].name, name) == 0)
            return &plan->rules[i];
    cr_assert_fail("no rule %s", name);
    return NULL;
}

Test(plan, rules_carry_what_explains_them)
{
    struct loaded loaded =
        load_sound(HEAD "features:\n"
                        "  n: count(over 1h)\n"
                        "  m: n + count(over 2h)\n"
                        "  other: count(over 3h)\n"
                        "rules:\n"
                        "  a:\n"
                        "    when: m > 2 * 5 and country != 'US' and not ok\n"
                        "    severity: critical\n"
                        "    repeat: once per 90s\n"
                        "    message: \"{m}\"\n"
                        "  b: { when: 5 < other, severity: low, repeat: on rise }\n"
                        "  c: { when: ok, severity: medium }\n"
                        "  d: { when: device == note, severity: high, repeat: every }\n");
    const struct plan_rule *a = rule_named(loaded.plan, "a");
    cr_assert_eq(a->severity, SEVERITY_CRITICAL);
    cr_assert_eq(a->repeat, REPEAT_ONCE_PER);
    cr_assert_eq(a->repeat_us, 90 * INT64_C(1000000));
    cr_assert_not_null(a->message);
    cr_assert_eq(a->aggregate_count, 2);
    cr_assert_eq(a->operand_count, 3);
    cr_assert_str_eq(a->operands[0].left_text, "m");
    cr_assert_str_eq(a->operands[0].comparison, ">");
    cr_assert_str_eq(a->operands[0].right_text, "10");
    cr_assert_null(a->operands[0].right);
    cr_assert_str_eq(a->operands[1].right_text, "US");
    cr_assert_str_eq(a->operands[2].left_text, "ok");
    const struct plan_rule *b = rule_named(loaded.plan, "b");
    cr_assert_eq(b->repeat, REPEAT_ON_RISE);
    cr_assert_eq(b->aggregate_count, 1);
    cr_assert_str_eq(loaded.plan->streams[0].aggregates[b->aggregates[0]].text, "count(over 3h)");
    cr_assert_str_eq(b->operands[0].right_text, "other");
    cr_assert_not_null(b->operands[0].right);
    const struct plan_rule *c = rule_named(loaded.plan, "c");
    cr_assert_null(c->message);
    cr_assert_eq(c->aggregate_count, 0);
    cr_assert_eq(c->repeat, REPEAT_EVERY);
    cr_assert_neq(a->id, b->id);
    loaded_fini(&loaded);
}

Test(plan, what_is_computed_from_sensitive_columns_is_sensitive)
{
    struct loaded loaded = load_sound(
        HEAD "    fields:\n"
             "      tail: lower(card)\n"
             "      mail: users[user].email\n"
             "      home: users[user].country\n"
             "features:\n"
             "  n: distinct(card over 1h)\n"
             "  per_card: count(over 1h by user, card)\n"
             "  known: count(where card == '1' over 1h)\n"
             "  same: last(tail over previous 1h) == tail\n"
             "tables:\n"
             "  users: { topic: u, format: json, schema: user.avsc, key: user }\n"
             "rules:\n"
             "  a: { when: per_card > 5 and n > 2, severity: low, message: '{n}' }\n"
             "  b: { when: home == 'x' and mail == 'y', severity: low, message: '{home}' }\n");
    const struct plan_stream *stream = &loaded.plan->streams[0];
    static const struct {
        const char *name;
        bool sensitive;
    } rows[] = { { "card", true },      { "user", false }, { "tail", true },
                 { "mail", true },      { "home", false }, { "n", true },
                 { "per_card", false }, { "known", true }, { "same", true } };
    size_t seen = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < stream->named_count; j++)
            if (strcmp(stream->slots_named[j].name, rows[i].name) == 0 && ++seen)
                cr_expect_eq(stream->slots_named[j].sensitive, rows[i].sensitive, "%s",
                             rows[i].name);
        for (size_t j = 0; j < stream->feature_count; j++)
            if (strcmp(stream->features[j].name, rows[i].name) == 0 && ++seen)
                cr_expect_eq(stream->features[j].sensitive, rows[i].sensitive, "%s", rows[i].name);
    }
    cr_assert_eq(seen, sizeof rows / sizeof rows[0]);
    const struct plan_rule *a = rule_named(loaded.plan, "a"), *b = rule_named(loaded.plan, "b");
    cr_assert(!a->operands[0].sensitive && a->operands[1].sensitive && a->message_sensitive);
    cr_assert(!b->operands[0].sensitive && b->operands[1].sensitive && !b->message_sensitive);
    cr_assert(!stream->key_sensitive && !stream->id_sensitive);
    loaded_fini(&loaded);
}

/* ---- tables and outputs ---- */

Test(plan, tables_keep_every_column_and_a_number_of_their_own)
{
    struct loaded loaded = load_sound(
        HEAD
        "tables:\n"
        "  users: { topic: u, format: avro, schema: user.avsc, key: user, time: since, versions: "
        "7d }\n"
        "  numbers: { topic: n, format: json, schema: number.avsc, key: n, scope: everywhere }\n"
        "rules:\n  r: { when: user in users and cents in numbers, severity: low }\n");
    const struct plan_table *users = &loaded.plan->tables[0], *numbers = &loaded.plan->tables[1];
    cr_assert_eq(users->scope, TABLE_COPARTITIONED);
    cr_assert_eq(users->spec.column_count, 4);
    cr_assert_eq(users->spec.versions_us, 7 * INT64_C(86400000000));
    cr_assert_eq(users->spec.number, users->number);
    cr_assert_str_eq(users->time_text, "since");
    cr_assert_eq(numbers->scope, TABLE_EVERYWHERE);
    cr_assert_eq(numbers->key_type.kind, VALUE_INT);
    cr_assert_null(numbers->time);
    cr_assert_neq(users->number, numbers->number);
    const int number = users->number;
    loaded_fini(&loaded);
    loaded = load_sound(
        HEAD "tables:\n  users: { topic: u, format: avro, schema: user.avsc, key: user }\n");
    cr_assert_eq(loaded.plan->tables[0].number, number, "it must not depend on the other tables");
    loaded_fini(&loaded);
}

Test(plan, outputs_have_defaults)
{
    struct loaded loaded = load_sound(HEAD);
    cr_assert_str_eq(loaded.plan->alerts.topic, "t-alerts");
    cr_assert_eq(loaded.plan->alerts.format, FORMAT_AVRO);
    cr_assert_str_eq(loaded.plan->dead_letters.topic, "t-dead-letters");
    cr_assert(!loaded.plan->dead_letters.payload_reference);
    loaded_fini(&loaded);
    loaded = load_sound(HEAD "outputs:\n  alerts: { topic: a, format: json }\n"
                             "  dead_letters: { topic: d, payload: reference }\n");
    cr_assert_str_eq(loaded.plan->alerts.topic, "a");
    cr_assert_eq(loaded.plan->alerts.format, FORMAT_JSON);
    cr_assert_str_eq(loaded.plan->dead_letters.topic, "d");
    cr_assert(loaded.plan->dead_letters.payload_reference);
    loaded_fini(&loaded);
}

/* ---- the version ---- */

Test(plan, the_digest_follows_the_meaning_not_the_spelling)
{
    struct loaded plain = load_sound(HEAD "rules:\n  r: { when: cents > 5, severity: low }\n");
    struct loaded spelled =
        load_sound("# a comment\n" HEAD "    max_ahead: 300s\n"
                   "rules:\n  r:\n    severity: low\n    when: (cents)  >  5 # more\n"
                   "outputs:\n  alerts: { topic: t-alerts }\n");
    struct loaded changed = load_sound(HEAD "rules:\n  r: { when: cents > 6, severity: low }\n");
    struct loaded ahead = load_sound(HEAD "    max_ahead: 301s\n"
                                          "rules:\n  r: { when: cents > 5, severity: low }\n");
    cr_assert_eq(strlen(plain.plan->digest), 32);
    cr_assert_str_eq(plain.plan->digest, spelled.plan->digest);
    cr_assert_str_neq(plain.plan->digest, changed.plan->digest);
    cr_assert_str_neq(plain.plan->digest, ahead.plan->digest);
    loaded_fini(&plain);
    loaded_fini(&spelled);
    loaded_fini(&changed);
    loaded_fini(&ahead);
}

/* ---- the shipped files ---- */

static char *without_hop(const char *text)
{
    struct buffer out;
    buffer_init(&out);
    bool skip_rule = false;
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const size_t size = end == NULL ? strlen(line) : (size_t)(end - line) + 1;
        skip_rule = strncmp(line, "  merchant_burst:", 17) == 0 || (skip_rule && line[2] == ' ');
        if (!skip_rule && strncmp(line, "  merchant_tx_10m:", 18) != 0)
            buffer_put(&out, line, size);
        line += size;
    }
    char *copy = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    return copy;
}

static char *file_text(const char *path)
{
    AUTO(mem_auto_free) char *full = mem_format("%s/%s", WEIR_SOURCE_DIR, path);
    FILE *file = fopen(full, "rb");
    cr_assert_not_null(file, "%s", full);
    char *text = mem_alloc(1 << 16);
    cr_assert_lt(fread(text, 1, (1 << 16) - 1, file), (size_t)(1 << 16) - 1);
    fclose(file);
    return text;
}

Test(plan, the_reference_file_runs_without_its_hop)
{
    struct loaded whole = loaded_from_file("topologies/card-fraud.yaml");
    cr_assert_eq(whole.diagnostics.errors, 1, "%s", whole.text);
    cr_assert(strstr(whole.text, "needs a repartition hop, which this version does not run yet") !=
              NULL);
    cr_assert(strstr(whole.text, "rule 'merchant_burst' depends on it") != NULL);
    loaded_fini(&whole);

    AUTO(mem_auto_free) char *text = file_text("topologies/card-fraud.yaml");
    AUTO(mem_auto_free) char *without = without_hop(text);
    const struct topology_options options = { .schemas_directory = WEIR_SOURCE_DIR "/schemas" };
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics, "card-fraud.yaml");
    struct plan *plan = NULL;
    struct error err = { 0 };
    cr_assert_eq(topology_load_text(&plan, "card-fraud.yaml", bytes_of_string(without), &options,
                                    &diagnostics, &err),
                 ST_OK, "%s", err.text);
    check_layout(plan);
    cr_assert_eq(plan->rule_count, 8);
    cr_assert_eq(plan->streams[0].feature_count, 8);
    cr_assert_eq(plan->streams[0].remembered_count, 12);
    cr_assert_eq(plan->streams[0].retention_us, INT64_C(1000000) * (30 * 86400 + 3600));
    plan_destroy(&plan);
    diagnostics_fini(&diagnostics);
}

Test(plan, the_other_files_run_as_they_are)
{
    static const char *const files[] = { "velocity", "slow-burn", "handbook" };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO(mem_auto_free) char *path = mem_format("topologies/%s.yaml", files[i]);
        struct loaded loaded = loaded_from_file(path);
        cr_assert_not_null(loaded.plan, "%s", loaded.text);
        cr_assert_str_eq(loaded.text, "");
        cr_assert_str_eq(loaded.plan->name, files[i]);
        check_layout(loaded.plan);
        loaded_fini(&loaded);
    }
}

/* ---- descriptions ---- */

Test(plan, a_description_names_what_matters)
{
    struct loaded loaded = load_sound(
        HEAD "    dedupe: 1d\n    fields:\n      home: users[user].country\n"
             "features:\n  n: count(over 1h)\n"
             "tables:\n  users: { topic: u, format: json, schema: user.avsc, key: user }\n"
             "rules:\n  r: { when: home != country and home == 'x' and n > 1, severity: high }\n");
    struct buffer out;
    buffer_init(&out);
    plan_describe(loaded.plan, false, &out);
    static const char *const parts[] = { "topology t (t.yaml), version ",
                                         "reads stream s\n",
                                         "topic          in (json, tx.avsc)\n",
                                         "dedupe         1d\n",
                                         "home  users[user].country: string?\n",
                                         "remembers per key, for 1d1h\n",
                                         "n  count(over 1h): int\n",
                                         "reads table users\n",
                                         "r (high)\n",
                                         "unknown when null: home\n",
                                         "t-tail, t-changelog, t-journal, t-reference\n" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_expect(strstr(buffer_text(&out), parts[i]) != NULL, "'%s' is missing in\n%s", parts[i],
                  buffer_text(&out));
    buffer_clear(&out);
    plan_describe(loaded.plan, true, &out);
    json_t *root = json_loads(buffer_text(&out), JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(root, "%s", buffer_text(&out));
    json_t *rule = json_array_get(json_object_get(root, "rules"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(rule, "when")),
                     "home != country and home == 'x' and n > 1");
    cr_assert_eq(json_array_size(json_object_get(rule, "nullable_operands")), 1);
    json_decref(root);
    buffer_fini(&out);
    loaded_fini(&loaded);
}
