#include <criterion/criterion.h>

#include "base/random.h"
#include "processor/offline/labels.h"

Test(labels, nothing_said_is_nothing_found)
{
    struct labels *labels = NULL;
    uint64_t events = 7, hits = 7;
    labels_create(&labels, 1);
    cr_expect_eq(labels_frauds(labels), 0);
    labels_count(labels, 0, &events, &hits);
    cr_expect_eq(events, 0);
    cr_expect_eq(hits, 0);
    labels_destroy(&labels);
    cr_expect_null(labels);
    labels_destroy(&labels);
}

Test(labels, agree_with_arrays)
{
    enum { EVENTS = 3000, RULES = 3 };
    struct prng prng = prng_from_env("TEST_SEED", 5);
    struct labels *labels = NULL;
    static bool fraud[EVENTS], alerted[RULES + 1][EVENTS]; /* the last: by any rule */
    labels_create(&labels, RULES);
    for (int i = 0; i < 4000; i++) {
        const uint64_t event = prng_below(&prng, EVENTS), rule = prng_below(&prng, RULES);
        if (prng_below(&prng, 3) == 0) {
            labels_set_fraud(labels, event);
            fraud[event] = true;
        } else {
            labels_set_alerted(labels, rule, event);
            alerted[rule][event] = alerted[RULES][event] = true;
        }
    }
    uint64_t frauds = 0;
    for (int i = 0; i < EVENTS; i++)
        frauds += fraud[i];
    cr_expect_eq(labels_frauds(labels), frauds, "TEST_SEED=%lu", prng.seed);
    for (size_t rule = 0; rule <= RULES; rule++) {
        uint64_t events, hits, expected_events = 0, expected_hits = 0;
        for (int i = 0; i < EVENTS; i++) {
            expected_events += alerted[rule][i];
            expected_hits += alerted[rule][i] && fraud[i];
        }
        labels_count(labels, rule, &events, &hits);
        cr_expect_eq(events, expected_events, "TEST_SEED=%lu rule %zu", prng.seed, rule);
        cr_expect_eq(hits, expected_hits, "TEST_SEED=%lu rule %zu", prng.seed, rule);
    }
    labels_destroy(&labels);
}
