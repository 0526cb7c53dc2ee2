/*
 * row_order: the numbers of some rows, sorted by key when somebody asks. Additions are pushed; a
 * sort makes one sorted run of what was pushed since the last one and merges it with older runs
 * that are not much longer, so that runs at least double from the newest to the oldest: n additions
 * cost O(n log n) in all, however often they are scanned, and nothing but the pushes when they
 * never are.
 *
 * The keys stay with the nodes that the numbers refer to. One thread.
 */
#ifndef WEIR_STATE_ROW_ORDER_H
#define WEIR_STATE_ROW_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "state/row_node.h"

/* Lengths double and a number has 32 bits. */
enum { ROW_ORDER_RUNS_MAX = 33 };

struct row_order {
    uint32_t *numbers; /* the runs one behind the other, then what was pushed since */
    size_t count;
    size_t capacity;
    size_t run_ends[ROW_ORDER_RUNS_MAX];
    size_t run_count;
};

void row_order_init(struct row_order *order);
void row_order_fini(struct row_order *order);
void row_order_clear(struct row_order *order);
/* A key that the order does not hold yet. */
void row_order_push(struct row_order *order, uint32_t number);
size_t row_order_footprint(const struct row_order *order);

void row_order_sort(struct row_order *order, struct row_node *const *nodes);

/* Ascending from a key on. No push and no sort while it is in use. */
struct row_order_cursor {
    const struct row_order *order;
    struct row_node *const *nodes;
    size_t at[ROW_ORDER_RUNS_MAX]; /* per run, the next one */
    size_t run;                    /* the run whose turn it is; run_count: the end */
};
/* Of a sorted order. */
struct row_order_cursor row_order_seek(const struct row_order *order, struct row_node *const *nodes,
                                       struct bytes from);
/* NULL at the end. */
const struct row_node *row_order_peek(const struct row_order_cursor *cursor);
void row_order_next(struct row_order_cursor *cursor);

#endif
