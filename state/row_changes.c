#include "state/row_changes.h"

#include "base/memory.h"

enum {
    BLOCK_BYTES = 64 * 1024,  /* reset with every transaction */
    KEPT_BYTES = 1024 * 1024, /* what a transaction may leave for the next */
    ITEMS_MIN = 64,
};

void row_changes_init(struct row_changes *changes)
{
    *changes = (struct row_changes){ .values = NULL };
    row_map_create(&changes->values, BLOCK_BYTES);
}

void row_changes_fini(struct row_changes *changes)
{
    row_map_destroy(&changes->values);
    mem_free(changes->items);
    *changes = (struct row_changes){ .values = NULL };
}

/* One large transaction of each of many tasks must not add up. */
void row_changes_clear(struct row_changes *changes)
{
    changes->grown_count = 0;
    row_map_clear(changes->values);
    if (row_changes_footprint(changes) <= KEPT_BYTES)
        return;
    row_changes_fini(changes);
    row_changes_init(changes);
}

static void set_position(struct row_changes *changes, uint32_t number, size_t position)
{
    if (number >= changes->capacity) {
        changes->capacity = changes->capacity == 0 ? ITEMS_MIN : 2 * changes->capacity;
        changes->items = mem_resize_array(changes->items, changes->capacity, sizeof *changes->items);
    }
    changes->items[number].position = position;
}

void row_changes_put(struct row_changes *changes, struct bytes key, struct bytes value)
{
    const size_t count = row_map_count(changes->values);
    const uint32_t number = row_map_put(changes->values, key, value);
    if (number < count && changes->items[number].position > 0)
        changes->grown_count--;
    set_position(changes, number, 0);
}

bool row_changes_append(struct row_changes *changes, struct bytes key, size_t position, struct bytes more)
{
    const uint32_t hash = row_map_expect(changes->values, key);
    if (row_map_number(changes->values, hash, key) != ROW_NUMBER_NONE)
        return false;
    set_position(changes, row_map_add_expected(changes->values, hash, key, more), position);
    changes->grown_count++;
    return true;
}

bool row_changes_find(const struct row_changes *changes, struct bytes key, struct row_change *out)
{
    if (row_map_count(changes->values) == 0)
        return false;
    const uint32_t number = row_map_number(changes->values, row_map_expect(changes->values, key), key);
    if (number == ROW_NUMBER_NONE)
        return false;
    *out = row_changes_at(changes, number);
    return true;
}

size_t row_changes_count(const struct row_changes *changes)
{
    return row_map_count(changes->values);
}

struct row_change row_changes_at(const struct row_changes *changes, size_t number)
{
    const struct store_row row = row_map_row(changes->values, number);
    return (struct row_change){ row.key, row.value, changes->items[number].position };
}

uint32_t row_changes_hash(const struct row_changes *changes, size_t number)
{
    return row_map_hash(changes->values, number);
}

const struct row_change *row_changes_all(struct row_changes *changes)
{
    const size_t count = row_map_count(changes->values);
    for (size_t i = 0; i < count; i++)
        changes->items[i] = row_changes_at(changes, i);
    return changes->items;
}

uint64_t row_changes_footprint(const struct row_changes *changes)
{
    return row_map_footprint(changes->values) + mem_size_of(changes->capacity * sizeof *changes->items);
}
