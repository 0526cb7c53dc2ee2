#define _GNU_SOURCE /* qsort_r */
#include "state/row_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 16 };

static int compare_numbers(const void *a, const void *b, void *nodes);
static void add_run(struct row_order *order, struct row_node *const *nodes);
static bool is_ascending(const uint32_t *numbers, size_t count, struct row_node *const *nodes);
static void merge_last_two(struct row_order *order, struct row_node *const *nodes);
static size_t run_start(const struct row_order *order, size_t run);
static void choose_run(struct row_order_cursor *cursor);

static bool precedes(struct row_node *const *nodes, uint32_t a, uint32_t b)
{
    return bytes_compare(row_node_key(nodes[a]), row_node_key(nodes[b])) < 0;
}

void row_order_init(struct row_order *order)
{
    *order = (struct row_order){ 0 };
}

void row_order_fini(struct row_order *order)
{
    mem_free(order->numbers);
    *order = (struct row_order){ 0 };
}

void row_order_clear(struct row_order *order)
{
    order->count = 0;
    order->run_count = 0;
}

void row_order_push(struct row_order *order, uint32_t number)
{
    if (order->count == order->capacity) {
        order->capacity = order->capacity == 0 ? CAPACITY_MIN : 2 * order->capacity;
        order->numbers = mem_resize_array(order->numbers, order->capacity, sizeof *order->numbers);
    }
    order->numbers[order->count++] = number;
}

size_t row_order_footprint(const struct row_order *order)
{
    return mem_size(order->numbers);
}

void row_order_sort(struct row_order *order, struct row_node *const *nodes)
{
    add_run(order, nodes);
    while (order->run_count >= 2) {
        const size_t start = run_start(order, order->run_count - 2);
        const size_t middle = run_start(order, order->run_count - 1);
        if (middle - start >= 2 * (order->count - middle))
            return;
        merge_last_two(order, nodes);
    }
}

struct row_order_cursor row_order_seek(const struct row_order *order, struct row_node *const *nodes,
                                       struct bytes from)
{
    struct row_order_cursor cursor = { .order = order, .nodes = nodes };
    for (size_t run = 0; run < order->run_count; run++) {
        size_t low = run_start(order, run), high = order->run_ends[run];
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (bytes_compare(row_node_key(nodes[order->numbers[middle]]), from) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        cursor.at[run] = low;
    }
    ENSURE(order->run_count == 0 || order->run_ends[order->run_count - 1] == order->count);
    choose_run(&cursor);
    return cursor;
}

const struct row_node *row_order_peek(const struct row_order_cursor *cursor)
{
    if (cursor->run == cursor->order->run_count)
        return NULL;
    return cursor->nodes[cursor->order->numbers[cursor->at[cursor->run]]];
}

void row_order_next(struct row_order_cursor *cursor)
{
    ENSURE(cursor->run < cursor->order->run_count);
    cursor->at[cursor->run]++;
    choose_run(cursor);
}

/* There are few runs, so looking at all is cheaper than a heap. */
static void choose_run(struct row_order_cursor *cursor)
{
    const struct row_order *order = cursor->order;
    size_t best = order->run_count;
    for (size_t run = 0; run < order->run_count; run++) {
        if (cursor->at[run] == order->run_ends[run])
            continue;
        if (best == order->run_count || precedes(cursor->nodes, order->numbers[cursor->at[run]],
                                                 order->numbers[cursor->at[best]]))
            best = run;
    }
    cursor->run = best;
}

static size_t run_start(const struct row_order *order, size_t run)
{
    return run == 0 ? 0 : order->run_ends[run - 1];
}

static void add_run(struct row_order *order, struct row_node *const *nodes)
{
    const size_t start = run_start(order, order->run_count);
    if (start == order->count)
        return;
    ENSURE(order->run_count < ROW_ORDER_RUNS_MAX);
    uint32_t *numbers = order->numbers + start;
    const size_t count = order->count - start;
    /* A commit merges rows that are sorted already. */
    if (!is_ascending(numbers, count, nodes))
        qsort_r(numbers, count, sizeof *numbers, compare_numbers, (void *)(uintptr_t)nodes);
    order->run_ends[order->run_count++] = order->count;
}

static bool is_ascending(const uint32_t *numbers, size_t count, struct row_node *const *nodes)
{
    for (size_t i = 1; i < count; i++)
        if (!precedes(nodes, numbers[i - 1], numbers[i]))
            return false;
    return true;
}

static int compare_numbers(const void *a, const void *b, void *nodes)
{
    struct row_node *const *rows = nodes;
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return bytes_compare(row_node_key(rows[x]), row_node_key(rows[y]));
}

/* From the back, with the newer and mostly shorter run set aside. */
static void merge_last_two(struct row_order *order, struct row_node *const *nodes)
{
    const size_t start = run_start(order, order->run_count - 2);
    const size_t middle = run_start(order, order->run_count - 1);
    const size_t newer_count = order->count - middle;
    uint32_t *numbers = order->numbers;
    uint32_t *newer = mem_copy(numbers + middle, newer_count * sizeof *newer);

    size_t older_left = middle, newer_left = newer_count, to = order->count;
    while (newer_left > 0) {
        if (older_left > start && precedes(nodes, newer[newer_left - 1], numbers[older_left - 1]))
            numbers[--to] = numbers[--older_left];
        else
            numbers[--to] = newer[--newer_left];
    }
    mem_free(newer);
    order->run_count--;
    order->run_ends[order->run_count - 1] = order->count;
}
