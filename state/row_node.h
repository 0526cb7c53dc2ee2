/*
 * row_node: one row in memory, key and value behind a small header, as row_map and row_cache keep
 * it. A value that is replaced often (a hot head row) keeps its place as long as it fits into
 * `capacity`.
 */
#ifndef WEIR_STATE_ROW_NODE_H
#define WEIR_STATE_ROW_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/ensure.h"

struct row_node {
    uint32_t key_size;
    uint32_t value_size; /* ROW_VALUE_NONE: the row is deleted or absent */
    uint32_t capacity;   /* bytes there are for a value */
    union {
        uint32_t referenced; /* row_cache's: used since the hand passed */
        uint32_t hash;       /* row_map's: of the key */
    };
    uint8_t data[];      /* key, value */
};

#define ROW_VALUE_NONE UINT32_MAX
/* Of a key or a value; far more than a put lets pass, and sums of a few fit into 32 bits. */
enum { ROW_PART_BYTES_MAX = 1 << 30 };

static inline struct bytes row_node_key(const struct row_node *node)
{
    return bytes_of(node->data, node->key_size);
}

static inline struct bytes row_node_value(const struct row_node *node)
{
    if (node->value_size == ROW_VALUE_NONE)
        return BYTES_NONE;
    return bytes_of(node->data + node->key_size, node->value_size);
}

static inline size_t row_node_size(size_t key_size, size_t capacity)
{
    return sizeof(struct row_node) + key_size + capacity;
}

/* The value must fit; it may be a view of this node's own value. */
static inline void row_node_set_value(struct row_node *node, struct bytes value)
{
    ENSURE(value.size <= node->capacity);
    if (value.size > 0)
        memmove(node->data + node->key_size, value.data, value.size);
    node->value_size = value.data == NULL ? ROW_VALUE_NONE : (uint32_t)value.size;
}

/* `more` comes behind the value, and must fit. */
static inline void row_node_grow(struct row_node *node, struct bytes more)
{
    ENSURE(node->value_size != ROW_VALUE_NONE && node->value_size + more.size <= node->capacity);
    if (more.size > 0)
        memcpy(node->data + node->key_size + node->value_size, more.data, more.size);
    node->value_size += (uint32_t)more.size;
}

/* Of memory that holds row_node_size(key.size, capacity) bytes. */
static inline void row_node_init(struct row_node *node, struct bytes key, struct bytes value,
                                 size_t capacity)
{
    node->key_size = (uint32_t)key.size;
    node->capacity = (uint32_t)capacity;
    node->referenced = 0;
    memcpy(node->data, key.data, key.size);
    row_node_set_value(node, value);
}

#endif
