#include "state/row_map.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/row_index.h"
#include "state/row_slab.h"

enum { STORE_COUNT = 256, NODES_MIN = 16 };

struct row_map {
    struct row_slab slab;
    struct row_index index;
    struct row_node **nodes; /* by number */
    size_t count;
    size_t capacity;
    struct row_order *orders[STORE_COUNT]; /* by the key's first byte; NULL: no row */
    struct store_row *rows;                /* what row_map_rows gave */
    size_t rows_capacity;
};

static struct row_node *create_node(struct row_map *map, struct bytes key, struct bytes value);
static void add_row(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value);
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
    mem_free((*map)->rows);
    mem_free(*map);
    *map = NULL;
}

bool row_map_get(const struct row_map *map, struct bytes key, struct bytes *value)
{
    if (map->count == 0)
        return false;
    const uint32_t number = row_index_find(&map->index, map->nodes, row_index_hash(key), key);
    if (number == ROW_NUMBER_NONE)
        return false;
    *value = row_node_value(map->nodes[number]);
    return true;
}

uint32_t row_map_expect(const struct row_map *map, struct bytes key)
{
    const uint32_t hash = row_index_hash(key);
    row_index_expect(&map->index, hash);
    return hash;
}

void row_map_put(struct row_map *map, struct bytes key, struct bytes value)
{
    row_map_put_expected(map, row_index_hash(key), key, value);
}

void row_map_put_expected(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value)
{
    ENSURE(key.size > 0 && key.size <= ROW_PART_BYTES_MAX && value.size <= ROW_PART_BYTES_MAX);
    const uint32_t number = row_index_find(&map->index, map->nodes, hash, key);
    if (number == ROW_NUMBER_NONE)
        add_row(map, hash, key, value);
    else
        replace_value(map, number, value);
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
                     row_index_footprint(&map->index) + mem_size_of(map->capacity * sizeof *map->nodes) + mem_size_of(map->rows_capacity * sizeof *map->rows);
    for (size_t i = 0; i < STORE_COUNT; i++)
        if (map->orders[i] != NULL)
            bytes += mem_size(map->orders[i]) + row_order_footprint(map->orders[i]);
    return bytes;
}

const struct store_row *row_map_rows(struct row_map *map)
{
    if (map->rows_capacity < map->count) {
        map->rows = mem_resize_array(map->rows, map->capacity, sizeof *map->rows);
        map->rows_capacity = map->capacity;
    }
    for (size_t i = 0; i < map->count; i++)
        map->rows[i] = row_map_row(map, i);
    return map->rows;
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

static void add_row(struct row_map *map, uint32_t hash, struct bytes key, struct bytes value)
{
    ENSURE(map->count < ROW_NUMBER_NONE);
    if (map->count == map->capacity) {
        map->capacity = map->capacity == 0 ? NODES_MIN : 2 * map->capacity;
        map->nodes = mem_resize_array(map->nodes, map->capacity, sizeof(struct row_node *));
    }
    const uint32_t number = (uint32_t)map->count;
    map->nodes[number] = create_node(map, key, value);
    map->count++;
    row_index_add(&map->index, hash, number);

    struct row_order **order = &map->orders[key.data[0]];
    if (*order == NULL) {
        *order = mem_alloc(sizeof **order);
        row_order_init(*order);
    }
    row_order_push(*order, number);
}

static void replace_value(struct row_map *map, uint32_t number, struct bytes value)
{
    struct row_node *node = map->nodes[number];
    if (value.size <= node->capacity) {
        row_node_set_value(node, value);
        return;
    }
    map->nodes[number] = create_node(map, row_node_key(node), value);
    row_slab_give(&map->slab, node, row_node_size(node->key_size, node->capacity));
}

/* What rounding up gives is capacity. */
static struct row_node *create_node(struct row_map *map, struct bytes key, struct bytes value)
{
    size_t granted = 0;
    struct row_node *node =
        row_slab_take(&map->slab, row_node_size(key.size, value.size), &granted);
    row_node_init(node, key, value, granted - row_node_size(key.size, 0));
    return node;
}
