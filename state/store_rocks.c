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
 * Files: DIRECTORY/rocks (the database), DIRECTORY/ingest (SST files being made; emptied at open),
 * DIRECTORY/unreadable (the last database that could not be opened, for whoever wants to know why).
 *
 * A failed write stays with RocksDB: every later write of every family fails too. So a failure marks
 * the database as broken, all calls are refused, and the next partition_open opens it again. What
 * was in its memtables is gone then, for every partition: each one has to be closed and opened, and
 * notices by the generation.
 *
 * Index and filter blocks are in the block cache, because outside they grow with the state (1.3 %
 * of it). They must fit a shard, or a get reads them again each time (500 us instead of 9): so files
 * are small (about 250 kB of index and filter for 16 MB), and the cache has few shards.
 *
 * RocksDB begins to flush when memtables are full but lets writers go on meanwhile; on a slow disk
 * they would pile up. So a writer that finds too many waits for its own to be flushed.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
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
    CACHE_SHARD_BYTES_MIN = 4 << 20,
    SST_BYTES = 16 << 20,
    BACKGROUND_JOBS = 2,
    INFO_LOG_FATAL = 4,
    INFO_LOG_NOTHING = 6,
    SYNC_BYTES = 1 << 20,
    INGEST_FILE_BYTES = SST_BYTES,
    LEVELS = 7,
    ROWS_AHEAD = 3, /* of a write are on their way into the processor's cache */
    SPARE_BYTES = 6 << 20 /* log, manifest and options of a hundred partitions */
};

struct rocks_store {
    struct store base;
    struct directory_lock *lock;
    char *database_directory;
    char *ingest_directory;
    char *unreadable_directory;
    pthread_rwlock_t in_use; /* calls share it; closing and opening the database excludes them */
    atomic_bool broken;      /* nothing is possible before it was opened again */
    uint64_t generation;     /* counts how often it was opened; guarded by in_use */
    rocksdb_t *db;           /* NULL: it could not be opened again */
    rocksdb_cache_t *cache;
    rocksdb_options_t *options; /* of the database and of every family */
    rocksdb_options_t *quiet_options; /* of a damaged family: nothing is compacted */
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options;
    rocksdb_flushoptions_t *flush_options;
    rocksdb_column_family_handle_t *default_family; /* unused, but it must exist */
    uint64_t memtable_bytes_max;
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
    uint64_t generation;     /* of the database when it was opened */
    atomic_bool is_damaged;  /* one of its files is; only dropping helps */
    rocksdb_column_family_handle_t *family; /* NULL: a drop could not make it anew */
    atomic_uint_fast64_t memtable_bytes;    /* after its last write, flushed ones not included */
    rocksdb_writebatch_t *batch;            /* between the writes of a checkpoint: its memory; or NULL */
};

static const struct store_type rocks_type;
static const uint8_t position_key[] = { 0x00, 'P' };

static enum status open_database(struct rocks_store *store, struct error *err);
static enum status open_or_begin_anew(struct rocks_store *store, struct error *err);
static void make_options(struct rocks_store *store, const struct store_rocks_options *options);
static enum status empty_directory(const char *directory, struct error *err);
static enum status room_for(const struct rocks_store *store, uint64_t bytes, struct error *err);
static enum status flush_family(struct rocks_partition *partition, struct error *err);
static struct rocks_partition *add_partition(struct rocks_store *store, const char *name,
                                             rocksdb_column_family_handle_t *family);
static struct rocks_partition *find_partition(struct rocks_store *store, const char *name);
static enum status ensure_family(struct rocks_partition *partition, struct error *err);
static enum status enter(struct rocks_partition *partition, struct error *err);
static void leave(struct rocks_partition *partition);
static enum status failed(char *message, struct error *err);
static enum status write_failed(struct rocks_partition *partition, char *message,
                                struct error *err);

static void free_batch(struct rocks_partition *partition)
{
    if (partition->batch != NULL)
        rocksdb_writebatch_destroy(partition->batch);
    partition->batch = NULL;
}

/* ---- the database -------------------------------------------------------------------------- */

enum status store_open_rocks(struct store **out, const struct store_rocks_options *options,
                             struct error *err)
{
    ENSURE(*out == NULL);
    struct rocks_store *store = mem_alloc(sizeof *store);
    AUTO(store_close) struct store *base = &store->base;
    base->type = &rocks_type;
    ENSURE(pthread_mutex_init(&store->mutex, NULL) == 0);
    ENSURE(pthread_rwlock_init(&store->in_use, NULL) == 0);
    TRY(directory_lock_acquire(&store->lock, options->directory, err));
    store->database_directory = mem_format("%s/rocks", options->directory);
    store->ingest_directory = mem_format("%s/ingest", options->directory);
    store->unreadable_directory = mem_format("%s/unreadable", options->directory);
    TRY(empty_directory(store->ingest_directory, err));
    make_options(store, options);
    TRY(room_for(store, 0, err));
    TRY(open_or_begin_anew(store, err));
    *out = TAKE(base);
    return ST_OK;
}

/* RocksDB would do it by itself when it is closed, room or not. What is not flushed is in the tail. */
static void flush_before_closing(struct rocks_partition *partition)
{
    struct error err = { .status = ST_OK };
    if (partition->family != NULL && flush_family(partition, &err) != ST_OK)
        LOG_WARN("store.not_flushed", "partition=%s why=%s", partition->name, LOG_Q(err.text));
}

static void close_database(struct rocks_store *store)
{
    for (struct rocks_partition *each = store->partitions; each != NULL && !atomic_load(&store->broken);
         each = each->next)
        flush_before_closing(each);
    for (struct rocks_partition *each = store->partitions; each != NULL; each = each->next) {
        if (each->family != NULL)
            rocksdb_column_family_handle_destroy(each->family);
        each->family = NULL;
        atomic_store(&each->memtable_bytes, 0);
    }
    if (store->default_family != NULL)
        rocksdb_column_family_handle_destroy(store->default_family);
    store->default_family = NULL;
    if (store->db != NULL)
        rocksdb_close(store->db);
    store->db = NULL;
}

/* Also of a store that was opened halfway. Flushes what is in memory. */
static void rocks_close(struct store *base)
{
    struct rocks_store *store = (struct rocks_store *)base;
    close_database(store);
    while (store->partitions != NULL) {
        struct rocks_partition *partition = store->partitions;
        ENSURE(!partition->is_open);
        store->partitions = partition->next;
        free_batch(partition);
        mem_free(partition->name);
        mem_free(partition);
    }
    if (store->options != NULL) {
        rocksdb_options_destroy(store->options);
        rocksdb_options_destroy(store->quiet_options);
        rocksdb_readoptions_destroy(store->read_options);
        rocksdb_writeoptions_destroy(store->write_options);
        rocksdb_flushoptions_destroy(store->flush_options);
        rocksdb_cache_destroy(store->cache);
    }
    pthread_mutex_destroy(&store->mutex);
    pthread_rwlock_destroy(&store->in_use);
    mem_free(store->database_directory);
    mem_free(store->ingest_directory);
    mem_free(store->unreadable_directory);
    directory_lock_release(&store->lock);
    mem_free(store);
}

static rocksdb_cache_t *make_cache(uint64_t bytes)
{
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
    rocksdb_lru_cache_options_set_capacity(options, bytes);
    int shard_bits = 0;
    while (shard_bits < CACHE_SHARD_BITS && bytes >> (shard_bits + 1) >= CACHE_SHARD_BYTES_MIN)
        shard_bits++;
    rocksdb_lru_cache_options_set_num_shard_bits(options, shard_bits);
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
    /* What a flush writes is soon compacted. */
    int compression[LEVELS] = { rocksdb_no_compression };
    for (int level = 1; level < LEVELS; level++)
        compression[level] = rocksdb_lz4_compression;
    rocksdb_options_set_num_levels(options, LEVELS);
    rocksdb_options_set_compression_per_level(options, compression, LEVELS);
    rocksdb_options_set_target_file_size_base(options, SST_BYTES);

    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT);
    /* The table options take the filter policy over. */
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

/*
 * RocksDB's own log would be a file beside the rows that is written now and then, and a build with assertions ends the
 * process at the line after one that met a full disk. What it would say is not lost: it comes as the status of a call.
 */
#ifdef WEIR_ROCKSDB_LOGGER
static void say_nothing(void *context, unsigned level, char *line, size_t size)
{
    (void)context, (void)level, (void)line, (void)size;
}

static void keep_quiet(rocksdb_options_t *db)
{
    rocksdb_logger_t *logger = rocksdb_logger_create_callback_logger(INFO_LOG_FATAL, say_nothing, NULL);
    rocksdb_options_set_info_log(db, logger);
    rocksdb_logger_destroy(logger);
}
#else
/* Before 9 nobody else can be made the log, but a level above all others can be set; later ones have no name for it. */
static void keep_quiet(rocksdb_options_t *db)
{
    rocksdb_options_set_info_log_level(db, INFO_LOG_NOTHING);
}
#endif

static void set_database_options(rocksdb_options_t *db, const struct store_rocks_options *options)
{
    rocksdb_options_set_create_if_missing(db, 1);
    /* Half: what is being flushed takes memory until it is written. */
    rocksdb_options_set_db_write_buffer_size(db, options->memtable_bytes / 2);
    rocksdb_options_set_max_background_jobs(
        db, options->background_jobs == 0 ? BACKGROUND_JOBS : options->background_jobs);
    rocksdb_options_set_max_open_files(db, -1);
    rocksdb_options_set_bytes_per_sync(db, SYNC_BYTES);
    keep_quiet(db);
    rocksdb_options_set_stats_dump_period_sec(db, 0);
}

/* The C interface has no function for this one. */
static rocksdb_options_t *options_without_flush_at_close(void)
{
    char *message = NULL;
    rocksdb_options_t *defaults = rocksdb_options_create(), *options = rocksdb_options_create();
    rocksdb_get_options_from_string(defaults, "avoid_flush_during_shutdown=true", options, &message);
    ENSURE(message == NULL);
    rocksdb_options_destroy(defaults);
    return options;
}

static void make_options(struct rocks_store *store, const struct store_rocks_options *options)
{
    store->memtable_bytes_max = options->memtable_bytes;
    store->cache = make_cache(options->block_cache_bytes);
    store->options = options_without_flush_at_close();
    set_database_options(store->options, options);
    set_family_options(store->options, store->cache, options->memtable_bytes);
    store->quiet_options = rocksdb_options_create_copy(store->options);
    rocksdb_options_set_disable_auto_compactions(store->quiet_options, 1);
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
        struct rocks_partition *known = find_partition(store, names[i]);
        if (strcmp(names[i], "default") == 0)
            store->default_family = families[i];
        else if (known != NULL)
            known->family = families[i];
        else
            add_partition(store, names[i], families[i]);
    }
}

/* A damaged family waits to be dropped: compacting it would break the database again before that. */
static const rocksdb_options_t *family_options(struct rocks_store *store, const char *name)
{
    const struct rocks_partition *known = find_partition(store, name);
    return known != NULL && atomic_load(&known->is_damaged) ? store->quiet_options : store->options;
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
        options[i] = family_options(store, names[i]);
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
    if (message != NULL) {
        store->db = NULL;
        return failed(message, err);
    }
    store->generation++;
    atomic_store(&store->broken, false);
    return ST_OK;
}

/* A database that is there and cannot be read. Its content can be had from Kafka. */
static bool is_unreadable(const struct rocks_store *store, const struct error *err)
{
    AUTO(mem_auto_free) char *current = mem_format("%s/CURRENT", store->database_directory);
    if (access(current, F_OK) != 0)
        return false;
    return err->status == ST_CORRUPT || strstr(err->text, "No such file or directory") != NULL;
}

static enum status move_aside(struct rocks_store *store, const struct error *why, struct error *err)
{
    LOG_ERROR("store.unreadable", "moved_to=%s what=%s why=%s", LOG_Q(store->unreadable_directory),
              LOG_Q("the local state is made anew from Kafka"), LOG_Q(why->text));
    TRY(empty_directory(store->unreadable_directory, err));
    if (rmdir(store->unreadable_directory) != 0 ||
        rename(store->database_directory, store->unreadable_directory) != 0)
        return FAIL(err, ST_IO_FAILED, "moving %s to %s: %s", store->database_directory,
                    store->unreadable_directory, strerror(errno));
    return ST_OK;
}

static enum status open_or_begin_anew(struct rocks_store *store, struct error *err)
{
    struct error why = { .status = ST_OK };
    const enum status st = open_database(store, &why);
    if (st == ST_OK)
        return ST_OK;
    if (!is_unreadable(store, &why)) {
        if (err != NULL)
            *err = why;
        return st;
    }
    TRY(move_aside(store, &why, err));
    return open_database(store, err);
}

/*
 * RocksDB keeps the failure of a write that met a full disk and refuses everything until it is opened again, and a
 * build with assertions (Debian 12's) may end the process instead. So room is looked for first. A compaction of
 * RocksDB's own can still fill the disk.
 */
static enum status room_for(const struct rocks_store *store, uint64_t bytes, struct error *err)
{
    struct statvfs disk;
    if (statvfs(store->ingest_directory, &disk) != 0) /* it is there before the database is */
        return FAIL(err, ST_IO_FAILED, "%s: %s", store->ingest_directory, strerror(errno));
    const uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize, needed = bytes + SPARE_BYTES;
    if (room < needed)
        return FAIL(err, ST_DISK_FULL, "the local state: %s: No space left on device: %" PRIu64 " MB are free, %"
                    PRIu64 " MB needed", store->database_directory, room >> 20, (needed >> 20) + 1);
    return ST_OK;
}

/* After a failure. What was not flushed is gone; nobody else is inside. */
static enum status open_again(struct rocks_store *store, struct error *err)
{
    TRY(room_for(store, 0, err));
    LOG_WARN("store.opened_again", "directory=%s", LOG_Q(store->database_directory));
    close_database(store);
    TRY(empty_directory(store->ingest_directory, err));
    return open_or_begin_anew(store, err);
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

static void rocks_partition_names(struct store *base, void (*each)(void *context, const char *name),
                                  void *context)
{
    struct rocks_store *store = (struct rocks_store *)base;
    pthread_mutex_lock(&store->mutex);
    for (const struct rocks_partition *p = store->partitions; p != NULL; p = p->next)
        each(context, p->name);
    pthread_mutex_unlock(&store->mutex);
}

/* Opens the database again if it is broken. */
static enum status heal(struct rocks_store *store, struct error *err)
{
    if (!atomic_load(&store->broken))
        return ST_OK;
    pthread_rwlock_wrlock(&store->in_use);
    const enum status status = atomic_load(&store->broken) ? open_again(store, err) : ST_OK;
    pthread_rwlock_unlock(&store->in_use);
    return status;
}

static enum status open_partition(struct rocks_partition *partition, struct error *err)
{
    if (partition->is_open)
        return FAIL(err, ST_LOCAL_BUSY, "the local state: '%s' is still open", partition->name);
    if (atomic_load(&partition->store->broken))
        return FAIL(err, ST_LOCAL_BUSY, "the local state: it has just failed for another partition");
    TRY(ensure_family(partition, err));
    partition->generation = partition->store->generation;
    partition->is_open = true;
    return ST_OK;
}

static enum status rocks_partition_open(struct store *base, struct store_partition **out,
                                        const char *name, struct error *err)
{
    ENSURE(*out == NULL);
    ENSURE(strcmp(name, "default") != 0);
    struct rocks_store *store = (struct rocks_store *)base;
    TRY(room_for(store, SPARE_BYTES, err)); /* so that its first write is not refused at once */
    TRY(heal(store, err));
    pthread_rwlock_rdlock(&store->in_use);
    pthread_mutex_lock(&store->mutex);
    struct rocks_partition *partition = find_partition(store, name);
    if (partition == NULL)
        partition = add_partition(store, name, NULL);
    const enum status status = open_partition(partition, err);
    pthread_mutex_unlock(&store->mutex);
    pthread_rwlock_unlock(&store->in_use);
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
    free_batch(partition);
    pthread_mutex_unlock(&partition->store->mutex);
}

static enum status rocks_partition_drop(struct store_partition *base, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    char *message = NULL;
    const bool was_damaged = atomic_exchange(&partition->is_damaged, false);
    const enum status entered = enter(partition, err);
    if (entered != ST_OK) {
        atomic_store(&partition->is_damaged, was_damaged);
        return entered;
    }
    rocksdb_drop_column_family(partition->store->db, partition->family, &message);
    enum status status = message == NULL ? ST_OK : write_failed(partition, message, err);
    if (status == ST_OK) {
        rocksdb_column_family_handle_destroy(partition->family);
        partition->family = NULL;
        status = ensure_family(partition, err);
    }
    atomic_store(&partition->memtable_bytes, 0);
    leave(partition);
    return status;
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
        return write_failed(partition, message, err);
    }
    return ST_OK;
}

/* Every call is between enter and leave: so long the database stays open. */
static enum status enter(struct rocks_partition *partition, struct error *err)
{
    struct rocks_store *store = partition->store;
    pthread_rwlock_rdlock(&store->in_use);
    enum status status = ST_OK;
    if (atomic_load(&store->broken) || partition->generation != store->generation)
        status = FAIL(err, ST_IO_FAILED,
                      "the local state: the database was, or must be, opened again after a failure");
    else if (atomic_load(&partition->is_damaged))
        status = FAIL(err, ST_CORRUPT, "the local state: a file of '%s' is damaged",
                      partition->name);
    else
        status = ensure_family(partition, err);
    if (status != ST_OK)
        pthread_rwlock_unlock(&store->in_use);
    return status;
}

static void leave(struct rocks_partition *partition)
{
    pthread_rwlock_unlock(&partition->store->in_use);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum status get_raw(struct rocks_partition *partition, struct bytes key, struct buffer *out,
                           bool *found, struct error *err)
{
    char *message = NULL;
    TRY(enter(partition, err));
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(partition->store->db, partition->store->read_options,
                              partition->family, (const char *)key.data, key.size, &message);
    *found = slice != NULL;
    if (slice != NULL) {
        size_t size = 0;
        const char *value = rocksdb_pinnableslice_value(slice, &size);
        buffer_put(out, value, size);
        rocksdb_pinnableslice_destroy(slice);
    }
    leave(partition);
    return message == NULL ? ST_OK : failed(message, err);
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
    if (from.size == 0 || from.data[0] == 0)
        from = bytes_of(first_row, sizeof first_row);
    if (to.data != NULL && bytes_compare(from, to) >= 0)
        return ST_OK;
    TRY(enter(partition, err));

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
    leave(partition);
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
    if (enter(partition, NULL) != ST_OK)
        return 0;
    const uint64_t bytes = int_property(partition, "rocksdb.live-sst-files-size") +
                           int_property(partition, "rocksdb.cur-size-all-mem-tables");
    leave(partition);
    return bytes;
}

/* ---- writing ------------------------------------------------------------------------------- */

static uint64_t memtable_bytes(struct rocks_store *store)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&store->mutex);
    for (struct rocks_partition *each = store->partitions; each != NULL; each = each->next)
        bytes += atomic_load(&each->memtable_bytes);
    pthread_mutex_unlock(&store->mutex);
    return bytes;
}

static void measure_memtables(struct rocks_partition *partition)
{
    atomic_store(&partition->memtable_bytes,
                 int_property(partition, "rocksdb.cur-size-all-mem-tables"));
}

static enum status flush_family(struct rocks_partition *partition, struct error *err)
{
    TRY(room_for(partition->store, atomic_load(&partition->memtable_bytes), err));
    char *message = NULL;
    rocksdb_flush_cf(partition->store->db, partition->store->flush_options, partition->family,
                     &message);
    measure_memtables(partition);
    return message == NULL ? ST_OK : write_failed(partition, message, err);
}

static uint64_t rows_bytes(const struct store_row *rows, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += rows[i].key.size + rows[i].value.size;
    return bytes;
}

/* In memory, and on the disk for what RocksDB flushes of its own accord. */
static enum status make_room(struct rocks_partition *partition, uint64_t bytes, struct error *err)
{
    measure_memtables(partition);
    const uint64_t in_memory = memtable_bytes(partition->store);
    TRY(room_for(partition->store, in_memory + bytes, err));
    if (in_memory <= partition->store->memtable_bytes_max)
        return ST_OK;
    return flush_family(partition, err);
}

static enum status rocks_write(struct store_partition *base, const struct store_row *rows,
                               size_t count, struct bytes position, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    ENSURE(store_rows_are_sorted(rows, count));
    ENSURE(count == 0 || (rows[0].key.size > 0 && rows[0].key.data[0] != 0));
    KILL_POINT_TRY(write_inside, err);
    TRY(enter(partition, err));
    const enum status room = make_room(partition, rows_bytes(rows, count), err);
    if (room != ST_OK) {
        leave(partition);
        return room;
    }

    if (partition->batch == NULL)
        partition->batch = rocksdb_writebatch_create();
    rocksdb_writebatch_t *batch = partition->batch;
    for (size_t i = 0; i < count; i++) {
        const struct bytes key = rows[i].key, value = rows[i].value;
        if (i + ROWS_AHEAD < count)
            bytes_prefetch(rows[i + ROWS_AHEAD].value);
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
    rocksdb_writebatch_clear(batch);
    if (position.data != NULL)
        free_batch(partition);
    const enum status status =
        message == NULL ? ST_OK : write_failed(partition, message, err);
    leave(partition);
    return status;
}

static enum status rocks_flush(struct store_partition *base, struct error *err)
{
    struct rocks_partition *partition = (struct rocks_partition *)base;
    KILL_POINT_TRY(write_flush, err);
    TRY(enter(partition, err));
    const enum status status = flush_family(partition, err);
    KILL_POINT(write_flushed);
    leave(partition);
    return status;
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
    if (row.value.data == NULL)
        rocksdb_sstfilewriter_delete(files->writer, (const char *)row.key.data, row.key.size,
                                     &message);
    else
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
    TRY(room_for(partition->store, rows_bytes(rows, count), err));
    TRY(enter(partition, err));

    struct sst_files files;
    sst_files_init(&files, partition->store);
    char *message = NULL;
    for (size_t i = 0; i < count && message == NULL; i++)
        message = add_to_file(&files, rows[i]);
    if (message == NULL)
        message = finish_file(&files);
    if (message == NULL)
        message = ingest_files(partition, &files);
    sst_files_fini(&files);
    const enum status status =
        message == NULL ? ST_OK : write_failed(partition, message, err);
    leave(partition);
    return status;
}

/* ---- failures ------------------------------------------------------------------------------ */

/* RocksDB's C interface tells the kind of a failure in its text only. failed and write_failed free
 * it. */
static enum status failure_of(const char *message)
{
    if (strstr(message, "No space left on device") != NULL ||
        strstr(message, "Disk quota exceeded") != NULL)
        return ST_DISK_FULL;
    if (strncmp(message, "Corruption", strlen("Corruption")) == 0)
        return ST_CORRUPT;
    return ST_IO_FAILED;
}

static enum status failed(char *message, struct error *err)
{
    const enum status status = failure_of(message);
    FAIL(err, status, "the local state: %s", message);
    rocksdb_free(message);
    return status;
}

/* The partition whose file the message names, as ".../000123.sst"; NULL: none, or none of ours. */
static struct rocks_partition *partition_of_file(struct rocks_store *store, const char *message)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(store->db);
    struct rocks_partition *found = NULL;
    for (int i = 0; i < rocksdb_livefiles_count(files) && found == NULL; i++) {
        if (strstr(message, rocksdb_livefiles_name(files, i)) == NULL)
            continue;
        pthread_mutex_lock(&store->mutex);
        found = find_partition(store, rocksdb_livefiles_column_family_name(files, i));
        pthread_mutex_unlock(&store->mutex);
    }
    rocksdb_livefiles_destroy(files);
    return found;
}

/*
 * A compaction of any family may have failed: a damaged file of another partition is no reason to
 * drop this one.
 */
static enum status write_failed(struct rocks_partition *partition, char *message,
                                struct error *err)
{
    struct rocks_store *store = partition->store;
    enum status status = failure_of(message);
    struct rocks_partition *damaged = NULL;
    if (status == ST_CORRUPT)
        damaged = partition_of_file(store, message);
    if (damaged != NULL)
        atomic_store(&damaged->is_damaged, true);
    if (status == ST_CORRUPT && damaged != partition)
        status = ST_IO_FAILED;
    atomic_store(&store->broken, true);
    FAIL(err, status, "the local state: %s", message);
    rocksdb_free(message);
    return status;
}

static const struct store_type rocks_type = {
    .name = "rocks",
    .close = rocks_close,
    .partition_names = rocks_partition_names,
    .partition_open = rocks_partition_open,
    .partition_close = rocks_partition_close,
    .partition_drop = rocks_partition_drop,
    .position = rocks_position,
    .get = rocks_get,
    .scan = rocks_scan,
    .write = rocks_write,
    .ingest = rocks_ingest,
    .flush = rocks_flush,
    .bytes_used = rocks_bytes_used,
};
