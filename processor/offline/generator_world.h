/*
 * generator_world: who pays whom, where: users with a home, cards and devices, merchants in cities.
 *
 * Nothing is stored: everybody is a function of the seed and a number, so a million users cost no
 * memory. Immutable after init; any thread.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_GENERATOR_WORLD_H
#define WEIR_PROCESSOR_OFFLINE_GENERATOR_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

enum { WORLD_BLOCKED_MERCHANTS = 20, WORLD_USERS_MAX = 10 * 1000 * 1000 };

struct world {
    uint64_t seed;
    uint32_t user_count;
    uint32_t merchants_per_city;
};

/* Millionths of a degree. */
struct world_place {
    int32_t lat_e6, lon_e6;
};

struct world_user {
    uint32_t index;
    int city, other_city; /* home, and where most of his purchases abroad go */
    uint32_t card_count, device_count;
    double log_amount; /* natural logarithm of the median payment in cents */
};

struct world_merchant {
    uint32_t index;
    int city;
    struct world_place place;
    int price_percent; /* of the payer's usual amount */
};

void world_init(struct world *world, uint64_t seed, uint32_t user_count);
struct world_user world_user(const struct world *world, uint32_t index);
struct world_merchant world_merchant(const struct world *world, uint32_t index);

/* Few pay often, many seldom (Zipf-Mandelbrot). */
uint32_t world_pick_user(const struct world *world, struct prng *prng);
/* Likewise among the merchants of a city. */
uint32_t world_pick_merchant(const struct world *world, int city, struct prng *prng);
/* 0 <= n < WORLD_BLOCKED_MERCHANTS; ordinary payments never go there. */
uint32_t world_blocked_merchant(const struct world *world, uint32_t n);
bool world_is_blocked(const struct world *world, uint32_t merchant);

int world_city_count(void);
const char *world_country(int city); /* ISO 3166-1 alpha-2 */
/* One in another country; with `far`, more than 1,500 km away. */
int world_other_city(int city, bool far, struct prng *prng);

#endif
