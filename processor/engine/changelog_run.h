/*
 * changelog_run: rows of a changelog on their way into an empty store partition. The changelog is not
 * sorted; rows are collected up to a bound, sorted, and ingested as one run, in which and over which
 * the newer value of a key counts. One thread.
 */
#ifndef WEIR_PROCESSOR_ENGINE_CHANGELOG_RUN_H
#define WEIR_PROCESSOR_ENGINE_CHANGELOG_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "state/store.h"

struct changelog_run_row;
struct changelog_run {
    struct store_partition *store; /* borrowed */
    struct arena *arena;
    struct changelog_run_row *rows;
    uint64_t bytes_max;
    size_t rows_max;
    size_t count;
    uint64_t bytes;
};

/* Also of one that is in use: forgets what it holds. Zeroed before the first time. */
/* `bytes_max` of rows are kept in memory, at most 16 MiB (0), and for sorting them as much again. */
void changelog_run_init(struct changelog_run *run, struct store_partition *store, uint64_t bytes_max);
void changelog_run_fini(struct changelog_run *run);
/* Copies; value none is a tombstone. */
MUST_CHECK enum status changelog_run_add(struct changelog_run *run, struct bytes key, struct bytes value,
                                         struct error *err);
/* Everything added is in the store; the memory is given back. */
MUST_CHECK enum status changelog_run_end(struct changelog_run *run, struct error *err);

#endif
