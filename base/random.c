/*
 * xoshiro256** 1.0 and splitmix64 by David Blackman and Sebastiano Vigna (prng.di.unimi.it, public
 * domain).
 */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/ensure.h"
#include "base/int128.h"

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct prng prng_of_seed(uint64_t seed)
{
    struct prng prng = { .seed = seed };
    for (int i = 0; i < 4; i++)
        prng.state[i] = splitmix64(&seed);
    return prng;
}

struct prng prng_from_env(const char *variable, uint64_t fallback)
{
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0')
        return prng_of_seed(fallback);
    char *end = NULL;
    errno = 0;
    const uint64_t seed = strtoull(text, &end, 0);
    return prng_of_seed(errno == 0 && *end == '\0' ? seed : fallback);
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *const s = prng->state;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Lemire, "Fast Random Integer Generation in an Interval" (2019). */
uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    ENSURE(bound > 0);
    uint128 product = (uint128)prng_next(prng) * bound;
    if ((uint64_t)product < bound) {
        const uint64_t biased = (0 - bound) % bound;
        while ((uint64_t)product < biased)
            product = (uint128)prng_next(prng) * bound;
    }
    return (uint64_t)(product >> 64);
}

int64_t prng_between(struct prng *prng, int64_t low, int64_t high)
{
    ENSURE(low <= high);
    const uint64_t span = (uint64_t)high - (uint64_t)low;
    const uint64_t x = span == UINT64_MAX ? prng_next(prng) : prng_below(prng, span + 1);
    return (int64_t)((uint64_t)low + x);
}

double prng_unit(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

bool prng_chance(struct prng *prng, uint64_t n, uint64_t d)
{
    return prng_below(prng, d) < n;
}

static uint64_t (*nonce_source)(void *context);
static void *nonce_source_context;

void random_set_nonce_source(uint64_t (*source)(void *context), void *context)
{
    nonce_source = source;
    nonce_source_context = context;
}

uint64_t random_nonce(void)
{
    if (nonce_source != NULL)
        return nonce_source(nonce_source_context);
    uint64_t nonce = 0;
    ssize_t got = 0;
    do {
        got = getrandom(&nonce, sizeof nonce, 0);
    } while (got < 0 && errno == EINTR);
    ENSURE(got == (ssize_t)sizeof nonce);
    return nonce;
}
