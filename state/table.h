/*
 * table: rows of a reference topic by key, the latest or as of a time.
 *
 * A co-partitioned table lives in the task's overlay (KEY_TABLE [2][table u8][varint key
 * size][key], one row with all versions, newest first). An `everywhere` table lives in memory, one
 * copy per worker. Both answer the same question: the row of `key` as of `time`.
 *
 * With versions_us > 0 a lookup as of t takes the newest version with version time <= t; versions
 * older than the newest by more than versions_us are forgotten, but the one that was current then
 * is kept; of a row never more than TABLE_VERSIONS_MAX, the newest. With 0 only the newest by
 * version time is kept (ties: the last to arrive). A null value deletes: a version without columns.
 */
#ifndef WEIR_STATE_TABLE_H
#define WEIR_STATE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/value.h"
#include "state/layouts.h"
#include "state/overlay.h"

struct table_spec {
    uint8_t number;
    const struct layout_column *columns;
    size_t column_count;
    int64_t versions_us; /* 0: the latest only */
};

struct table;
MUST_CHECK enum status table_create(struct table **out, const struct table_spec *borrowed_spec,
                                    struct overlay *borrowed_overlay,
                                    struct layouts *borrowed_layouts, struct error *err);
void table_destroy(struct table **table);
/* columns NULL deletes. */
MUST_CHECK enum status table_put(struct table *table, struct bytes key, int64_t time_us,
                                 const struct value *columns, struct error *err);
/* found false: no row as of then. Values' text lives in the arena. */
MUST_CHECK enum status table_get(struct table *table, struct bytes key, int64_t as_of_us,
                                 struct value *columns, bool *found, struct arena *arena,
                                 struct error *err);

/* The same in memory, for tables that every task sees. One writer at a time between
 * transactions; not thread-safe. */
struct everywhere_table;
void everywhere_table_create(struct everywhere_table **out, const struct table_spec *borrowed_spec);
void everywhere_table_destroy(struct everywhere_table **table);
void everywhere_table_put(struct everywhere_table *table, struct bytes key, int64_t time_us,
                          const struct value *columns);
/* Values borrow the table: valid until the next put. */
bool everywhere_table_get(const struct everywhere_table *table, struct bytes key, int64_t as_of_us,
                          struct value *columns);
size_t everywhere_table_count(const struct everywhere_table *table);
uint64_t everywhere_table_footprint(const struct everywhere_table *table);

#endif
