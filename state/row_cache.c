/*
 * Nodes are numbered without gaps: the last one takes the number of one that goes. So the array of
 * nodes is the clock's face, and the hand steps over no holes.
 */
#include "state/row_cache.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/row_index.h"
#include "state/row_node.h"

enum {
    NODES_MIN = 16,
    ALLOCATION_STEP = 16,
    SHARE_MAX = 8,            /* a row larger than 1/8 of the cache would displace too much */
    SLACK_MIN = 64
};

struct row_cache {
    uint64_t bytes_max;
    uint64_t node_bytes;
    struct row_index index;
    struct row_node **nodes;
    uint32_t *hashes;       /* of their keys, which need not be looked at when nodes are numbered anew */
    struct row_node *taken; /* out already; its value is good until the next change */
    size_t count;
    size_t capacity;
    size_t hand;
};

static uint64_t bytes_of_node(size_t key_size, size_t capacity);
static uint32_t number_of(const struct row_cache *cache, struct bytes key);
static void add(struct row_cache *cache, uint32_t hash, struct bytes key, struct bytes value);
static void reserve_one(struct row_cache *cache);
static bool make_room(struct row_cache *cache, uint64_t bytes, uint64_t bytes_max);
static void forget(struct row_cache *cache, size_t number);
static struct row_node *take_out(struct row_cache *cache, size_t number);
static void free_taken(struct row_cache *cache);
static void release_arrays(struct row_cache *cache);

void row_cache_create(struct row_cache **out, uint64_t bytes_max)
{
    ENSURE(*out == NULL);
    struct row_cache *cache = mem_alloc(sizeof *cache);
    cache->bytes_max = bytes_max;
    row_index_init(&cache->index);
    *out = cache;
}

void row_cache_destroy(struct row_cache **cache)
{
    if (*cache == NULL)
        return;
    row_cache_clear(*cache);
    mem_free(*cache);
    *cache = NULL;
}

bool row_cache_get(struct row_cache *cache, struct bytes key, struct bytes *value)
{
    const uint32_t number = number_of(cache, key);
    if (number == ROW_NUMBER_NONE)
        return false;
    cache->nodes[number]->referenced = 1;
    *value = row_node_value(cache->nodes[number]);
    return true;
}

bool row_cache_take(struct row_cache *cache, struct bytes key, struct bytes *value)
{
    const uint32_t number = number_of(cache, key);
    if (number == ROW_NUMBER_NONE)
        return false;
    free_taken(cache);
    cache->taken = take_out(cache, number);
    *value = row_node_value(cache->taken);
    return true;
}

bool row_cache_holds(const struct row_cache *cache, struct bytes key)
{
    return number_of(cache, key) != ROW_NUMBER_NONE;
}

void row_cache_put(struct row_cache *cache, struct bytes key, struct bytes value)
{
    const uint32_t hash = row_index_hash(key);
    if (row_index_find(&cache->index, cache->nodes, hash, key) != ROW_NUMBER_NONE)
        row_cache_update(cache, key, value);
    else
        add(cache, hash, key, value);
}

static void add(struct row_cache *cache, uint32_t hash, struct bytes key, struct bytes value)
{
    const uint64_t bytes = bytes_of_node(key.size, value.size);
    free_taken(cache);
    if (bytes > cache->bytes_max / SHARE_MAX)
        return;
    reserve_one(cache);
    if (!make_room(cache, bytes, cache->bytes_max))
        return;

    struct row_node *node = mem_resize_array(NULL, row_node_size(key.size, value.size), 1);
    row_node_init(node, key, value, value.size);
    node->referenced = 1; /* it was fetched to be used */
    row_index_add(&cache->index, hash, (uint32_t)cache->count);
    cache->hashes[cache->count] = hash;
    cache->nodes[cache->count++] = node;
    cache->node_bytes += mem_size(node);
}

void row_cache_update(struct row_cache *cache, struct bytes key, struct bytes value)
{
    const uint32_t number = number_of(cache, key);
    if (number == ROW_NUMBER_NONE)
        return;
    struct row_node *node = cache->nodes[number];
    const bool fits = value.size <= node->capacity;
    const bool wasteful = node->capacity > 2 * value.size + SLACK_MIN;
    if (fits && !wasteful) {
        row_node_set_value(node, value);
        node->referenced = 1;
        return;
    }
    forget(cache, number);
    row_cache_put(cache, key, value);
}

void row_cache_remove(struct row_cache *cache, struct bytes key)
{
    const uint32_t number = number_of(cache, key);
    if (number != ROW_NUMBER_NONE)
        forget(cache, number);
}

void row_cache_shrink(struct row_cache *cache, uint64_t bytes)
{
    (void)make_room(cache, 0, bytes);
}

void row_cache_clear(struct row_cache *cache)
{
    free_taken(cache);
    for (size_t i = 0; i < cache->count; i++)
        mem_free(cache->nodes[i]);
    cache->count = 0;
    cache->hand = 0;
    cache->node_bytes = 0;
    release_arrays(cache);
}

uint32_t row_cache_expect(const struct row_cache *cache, struct bytes key)
{
    return row_index_expect(&cache->index, key);
}

uint32_t row_cache_peek(const struct row_cache *cache, uint32_t hash)
{
    return row_index_peek(&cache->index, cache->nodes, hash);
}

void row_cache_prefetch(const struct row_cache *cache, uint32_t number)
{
    enum { BEGIN_BYTES = 384 }; /* it may be smaller */
    if (number < cache->count)
        bytes_prefetch(bytes_of(cache->nodes[number], BEGIN_BYTES));
}

size_t row_cache_count(const struct row_cache *cache)
{
    return cache->count;
}

uint64_t row_cache_bytes(const struct row_cache *cache)
{
    return cache->node_bytes + row_index_footprint(&cache->index) +
           mem_size(cache->nodes) + mem_size(cache->hashes);
}

/* At most what mem_size will say of it. */
static uint64_t bytes_of_node(size_t key_size, size_t capacity)
{
    return (row_node_size(key_size, capacity) + sizeof(size_t) + ALLOCATION_STEP - 1) / ALLOCATION_STEP *
           ALLOCATION_STEP;
}

static uint32_t number_of(const struct row_cache *cache, struct bytes key)
{
    return row_index_find(&cache->index, cache->nodes, row_index_hash(key), key);
}

/* Growing the arrays costs bytes too, so it comes before room is made. */
static void reserve_one(struct row_cache *cache)
{
    ENSURE(cache->count < ROW_NUMBER_NONE);
    row_index_reserve(&cache->index);
    if (cache->count < cache->capacity)
        return;
    cache->capacity = cache->capacity == 0 ? NODES_MIN : 2 * cache->capacity;
    cache->nodes = mem_resize_array(cache->nodes, cache->capacity, sizeof(struct row_node *));
    cache->hashes = mem_resize_array(cache->hashes, cache->capacity, sizeof *cache->hashes);
}

/* false when even an empty cache is too small. */
static bool make_room(struct row_cache *cache, uint64_t bytes, uint64_t bytes_max)
{
    while (row_cache_bytes(cache) + bytes > bytes_max) {
        if (cache->count == 0) {
            release_arrays(cache);
            return false;
        }
        if (cache->hand >= cache->count)
            cache->hand = 0;
        struct row_node *node = cache->nodes[cache->hand];
        if (node->referenced != 0) {
            node->referenced = 0;
            cache->hand++;
        } else {
            forget(cache, cache->hand);
        }
    }
    return true;
}

static struct row_node *take_out(struct row_cache *cache, size_t number)
{
    struct row_node *node = cache->nodes[number];
    const size_t last = cache->count - 1;
    row_index_remove(&cache->index, cache->hashes[number], (uint32_t)number);
    if (number != last) {
        cache->nodes[number] = cache->nodes[last];
        cache->hashes[number] = cache->hashes[last];
        row_index_renumber(&cache->index, cache->hashes[number], (uint32_t)last, (uint32_t)number);
    }
    cache->count = last;
    cache->node_bytes -= mem_size(node);
    return node;
}

static void forget(struct row_cache *cache, size_t number)
{
    mem_free(take_out(cache, number));
}

static void free_taken(struct row_cache *cache)
{
    mem_free(cache->taken);
    cache->taken = NULL;
}

static void release_arrays(struct row_cache *cache)
{
    row_index_fini(&cache->index);
    mem_free(cache->nodes);
    mem_free(cache->hashes);
    cache->nodes = NULL;
    cache->hashes = NULL;
    cache->capacity = 0;
}
