#include <criterion/criterion.h>

#include "base/random.h"
#include "processor/engine/crash_watch.h"
#include "processor/engine/isolation.h"
#include "processor/steps/outputs.h"

enum { TOPIC = 3 };

/* A lane whose records are numbers: some are refused as they are, and some even as dead letters with a value. */
struct lane_model {
    struct isolation isolation;
    int64_t position, end;
    const bool *refused;
    size_t cut_to; /* a dead letter with more of the value is refused too */
    int sentenced, refusals;
};

static size_t most(const struct lane_model *lane, size_t usual)
{
    return isolation_is_suspected(&lane->isolation) ? lane->isolation.at_once : usual;
}

/* One transaction; false: it gave up. */
static bool try_some(struct lane_model *lane, size_t usual)
{
    int64_t last = lane->position;
    bool refused = false;
    int sentenced = 0;
    for (size_t n = 0; n < most(lane, usual) && last < lane->end; n++, last++) {
        const struct sentence *sentence = isolation_sentence(&lane->isolation, TOPIC, last);
        cr_assert(sentence == NULL || lane->refused[last], "record %ld is innocent", (long)last);
        sentenced += sentence != NULL;
        refused |= sentence == NULL ? lane->refused[last] : sentence->value_max > lane->cut_to;
    }
    const size_t records = (size_t)(last - lane->position);
    if (refused) {
        const struct refusal refusal = {
            .records = records, .topic = TOPIC, .offset = last - 1, .reason = ST_TOO_LARGE, .detail = "x",
        };
        lane->refusals++;
        return isolation_refused(&lane->isolation, &refusal);
    }
    isolation_committed(&lane->isolation, records);
    lane->position = last;
    lane->sentenced += sentenced;
    return true;
}

Test(isolation, finds_exactly_the_records_that_are_refused)
{
    enum { RECORDS = 3000, ROUNDS = 300 };
    static bool refused[RECORDS];
    struct prng prng = prng_of_seed(11);
    for (int round = 0; round < ROUNDS; round++) {
        int expected = 0;
        const uint32_t odds = 1 + (uint32_t)prng_below(&prng, 2000);
        for (int i = 0; i < RECORDS; i++)
            expected += refused[i] = prng_chance(&prng, 1, odds);
        struct lane_model lane = { .end = RECORDS, .refused = refused, .cut_to = DEAD_LETTER_VALUE_MAX };
        while (lane.position < lane.end)
            cr_assert(try_some(&lane, 1 + (size_t)prng_below(&prng, 1500)));
        cr_assert_eq(lane.sentenced, expected, "round %d", round);
    }
}

Test(isolation, one_culprit_costs_few_transactions)
{
    static bool refused[20000];
    refused[12345] = true;
    struct lane_model lane = { .end = 20000, .refused = refused, .cut_to = DEAD_LETTER_VALUE_MAX };
    int transactions = 0;
    for (; lane.position < lane.end; transactions++)
        cr_assert(try_some(&lane, 20000));
    cr_assert_eq(lane.sentenced, 1);
    cr_assert_leq(lane.refusals, 20, "%d refusals", lane.refusals);
    cr_assert(!isolation_is_suspected(&lane.isolation));
}

Test(isolation, a_single_refusal_may_be_chance)
{
    struct isolation isolation = { .refusals = 0 };
    const struct refusal refusal = { .records = 10, .topic = TOPIC, .offset = 9, .reason = ST_TOO_LARGE, .detail = "x" };
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(!isolation_is_suspected(&isolation));
    isolation_committed(&isolation, 10);
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(!isolation_is_suspected(&isolation));
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(isolation_is_suspected(&isolation));
}

Test(isolation, cuts_a_dead_letter_that_is_refused_and_gives_up_in_the_end)
{
    static const struct {
        size_t cut_to;
        int refusals;
        bool done;
    } rows[] = { { DEAD_LETTER_VALUE_MAX, 3, true }, { 100000, 4, true }, { 0, 5, true } };
    static const bool refused[1] = { true };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane_model lane = { .end = 1, .refused = refused, .cut_to = rows[i].cut_to };
        while (lane.position < lane.end)
            cr_assert(try_some(&lane, 1));
        cr_assert_eq(lane.refusals, rows[i].refusals, "row %zu: %d", i, lane.refusals);
    }
    struct isolation isolation = { .left = 1, .at_once = 1 };
    const struct refusal refusal = { .records = 1, .topic = TOPIC, .reason = ST_TOO_LARGE, .detail = "x" };
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(isolation_refused(&isolation, &refusal));
    cr_assert(!isolation_refused(&isolation, &refusal));
}

Test(isolation, a_dead_letter_keeps_its_reason_and_is_cut_at_once)
{
    struct isolation isolation = { .left = 1, .at_once = 1 };
    const struct refusal refusal = {
        .records = 1, .topic = TOPIC, .offset = 7, .is_dead_letter = true, .reason = ST_UNDECODABLE, .detail = "bad",
    };
    cr_assert(isolation_refused(&isolation, &refusal));
    const struct sentence *sentence = isolation_sentence(&isolation, TOPIC, 7);
    cr_assert_not_null(sentence);
    cr_assert_eq(sentence->reason, ST_UNDECODABLE);
    cr_assert_str_eq(sentence->detail, "bad");
    cr_assert_lt(sentence->value_max, DEAD_LETTER_VALUE_MAX);
    cr_assert_null(isolation_sentence(&isolation, TOPIC, 8));
    cr_assert_null(isolation_sentence(&isolation, TOPIC + 1, 7));
}

Test(crash_watch, clears_what_is_committed)
{
    struct crash_watch watch = { .items = { { 0, 1, 10, 3 }, { 0, 2, 10, 2 }, { 1, 1, 5, 1 } }, .count = 3 };
    struct crash_suspect passed;
    cr_assert_eq(crash_watch_deaths(&watch, 0, 1, 10), 3);
    cr_assert_eq(crash_watch_deaths(&watch, 0, 1, 11), 0);
    cr_assert(!crash_watch_take_passed(&watch, 0, 1, 10, &passed));
    cr_assert(crash_watch_take_passed(&watch, 0, 1, 11, &passed));
    cr_assert_eq(passed.deaths, 3);
    cr_assert_eq(watch.count, 2);
    cr_assert_eq(crash_watch_deaths(&watch, 0, 2, 10), 2);
    cr_assert_eq(crash_watch_deaths(&watch, 1, 1, 5), 1);
}
