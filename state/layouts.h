/*
 * layouts: which columns a row was written with. A layout is a list of (name, type); it gets a
 * small number that every row of a store starts with (varint), and is itself a row (KEY_TASK 'L'
 * [number]), so that state outlives changes of the topology. Reading maps by name: a column that
 * the row lacks is null, one that is no longer wanted is skipped, one whose type changed is null
 * (the plan says so beforehand).
 */
#ifndef WEIR_STATE_LAYOUTS_H
#define WEIR_STATE_LAYOUTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "schemas/value.h"
#include "state/overlay.h"

struct layout_column {
    const char *name;
    struct value_type type;
};

struct layouts;

/* Loads the layouts that the overlay holds. */
MUST_CHECK enum status layouts_open(struct layouts **out, struct overlay *borrowed,
                                    struct error *err);
void layouts_close(struct layouts **layouts);

/* The number of this list of columns, a new one if it is not known yet (then put into the
 * overlay at once). */
MUST_CHECK enum status layouts_number(struct layouts *layouts, const struct layout_column *columns,
                                      size_t count, uint32_t *number, struct error *err);
/* Before the rows of a transaction are collected: puts what an abort took back. */
MUST_CHECK enum status layouts_prepare(struct layouts *layouts, struct error *err);
void layouts_abort(struct layouts *layouts);
void layouts_commit(struct layouts *layouts);

/* How to read rows of layout `number` as `columns`: a mapping, cached, valid as long as `layouts`,
 * and the columns, which it borrows, must stay as long where they are. ST_CORRUPT if unknown. */
struct layout_mapping;
MUST_CHECK enum status layouts_mapping(struct layouts *layouts, uint32_t number,
                                       const struct layout_column *columns, size_t count,
                                       const struct layout_mapping **out, struct error *err);
/* Writes / reads `count` values in the layout's order; reading fills out[] in the order of the
 * mapping's columns. */
void layout_write_values(struct buffer *out, const struct value *values, size_t count);
MUST_CHECK enum status layout_read_values(const struct layout_mapping *mapping, struct reader *in,
                                          struct value *out, struct error *err);

#endif
