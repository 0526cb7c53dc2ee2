/*
 * store: the port to the local database. One store per process, one partition of it per task.
 * RocksDB and memory stand behind it; tests add one that fails. A store holds committed rows only,
 * and what it holds is never the only copy: state = any checkpoint + the tail after it.
 *
 * Keys are ordered by memcmp, not empty and do not start with 0x00. A partition also has one
 * `position` record, opaque here, which is written last and never becomes durable before the rows
 * that it covers.
 *
 * Failures: ST_CORRUPT is this partition's alone, and dropping it helps. ST_IO_FAILED and
 * ST_DISK_FULL: close the partition and open it again, later; that opens the database again when a
 * write had failed. What was not flushed is gone then, for every partition: until it was closed and
 * opened, each one answers ST_IO_FAILED. The position says what is left.
 *
 * Threads: one thread (the task's) reads a partition while at most one other (the background
 * writer) writes it. Opening, closing and dropping need both to be quiet.
 */
#ifndef WEIR_STATE_STORE_H
#define WEIR_STATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

struct store;
struct store_partition;

/* value.data == NULL deletes the key. */
struct store_row {
    struct bytes key;
    struct bytes value;
};

/* Stops the scan when it returns false. key and value are valid during the call. */
typedef bool store_row_fn(void *context, struct bytes key, struct bytes value);

struct store_type {
    const char *name;
    void (*close)(struct store *store);
    /* Every partition that was ever opened and is still known, open or not, also by an earlier process. */
    void (*partition_names)(struct store *store, void (*each)(void *context, const char *name),
                            void *context);
    /* ST_LOCAL_BUSY: somebody has it open. */
    MUST_CHECK enum status (*partition_open)(struct store *store, struct store_partition **out,
                                             const char *name, struct error *err);
    void (*partition_close)(struct store_partition *partition);
    /* Removes every row and the position; the partition stays open and empty. */
    MUST_CHECK enum status (*partition_drop)(struct store_partition *partition, struct error *err);
    /* The position record appended to out; nothing appended when there is none. */
    MUST_CHECK enum status (*position)(struct store_partition *partition, struct buffer *out,
                                       struct error *err);
    /* Appends the value; *found says whether there is one. */
    MUST_CHECK enum status (*get)(struct store_partition *partition, struct bytes key,
                                  struct buffer *out, bool *found, struct error *err);
    /* Ascending over from <= key < to; to none: to the end. */
    MUST_CHECK enum status (*scan)(struct store_partition *partition, struct bytes from,
                                   struct bytes to, store_row_fn *each, void *context,
                                   struct error *err);
    /* Rows sorted by key, no doubles; position none: unchanged. Atomic per call. */
    MUST_CHECK enum status (*write)(struct store_partition *partition, const struct store_row *rows,
                                    size_t count, struct bytes position, struct error *err);
    /* The fast way into an empty partition: each call is one run of sorted rows, deletes too; where
     * runs overlap the later one counts. Only after partition_drop, and before the first write. */
    MUST_CHECK enum status (*ingest)(struct store_partition *partition,
                                     const struct store_row *rows, size_t count, struct error *err);
    /* Everything written so far survives the death of the process when this returns. */
    MUST_CHECK enum status (*flush)(struct store_partition *partition, struct error *err);
    /* Bytes on disk or in memory, for status and metrics. */
    uint64_t (*bytes_used)(struct store_partition *partition);
};

struct store {
    const struct store_type *type;
};
struct store_partition {
    const struct store_type *type;
};

/* Ascending and without doubles: what write and ingest demand. */
static inline bool store_rows_are_sorted(const struct store_row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (bytes_compare(rows[i - 1].key, rows[i].key) >= 0)
            return false;
    return true;
}

struct store_rocks_options {
    const char *directory;
    uint64_t block_cache_bytes;
    uint64_t memtable_bytes; /* of all partitions together */
    int background_jobs;     /* 0: 2 */
};
/* Takes a lock on the directory: a second process is ST_REFUSED, by name and pid. */
MUST_CHECK enum status
store_open_rocks(struct store **out, const struct store_rocks_options *options, struct error *err);
void store_open_memory(struct store **out);
static inline void store_close(struct store **store)
{
    if (*store != NULL)
        (*store)->type->close(*store);
    *store = NULL;
}

#endif
