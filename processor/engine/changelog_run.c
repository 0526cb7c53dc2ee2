#include "processor/engine/changelog_run.h"

#include <stdlib.h>

#include "base/memory.h"

enum {
    RUN_ROWS = 128 * 1024,
    RUN_BYTES = 16 << 20,
    ARENA_BLOCK = 1 << 20,
};

struct changelog_run_row {
    struct store_row row;
    size_t number; /* in the order of arrival */
};

void changelog_run_init(struct changelog_run *run, struct store_partition *store, uint64_t bytes_max)
{
    changelog_run_fini(run);
    run->store = store;
    run->bytes_max = bytes_max == 0 || bytes_max > RUN_BYTES ? RUN_BYTES : bytes_max;
    run->rows_max = RUN_ROWS * run->bytes_max / RUN_BYTES;
    run->rows = mem_alloc_array(run->rows_max, sizeof *run->rows);
    arena_create(&run->arena, ARENA_BLOCK);
}

void changelog_run_fini(struct changelog_run *run)
{
    arena_destroy(&run->arena);
    mem_free(run->rows);
    *run = (struct changelog_run){ .rows = NULL };
}

static int by_key_and_age(const void *a, const void *b)
{
    const struct changelog_run_row *x = a, *y = b;
    const int order = bytes_compare(x->row.key, y->row.key);
    if (order != 0)
        return order;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The newest of each key, in order. */
static size_t newest(const struct changelog_run *run, struct store_row *out)
{
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (i + 1 < run->count && bytes_equal(run->rows[i].row.key, run->rows[i + 1].row.key))
            continue;
        out[count++] = run->rows[i].row;
    }
    return count;
}

static enum status ingest(struct changelog_run *run, struct error *err)
{
    if (run->count == 0)
        return ST_OK;
    qsort(run->rows, run->count, sizeof *run->rows, by_key_and_age);
    struct store_row *rows = mem_alloc_array(run->count, sizeof *rows);
    const enum status st = run->store->type->ingest(run->store, rows, newest(run, rows), err);
    mem_free(rows);
    run->count = 0;
    run->bytes = 0;
    arena_reset(run->arena);
    return st;
}

enum status changelog_run_add(struct changelog_run *run, struct bytes key, struct bytes value, struct error *err)
{
    run->rows[run->count] = (struct changelog_run_row){
        { arena_copy(run->arena, key), value.data == NULL ? BYTES_NONE : arena_copy(run->arena, value) }, run->count,
    };
    run->count++;
    run->bytes += key.size + value.size;
    return run->count < run->rows_max && run->bytes < run->bytes_max ? ST_OK : ingest(run, err);
}

enum status changelog_run_end(struct changelog_run *run, struct error *err)
{
    const enum status st = ingest(run, err);
    changelog_run_fini(run);
    return st;
}
