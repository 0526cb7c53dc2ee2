#include "processor/offline/generator_attack.h"

#include "base/ensure.h"

enum { SECOND_US = 1000 * 1000, MINUTE_US = 60 * SECOND_US };

struct payment generator_payment_at_home(const struct world *world, const struct world_user *user,
                                         int64_t time_us, struct prng *prng)
{
    const struct world_merchant merchant =
        world_merchant(world, world_pick_merchant(world, user->city, prng));
    return (struct payment){
        .time_us = time_us,
        .arrival_us = time_us,
        .user = user->index,
        .merchant = merchant.index,
        .card = (uint8_t)prng_below(prng, user->card_count),
        .device = (int8_t)prng_below(prng, user->device_count),
        .city = (int8_t)user->city,
        .has_place = true,
        .place = merchant.place,
    };
}

static struct payment *add(struct burst *burst, int64_t after_us, int64_t low_cents,
                           int64_t high_cents)
{
    ENSURE(burst->count < BURST_PAYMENTS_MAX);
    struct payment *payment = &burst->payments[burst->count++];
    *payment = generator_payment_at_home(burst->world, &burst->victim, burst->start_us + after_us,
                                         burst->prng);
    payment->amount_cents = prng_between(burst->prng, low_cents, high_cents);
    return payment;
}

/* In a shop's web page, somewhere else. */
static void move_online(struct burst *burst, struct payment *payment, int city)
{
    payment->city = (int8_t)city;
    payment->merchant = world_pick_merchant(burst->world, city, burst->prng);
    payment->has_place = false;
}

static void plan_slow_burn(struct burst *burst)
{
    enum { PAYMENTS = 23, COUNTRIES = 4, STEP_US = 15 * MINUTE_US };
    int city[COUNTRIES] = { burst->victim.city };
    for (int i = 1; i < COUNTRIES; i++) {
        bool again = true;
        while (again) {
            city[i] = world_other_city(burst->victim.city, false, burst->prng);
            again = false;
            for (int j = 0; j < i; j++)
                again |= bytes_equal(bytes_of_string(world_country(city[i])),
                                     bytes_of_string(world_country(city[j])));
        }
    }
    for (int i = 0; i < PAYMENTS; i++) {
        const int64_t jitter_us = i == 0 ? 0 : prng_between(burst->prng, 0, 30 * SECOND_US);
        struct payment *payment = add(burst, i * (int64_t)STEP_US + jitter_us, 300, 2000);
        move_online(burst, payment, city[i * COUNTRIES / PAYMENTS]);
        payment->card = 0;
    }
}

static void plan_velocity(struct burst *burst)
{
    int64_t at_us = 0;
    for (int i = 0; i < 8; i++) {
        add(burst, at_us, 500, 4000);
        at_us += prng_between(burst->prng, 2 * SECOND_US, 4 * SECOND_US);
    }
}

static void plan_straddle(struct burst *burst)
{
    enum { PAYMENTS = 6, HALF_STEP_US = 2500 * 1000 };
    const int64_t reach_us = PAYMENTS * HALF_STEP_US;
    const int64_t full_us = (burst->start_us + reach_us + MINUTE_US - 1) / MINUTE_US * MINUTE_US;
    for (int i = 0; i < PAYMENTS; i++) {
        const int64_t jitter_us = prng_between(burst->prng, -SECOND_US, SECOND_US);
        const int64_t step_us = (2 * i + 1 - PAYMENTS) * (int64_t)HALF_STEP_US;
        add(burst, full_us - burst->start_us + step_us + jitter_us, 500, 4000);
    }
}

static void plan_out_of_order_straddle(struct burst *burst)
{
    plan_straddle(burst);
    burst->payments[0].arrival_us = burst->payments[burst->count - 1].arrival_us + SECOND_US;
}

static void plan_test_then_spend(struct burst *burst)
{
    for (int i = 0; i < 3; i++)
        add(burst, i * 5 * (int64_t)SECOND_US, 50, 199);
    add(burst, 25 * (int64_t)SECOND_US, 190000, 290000);
}

static void plan_high_amount(struct burst *burst)
{
    add(burst, 0, 310000, 900000);
}

static void plan_blocked_merchant(struct burst *burst)
{
    struct payment *payment = add(burst, 0, 2000, 20000);
    const uint32_t n = (uint32_t)prng_below(burst->prng, WORLD_BLOCKED_MERCHANTS);
    payment->merchant = world_blocked_merchant(burst->world, n);
    payment->has_place = false;
}

static void plan_impossible_travel(struct burst *burst)
{
    add(burst, 0, 500, 4000);
    struct payment *payment = add(burst, 25 * (int64_t)SECOND_US, 5000, 30000);
    const int city = world_other_city(burst->victim.city, true, burst->prng);
    move_online(burst, payment, city);
    payment->has_place = true;
    payment->place = world_merchant(burst->world, payment->merchant).place;
}

static void plan_new_device(struct burst *burst)
{
    add(burst, 0, 60000, 99000)->device = PAYMENT_NEW_DEVICE;
}

static void plan_location_mismatch(struct burst *burst)
{
    struct payment *payment = add(burst, 0, 110000, 240000);
    move_online(burst, payment, world_other_city(burst->victim.city, false, burst->prng));
}

void generator_attack_plan(struct burst *burst, enum generator_attack attack)
{
    static void (*const plans[ATTACK_COUNT])(struct burst *) = {
#define ATTACK(name, rule, text) [ATTACK_##name] = plan_##name,
#include "processor/offline/generator_attacks.def"
#undef ATTACK
    };
    ENSURE(attack > ATTACK_NONE && attack < ATTACK_COUNT && burst->count == 0);
    plans[attack](burst);
}
