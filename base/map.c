/*
 * Open addressing with linear probing over slots (hash, node); a removal shifts the run behind it
 * back, so there are no tombstones and lookups do not slow down with churn. Each entry is one
 * allocation, a node with value and key behind it, and the nodes form a list in order of insertion or renewal.
 */
#include "base/map.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/prefetch.h"

enum { VALUE_ALIGNMENT = 16, SLOTS_MIN = 4 /* most tables are of one entity and tiny */ };

struct node {
    struct node *older;
    struct node *newer;
    size_t key_size;
    _Alignas(VALUE_ALIGNMENT) uint8_t data[]; /* value, padding, key */
};

struct slot {
    uint64_t hash;
    struct node *node; /* NULL: empty */
};

struct map {
    size_t value_size; /* rounded up */
    size_t count;
    size_t slot_count; /* a power of two, or 0 before the first insert */
    size_t node_bytes; /* of the heap */
    struct slot *slots;
    struct node *oldest;
    struct node *newest;
};

static size_t slot_of(const struct map *map, struct bytes key, uint64_t hash);
static void resize_slots(struct map *map, size_t slot_count);
static void vacate_slot(struct map *map, size_t hole);
static struct node *append_node(struct map *map, struct bytes key);
static void unlink_node(struct map *map, struct node *node);
static void link_newest(struct map *map, struct node *node);
static void destroy_node(struct map *map, struct node *node);

static size_t node_size(const struct map *map, size_t key_size)
{
    return sizeof(struct node) + map->value_size + key_size;
}

static struct bytes key_of(const struct map *map, const struct node *node)
{
    return bytes_of(node->data + map->value_size, node->key_size);
}

void map_create(struct map **out, size_t value_size)
{
    ENSURE(*out == NULL);
    ENSURE(value_size <= SIZE_MAX / 4);
    struct map *map = mem_alloc(sizeof *map);
    map->value_size = (value_size + VALUE_ALIGNMENT - 1) & ~(size_t)(VALUE_ALIGNMENT - 1);
    *out = map;
}

void map_destroy(struct map **map)
{
    if (*map == NULL)
        return;
    while ((*map)->oldest != NULL)
        destroy_node(*map, (*map)->oldest);
    mem_free((*map)->slots);
    mem_free(*map);
    *map = NULL;
}

void *map_find(const struct map *map, struct bytes key)
{
    ENSURE(key.data != NULL);
    if (map->count == 0)
        return NULL;
    struct node *node = map->slots[slot_of(map, key, hash64(key))].node;
    return node == NULL ? NULL : node->data;
}

void *map_insert(struct map *map, struct bytes key, bool *is_new)
{
    ENSURE(key.data != NULL);
    /* At most three quarters full: runs stay short. */
    if (map->count >= map->slot_count - map->slot_count / 4)
        resize_slots(map, map->slot_count == 0 ? SLOTS_MIN : 2 * map->slot_count);

    const uint64_t hash = hash64(key);
    struct slot *slot = &map->slots[slot_of(map, key, hash)];
    if (is_new != NULL)
        *is_new = slot->node == NULL;
    if (slot->node == NULL)
        *slot = (struct slot){ .hash = hash, .node = append_node(map, key) };
    return slot->node->data;
}

static const struct node *node_of(const void *value)
{
    return (const void *)((const uint8_t *)value - offsetof(struct node, data));
}

struct bytes map_key_of(const struct map *map, const void *value)
{
    return key_of(map, node_of(value));
}

bool map_remove(struct map *map, struct bytes key)
{
    ENSURE(key.data != NULL);
    if (map->count == 0)
        return false;
    const size_t index = slot_of(map, key, hash64(key));
    struct node *node = map->slots[index].node;
    if (node == NULL)
        return false;
    vacate_slot(map, index);
    destroy_node(map, node);
    return true;
}

uint64_t map_expect(const struct map *map, struct bytes key)
{
    const uint64_t hash = hash64(key);
    if (map->count > 0)
        prefetch(&map->slots[hash & (map->slot_count - 1)]);
    return hash;
}

void *map_peek(const struct map *map, uint64_t hash)
{
    const size_t mask = map->slot_count - 1;
    if (map->count == 0)
        return NULL;
    for (size_t index = hash & mask; map->slots[index].node != NULL; index = (index + 1) & mask) {
        if (map->slots[index].hash == hash)
            return map->slots[index].node->data;
    }
    return NULL;
}

void map_prefetch(const struct map *map, const void *value)
{
    const struct node *node = node_of(value);
    const uint8_t *key = node->data + map->value_size;
    bytes_prefetch(bytes_of(node, (size_t)(key + 1 - (const uint8_t *)node)));
}

void *map_oldest(const struct map *map)
{
    return map->oldest == NULL ? NULL : map->oldest->data;
}

void *map_newer(const void *value)
{
    const struct node *node = node_of(value);
    return node->newer == NULL ? NULL : node->newer->data;
}

void map_renew(struct map *map, void *value)
{
    struct node *node = (void *)(uintptr_t)node_of(value);
    unlink_node(map, node);
    link_newest(map, node);
}

void map_prefetch_renewal(const void *value)
{
    const struct node *node = node_of(value);
    prefetch(node->newer);
    prefetch(node->older);
}

void map_clear(struct map *map)
{
    /* One full table must not make every later clear of a few entries slow. */
    enum { TOO_MANY = 16 };
    if (map->count == 0)
        return;
    const size_t smaller = map->slot_count / 2;
    const bool shrink = map->slot_count > SLOTS_MIN && map->slot_count / TOO_MANY > map->count;
    while (map->oldest != NULL)
        destroy_node(map, map->oldest);
    if (shrink) {
        mem_free(map->slots);
        map->slots = NULL;
        map->slot_count = 0;
        resize_slots(map, smaller);
    } else {
        memset(map->slots, 0, map->slot_count * sizeof *map->slots);
    }
}

size_t map_count(const struct map *map)
{
    return map->count;
}

size_t map_footprint(const struct map *map)
{
    return mem_size_of(sizeof *map) + mem_size_of(map->slot_count * sizeof *map->slots) + map->node_bytes;
}

struct map_iterator map_iterate(const struct map *map)
{
    return (struct map_iterator){ .map = map, .ahead = map->oldest };
}

bool map_next(struct map_iterator *it)
{
    struct node *node = it->ahead;
    if (node == NULL)
        return false;
    it->key = key_of(it->map, node);
    it->value = node->data;
    it->ahead = node->newer; /* taken now, so that the caller may remove this key */
    return true;
}

/* Where the key is, or the empty slot where it belongs. There is always an empty slot. */
static size_t slot_of(const struct map *map, struct bytes key, uint64_t hash)
{
    const size_t mask = map->slot_count - 1;
    size_t index = hash & mask;
    for (;; index = (index + 1) & mask) {
        const struct slot *slot = &map->slots[index];
        if (slot->node == NULL || (slot->hash == hash && bytes_equal(key_of(map, slot->node), key)))
            return index;
    }
}

static void resize_slots(struct map *map, size_t slot_count)
{
    struct slot *const old = map->slots;
    const size_t old_count = map->slot_count;
    const size_t mask = slot_count - 1;
    map->slots = mem_alloc_array(slot_count, sizeof *map->slots);
    map->slot_count = slot_count;
    for (size_t i = 0; i < old_count; i++) {
        size_t index = old[i].hash & mask;
        if (old[i].node == NULL)
            continue;
        while (map->slots[index].node != NULL)
            index = (index + 1) & mask;
        map->slots[index] = old[i];
    }
    mem_free(old);
}

/* Moves back what would no longer be found beyond the hole (Knuth, vol. 3, 6.4, algorithm R). */
static void vacate_slot(struct map *map, size_t hole)
{
    const size_t mask = map->slot_count - 1;
    for (size_t index = (hole + 1) & mask; map->slots[index].node != NULL;
         index = (index + 1) & mask) {
        const size_t home = map->slots[index].hash & mask;
        if (((index - home) & mask) >= ((index - hole) & mask)) {
            map->slots[hole] = map->slots[index];
            hole = index;
        }
    }
    map->slots[hole] = (struct slot){ 0 };
}

static void unlink_node(struct map *map, struct node *node)
{
    *(node->older == NULL ? &map->oldest : &node->older->newer) = node->newer;
    *(node->newer == NULL ? &map->newest : &node->newer->older) = node->older;
}

static void link_newest(struct map *map, struct node *node)
{
    node->older = map->newest;
    node->newer = NULL;
    *(map->newest == NULL ? &map->oldest : &map->newest->newer) = node;
    map->newest = node;
}

static struct node *append_node(struct map *map, struct bytes key)
{
    struct node *node = mem_alloc(node_size(map, key.size));
    node->key_size = key.size;
    memcpy(node->data + map->value_size, key.data, key.size);
    link_newest(map, node);
    map->count++;
    map->node_bytes += mem_size_of(node_size(map, key.size));
    return node;
}

static void destroy_node(struct map *map, struct node *node)
{
    unlink_node(map, node);
    ENSURE(map->count > 0);
    map->count--;
    map->node_bytes -= mem_size_of(node_size(map, node->key_size));
    mem_free(node);
}
