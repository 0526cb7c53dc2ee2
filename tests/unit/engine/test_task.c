#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "state/keys.h"
#include "world.h"

static const char velocity_feature[] = "  tx_1m: count(over 1m)\n";
static const char velocity_rule[] = "  velocity:\n    when: tx_1m > 5\n    severity: high\n";

static void pay_each(struct world *world, const double *at_s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "t%zu", i + 1);
        world_pay(world, id, "anna", at_s[i], 100);
    }
}

static void check_payments(const char *stream, const char *features, const char *rules, const double *at_s,
                           size_t count, const char *expected)
{
    struct world world;
    world_open(&world, stream, features, rules);
    pay_each(&world, at_s, count);
    world_commit(&world);
    cr_assert_str_eq(world_log(&world), expected);
    world_close(&world);
}

Test(task, alerts_on_the_sixth_payment_within_a_minute)
{
    const double at_s[] = { 0, 10, 20, 30, 40, 50 };
    check_payments("", velocity_feature, velocity_rule, at_s, 6, "velocity t6\n");
}

Test(task, counts_across_the_boundary_of_a_minute)
{
    const double at_s[] = { 57, 58, 59, 60.5, 61, 62 };
    check_payments("", velocity_feature, velocity_rule, at_s, 6, "velocity t6\n");
}

Test(task, does_not_count_a_payment_exactly_one_minute_old)
{
    const double at_s[] = { 0, 10, 20, 30, 40, 60 };
    check_payments("", velocity_feature, velocity_rule, at_s, 6, "");
}

Test(task, a_late_payment_makes_a_newer_one_the_sixth)
{
    const double at_s[] = { 10, 20, 30, 40, 50, 0 };
    check_payments("", velocity_feature, velocity_rule, at_s, 6, "velocity t5 caused by t6\n");
}

Test(task, own_time_leaves_newer_payments_alone)
{
    const double at_s[] = { 10, 20, 30, 40, 50, 0 };
    check_payments("    late_events: own_time\n", velocity_feature, velocity_rule, at_s, 6, "");
}

Test(task, a_rule_alerts_on_an_event_once_however_many_late_ones_come)
{
    const double at_s[] = { 10, 20, 30, 40, 50, 5, 6, 7 };
    check_payments("", velocity_feature, velocity_rule, at_s, 8,
                   "velocity t5 caused by t6\nvelocity t4 caused by t7\nvelocity t3 caused by t8\n");
}

Test(task, once_per_holds_an_alert_back_until_its_time_has_passed)
{
    static const char rule[] = "  velocity:\n    when: tx_1m > 1\n    severity: high\n    repeat: once per 5m\n";
    const double at_s[] = { 0, 10, 20, 309, 311, 312 };
    check_payments("", velocity_feature, rule, at_s, 6, "velocity t2\nvelocity t5\n");
}

/* However long before the user's events are forgotten. */
Test(task, once_per_outlives_the_events)
{
    static const char rule[] = "  velocity:\n    when: tx_1m > 1\n    severity: high\n    repeat: once per 1h\n";
    static const struct {
        const char *user;
        double at_s;
    } rows[] = {
        { "anna", 0 }, { "anna", 10 }, { "ben", 1000 }, { "anna", 1200 }, { "anna", 1201 }, { "ben", 3500 },
        { "anna", 3608 }, { "anna", 3609 }, { "anna", 3610 },
    };
    struct world world;
    world_open(&world, "    accept_late: 1m\n", velocity_feature, rule);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[32];
        snprintf(id, sizeof id, "t%zu", i + 1);
        world_pay(&world, id, rows[i].user, rows[i].at_s, 100);
        world_commit(&world);
    }
    cr_expect_str_eq(world_log(&world), "velocity t2\nvelocity t9\n");
    world_close(&world);
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    (void)key, (void)value;
    ++*(size_t *)context;
    return true;
}

static size_t rows_of(struct world *world, uint8_t first, uint8_t last)
{
    size_t count = 0;
    const uint8_t from[] = { first }, to[] = { (uint8_t)(last + 1) };
    cr_assert_eq(overlay_scan(world->overlay, bytes_of(from, 1), bytes_of(to, 1), count_row, &count, NULL), ST_OK);
    return count;
}

Test(task, once_per_is_forgotten_when_no_event_can_come_that_it_holds_back)
{
    static const char rule[] = "  amount:\n    when: cents > 500\n    severity: low\n    repeat: once per 5m\n";
    struct world world;
    world_open(&world, "    accept_late: 1m\n", "", rule);
    world_pay(&world, "t1", "anna", 0, 1000);
    world_pay(&world, "t2", "anna", 300, 1000);
    world_commit(&world);
    world_pay(&world, "t3", "ben", 659.9, 100);
    world_commit(&world);
    cr_expect_eq(rows_of(&world, KEY_TIMER, KEY_SNOOZE), 2, "t2 holds back what comes late");
    world_restart(&world);
    world_pay(&world, "t4", "anna", 599.9, 1000);
    world_pay(&world, "t5", "ben", 660, 100);
    world_commit(&world);
    cr_expect_eq(rows_of(&world, KEY_TIMER, KEY_SNOOZE), 0);
    world_pay(&world, "t6", "anna", 661, 1000);
    world_commit(&world);
    cr_expect_str_eq(world_log(&world), "amount t1\namount t2\namount t6\n");
    world_close(&world);
}

Test(task, on_rise_alerts_when_the_event_before_was_not)
{
    static const char rule[] = "  velocity:\n    when: tx_1m > 1\n    severity: high\n    repeat: on rise\n";
    const double at_s[] = { 0, 10, 20, 100, 110, 120 };
    check_payments("", velocity_feature, rule, at_s, 6, "velocity t2\nvelocity t5\n");
}

Test(task, where_nothing_looks_back_alerts_leave_no_rows)
{
    struct world world;
    const struct row_change *changes;
    size_t count = 0, before = 0;
    world_open(&world, "", "", "  amount:\n    when: cents > 1000\n    severity: low\n");
    overlay_changes(world.overlay, &changes, &before); /* how columns are laid out is said once */
    world_pay(&world, "t1", "anna", 100, 2000);
    world_pay(&world, "t2", "anna", 200, 500);
    world_pay(&world, "t3", "anna", 50, 1001); /* late */
    overlay_changes(world.overlay, &changes, &count);
    cr_expect_eq(count, before);
    world_commit(&world);
    world_restart(&world);
    world_pay(&world, "t4", "anna", 300, 2000);
    world_pay(&world, "t5", "anna", -4000, 2000); /* too late still */
    world_commit(&world);
    cr_expect_str_eq(world_log(&world), "amount t1\namount t3\namount t4\ndead late 4\n");
    world_close(&world);
}

Test(task, where_nothing_looks_back_alerts_are_held_back_too)
{
    static const char rule[] = "  amount:\n    when: cents > 99\n    severity: low\n    repeat: once per 5m\n";
    const double at_s[] = { 0, 10, 299, 300, 301 };
    check_payments("", "", rule, at_s, 5, "amount t1\namount t4\n");
}

Test(task, an_event_that_repeats_its_id_counts_once)
{
    struct world world;
    world_open(&world, "    dedupe: 24h\n", velocity_feature, "  twice:\n    when: tx_1m > 1\n    severity: low\n");
    world_pay(&world, "t1", "anna", 0, 100);
    world_pay(&world, "t1", "anna", 0, 100);
    world_commit(&world);
    world_pay(&world, "t1", "anna", 1, 100);
    world_commit(&world);
    cr_assert_str_eq(world_log(&world), "");
    cr_assert_eq(task_counters(world.task)->duplicates, 2);
    world_close(&world);
}

/* By event time, either way, and only among the events of its user. */
Test(task, an_id_counts_anew_where_it_is_far_from_itself)
{
    enum { H = 3600 };
    static const struct {
        const char *id, *user;
        double at_s;
        bool is_duplicate;
    } rows[] = {
        { "t1", "anna", 100 * H, false },
        { "t1", "ben", 100 * H, false },       /* another user's */
        { "t1", "anna", 76 * H, true },        /* 24 hours before itself */
        { "t1", "anna", 124 * H, true },       /* and after */
        { "t1", "anna", 124 * H + 0.001, false },
        { "t1", "anna", 100 * H - 1, true },   /* however late: the partition's time is a day further */
        { "t1", "anna", 110 * H, true },
        { "t2", "anna", 110 * H, false },
        { "t1", "ben", 120 * H, true },
        { "t1", "ben", 125 * H, false },
        { "t1", "ben", 76 * H, true },
    };
    for (int restarts = 0; restarts < 2; restarts++) {
        struct world world;
        uint64_t duplicates = 0;
        world_open(&world, "    dedupe: 24h\n    accept_late: 200h\n", velocity_feature, velocity_rule);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            world_pay(&world, rows[i].id, rows[i].user, rows[i].at_s, 100);
            duplicates += rows[i].is_duplicate;
            cr_expect_eq(task_counters(world.task)->duplicates, duplicates, "row %zu", i);
            world_commit(&world);
            if (restarts == 0)
                continue;
            world_restart(&world);
            duplicates = 0;
        }
        world_close(&world);
    }
}

static void pay_hundred(struct world *world, int first)
{
    for (int i = first; i < first + 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        world_pay(world, id, "anna", i, 100);
    }
}

/* So many events of one user that they are not looked at one by one. */
Test(task, an_id_is_found_among_many)
{
    enum { HUNDREDS = 12 };
    struct world world;
    world_open(&world, "    dedupe: 24h\n", velocity_feature, "  never:\n    when: tx_1m > 1000000\n    severity: low\n");
    for (int i = 0; i < HUNDREDS; i++) {
        pay_hundred(&world, 100 * i);
        if (i % 3 == 2) {
            world_abort(&world);
            pay_hundred(&world, 100 * i);
        }
        world_commit(&world);
    }
    cr_assert_eq(task_counters(world.task)->duplicates, 0);
    for (int i = 0; i < HUNDREDS; i++)
        pay_hundred(&world, 100 * i);
    world_commit(&world);
    cr_assert_eq(task_counters(world.task)->duplicates, 100 * HUNDREDS);
    world_close(&world);
}

Test(task, names_why_a_record_is_refused)
{
    static const struct {
        const char *key, *value, *reason;
    } rows[] = {
        { "anna", NULL, "dead null_value 0\n" },
        { "anna", "{", "dead undecodable 0\n" },
        { "anna", "{\"id\":\"a\",\"user\":null,\"at\":1767225600000}", "dead null_key 0\n" },
        { "anna", "{\"id\":\"a\",\"user\":\"\",\"at\":1767225600000}", "dead null_key 0\n" },
        { "anna", "{\"id\":null,\"user\":\"anna\",\"at\":1767225600000}", "dead null_id 0\n" },
        { "anna", "{\"id\":\"a\",\"user\":\"anna\",\"at\":-1}", "dead null_time 0\n" },
        { "anna", "{\"id\":\"a\",\"user\":\"anna\",\"at\":1967225600000}", "dead future 0\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        world_open(&world, "", velocity_feature, velocity_rule);
        world_feed(&world, rows[i].key, rows[i].value);
        world_commit(&world);
        cr_assert_str_eq(world_log(&world), rows[i].reason, "row %zu", i);
        world_close(&world);
    }
}

Test(task, refuses_what_is_older_than_it_accepts)
{
    struct world world;
    world_open(&world, "    accept_late: 5m\n", velocity_feature, velocity_rule);
    world_pay(&world, "t1", "anna", 600, 100);
    world_pay(&world, "t2", "ben", 299, 100);
    world_pay(&world, "t3", "ben", 300, 100);
    world_commit(&world);
    cr_assert_str_eq(world_log(&world), "dead late 1\n");
    world_close(&world);
}

/* The same input gives the same outputs however it is cut into transactions, aborted and restarted. */

static const char stories_features[] =
    "  tx_1m: count(over 1m)\n  spend: sum(cents over 10m)\n  before: last(cents over previous 1)\n"
    "  kinds: distinct(cents over 5m)\n  largest: max(cents over previous 10m)\n";
static const char stories_rules[] =
    "  velocity:\n    when: tx_1m > 4\n    severity: high\n    repeat: once per 2m\n"
    "  spree:\n    when: spend > 1500\n    severity: low\n    repeat: on rise\n"
    "  jump:\n    when: cents > 3 * before\n    severity: low\n"
    "  record:\n    when: kinds > 3 and cents > largest\n    severity: low\n";

enum { STORY_EVENTS = 400, STORY_USERS = 4 };

static void feed_story(struct world *world, uint64_t seed, struct prng *cuts)
{
    struct prng prng = prng_of_seed(seed);
    double now_s = 1000;
    size_t pending_from = 0;
    for (size_t i = 0; i < STORY_EVENTS; i++) {
        /* An abort throws away what was processed since the last commit, and it is read again. */
        if (cuts != NULL && prng_chance(cuts, 1, 7)) {
            world_commit(world);
            pending_from = i;
        }
        if (cuts != NULL && i == pending_from && prng_chance(cuts, 1, 5))
            world_restart(world);
        now_s += (double)prng_below(&prng, 20000) / 1000;
        const bool late = prng_chance(&prng, 1, 6);
        const double at_s = late ? now_s - (double)prng_below(&prng, 60000) / 1000 : now_s;
        char id[32], user[16];
        snprintf(id, sizeof id, "e%zu", i);
        snprintf(user, sizeof user, "u%d", (int)prng_below(&prng, STORY_USERS));
        const int64_t cents = (int64_t)prng_below(&prng, 8) * 100;
        if (cuts != NULL && i == pending_from && prng_chance(cuts, 1, 6)) {
            world_pay(world, id, user, at_s, cents);
            world_abort(world);
            world->next_offset--;
        }
        world_pay(world, id, user, at_s, cents);
    }
    world_commit(world);
}

Test(task, outputs_do_not_depend_on_commits_aborts_and_restarts)
{
    const uint64_t base = prng_from_env("TEST_SEED", 1).seed;
    for (uint64_t seed = base; seed < base + 20; seed++) {
        struct world straight, cut;
        struct prng cuts = prng_of_seed(seed + 1000);
        static const char stream[] = "    remember: { for: 1h }\n";
        world_open(&straight, stream, stories_features, stories_rules);
        world_open(&cut, stream, stories_features, stories_rules);
        feed_story(&straight, seed, NULL);
        feed_story(&cut, seed, &cuts);
        cr_assert_gt(strlen(world_log(&straight)), 100u, "TEST_SEED=%lu", (unsigned long)seed);
        cr_assert_str_eq(world_log(&straight), world_log(&cut), "TEST_SEED=%lu", (unsigned long)seed);
        world_close(&straight);
        world_close(&cut);
    }
}

static char *payment_with_note(const char *id, size_t note_size)
{
    char *note = mem_alloc(note_size + 1);
    memset(note, 'n', note_size);
    char *json = mem_format("{\"id\":\"%s\",\"user\":\"anna\",\"at\":1767225600000,\"note\":\"%s\"}", id, note);
    mem_free(note);
    return json;
}

/* Its mended version, under the same id, must count. */
Test(task, a_record_that_is_too_large_leaves_no_trace)
{
    struct world world;
    world_open(&world, "    dedupe: 24h\n    remember: { for: 30d, columns: all }\n", velocity_feature,
               "  any:\n    when: tx_1m > 0\n    severity: low\n");
    AUTO(mem_auto_free) char *large = payment_with_note("a", 65 * 1024);
    AUTO(mem_auto_free) char *mended = payment_with_note("a", 10);
    world_feed(&world, "anna", large);
    world_commit(&world);
    world_feed(&world, "anna", mended);
    world_commit(&world);
    cr_assert_str_eq(world_log(&world), "dead too_large 0\nany a\n");
    cr_assert_eq(task_counters(world.task)->duplicates, 0);
    world_close(&world);
}
