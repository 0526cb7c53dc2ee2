/*
 * generator_attack: the payments of one attack. A table of handlers, one per name; private to the
 * generator.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_GENERATOR_ATTACK_H
#define WEIR_PROCESSOR_OFFLINE_GENERATOR_ATTACK_H

#include "base/random.h"
#include "processor/offline/generator.h"
#include "processor/offline/generator_queue.h"
#include "processor/offline/generator_world.h"

enum { BURST_PAYMENTS_MAX = 32 };

struct burst {
    const struct world *world;
    struct prng *prng;
    struct world_user victim;
    int64_t start_us;
    /* Filled: numbers, attack and burst are the caller's to set. */
    struct payment payments[BURST_PAYMENTS_MAX];
    size_t count;
};

void generator_attack_plan(struct burst *burst, enum generator_attack attack);
/* A payment of the user at home in a shop: what ordinary ones and attacks begin with. */
struct payment generator_payment_at_home(const struct world *world, const struct world_user *user,
                                         int64_t time_us, struct prng *prng);

#endif
