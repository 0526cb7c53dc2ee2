/*
 * The store in memory: for tests, files processed offline and the demo. It is a row_map in which
 * "deleted" rows are dropped once they are the majority. A partition keeps its rows when it is
 * closed and opened again, as a database on disk would.
 *
 * The one mutex per partition stands for what RocksDB does inside: the background writer writes
 * while the task reads. It is recursive, so that a scan's callback may get.
 */
#include <pthread.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/row_map.h"
#include "state/store.h"

enum { BLOCK_BYTES = 256 * 1024, DELETED_MIN = 1024 };

struct memory_partition {
    struct store_partition base;
    struct memory_partition *next;
    char *name;
    bool is_open;
    pthread_mutex_t mutex;
    struct row_map *rows;
    size_t deleted; /* of the rows */
    struct buffer position;
};

struct memory_store {
    struct store base;
    pthread_mutex_t mutex; /* guards the list */
    struct memory_partition *partitions;
};

static const struct store_type memory_type;

static struct memory_partition *find_partition(struct memory_store *store, const char *name);
static struct memory_partition *create_partition(const char *name);
static void destroy_partition(struct memory_partition *partition);
static void init_recursive_mutex(pthread_mutex_t *mutex);
static struct memory_partition *lock(struct store_partition *base);
static void unlock(struct memory_partition *partition);
static void ensure_ours(struct bytes key);
static void put_row(struct memory_partition *partition, struct store_row row);
static void drop_deleted(struct memory_partition *partition);

void store_open_memory(struct store **out)
{
    ENSURE(*out == NULL);
    struct memory_store *store = mem_alloc(sizeof *store);
    store->base.type = &memory_type;
    init_recursive_mutex(&store->mutex);
    *out = &store->base;
}

static void memory_close(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    while (store->partitions != NULL) {
        struct memory_partition *partition = store->partitions;
        ENSURE(!partition->is_open);
        store->partitions = partition->next;
        destroy_partition(partition);
    }
    pthread_mutex_destroy(&store->mutex);
    mem_free(store);
}

static void memory_partition_names(struct store *base,
                                   void (*each)(void *context, const char *name), void *context)
{
    struct memory_store *store = (struct memory_store *)base;
    pthread_mutex_lock(&store->mutex);
    for (const struct memory_partition *p = store->partitions; p != NULL; p = p->next)
        each(context, p->name);
    pthread_mutex_unlock(&store->mutex);
}

static enum status memory_partition_open(struct store *base, struct store_partition **out,
                                         const char *name, struct error *err)
{
    ENSURE(*out == NULL);
    struct memory_store *store = (struct memory_store *)base;
    pthread_mutex_lock(&store->mutex);
    struct memory_partition *partition = find_partition(store, name);
    if (partition == NULL) {
        partition = create_partition(name);
        partition->next = store->partitions;
        store->partitions = partition;
    }
    const bool is_free = !partition->is_open;
    partition->is_open = true;
    pthread_mutex_unlock(&store->mutex);
    if (!is_free)
        return FAIL(err, ST_LOCAL_BUSY, "the local state: '%s' is still open", name);
    *out = &partition->base;
    return ST_OK;
}

static void memory_partition_close(struct store_partition *base)
{
    struct memory_partition *partition = lock(base);
    partition->is_open = false;
    unlock(partition);
}

static enum status memory_partition_drop(struct store_partition *base, struct error *err)
{
    (void)err;
    struct memory_partition *partition = lock(base);
    row_map_destroy(&partition->rows);
    row_map_create(&partition->rows, BLOCK_BYTES);
    partition->deleted = 0;
    buffer_clear(&partition->position);
    unlock(partition);
    return ST_OK;
}

static enum status memory_position(struct store_partition *base, struct buffer *out,
                                   struct error *err)
{
    (void)err;
    struct memory_partition *partition = lock(base);
    buffer_put(out, partition->position.data, partition->position.size);
    unlock(partition);
    return ST_OK;
}

static enum status memory_get(struct store_partition *base, struct bytes key, struct buffer *out,
                              bool *found, struct error *err)
{
    (void)err;
    ensure_ours(key);
    struct memory_partition *partition = lock(base);
    struct bytes value = BYTES_NONE;
    *found = row_map_get(partition->rows, key, &value) && value.data != NULL;
    if (*found)
        buffer_put_bytes(out, value);
    unlock(partition);
    return ST_OK;
}

static enum status memory_scan(struct store_partition *base, struct bytes from, struct bytes to,
                               store_row_fn *each, void *context, struct error *err)
{
    (void)err;
    struct memory_partition *partition = lock(base);
    struct row_map_cursor cursor;
    struct store_row row;
    row_map_seek(&cursor, partition->rows, from, to);
    for (; row_map_peek(&cursor, &row); row_map_next(&cursor))
        if (row.value.data != NULL && !each(context, row.key, row.value))
            break;
    unlock(partition);
    return ST_OK;
}

static enum status memory_write(struct store_partition *base, const struct store_row *rows,
                                size_t count, struct bytes position, struct error *err)
{
    (void)err;
    ENSURE(store_rows_are_sorted(rows, count));
    struct memory_partition *partition = lock(base);
    for (size_t i = 0; i < count; i++)
        put_row(partition, rows[i]);
    if (position.data != NULL) {
        buffer_clear(&partition->position);
        buffer_put_bytes(&partition->position, position);
    }
    if (partition->deleted >= DELETED_MIN &&
        partition->deleted > row_map_count(partition->rows) / 2)
        drop_deleted(partition);
    unlock(partition);
    return ST_OK;
}

static enum status memory_ingest(struct store_partition *base, const struct store_row *rows,
                                 size_t count, struct error *err)
{
    ENSURE(((struct memory_partition *)base)->position.size == 0);
    return memory_write(base, rows, count, BYTES_NONE, err);
}

static enum status memory_flush(struct store_partition *base, struct error *err)
{
    (void)base;
    (void)err;
    return ST_OK;
}

static uint64_t memory_bytes_used(struct store_partition *base)
{
    struct memory_partition *partition = lock(base);
    const uint64_t bytes = row_map_bytes(partition->rows);
    unlock(partition);
    return bytes;
}

static struct memory_partition *find_partition(struct memory_store *store, const char *name)
{
    struct memory_partition *partition = store->partitions;
    while (partition != NULL && strcmp(partition->name, name) != 0)
        partition = partition->next;
    return partition;
}

static struct memory_partition *create_partition(const char *name)
{
    struct memory_partition *partition = mem_alloc(sizeof *partition);
    partition->base.type = &memory_type;
    partition->name = mem_copy_string(name);
    init_recursive_mutex(&partition->mutex);
    row_map_create(&partition->rows, BLOCK_BYTES);
    buffer_init(&partition->position);
    return partition;
}

static void destroy_partition(struct memory_partition *partition)
{
    row_map_destroy(&partition->rows);
    buffer_fini(&partition->position);
    pthread_mutex_destroy(&partition->mutex);
    mem_free(partition->name);
    mem_free(partition);
}

static void init_recursive_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    ENSURE(pthread_mutexattr_init(&attributes) == 0);
    ENSURE(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE) == 0);
    ENSURE(pthread_mutex_init(mutex, &attributes) == 0);
    pthread_mutexattr_destroy(&attributes);
}

static struct memory_partition *lock(struct store_partition *base)
{
    struct memory_partition *partition = (struct memory_partition *)base;
    ENSURE(pthread_mutex_lock(&partition->mutex) == 0);
    return partition;
}

static void unlock(struct memory_partition *partition)
{
    ENSURE(pthread_mutex_unlock(&partition->mutex) == 0);
}

static void ensure_ours(struct bytes key)
{
    ENSURE(key.size > 0 && key.data[0] != 0);
}

static void put_row(struct memory_partition *partition, struct store_row row)
{
    ensure_ours(row.key);
    struct bytes old;
    const bool known = row_map_get(partition->rows, row.key, &old);
    if (row.value.data != NULL) {
        if (known && old.data == NULL)
            partition->deleted--;
    } else if (!known) {
        return; /* nothing to delete */
    } else if (old.data != NULL) {
        partition->deleted++;
    }
    row_map_put(partition->rows, row.key, row.value);
}

static void drop_deleted(struct memory_partition *partition)
{
    struct row_map *kept = NULL;
    row_map_create(&kept, BLOCK_BYTES);
    for (size_t i = 0; i < row_map_count(partition->rows); i++) {
        const struct store_row row = row_map_row(partition->rows, i);
        if (row.value.data != NULL)
            row_map_put(kept, row.key, row.value);
    }
    row_map_destroy(&partition->rows);
    partition->rows = kept;
    partition->deleted = 0;
}

static const struct store_type memory_type = {
    .name = "memory",
    .close = memory_close,
    .partition_names = memory_partition_names,
    .partition_open = memory_partition_open,
    .partition_close = memory_partition_close,
    .partition_drop = memory_partition_drop,
    .position = memory_position,
    .get = memory_get,
    .scan = memory_scan,
    .write = memory_write,
    .ingest = memory_ingest,
    .flush = memory_flush,
    .bytes_used = memory_bytes_used,
};
