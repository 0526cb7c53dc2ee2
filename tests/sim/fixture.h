/*
 * fixture: what the simulated world computes: small topologies in all the variants that matter to
 * the protocol, and input for them that is drawn from a seed: bursts that alert, events that come
 * late, twice or broken, and leaps of time after which everything a key had expires.
 *
 * Plans are loaded once and shared by all worlds of the program.
 */
#ifndef WEIR_TESTS_SIM_FIXTURE_H
#define WEIR_TESTS_SIM_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/random.h"
#include "processor/engine/topics.h"
#include "processor/topology/plan.h"

enum { FIXTURE_TABLE_OWN = 1, FIXTURE_TABLE_EVERYWHERE = 2, FIXTURE_VARIANTS = 4 };

/* variant: FIXTURE_TABLE_... or'ed. Both live until fixture_fini. */
const struct plan *fixture_plan(int variant);
const struct topics *fixture_topics(int variant);
void fixture_fini(void);

/* One record as it will be appended to a topic, in this order. */
struct fixture_record {
    int topic; /* index in fixture_topics */
    int32_t partition;
    int64_t timestamp_ms;
    struct bytes key, value;
    /* what the naive oracle needs to know of a good event */
    bool is_event;
    int user;
    int64_t at_ms, cents;
    const char *id;
    /* set when it is appended */
    int64_t offset;
};

struct fixture_options {
    int variant;
    int32_t partitions;
    int32_t everywhere_partitions;
    int users;
    size_t events;
    int64_t step_ms_max;                           /* event time between two events */
    uint32_t late, duplicate, poison, leap, table; /* chances in 1,000 per record */
    uint32_t broken_row_one_in;                    /* rows of an everywhere table; 0: 20 */
    size_t rows_first;                             /* of tables, before anything else */
};

/* Everything lies in the arena. */
void fixture_generate(const struct fixture_options *options, struct prng *prng, struct arena *arena,
                      struct fixture_record **records, size_t *count);

/* The naive oracle's two rules: the limits that the topology's text has, too. */
enum { VELOCITY_LIMIT = 3, VELOCITY_MS = 60 * 1000, BURST_CENTS = 1500, BURST_MS = 2 * 60 * 1000 };
enum { ACCEPT_LATE_MS = 10 * 60 * 1000 };

#endif
