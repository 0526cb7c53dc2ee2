/*
 * row_index: from a key to its number in somebody's array of nodes. Open addressing over slots of
 * eight bytes, which hold 32 bits of the hash, so that a miss rarely touches a node and growing
 * touches none. The keys stay with the nodes; the owner passes the array that the numbers refer to.
 * One thread.
 */
#ifndef WEIR_STATE_ROW_INDEX_H
#define WEIR_STATE_ROW_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "state/row_node.h"

struct row_slot {
    uint32_t hash;
    uint32_t number_plus_one; /* 0: empty */
};

struct row_index {
    struct row_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
};

/* No key has this number; a map holds fewer rows. */
#define ROW_NUMBER_NONE UINT32_MAX

void row_index_init(struct row_index *index);
void row_index_fini(struct row_index *index);
/* Keeps the slots unless they were far too many. */
void row_index_clear(struct row_index *index);

uint32_t row_index_hash(struct bytes key);
/*
 * For looking ahead: the hash of a key that will be looked for soon, its slot on its way into the processor's cache; and the
 * number of a key with that hash, another's perhaps, ROW_NUMBER_NONE if there is none, with where its node's address is on
 * its way: no node is touched.
 */
uint32_t row_index_expect(const struct row_index *index, struct bytes key);
void row_index_expect_hash(const struct row_index *index, uint32_t hash);
uint32_t row_index_peek(const struct row_index *index, struct row_node *const *nodes, uint32_t hash);
/* ROW_NUMBER_NONE when the key is not there. */
uint32_t row_index_find(const struct row_index *index, struct row_node *const *nodes, uint32_t hash,
                        struct bytes key);
/* Makes room for one more, so that an add does not grow. */
void row_index_reserve(struct row_index *index);
/* The key must not be there. */
void row_index_add(struct row_index *index, uint32_t hash, uint32_t number);
/* The number must be there, under this hash. */
void row_index_remove(struct row_index *index, uint32_t hash, uint32_t number);
void row_index_renumber(struct row_index *index, uint32_t hash, uint32_t from, uint32_t to);
size_t row_index_footprint(const struct row_index *index);

#endif
