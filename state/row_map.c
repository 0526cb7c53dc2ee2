#include "state/row_map.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "state/row_index.h"
#include "state/row_slab.h"

enum { STORE_COUNT = 256, NODES_MIN = 16, GROWTH_SHARE = 4 };

struct row_map {
    struct row_slab slab;
    struct row_index index;
    struct row_node **nodes; /* by number */
    size_t count;
    size_t capacity;
    struct row_order *orders[STORE_COUNT]; /* by the key's first byte; NULL: no row */
};

static struct row_node *create_node(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value, size_t capacity);
static void replace_value(struct row_map *map, uint32_t number, struct bytes value);
static void enter_store(struct row_map_cursor *cursor, struct bytes from);

void row_map_create(struct row_map **out, size_t block_bytes)
{
    ENSURE(*out == NULL);
    struct row_map *map = mem_alloc(sizeof *map);
    row_slab_init(&map->slab, block_bytes);
    row_index_init(&map->index);
    *out = map;
}

void row_map_destroy(struct row_map **map)
{
    if (*map == NULL)
        return;
    for (size_t i = 0; i < STORE_COUNT; i++) {
        if ((*map)->orders[i] != NULL)
            row_order_fini((*map)->orders[i]);
        mem_free((*map)->orders[i]);
    }
    row_slab_fini(&(*map)->slab);
    row_index_fini(&(*map)->index);
    mem_free((*map)->nodes);
    mem_free(*map);
    *map = NULL;
}

uint32_t row_map_number(const struct row_map *map, uint32_t hash, struct bytes key)
{
    return map->count == 0 ? ROW_NUMBER_NONE : row_index_find(&map->index, map->nodes, hash, key);
}

bool row_map_get(const struct row_map *map, struct bytes key, struct bytes *value)
{
    if (map->count == 0)
        return false;
    const uint32_t number = row_map_number(map, row_index_hash(key), key);
    if (number == ROW_NUMBER_NONE)
        return false;
    *value = row_node_value(map->nodes[number]);
    return true;
}

uint32_t row_map_expect(const struct row_map *map, struct bytes key)
{
    return row_index_expect(&map->index, key);
}

void row_map_expect_hash(const struct row_map *map, uint32_t hash)
{
    row_index_expect_hash(&map->index, hash);
}

uint32_t row_map_peek_number(const struct row_map *map, uint32_t hash)
{
    return row_index_peek(&map->index, map->nodes, hash);
}

void row_map_prefetch_row(const struct row_map *map, uint32_t number)
{
    if (number != ROW_NUMBER_NONE)
        prefetch(map->nodes[number]);
}

void row_map_prefetch_end(const struct row_map *map, uint32_t number)
{
    if (number == ROW_NUMBER_NONE)
        return;
    const struct row_node *node = map->nodes[number];
    prefetch(node->data + node->key_size + (node->value_size == ROW_VALUE_NONE ? 0 : node->value_size));
}

uint32_t row_map_put(struct row_map *map, struct bytes key, struct bytes value)
{
    return row_map_put_expected(map, row_index_hash(key), key, value);
}

uint32_t row_map_put_expected(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value)
{
    ENSURE(value.size <= ROW_PART_BYTES_MAX);
    const uint32_t number = row_index_find(&map->index, map->nodes, hash, key);
    if (number == ROW_NUMBER_NONE)
        return row_map_add_expected(map, hash, key, value);
    replace_value(map, number, value);
    return number;
}

void row_map_grow_expected(struct row_map *map, uint32_t hash, struct bytes key, size_t position, struct bytes more)
{
    const uint32_t number = row_map_number(map, hash, key);
    ENSURE(number != ROW_NUMBER_NONE);
    struct row_node *node = map->nodes[number];
    const size_t size = position + more.size;
    ENSURE(node->value_size != ROW_VALUE_NONE && node->value_size == position && size <= ROW_PART_BYTES_MAX);
    if (size > node->capacity) {
        /* With room for what follows: it will grow again. */
        map->nodes[number] = create_node(map, hash, row_node_key(node), row_node_value(node), size + size / GROWTH_SHARE);
        row_slab_give(&map->slab, node, row_node_size(node->key_size, node->capacity));
        node = map->nodes[number];
    }
    row_node_grow(node, more);
}

size_t row_map_count(const struct row_map *map)
{
    return map->count;
}

struct store_row row_map_row(const struct row_map *map, size_t number)
{
    ENSURE(number < map->count);
    const struct row_node *node = map->nodes[number];
    return (struct store_row){ row_node_key(node), row_node_value(node) };
}

uint32_t row_map_hash(const struct row_map *map, size_t number)
{
    ENSURE(number < map->count);
    return map->nodes[number]->hash;
}

void row_map_clear(struct row_map *map)
{
    row_slab_reset(&map->slab);
    row_index_clear(&map->index);
    map->count = 0;
    for (size_t i = 0; i < STORE_COUNT; i++)
        if (map->orders[i] != NULL)
            row_order_clear(map->orders[i]);
}

uint64_t row_map_bytes(const struct row_map *map)
{
    if (map->count == 0)
        return 0;
    return map->slab.bytes + row_index_footprint(&map->index) + mem_size_of(map->capacity * sizeof *map->nodes) +
           map->count * sizeof(uint32_t);
}

uint64_t row_map_footprint(const struct row_map *map)
{
    uint64_t bytes = mem_size(map) + row_slab_footprint(&map->slab) +
                     row_index_footprint(&map->index) + mem_size_of(map->capacity * sizeof *map->nodes);
    for (size_t i = 0; i < STORE_COUNT; i++)
        if (map->orders[i] != NULL)
            bytes += mem_size(map->orders[i]) + row_order_footprint(map->orders[i]);
    return bytes;
}

void row_map_seek(struct row_map_cursor *cursor, struct row_map *map, struct bytes from,
                  struct bytes to)
{
    *cursor =
        (struct row_map_cursor){ .map = map, .to = to, .store = from.size == 0 ? 0 : from.data[0] };
    enter_store(cursor, from);
}

bool row_map_peek(const struct row_map_cursor *cursor, struct store_row *row)
{
    if (cursor->node == NULL)
        return false;
    *row = (struct store_row){ row_node_key(cursor->node), row_node_value(cursor->node) };
    return true;
}

void row_map_next(struct row_map_cursor *cursor)
{
    ENSURE(cursor->node != NULL);
    row_order_next(&cursor->rows);
    cursor->node = row_order_peek(&cursor->rows);
    if (cursor->node == NULL) {
        cursor->store++;
        enter_store(cursor, BYTES_NONE);
    } else if (cursor->to.data != NULL &&
               bytes_compare(row_node_key(cursor->node), cursor->to) >= 0) {
        cursor->node = NULL;
    }
}

/* Stands on the first row of `store` or a later one, unless it lies behind the end of the range. */
static void enter_store(struct row_map_cursor *cursor, struct bytes from)
{
    const int last = cursor->to.data == NULL ? STORE_COUNT - 1
                     : cursor->to.size == 0  ? -1
                                             : cursor->to.data[0];
    cursor->node = NULL;
    for (; cursor->store <= last; cursor->store++) {
        struct row_order *order = cursor->map->orders[cursor->store];
        if (order == NULL)
            continue;
        row_order_sort(order, cursor->map->nodes);
        cursor->rows = row_order_seek(order, cursor->map->nodes, from);
        cursor->node = row_order_peek(&cursor->rows);
        if (cursor->node != NULL)
            break;
    }
    if (cursor->node != NULL && cursor->to.data != NULL &&
        bytes_compare(row_node_key(cursor->node), cursor->to) >= 0)
        cursor->node = NULL;
}

uint32_t row_map_add_expected(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value)
{
    ENSURE(key.size > 0 && key.size <= ROW_PART_BYTES_MAX && value.size <= ROW_PART_BYTES_MAX);
    ENSURE(map->count < ROW_NUMBER_NONE);
    if (map->count == map->capacity) {
        map->capacity = map->capacity == 0 ? NODES_MIN : 2 * map->capacity;
        map->nodes = mem_resize_array(map->nodes, map->capacity, sizeof(struct row_node *));
    }
    const uint32_t number = (uint32_t)map->count;
    map->nodes[number] = create_node(map, hash, key, value, value.size);
    map->count++;
    row_index_add(&map->index, hash, number);

    struct row_order **order = &map->orders[key.data[0]];
    if (*order == NULL) {
        *order = mem_alloc(sizeof **order);
        row_order_init(*order);
    }
    row_order_push(*order, number);
    return number;
}

static void replace_value(struct row_map *map, uint32_t number, struct bytes value)
{
    struct row_node *node = map->nodes[number];
    if (value.size <= node->capacity) {
        row_node_set_value(node, value);
        return;
    }
    map->nodes[number] = create_node(map, node->hash, row_node_key(node), value, value.size);
    row_slab_give(&map->slab, node, row_node_size(node->key_size, node->capacity));
}

/* What rounding up gives is capacity. */
static struct row_node *create_node(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value, size_t capacity)
{
    size_t granted = 0;
    struct row_node *node =
        row_slab_take(&map->slab, row_node_size(key.size, capacity), &granted);
    row_node_init(node, key, value, granted - row_node_size(key.size, 0));
    node->hash = hash;
    return node;
}
