/*
 * row_changes: the rows that one transaction changed, by key and in the order in which they first were: the overlay's
 * uppermost layer. A row that only grew is kept as what is new of it.
 *
 * Private to the overlay. One thread.
 */
#ifndef WEIR_STATE_ROW_CHANGES_H
#define WEIR_STATE_ROW_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/row_change.h"
#include "state/row_map.h"

struct row_changes {
    struct row_map *values;   /* whole ones, and of a row that grew what is new */
    struct row_change *items; /* by number; key and value are set by row_changes_all only */
    size_t capacity;
    size_t grown_count; /* of rows that grew */
};

void row_changes_init(struct row_changes *changes);
void row_changes_fini(struct row_changes *changes);
/* Keeps some memory for the next transaction. */
void row_changes_clear(struct row_changes *changes);

void row_changes_put(struct row_changes *changes, struct bytes key, struct bytes value);
/* false: the row was changed before, and stays as it is. */
bool row_changes_append(struct row_changes *changes, struct bytes key, size_t position, struct bytes more);
/* false: the row was not changed. Valid until the next change. */
bool row_changes_find(const struct row_changes *changes, struct bytes key, struct row_change *out);
size_t row_changes_count(const struct row_changes *changes);
struct row_change row_changes_at(const struct row_changes *changes, size_t number);
uint32_t row_changes_hash(const struct row_changes *changes, size_t number); /* of its key, for a row_map */
/* All of them; valid until the next change. */
const struct row_change *row_changes_all(struct row_changes *changes);
uint64_t row_changes_footprint(const struct row_changes *changes);

#endif
