/* What a record costs in allocations: none, but for the events of a chunk that is sealed. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "allocation_count.h"
#include "world.h"

enum { USERS = 8, STEP_MS = 10 * 1000, WARM_UP_ROUNDS = 900, ROUNDS = 160, CHUNK_EVENTS = 16 };

static const char features[] = "  tx_1m: count(over 1m)\n"
                               "  spent_1h: sum(cents over 1h)\n"
                               "  usual: avg(cents over previous 1h)\n"
                               "  large_1h: count(where cents > 150 over 1h)\n";
static const char rules[] = "  many:\n    when: tx_1m > 50 or spent_1h > 1000000\n    severity: high\n"
                            "  unusual:\n    when: large_1h >= 2 and cents > 20 * usual\n    severity: low\n";

/* A payment of each user. Returns how many of them allocated. */
static size_t pay_round(struct world *world, int64_t round)
{
    size_t allocating = 0;
    for (int user = 0; user < USERS; user++) {
        char name[16], json[160];
        snprintf(name, sizeof name, "u%d", user);
        snprintf(json, sizeof json, "{\"id\":\"t%lld-%d\",\"user\":\"%s\",\"at\":%lld,\"cents\":%lld}",
                 (long long)round, user, name, 1767225600000LL + (long long)round * STEP_MS,
                 100 + (long long)(round * 7 + user) % 100);
        const uint64_t before = allocation_count;
        world_feed(world, name, json);
        allocating += allocation_count != before;
    }
    return allocating;
}

Test(allocations, a_record_allocates_only_when_a_chunk_is_sealed)
{
    struct world world;
    int64_t round = 0;
    size_t allocating = 0;
    world_open(&world, "", features, rules);
    for (; round < WARM_UP_ROUNDS; round++) {
        allocating += pay_round(&world, round);
        if (round % 100 == 99)
            world_commit(&world);
    }
    cr_assert_gt(allocating, 0, "nothing is counted");
    allocating = 0;
    for (; round < WARM_UP_ROUNDS + ROUNDS; round++)
        allocating += pay_round(&world, round);
    cr_expect_leq(allocating, USERS * ROUNDS / CHUNK_EVENTS, "%zu of %d records allocated", allocating,
                  USERS * ROUNDS);
    world_commit(&world);
    cr_expect_str_eq(world_log(&world), "");
    world_close(&world);
}
