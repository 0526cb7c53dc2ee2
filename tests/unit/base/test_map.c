#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/random.h"
#include "capture.h"

enum { KEY_MAX = 24, MODEL_MAX = 600 };

/* The whole specification: entries in the order of insertion. */
struct entry {
    char key[KEY_MAX];
    size_t key_size;
    uint64_t value;
    void *address;
};

struct model {
    struct entry entries[MODEL_MAX];
    size_t count;
};

static struct model model;

static struct entry *model_find(struct bytes key)
{
    for (size_t i = 0; i < model.count; i++)
        if (bytes_equal(bytes_of(model.entries[i].key, model.entries[i].key_size), key))
            return &model.entries[i];
    return NULL;
}

static void model_remove(const struct entry *entry)
{
    const size_t index = (size_t)(entry - model.entries);
    memmove(&model.entries[index], &model.entries[index + 1],
            (model.count - index - 1) * sizeof model.entries[0]);
    model.count--;
}

/* Some keys are numbers, some texts that share a prefix, one is empty. */
static struct bytes any_key(struct prng *prng, char key[KEY_MAX])
{
    const uint32_t number = (uint32_t)prng_below(prng, MODEL_MAX);
    if (number % 3 == 0) {
        memcpy(key, &number, sizeof number);
        return bytes_of(key, sizeof number);
    }
    if (number == 1)
        return bytes_of(key, 0);
    return bytes_of(key, (size_t)snprintf(key, KEY_MAX, "customer-%04u", number));
}

static void insert(struct map *map, struct bytes key, uint64_t value, const char *where)
{
    struct entry *expected = model_find(key);
    bool is_new = expected != NULL;
    uint64_t *stored = map_insert(map, key, &is_new);
    cr_assert_eq(is_new, expected == NULL, "%s", where);
    cr_assert_eq(*stored, expected == NULL ? 0 : expected->value, "%s", where);
    cr_assert_eq((uintptr_t)stored % 16, 0);
    if (expected == NULL) {
        expected = &model.entries[model.count++];
        *expected = (struct entry){ .key_size = key.size, .address = stored };
        memcpy(expected->key, key.data, key.size);
    }
    expected->value = *stored = value;
}

static void check_lookup(const struct map *map, struct bytes key, const char *where)
{
    const struct entry *expected = model_find(key);
    const uint64_t *found = map_find(map, key);
    cr_assert_eq(found != NULL, expected != NULL, "%s", where);
    if (found != NULL) {
        cr_assert_eq(*found, expected->value, "%s", where);
        cr_assert_eq((const void *)found, expected->address, "%s: it moved", where);
    }
}

/* Iterates, and removes each entry with a chance of one in `remove_one_in` (0: none). */
static void check_iteration(struct map *map, struct prng *prng, uint64_t remove_one_in,
                            const char *where)
{
    size_t index = 0;
    struct map_iterator it = map_iterate(map);
    while (map_next(&it)) {
        cr_assert_lt(index, model.count, "%s", where);
        struct entry *expected = &model.entries[index];
        cr_assert(bytes_equal(it.key, bytes_of(expected->key, expected->key_size)), "%s", where);
        cr_assert_eq(*(uint64_t *)it.value, expected->value, "%s", where);
        if (remove_one_in > 0 && prng_chance(prng, 1, remove_one_in)) {
            cr_assert(map_remove(map, it.key), "%s", where);
            model_remove(expected);
        } else {
            index++;
        }
    }
    cr_assert_eq(index, model.count, "%s", where);
    cr_assert_eq(map_count(map), model.count, "%s", where);
}

static void renew(struct map *map, struct bytes key)
{
    struct entry *expected = model_find(key);
    if (expected == NULL)
        return;
    const struct entry renewed = *expected;
    map_renew(map, renewed.address);
    model_remove(expected);
    model.entries[model.count++] = renewed;
}

static void check_order(const struct map *map, const char *where)
{
    size_t index = 0;
    for (void *value = map_oldest(map); value != NULL; value = map_newer(value))
        cr_assert(index < model.count && value == model.entries[index++].address, "%s", where);
    cr_assert_eq(index, model.count, "%s", where);
}

Test(map, agrees_with_a_list)
{
    struct prng prng = prng_from_env("TEST_SEED", 24);
    struct map *map = NULL;
    map_create(&map, sizeof(uint64_t));
    for (int step = 0; step < 60000; step++) {
        char where[64], text[KEY_MAX];
        snprintf(where, sizeof where, "TEST_SEED=%" PRIu64 " step=%d", prng.seed, step);
        const struct bytes key = any_key(&prng, text);
        const uint64_t what = prng_below(&prng, 1000);
        /* Rises and falls, so that removals meet full tables and empty ones. */
        const uint64_t inserts = step / 5000 % 2 == 0 ? 600 : 250;
        if (what < inserts) {
            insert(map, key, prng_next(&prng), where);
        } else if (what < 800) {
            const struct entry *expected = model_find(key);
            cr_assert_eq(map_remove(map, key), expected != NULL, "%s", where);
            if (expected != NULL)
                model_remove(expected);
        } else if (what < 950) {
            check_lookup(map, key, where);
        } else if (what < 990) {
            renew(map, key);
            check_order(map, where);
        } else if (what < 999) {
            check_iteration(map, &prng, prng_below(&prng, 40), where);
        } else if (prng_chance(&prng, 1, 4)) {
            map_clear(map);
            model.count = 0;
        }
        cr_assert_eq(map_count(map), model.count, "%s", where);
    }
    map_destroy(&map);
    cr_assert_null(map);
    map_destroy(&map);
}

/* Every key is looked up after every removal, in a table as full as it gets. */
Test(map, removals_lose_nobody_else)
{
    struct prng prng = prng_from_env("TEST_SEED", 25);
    for (int round = 0; round < 200; round++) {
        struct map *map = NULL;
        map_create(&map, 0);
        uint64_t keys[12]; /* three quarters of the smallest table */
        bool present[12];
        for (size_t i = 0; i < 12; i++) {
            keys[i] = prng_next(&prng);
            map_insert(map, bytes_of(&keys[i], sizeof keys[i]), &present[i]);
        }
        while (map_count(map) > 0) {
            const size_t gone = prng_below(&prng, 12);
            cr_assert_eq(map_remove(map, bytes_of(&keys[gone], sizeof keys[gone])), present[gone]);
            present[gone] = false;
            for (size_t i = 0; i < 12; i++)
                cr_assert_eq(map_find(map, bytes_of(&keys[i], sizeof keys[i])) != NULL, present[i],
                             "TEST_SEED=%" PRIu64 " round=%d", prng.seed, round);
        }
        map_destroy(&map);
    }
}

Test(map, an_empty_map_answers)
{
    struct map *map = NULL;
    map_create(&map, 4);
    cr_assert_null(map_find(map, BYTES_LITERAL("x")));
    cr_assert_not(map_remove(map, BYTES_LITERAL("x")));
    cr_assert_eq(map_count(map), 0);
    struct map_iterator it = map_iterate(map);
    cr_assert_not(map_next(&it));
    map_clear(map);
    map_destroy(&map);
}

Test(map, keys_are_copies_and_values_start_at_zero)
{
    struct map *map = NULL;
    map_create(&map, 40);
    char key[] = "key";
    char *value = map_insert(map, bytes_of_string(key), NULL);
    for (size_t i = 0; i < 40; i++)
        cr_assert_eq(value[i], 0);
    memset(value, 0xff, 40);
    key[0] = 'X';
    cr_assert_eq(map_find(map, BYTES_LITERAL("key")), value);
    cr_assert_null(map_find(map, bytes_of_string(key)));
    cr_assert(map_remove(map, BYTES_LITERAL("key")));
    value = map_insert(map, BYTES_LITERAL("key"), NULL);
    for (size_t i = 0; i < 40; i++)
        cr_assert_eq(value[i], 0);
    map_destroy(&map);
}

Test(map, a_key_inserted_again_after_removal_comes_last)
{
    struct map *map = NULL;
    map_create(&map, 0);
    const char *const order[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++)
        map_insert(map, bytes_of_string(order[i]), NULL);
    map_insert(map, BYTES_LITERAL("b"), NULL); /* already there: stays in its place */
    map_remove(map, BYTES_LITERAL("a"));
    map_insert(map, BYTES_LITERAL("a"), NULL);
    char seen[8] = "";
    struct map_iterator it = map_iterate(map);
    while (map_next(&it))
        strncat(seen, (const char *)it.key.data, it.key.size);
    cr_assert_str_eq(seen, "bca");
    map_destroy(&map);
}

Test(map, footprint_follows_what_is_held)
{
    struct map *map = NULL;
    map_create(&map, 100);
    const size_t empty = map_footprint(map);
    char key[1000] = { 0 };
    map_insert(map, bytes_of(key, 1), NULL);
    const size_t one = map_footprint(map);
    cr_assert_geq(one, empty + 101);
    map_insert(map, bytes_of(key, sizeof key), NULL);
    cr_assert_geq(map_footprint(map), one + 1100);
    cr_assert_lt(map_footprint(map), one + 1300);
    map_remove(map, bytes_of(key, sizeof key));
    cr_assert_eq(map_footprint(map), one);
    map_destroy(&map);
}

/* Slots of a once huge table go back over some clears, or each clear would cost as much. */
Test(map, clearing_gives_back_what_is_far_too_much)
{
    struct map *map = NULL;
    map_create(&map, 8);
    for (uint32_t i = 0; i < 100000; i++)
        map_insert(map, bytes_of(&i, sizeof i), NULL);
    map_clear(map);
    const size_t kept = map_footprint(map);
    cr_assert_gt(kept, 1000000, "one clear keeps the slots, %zu bytes", kept);
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 10; i++)
            *(uint64_t *)map_insert(map, bytes_of(&i, sizeof i), NULL) = i;
        for (uint32_t i = 0; i < 10; i++)
            cr_assert_eq(*(uint64_t *)map_find(map, bytes_of(&i, sizeof i)), i);
        map_clear(map);
        cr_assert_eq(map_count(map), 0);
        const uint32_t first = 0;
        cr_assert_null(map_find(map, bytes_of(&first, sizeof first)));
    }
    cr_assert_lt(map_footprint(map), 5000);
    map_destroy(&map);
}

static void find_none(void)
{
    struct map *map = NULL;
    map_create(&map, 8);
    (void)map_find(map, BYTES_NONE);
}

static void insert_none(void)
{
    struct map *map = NULL;
    map_create(&map, 8);
    (void)map_insert(map, BYTES_NONE, NULL);
}

Test(map, none_is_no_key)
{
    static struct capture capture;
    capture_abort(&capture, find_none);
    capture_abort(&capture, insert_none);
}
