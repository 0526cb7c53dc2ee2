#include "row_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE_MAX = 24, STORES = 4 };

static uint8_t texts[MODEL_KEYS][KEY_SIZE_MAX];
static struct bytes keys[MODEL_KEYS];

static int compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void make_keys(void)
{
    static const char *const shapes[] = { "%d", "user-%d", "user-%d\xff", "u%d/card", "%d/%d/0" };
    for (int i = 0; i < MODEL_KEYS; i++) {
        texts[i][0] = (uint8_t)(i % STORES == 3 ? 0xff : 1 + i % STORES);
        const int number = i / STORES;
        const int size = snprintf((char *)texts[i] + 1, KEY_SIZE_MAX - 1, shapes[number % 5],
                                  number / 5, number);
        keys[i] = bytes_of(texts[i], (size_t)size + 1);
        if (number % 5 == 0)
            texts[i][size] = (uint8_t)(number % 7 == 0 ? 0x00 : texts[i][size]);
    }
    /* One of a single byte, the smallest there is. */
    keys[0].size = 1;
    qsort(keys, MODEL_KEYS, sizeof keys[0], compare);
}

struct bytes model_key(int i)
{
    if (keys[0].data == NULL)
        make_keys();
    return keys[i];
}

int model_number(struct bytes key)
{
    model_key(0);
    const struct bytes *found = bsearch(&key, keys, MODEL_KEYS, sizeof keys[0], compare);
    return found == NULL ? -1 : (int)(found - keys);
}

int model_any_key(struct prng *prng)
{
    return (int)prng_below(prng, MODEL_KEYS);
}

struct bytes model_any_limit(struct prng *prng)
{
    static uint8_t between[8][2];
    static unsigned turn;
    switch (prng_below(prng, 6)) {
    case 0:
        return BYTES_NONE;
    case 1:
        turn = (turn + 1) % 8;
        between[turn][0] = (uint8_t)prng_between(prng, 1, STORES + 1);
        between[turn][1] = (uint8_t)prng_below(prng, 256);
        return bytes_of(between[turn], prng_below(prng, 2) + 1);
    default:
        return model_key(model_any_key(prng));
    }
}

/* The highest byte of a version counts how often it has grown. */
enum { GROWTH_SHIFT = 24, GROWTH_MAX = 100, GROWTH_BYTES_MAX = 8 };
static const uint32_t FIRST_MASK = (1U << GROWTH_SHIFT) - 1;

uint32_t model_grown(uint32_t version)
{
    return version >> GROWTH_SHIFT == GROWTH_MAX ? 0 : version + (1U << GROWTH_SHIFT);
}

uint32_t model_before_growth(uint32_t version)
{
    return version >> GROWTH_SHIFT == 0 ? 0 : version - (1U << GROWTH_SHIFT);
}

static size_t put_noise(uint8_t *out, struct prng *prng, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(prng);
    return size;
}

struct bytes model_value(uint32_t version)
{
    static uint8_t values[4][MODEL_VALUE_MAX + GROWTH_MAX * GROWTH_BYTES_MAX];
    static unsigned turn;
    if (version == 0)
        return BYTES_NONE;
    turn = (turn + 1) % 4;
    struct prng prng = prng_of_seed(version & FIRST_MASK);
    const size_t first = (size_t)prng_below(&prng, prng_chance(&prng, 1, 4) ? MODEL_VALUE_MAX : 40);
    size_t size = put_noise(values[turn], &prng, first);
    for (uint32_t i = 0; i < version >> GROWTH_SHIFT; i++)
        size += put_noise(values[turn] + size, &prng, (size_t)prng_below(&prng, GROWTH_BYTES_MAX + 1));
    return bytes_of(values[turn], size);
}

struct bytes model_end(uint32_t version, size_t position)
{
    const struct bytes whole = model_value(version);
    return bytes_of(whole.data + position, whole.size - position);
}
