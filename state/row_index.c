/*
 * Linear probing, at most three quarters full. A removal shifts the run behind it back (Knuth, vol.
 * 3, 6.4, algorithm R), so there are no tombstones and churn does not slow lookups down.
 */
#include "state/row_index.h"

#include <string.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/prefetch.h"

enum { SLOTS_MIN = 16, TOO_MANY = 16 };

static size_t slot_of_number(const struct row_index *index, uint32_t hash, uint32_t number);
static void resize(struct row_index *index, size_t slot_count);

void row_index_init(struct row_index *index)
{
    *index = (struct row_index){ 0 };
}

void row_index_fini(struct row_index *index)
{
    mem_free(index->slots);
    *index = (struct row_index){ 0 };
}

void row_index_clear(struct row_index *index)
{
    if (index->count == 0)
        return;
    /* One large transaction must not make every later clear slow. */
    const size_t half = index->slot_count / 2;
    const bool shrink = half >= SLOTS_MIN && index->slot_count / TOO_MANY > index->count;
    index->count = 0;
    if (shrink) {
        mem_free(index->slots);
        index->slots = mem_alloc_array(half, sizeof *index->slots);
        index->slot_count = half;
    } else {
        memset(index->slots, 0, index->slot_count * sizeof *index->slots);
    }
}

uint32_t row_index_hash(struct bytes key)
{
    return (uint32_t)hash64(key);
}

uint32_t row_index_expect(const struct row_index *index, struct bytes key)
{
    const uint32_t hash = row_index_hash(key);
    row_index_expect_hash(index, hash);
    return hash;
}

void row_index_expect_hash(const struct row_index *index, uint32_t hash)
{
    if (index->count > 0)
        prefetch(&index->slots[hash & (index->slot_count - 1)]);
}

uint32_t row_index_peek(const struct row_index *index, struct row_node *const *nodes, uint32_t hash)
{
    if (index->count == 0)
        return ROW_NUMBER_NONE;
    const size_t mask = index->slot_count - 1;
    for (size_t i = hash & mask; index->slots[i].number_plus_one != 0; i = (i + 1) & mask) {
        if (index->slots[i].hash != hash)
            continue;
        const uint32_t number = index->slots[i].number_plus_one - 1;
        prefetch(&nodes[number]);
        return number;
    }
    return ROW_NUMBER_NONE;
}

uint32_t row_index_find(const struct row_index *index, struct row_node *const *nodes, uint32_t hash,
                        struct bytes key)
{
    if (index->count == 0)
        return ROW_NUMBER_NONE;
    const size_t mask = index->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        const struct row_slot slot = index->slots[i];
        if (slot.number_plus_one == 0)
            return ROW_NUMBER_NONE;
        const uint32_t number = slot.number_plus_one - 1;
        if (slot.hash == hash && bytes_equal(row_node_key(nodes[number]), key))
            return number;
    }
}

void row_index_reserve(struct row_index *index)
{
    if (index->count >= index->slot_count - index->slot_count / 4)
        resize(index, index->slot_count == 0 ? SLOTS_MIN : 2 * index->slot_count);
}

void row_index_add(struct row_index *index, uint32_t hash, uint32_t number)
{
    ENSURE(number < ROW_NUMBER_NONE);
    row_index_reserve(index);
    const size_t mask = index->slot_count - 1;
    size_t i = hash & mask;
    while (index->slots[i].number_plus_one != 0)
        i = (i + 1) & mask;
    index->slots[i] = (struct row_slot){ .hash = hash, .number_plus_one = number + 1 };
    index->count++;
}

void row_index_remove(struct row_index *index, uint32_t hash, uint32_t number)
{
    const size_t mask = index->slot_count - 1;
    size_t hole = slot_of_number(index, hash, number);
    for (size_t i = (hole + 1) & mask; index->slots[i].number_plus_one != 0; i = (i + 1) & mask) {
        const size_t home = index->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            index->slots[hole] = index->slots[i];
            hole = i;
        }
    }
    index->slots[hole] = (struct row_slot){ 0 };
    index->count--;
}

void row_index_renumber(struct row_index *index, uint32_t hash, uint32_t from, uint32_t to)
{
    index->slots[slot_of_number(index, hash, from)].number_plus_one = to + 1;
}

size_t row_index_footprint(const struct row_index *index)
{
    return mem_size_of(index->slot_count * sizeof *index->slots);
}

static size_t slot_of_number(const struct row_index *index, uint32_t hash, uint32_t number)
{
    ENSURE(index->count > 0);
    const size_t mask = index->slot_count - 1;
    size_t i = hash & mask;
    while (index->slots[i].number_plus_one != number + 1) {
        ENSURE(index->slots[i].number_plus_one != 0);
        i = (i + 1) & mask;
    }
    return i;
}

static void resize(struct row_index *index, size_t slot_count)
{
    struct row_slot *slots = mem_alloc_array(slot_count, sizeof *slots);
    const size_t mask = slot_count - 1;
    for (size_t from = 0; from < index->slot_count; from++) {
        const struct row_slot slot = index->slots[from];
        if (slot.number_plus_one == 0)
            continue;
        size_t i = slot.hash & mask;
        while (slots[i].number_plus_one != 0)
            i = (i + 1) & mask;
        slots[i] = slot;
    }
    mem_free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
}
