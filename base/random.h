/* random: a small seeded generator (xoshiro256**), the same numbers on every machine. */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t seed; /* what it was seeded with, for messages */
    uint64_t state[4];
};

struct prng prng_of_seed(uint64_t seed);
/* Reads the seed from the environment variable, or takes `fallback`. Tests print prng.seed. */
struct prng prng_from_env(const char *variable, uint64_t fallback);
uint64_t prng_next(struct prng *prng);
/* 0 <= x < bound, unbiased; bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* low <= x <= high. */
int64_t prng_between(struct prng *prng, int64_t low, int64_t high);
/* 0 <= x < 1, 53 bits. */
double prng_unit(struct prng *prng);
/* true with probability n / d. */
bool prng_chance(struct prng *prng, uint64_t n, uint64_t d);
/* From the operating system; for nonces and incarnations, never for results. */
uint64_t random_nonce(void);
/* Tests only, so that a run can be repeated: nonces from `source` from now on; NULL: the operating system's again. */
void random_set_nonce_source(uint64_t (*source)(void *context), void *context);

#endif
