/*
 * The store on disk: one RocksDB per process, one column family per partition, named like it. This
 * is the only file that includes RocksDB.
 *
 * All rows of a partition and its position lie in one column family because that alone makes them
 * consistent without a write-ahead log: a WriteBatch goes into one memtable, memtables of a family
 * are flushed in order, so what survives a kill is a prefix of the writes, and the position is in
 * the write that completes its rows. (Two families lose that, with atomic_flush too.) The
 * position's key is 00 'P'; rows never start with 0x00.
 *
 * Files: DIRECTORY/rocks (the database), DIRECTORY/ingest (SST files being made; emptied at open).
 *
 * Index and filter blocks stay outside the block cache: a 64 MB SST's would not fit a shard of it,
 * and a get then reads them again each time (500 us instead of 9). For the same reason the cache
 * has few shards.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/directory_lock.h"
#include "state/store.h"

enum {
    MEMTABLE_BYTES_MAX = 32 << 20,
    MEMTABLE_BYTES_MIN = 1 << 20,
    MEMTABLES_MAX = 3,
    /* Each family with rows holds at least one; the default of 1 MiB times 100 partitions is too
     * much. */
    MEMTABLE_ARENA_BLOCK_BYTES = 256 * 1024,
    BLOCK_BYTES = 4096,
    BLOOM_BITS = 10,
    TABLE_FORMAT = 5, /* what 7.8 and 9.10 both read and write */
    CACHE_SHARD_BITS = 2,
    BACKGROUND_JOBS = 2,
    INFO_LOG_WARN = 2,
    INFO_LOG_FILES = 2,
    INFO_LOG_BYTES = 1 << 20,
    SYNC_BYTES = 1 << 20,
    INGEST_FILE_BYTES = 64 << 20,
    MULTI_GET_MAX = 128
};

struct rocks_store {
    struct store base;
    struct directory_lock *lock;
    char *database_directory;
    char *ingest_directory;
    rocksdb_t *db;
    rocksdb_cache_t *cache;
    rocksdb_options_t *options; /* of the database and of every family */
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options;
    rocksdb_flushoptions_t *flush_options;
    rocksdb_column_family_handle_t *default_family; /* unused, but it must exist */
    pthread_mutex_t mutex; /* guards the list: workers open and close partitions */
    struct rocks_partition *partitions;
    atomic_uint_fast64_t ingest_count;
};

struct rocks_partition {
    struct store_partition base;
    struct rocks_partition *next;
    struct rocks_store *store;
    char *name;
    bool is_open;
    rocksdb_column_family_handle_t *family; /* NULL: a drop could not make it anew */
};

static const struct store_type rocks_type;
static const uint8_t position_key[] = { 0x00, 'P' };

static enum status open_database(struct rocks_store *store, struct error *err);
static void make_options(struct rocks_store *store, const struct store_rocks_options *options);
static enum status empty_directory(const char *directory, struct error *err);
static struct rocks_partition *add_partition(struct rocks_store *store, const char *name,
                                             rocksdb_column_family_handle_t *family);
static struct rocks_partition *find_partition(struct rocks_store *store, const char *name);
static enum status ensure_family(struct rocks_partition *partition, struct error *err);
static enum status failed(char *message, struct error *err);

/* ---- the database -------------------------------------------------------------------------- */

enum status store_open_rocks(struct store **out, const struct store_rocks_options *options,
                             struct error *err)
{
    ENSURE(*out == NULL);
    struct rocks_store *store = mem_alloc(sizeof *store);
    AUTO(store_close) struct store *base = &store->base;
    base->type = &rocks_type;
    ENSURE(pthread_mutex_init(&store->mutex, NULL) == 0);
    TRY(directory_lock_acquire(&store->lock, options->directory, err));
    store->database_directory = mem_format("%s/rocks", options->directory);
    store->ingest_directory = mem_format("%s/ingest", options->directory);
    TRY(empty_directory(store->ingest_directory, err));
    make_options(store, options);
    TRY(open_database(store, err));
    *out = TAKE(base);
    return ST_OK;
}

/* Also of a store that was opened halfway. Flushes what is in memory. */
static void rocks_close(struct store *base)
{
    struct rocks_store *store = (struct rocks_store *)base;
    while (store->partitions != NULL) {
        struct rocks_partition *partition = store->partitions;
        ENSURE(!partition->is_open);
        store->partitions = partition->next;
        if (partition->family != NULL)
            rocksdb_column_family_handle_destroy(partition->family);
        mem_free(partition->name);
        mem_free(partition);
    }
    if (store->default_family != NULL)
        rocksdb_column_family_handle_destroy(store->default_family);
    if (store->db != NULL)
        rocksdb_close(store->db);
    if (store->options != NULL) {
        rocksdb_options_destroy(store->options);
        rocksdb_readoptions_destroy(store->read_options);
        rocksdb_writeoptions_destroy(store->write_options);
        rocksdb_flushoptions_destroy(store->flush_options);
        rocksdb_cache_destroy(store->cache);
    }
    pthread_mutex_destroy(&store->mutex);
    mem_free(store->database_directory);
    mem_free(store->ingest_directory);
    directory_lock_release(&store->lock);
    mem_free(store);
}

static rocksdb_cache_t *make_cache(uint64_t bytes)
{
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
    rocksdb_lru_cache_options_set_capacity(options, bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(options, CACHE_SHARD_BITS);
    rocksdb_cache_t *cache = rocksdb_cache_create_lru_opts(options);
    rocksdb_lru_cache_options_destroy(options);
    return cache;
}

static void set_family_options(rocksdb_options_t *options, rocksdb_cache_t *cache,
                               uint64_t memtable_bytes)
{
    /* Two families can be written to while a third is flushed. */
    uint64_t one = memtable_bytes / MEMTABLES_MAX;
    one = one > MEMTABLE_BYTES_MAX ? MEMTABLE_BYTES_MAX : one;
    one = one < MEMTABLE_BYTES_MIN ? MEMTABLE_BYTES_MIN : one;
    rocksdb_options_set_write_buffer_size(options, one);
    rocksdb_options_set_max_write_buffer_number(options, MEMTABLES_MAX);
    rocksdb_options_set_arena_block_size(options, MEMTABLE_ARENA_BLOCK_BYTES);
    rocksdb_options_set_compaction_style(options, rocksdb_level_compaction);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);

    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 0);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT);
    /* The table options take the filter policy over. */
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

static void set_database_options(rocksdb_options_t *db, const struct store_rocks_options *options)
{
    rocksdb_options_set_create_if_missing(db, 1);
    rocksdb_options_set_db_write_buffer_size(db, options->memtable_bytes);
    rocksdb_options_set_max_background_jobs(
        db, options->background_jobs == 0 ? BACKGROUND_JOBS : options->background_jobs);
    rocksdb_options_set_max_open_files(db, -1);
    rocksdb_options_set_bytes_per_sync(db, SYNC_BYTES);
    rocksdb_options_set_info_log_level(db, INFO_LOG_WARN);
    rocksdb_options_set_keep_log_file_num(db, INFO_LOG_FILES);
    rocksdb_options_set_max_log_file_size(db, INFO_LOG_BYTES);
    rocksdb_options_set_stats_dump_period_sec(db, 0);
}

static void make_options(struct rocks_store *store, const struct store_rocks_options *options)
{
    store->cache = make_cache(options->block_cache_bytes);
    store->options = rocksdb_options_create();
    set_database_options(store->options, options);
    set_family_options(store->options, store->cache, options->memtable_bytes);
    store->read_options = rocksdb_readoptions_create();
    store->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write_options, 1);
    store->flush_options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(store->flush_options, 1);
}

/* The names of the families; only "default" when there is no database yet. Free with mem_free
 * each. */
static enum status list_families(struct rocks_store *store, char ***names, size_t *count,
                                 struct error *err)
{
    AUTO(mem_auto_free) char *current = mem_format("%s/CURRENT", store->database_directory);
    if (access(current, F_OK) != 0) {
        *count = 1;
        *names = mem_alloc_array(1, sizeof **names);
        (*names)[0] = mem_copy_string("default");
        return ST_OK;
    }
    char *message = NULL;
    char **listed =
        rocksdb_list_column_families(store->options, store->database_directory, count, &message);
    if (message == NULL) {
        *names = mem_alloc_array(*count, sizeof **names);
        for (size_t i = 0; i < *count; i++)
            (*names)[i] = mem_copy_string(listed[i]);
    }
    if (listed != NULL) /* an empty list when it failed */
        rocksdb_list_column_families_destroy(listed, *count);
    return message == NULL ? ST_OK : failed(message, err);
}

static void keep_families(struct rocks_store *store, char *const *names,
                          rocksdb_column_family_handle_t *const *families, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], "default") == 0)
            store->default_family = families[i];
        else
            add_partition(store, names[i], families[i]);
    }
}

static enum status open_database(struct rocks_store *store, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    TRY(list_families(store, &names, &count, err));

    rocksdb_column_family_handle_t **families =
        mem_alloc_array(count, sizeof(rocksdb_column_family_handle_t *));
    const rocksdb_options_t **options = mem_alloc_array(count, sizeof(rocksdb_options_t *));
    for (size_t i = 0; i < count; i++)
        options[i] = store->options;
    char *message = NULL;
    store->db =
        rocksdb_open_column_families(store->options, store->database_directory, (int)count,
                                     (const char *const *)names, options, families, &message);
    if (message == NULL)
        keep_families(store, names, families, count);
    for (size_t i = 0; i < count; i++)
        mem_free(names[i]);
    mem_free(names);
    mem_free(families);
    mem_free(options);
    return message == NULL ? ST_OK : failed(message, err);
}

/* What a process that died left there is of no use. */
static enum status empty_directory(const char *directory, struct error *err)
{
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return FAIL(err, ST_IO_FAILED, "%s: %s", directory, strerror(errno));
    DIR *entries = opendir(directory);
    if (entries == NULL)
        return FAIL(err, ST_IO_FAILED, "%s: %s", directory, strerror(errno));
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        AUTO(mem_auto_free) char *path = mem_format("%s/%s", directory, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(entries);
    return ST_OK;
}

/* ---- partitions ---------------------------------------------------------------------------- */

static enum status rocks_partition_open(struct store *base, struct store_partition **out,
                                        const char *name, struct error *err)
{
    ENSURE(*out == NULL);
    ENSURE(strcmp(name, "default") != 0);
    struct rocks_store *store = (struct rocks_store *)base;
    pthread_mutex_lock(&store->mutex);
    struct rocks_partition *partition = find_partition(store, name);
    if (partition == NULL)
        partition = add_partition(store, name, NULL);
    ENSURE(!partition->is_open);
    const enum status status = ensure_family(partition, err);
    partition->is_open = status == ST_OK;
    pthread_mutex_unlock(&store->mutex);
    TRY(status);
    *out = &partition->base;
    return ST_OK;
}

static void rocks_partition_close(struct store_partition *base)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    pthread_mutex_lock(&partition->store->mutex);
    ENSURE(partition->is_open);
    partition->is_open = false;
    pthread_mutex_unlock(&partition->store->mutex);
}

static enum status rocks_partition_drop(struct store_partition *base, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    char *message = NULL;
    if (partition->family != NULL) {
        rocksdb_drop_column_family(partition->store->db, partition->family, &message);
        if (message != NULL)
            return failed(message, err);
        rocksdb_column_family_handle_destroy(partition->family);
        partition->family = NULL;
    }
    return ensure_family(partition, err);
}

static struct rocks_partition *add_partition(struct rocks_store *store, const char *name,
                                             rocksdb_column_family_handle_t *family)
{
    struct rocks_partition *partition = mem_alloc(sizeof *partition);
    partition->base.type = &rocks_type;
    partition->store = store;
    partition->name = mem_copy_string(name);
    partition->family = family;
    partition->next = store->partitions;
    store->partitions = partition;
    return partition;
}

static struct rocks_partition *find_partition(struct rocks_store *store, const char *name)
{
    struct rocks_partition *partition = store->partitions;
    while (partition != NULL && strcmp(partition->name, name) != 0)
        partition = partition->next;
    return partition;
}

static enum status ensure_family(struct rocks_partition *partition, struct error *err)
{
    char *message = NULL;
    if (partition->family == NULL)
        partition->family = rocksdb_create_column_family(
            partition->store->db, partition->store->options, partition->name, &message);
    if (message != NULL) {
        partition->family = NULL;
        return failed(message, err);
    }
    return ST_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum status get_raw(struct rocks_partition *partition, struct bytes key, struct buffer *out,
                           bool *found, struct error *err)
{
    char *message = NULL;
    TRY(ensure_family(partition, err));
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(partition->store->db, partition->store->read_options,
                              partition->family, (const char *)key.data, key.size, &message);
    if (message != NULL)
        return failed(message, err);
    *found = slice != NULL;
    if (slice == NULL)
        return ST_OK;
    size_t size = 0;
    const char *value = rocksdb_pinnableslice_value(slice, &size);
    buffer_put(out, value, size);
    rocksdb_pinnableslice_destroy(slice);
    return ST_OK;
}

static enum status rocks_position(struct store_partition *base, struct buffer *out,
                                  struct error *err)
{
    bool found;
    return get_raw((struct rocks_partition *)base, bytes_of(position_key, sizeof position_key), out,
                   &found, err);
}

static enum status rocks_get(struct store_partition *base, struct bytes key, struct buffer *out,
                             bool *found, struct error *err)
{
    ENSURE(key.size > 0 && key.data[0] != 0);
    return get_raw((struct rocks_partition *)base, key, out, found, err);
}

/* At most MULTI_GET_MAX keys; false in *more when `each` wants no more. */
static enum status get_some(struct rocks_partition *partition, const struct bytes *keys,
                            size_t count, store_row_fn *each, void *context, bool *more,
                            struct error *err)
{
    const char *data[MULTI_GET_MAX];
    size_t sizes[MULTI_GET_MAX];
    rocksdb_pinnableslice_t *values[MULTI_GET_MAX];
    char *messages[MULTI_GET_MAX];
    ENSURE(count > 0 && count <= MULTI_GET_MAX);
    for (size_t i = 0; i < count; i++) {
        ENSURE(keys[i].size > 0 && keys[i].data[0] != 0);
        ENSURE(i == 0 || bytes_compare(keys[i - 1], keys[i]) < 0);
        data[i] = (const char *)keys[i].data;
        sizes[i] = keys[i].size;
    }
    rocksdb_batched_multi_get_cf(partition->store->db, partition->store->read_options,
                                 partition->family, count, data, sizes, values, messages, true);
    enum status status = ST_OK;
    for (size_t i = 0; i < count; i++) {
        struct bytes value = BYTES_NONE;
        if (messages[i] != NULL)
            status = failed(messages[i], err);
        if (values[i] != NULL)
            value.data = (const uint8_t *)rocksdb_pinnableslice_value(values[i], &value.size);
        if (status == ST_OK && *more)
            *more = each(context, keys[i], value);
        if (values[i] != NULL)
            rocksdb_pinnableslice_destroy(values[i]);
    }
    return status;
}

static enum status rocks_multi_get(struct store_partition *base, const struct bytes *keys,
                                   size_t count, store_row_fn *each, void *context,
                                   struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    bool more = true;
    TRY(ensure_family(partition, err));
    for (size_t i = 0; i < count && more; i += MULTI_GET_MAX) {
        const size_t some = count - i < MULTI_GET_MAX ? count - i : MULTI_GET_MAX;
        TRY(get_some(partition, keys + i, some, each, context, &more, err));
    }
    return ST_OK;
}

static bool deliver(const rocksdb_iterator_t *iterator, store_row_fn *each, void *context)
{
    struct bytes key, value;
    key.data = (const uint8_t *)rocksdb_iter_key(iterator, &key.size);
    value.data = (const uint8_t *)rocksdb_iter_value(iterator, &value.size);
    return each(context, key, value);
}

static enum status rocks_scan(struct store_partition *base, struct bytes from, struct bytes to,
                              store_row_fn *each, void *context, struct error *err)
{
    static const uint8_t first_row[] = { 0x01 }; /* behind the position */
    struct rocks_partition *partition = (struct rocks_partition *)base;
    TRY(ensure_family(partition, err));
    if (from.size == 0 || from.data[0] == 0)
        from = bytes_of(first_row, sizeof first_row);
    if (to.data != NULL && bytes_compare(from, to) >= 0)
        return ST_OK;

    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    if (to.data != NULL)
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)to.data, to.size);
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(partition->store->db, options, partition->family);
    rocksdb_iter_seek(iterator, (const char *)from.data, from.size);
    while (rocksdb_iter_valid(iterator) && deliver(iterator, each, context))
        rocksdb_iter_next(iterator);
    char *message = NULL;
    rocksdb_iter_get_error(iterator, &message);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return message == NULL ? ST_OK : failed(message, err);
}

static uint64_t int_property(struct rocks_partition *partition, const char *name)
{
    uint64_t value = 0;
    if (partition->family == NULL ||
        rocksdb_property_int_cf(partition->store->db, partition->family, name, &value) != 0)
        return 0;
    return value;
}

static uint64_t rocks_bytes_used(struct store_partition *base)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    return int_property(partition, "rocksdb.live-sst-files-size") +
           int_property(partition, "rocksdb.cur-size-all-mem-tables");
}

/* ---- writing ------------------------------------------------------------------------------- */

static enum status rocks_write(struct store_partition *base, const struct store_row *rows,
                               size_t count, struct bytes position, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    ENSURE(store_rows_are_sorted(rows, count));
    ENSURE(count == 0 || (rows[0].key.size > 0 && rows[0].key.data[0] != 0));
    TRY(ensure_family(partition, err));

    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (size_t i = 0; i < count; i++) {
        const struct bytes key = rows[i].key, value = rows[i].value;
        if (value.data == NULL)
            rocksdb_writebatch_delete_cf(batch, partition->family, (const char *)key.data,
                                         key.size);
        else
            rocksdb_writebatch_put_cf(batch, partition->family, (const char *)key.data, key.size,
                                      (const char *)value.data, value.size);
    }
    if (position.data != NULL)
        rocksdb_writebatch_put_cf(batch, partition->family, (const char *)position_key,
                                  sizeof position_key, (const char *)position.data, position.size);
    char *message = NULL;
    rocksdb_write(partition->store->db, partition->store->write_options, batch, &message);
    rocksdb_writebatch_destroy(batch);
    return message == NULL ? ST_OK : failed(message, err);
}

static enum status rocks_flush(struct store_partition *base, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    char *message = NULL;
    TRY(ensure_family(partition, err));
    rocksdb_flush_cf(partition->store->db, partition->store->flush_options, partition->family,
                     &message);
    return message == NULL ? ST_OK : failed(message, err);
}

/* ---- ingest: SST files that are moved into the family, without memtable and compaction ------ */

struct sst_files {
    struct rocks_store *store;
    rocksdb_envoptions_t *env_options;
    rocksdb_sstfilewriter_t *writer;
    bool is_writing;
    uint64_t bytes; /* of the file that is being written */
    char **names;
    size_t count;
    size_t capacity;
};

static void sst_files_init(struct sst_files *files, struct rocks_store *store)
{
    *files = (struct sst_files){ .store = store, .env_options = rocksdb_envoptions_create() };
    files->writer = rocksdb_sstfilewriter_create(files->env_options, store->options);
}

/* What was ingested is gone from here already. */
static void sst_files_fini(struct sst_files *files)
{
    rocksdb_sstfilewriter_destroy(files->writer);
    rocksdb_envoptions_destroy(files->env_options);
    for (size_t i = 0; i < files->count; i++) {
        unlink(files->names[i]);
        mem_free(files->names[i]);
    }
    mem_free(files->names);
}

static char *start_file(struct sst_files *files)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity == 0 ? 4 : 2 * files->capacity;
        files->names = mem_resize_array(files->names, files->capacity, sizeof *files->names);
    }
    char *name = mem_format("%s/%" PRIu64 ".sst", files->store->ingest_directory,
                            (uint64_t)atomic_fetch_add(&files->store->ingest_count, 1));
    files->names[files->count++] = name;
    files->is_writing = true;
    files->bytes = 0;
    char *message = NULL;
    rocksdb_sstfilewriter_open(files->writer, name, &message);
    return message;
}

static char *finish_file(struct sst_files *files)
{
    char *message = NULL;
    if (files->is_writing)
        rocksdb_sstfilewriter_finish(files->writer, &message);
    files->is_writing = false;
    return message;
}

static char *add_to_file(struct sst_files *files, struct store_row row)
{
    char *message = NULL;
    if (files->is_writing && files->bytes >= INGEST_FILE_BYTES)
        message = finish_file(files);
    if (message == NULL && !files->is_writing)
        message = start_file(files);
    if (message != NULL)
        return message;
    rocksdb_sstfilewriter_put(files->writer, (const char *)row.key.data, row.key.size,
                              (const char *)row.value.data, row.value.size, &message);
    files->bytes += row.key.size + row.value.size;
    return message;
}

static char *ingest_files(struct rocks_partition *partition, const struct sst_files *files)
{
    char *message = NULL;
    if (files->count == 0)
        return NULL;
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
    rocksdb_ingest_external_file_cf(partition->store->db, partition->family,
                                    (const char *const *)files->names, files->count, options,
                                    &message);
    rocksdb_ingestexternalfileoptions_destroy(options);
    return message;
}

static enum status rocks_ingest(struct store_partition *base, const struct store_row *rows,
                                size_t count, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    ENSURE(store_rows_are_sorted(rows, count));
    ENSURE(count == 0 || (rows[0].key.size > 0 && rows[0].key.data[0] != 0));
    TRY(ensure_family(partition, err));

    struct sst_files files;
    sst_files_init(&files, partition->store);
    char *message = NULL;
    for (size_t i = 0; i < count && message == NULL; i++)
        if (rows[i].value.data != NULL) /* nothing is there to be deleted */
            message = add_to_file(&files, rows[i]);
    if (message == NULL)
        message = finish_file(&files);
    if (message == NULL)
        message = ingest_files(partition, &files);
    sst_files_fini(&files);
    return message == NULL ? ST_OK : failed(message, err);
}

/* ---- failures ------------------------------------------------------------------------------ */

/* RocksDB's C interface tells the kind of a failure in its text only. Frees the text. */
static enum status failed(char *message, struct error *err)
{
    enum status status = ST_IO_FAILED;
    if (strstr(message, "No space left on device") != NULL ||
        strstr(message, "Disk quota exceeded") != NULL)
        status = ST_DISK_FULL;
    else if (strncmp(message, "Corruption", strlen("Corruption")) == 0)
        status = ST_CORRUPT;
    FAIL(err, status, "the local state: %s", message);
    rocksdb_free(message);
    return status;
}

static const struct store_type rocks_type = {
    .name = "rocks",
    .close = rocks_close,
    .partition_open = rocks_partition_open,
    .partition_close = rocks_partition_close,
    .partition_drop = rocks_partition_drop,
    .position = rocks_position,
    .get = rocks_get,
    .multi_get = rocks_multi_get,
    .scan = rocks_scan,
    .write = rocks_write,
    .ingest = rocks_ingest,
    .flush = rocks_flush,
    .bytes_used = rocks_bytes_used,
};
