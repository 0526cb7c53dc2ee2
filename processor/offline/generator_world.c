#include "processor/offline/generator_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "processor/expression/stable_math.h"

static const struct {
    char country[3];
    struct world_place place;
} cities[] = {
    { "DE", { 52520000, 13405000 } },   { "DE", { 48137000, 11575000 } },
    { "DE", { 53551000, 9994000 } },    { "FR", { 48857000, 2352000 } },
    { "FR", { 45764000, 4836000 } },    { "GB", { 51507000, -128000 } },
    { "GB", { 53481000, -2242000 } },   { "ES", { 40417000, -3704000 } },
    { "ES", { 41385000, 2173000 } },    { "IT", { 41903000, 12496000 } },
    { "IT", { 45464000, 9190000 } },    { "NL", { 52368000, 4904000 } },
    { "PL", { 52230000, 21012000 } },   { "SE", { 59329000, 18069000 } },
    { "US", { 40713000, -74006000 } },  { "US", { 34052000, -118244000 } },
    { "US", { 41878000, -87630000 } },  { "CA", { 43653000, -79383000 } },
    { "BR", { -23551000, -46633000 } }, { "MX", { 19433000, -99133000 } },
    { "JP", { 35690000, 139692000 } },  { "SG", { 1352000, 103820000 } },
    { "IN", { 19076000, 72878000 } },   { "AU", { -33869000, 151209000 } },
};

enum {
    CITY_COUNT = sizeof cities / sizeof cities[0],
    USERS_PER_MERCHANT = 50,
    MERCHANTS_PER_CITY_MIN = 8,
    MERCHANTS_PER_CITY_MAX = 2000,
    /* A city is so narrow that no way through it looks like a journey to a rule. */
    CITY_RADIUS_E6 = 70000,
    FAR_LAT_E6 = 14000000,
    FAR_LON_E6 = 45000000,
    CARDS_MAX = 3,
    DEVICES_MAX = 3
};

/* Groceries, fuel, restaurants, fashion, travel, electronics: what each costs, compared. */
static const int price_percent[] = { 75, 90, 85, 110, 140, 150 };

/* What is drawn for one inhabitant depends on nobody else. */
static struct prng inhabitant(const struct world *world, uint64_t kind, uint32_t index)
{
    return prng_of_seed(world->seed ^ (kind << 56 | index) * 0x9e3779b97f4a7c15);
}

void world_init(struct world *world, uint64_t seed, uint32_t user_count)
{
    ENSURE(user_count > 0 && user_count <= WORLD_USERS_MAX);
    uint32_t per_city = user_count / USERS_PER_MERCHANT / CITY_COUNT;
    if (per_city < MERCHANTS_PER_CITY_MIN)
        per_city = MERCHANTS_PER_CITY_MIN;
    if (per_city > MERCHANTS_PER_CITY_MAX)
        per_city = MERCHANTS_PER_CITY_MAX;
    *world = (struct world){ .seed = seed, .user_count = user_count, .merchants_per_city = per_city };
}

int world_city_count(void)
{
    return CITY_COUNT;
}

const char *world_country(int city)
{
    ENSURE(city >= 0 && city < CITY_COUNT);
    return cities[city].country;
}

static bool is_far(int a, int b)
{
    return abs(cities[a].place.lat_e6 - cities[b].place.lat_e6) > FAR_LAT_E6 ||
           abs(cities[a].place.lon_e6 - cities[b].place.lon_e6) > FAR_LON_E6;
}

int world_other_city(int city, bool far, struct prng *prng)
{
    const int start = (int)prng_below(prng, CITY_COUNT);
    for (int i = 0; i < CITY_COUNT; i++) {
        const int other = (start + i) % CITY_COUNT;
        if (strcmp(cities[other].country, cities[city].country) != 0 &&
            (!far || is_far(other, city)))
            return other;
    }
    UNREACHABLE();
}

struct world_user world_user(const struct world *world, uint32_t index)
{
    ENSURE(index < world->user_count);
    struct prng prng = inhabitant(world, 1, index);
    const int city = (int)prng_below(&prng, CITY_COUNT);
    return (struct world_user){
        .index = index,
        .city = city,
        .other_city = world_other_city(city, false, &prng),
        .card_count = 1 + (uint32_t)prng_below(&prng, CARDS_MAX),
        .device_count = 1 + (uint32_t)prng_below(&prng, DEVICES_MAX),
        .log_amount = stable_log((double)prng_between(&prng, 800, 6000)),
    };
}

struct world_merchant world_merchant(const struct world *world, uint32_t index)
{
    struct prng prng = inhabitant(world, 2, index);
    const int city = (int)(index % CITY_COUNT);
    const struct world_place center = cities[city].place;
    return (struct world_merchant){
        .index = index,
        .city = city,
        .place = {
            center.lat_e6 + (int32_t)prng_between(&prng, -CITY_RADIUS_E6, CITY_RADIUS_E6),
            center.lon_e6 + (int32_t)prng_between(&prng, -CITY_RADIUS_E6, CITY_RADIUS_E6),
        },
        .price_percent =
            price_percent[prng_below(&prng, sizeof price_percent / sizeof price_percent[0])],
    };
}

/*
 * Weight of rank k: 1 / (k + q), with q a twentieth of all: the busiest is some 6.6 times as busy as
 * the average, which is what card data looks like. Drawn by inverting the integral.
 */
static uint32_t pick_rank(uint32_t count, struct prng *prng)
{
    const double q = 1.0 + (double)count / 20.0;
    const double spread = stable_log(((double)count + q) / q);
    const double rank = q * stable_exp(prng_unit(prng) * spread) - q;
    const uint32_t k = rank <= 0 ? 0 : (uint32_t)rank;
    return k < count ? k : count - 1;
}

uint32_t world_pick_user(const struct world *world, struct prng *prng)
{
    return pick_rank(world->user_count, prng);
}

uint32_t world_pick_merchant(const struct world *world, int city, struct prng *prng)
{
    return (uint32_t)city + CITY_COUNT * pick_rank(world->merchants_per_city, prng);
}

uint32_t world_blocked_merchant(const struct world *world, uint32_t n)
{
    ENSURE(n < WORLD_BLOCKED_MERCHANTS);
    return CITY_COUNT * world->merchants_per_city + n;
}

bool world_is_blocked(const struct world *world, uint32_t merchant)
{
    return merchant >= CITY_COUNT * world->merchants_per_city;
}
