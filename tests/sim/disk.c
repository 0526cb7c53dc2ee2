#include "disk.h"

#include "base/ensure.h"
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "state/changelog.h"

enum { PARTITIONS_MAX = 16, NAME_SIZE = 32 };

/* A write call that is in memtables only, serialised: varint rows, each run key, optional run
 * value; run position. */
struct disk_partition {
    struct store_partition base;
    struct disk *disk;
    char name[NAME_SIZE];
    bool is_open;
    struct store_partition *live, *durable;
    struct buffer *pending;
    size_t pending_count, pending_capacity;
    uint64_t generation; /* of the database when it was opened */
};

struct disk {
    struct store base;
    struct prng *prng;
    struct store *live_store,
        *durable_store; /* in memory; a partition of each per partition of ours */
    struct disk_partition partitions[PARTITIONS_MAX];
    size_t partition_count;
    const struct disk_faults *faults;
    disk_hook_fn *hook;
    void *hook_context;
    bool failed;
    bool broken; /* by a failed write: nothing works until a partition is opened again */
    uint64_t generation; /* counts how often it was opened */
};

static const struct store_type disk_type;

static struct disk_partition *partition_of(struct store_partition *base)
{
    return (struct disk_partition *)base;
}

/* --- faults ---------------------------------------------------------------------------------- */

static enum status moment(const struct disk *disk, enum disk_moment when, struct error *err)
{
    const enum status st = disk->hook(disk->hook_context, when);
    return st == ST_OK ? ST_OK : FAIL(err, st, "the process is dead");
}

static bool strikes(const struct disk *disk, uint32_t chance)
{
    return chance > 0 && prng_chance(disk->prng, chance, 10000);
}

static enum status is_usable(const struct disk_partition *partition, struct error *err)
{
    const struct disk *disk = partition->disk;
    if (!disk->broken && partition->generation == disk->generation)
        return ST_OK;
    return FAIL(err, ST_IO_FAILED,
                "the simulated disk failed before, and '%s' was not opened since", partition->name);
}

static enum status before_write(struct disk_partition *partition, struct error *err)
{
    struct disk *disk = partition->disk;
    TRY(moment(disk, DISK_BEFORE, err));
    TRY(is_usable(partition, err));
    if (!strikes(disk, disk->faults->write_fails))
        return ST_OK;
    disk->failed = disk->broken = true;
    return prng_chance(disk->prng, 1, 2) ? FAIL(err, ST_DISK_FULL, "the simulated disk is full")
                                         : FAIL(err, ST_IO_FAILED, "the simulated disk failed");
}

static enum status before_read(struct disk_partition *partition, struct error *err)
{
    struct disk *disk = partition->disk;
    TRY(is_usable(partition, err));
    if (strikes(disk, disk->faults->read_fails)) {
        disk->failed = true;
        return FAIL(err, ST_IO_FAILED, "the simulated disk failed");
    }
    if (strikes(disk, disk->faults->corrupt)) {
        disk->failed = true;
        return FAIL(err, ST_CORRUPT, "a block of the simulated disk has a bad checksum");
    }
    return ST_OK;
}

/* --- what is not flushed yet ----------------------------------------------------------------- */

static void remember(struct disk_partition *partition, const struct store_row *rows, size_t count,
                     struct bytes position)
{
    if (partition->pending_count == partition->pending_capacity) {
        const size_t capacity = partition->pending_capacity * 2 + 16;
        partition->pending =
            mem_resize_array(partition->pending, capacity, sizeof *partition->pending);
        for (size_t i = partition->pending_capacity; i < capacity; i++)
            buffer_init(&partition->pending[i]);
        partition->pending_capacity = capacity;
    }
    struct buffer *write = &partition->pending[partition->pending_count++];
    buffer_clear(write);
    buffer_put_varint(write, count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_run(write, rows[i].key);
        buffer_put_optional_run(write, rows[i].value);
    }
    buffer_put_optional_run(write, position);
}

static void apply(struct disk_partition *partition, const struct buffer *write)
{
    struct reader in = reader_of(buffer_view(write));
    const size_t count = reader_varint(&in);
    struct store_row *rows = mem_alloc_array(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        rows[i].key = reader_run(&in);
        rows[i].value = reader_optional_run(&in);
    }
    const struct bytes position = reader_optional_run(&in);
    ENSURE(reader_done(&in));
    ENSURE(partition->durable->type->write(partition->durable, rows, count, position, NULL) ==
           ST_OK);
    mem_free(rows);
}

static void make_durable(struct disk_partition *partition, size_t count)
{
    for (size_t i = 0; i < count; i++)
        apply(partition, &partition->pending[i]);
}

static bool copy_row(void *context, struct bytes key, struct bytes value)
{
    struct store_partition *to = context;
    const struct store_row row = { key, value };
    ENSURE(to->type->write(to, &row, 1, BYTES_NONE, NULL) == ST_OK);
    return true;
}

static void reload(struct disk_partition *partition)
{
    struct store_partition *from = partition->durable, *to = partition->live;
    static const uint8_t lowest[] = { 1 };
    struct buffer position;
    buffer_init(&position);
    ENSURE(to->type->partition_drop(to, NULL) == ST_OK);
    ENSURE(from->type->scan(from, bytes_of(lowest, 1), BYTES_NONE, copy_row, to, NULL) == ST_OK);
    ENSURE(from->type->position(from, &position, NULL) == ST_OK);
    if (position.size > 0)
        ENSURE(to->type->write(to, NULL, 0, buffer_view(&position), NULL) == ST_OK);
    buffer_fini(&position);
}

/* Keeps a prefix of what was not flushed. */
static void lose(struct disk_partition *partition, size_t kept)
{
    make_durable(partition, kept);
    if (kept < partition->pending_count)
        reload(partition);
    partition->pending_count = 0;
}

static void open_again(struct disk *disk)
{
    for (size_t i = 0; i < disk->partition_count; i++)
        lose(&disk->partitions[i], prng_below(disk->prng, disk->partitions[i].pending_count + 1));
    disk->broken = false;
    disk->generation++;
}

/* --- the store's calls ----------------------------------------------------------------------- */

static void disk_close(struct store *base)
{
    (void)base; /* the disk stays */
}

static enum status disk_partition_open(struct store *base, struct store_partition **out,
                                       const char *name, struct error *err)
{
    struct disk *disk = (struct disk *)base;
    TRY(moment(disk, DISK_BEFORE, err));
    struct disk_partition *partition = NULL;
    for (size_t i = 0; i < disk->partition_count; i++)
        if (strcmp(disk->partitions[i].name, name) == 0)
            partition = &disk->partitions[i];
    if (partition == NULL) {
        ENSURE(disk->partition_count < PARTITIONS_MAX);
        partition = &disk->partitions[disk->partition_count++];
        partition->base.type = &disk_type;
        partition->disk = disk;
        snprintf(partition->name, sizeof partition->name, "%s", name);
        struct store *live = disk->live_store, *durable = disk->durable_store;
        TRY(live->type->partition_open(live, &partition->live, name, err));
        TRY(durable->type->partition_open(durable, &partition->durable, name, err));
    }
    if (partition->is_open)
        return FAIL(err, ST_LOCAL_BUSY, "'%s' is still open", name);
    if (disk->broken)
        open_again(disk);
    partition->is_open = true;
    partition->generation = disk->generation;
    *out = &partition->base;
    return ST_OK;
}

static void disk_partition_close(struct store_partition *base)
{
    partition_of(base)->is_open = false;
}

static enum status disk_partition_drop(struct store_partition *base, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_write(partition, err));
    partition->pending_count = 0;
    TRY(partition->durable->type->partition_drop(partition->durable, err));
    TRY(partition->live->type->partition_drop(partition->live, err));
    return moment(partition->disk, DISK_AFTER, err);
}

static enum status disk_position(struct store_partition *base, struct buffer *out,
                                 struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(moment(partition->disk, DISK_BEFORE, err));
    TRY(before_read(partition, err));
    return partition->live->type->position(partition->live, out, err);
}

static enum status disk_get(struct store_partition *base, struct bytes key, struct buffer *out,
                            bool *found, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_read(partition, err));
    return partition->live->type->get(partition->live, key, out, found, err);
}

static enum status disk_scan(struct store_partition *base, struct bytes from, struct bytes to,
                             store_row_fn *each, void *context, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_read(partition, err));
    return partition->live->type->scan(partition->live, from, to, each, context, err);
}

static enum status disk_write(struct store_partition *base, const struct store_row *rows,
                              size_t count, struct bytes position, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_write(partition, err));
    TRY(partition->live->type->write(partition->live, rows, count, position, err));
    remember(partition, rows, count, position);
    return moment(partition->disk, DISK_AFTER, err);
}

static enum status disk_ingest(struct store_partition *base, const struct store_row *rows,
                               size_t count, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_write(partition, err));
    TRY(partition->live->type->ingest(partition->live, rows, count, err));
    TRY(partition->durable->type->ingest(partition->durable, rows, count,
                                         err)); /* durable at once */
    return moment(partition->disk, DISK_AFTER, err);
}

static enum status disk_flush(struct store_partition *base, struct error *err)
{
    struct disk_partition *partition = partition_of(base);
    TRY(before_write(partition, err));
    make_durable(partition, partition->pending_count);
    partition->pending_count = 0;
    return moment(partition->disk, DISK_AFTER, err);
}

static uint64_t disk_bytes_used(struct store_partition *base)
{
    struct disk_partition *partition = partition_of(base);
    return partition->live->type->bytes_used(partition->live);
}

/* --- its life -------------------------------------------------------------------------------- */

void disk_create(struct disk **out, struct prng *borrowed)
{
    ENSURE(*out == NULL);
    struct disk *disk = mem_alloc(sizeof *disk);
    disk->base.type = &disk_type;
    disk->prng = borrowed;
    store_open_memory(&disk->live_store);
    store_open_memory(&disk->durable_store);
    *out = disk;
}

void disk_destroy(struct disk **disk_ref)
{
    struct disk *disk = TAKE(*disk_ref);
    if (disk == NULL)
        return;
    for (size_t i = 0; i < disk->partition_count; i++) {
        struct disk_partition *partition = &disk->partitions[i];
        ENSURE(!partition->is_open);
        for (size_t j = 0; j < partition->pending_capacity; j++)
            buffer_fini(&partition->pending[j]);
        mem_free(partition->pending);
        partition->live->type->partition_close(partition->live);
        partition->durable->type->partition_close(partition->durable);
    }
    store_close(&disk->live_store);
    store_close(&disk->durable_store);
    mem_free(disk);
}

struct store *disk_open(struct disk *disk, const struct disk_faults *faults, disk_hook_fn *hook,
                        void *context)
{
    disk->faults = faults;
    disk->hook = hook;
    disk->hook_context = context;
    disk->failed = disk->broken = false;
    disk->generation++;
    return &disk->base;
}

void disk_crash(struct disk *disk, enum disk_survival survival)
{
    for (size_t i = 0; i < disk->partition_count; i++) {
        struct disk_partition *partition = &disk->partitions[i];
        ENSURE(!partition->is_open);
        size_t kept = 0;
        if (survival == DISK_KEEP_ALL)
            kept = partition->pending_count;
        else if (survival == DISK_KEEP_RANDOM)
            kept = prng_below(disk->prng, partition->pending_count + 1);
        lose(partition, kept);
    }
}

void disk_wipe(struct disk *disk)
{
    for (size_t i = 0; i < disk->partition_count; i++) {
        struct disk_partition *partition = &disk->partitions[i];
        ENSURE(!partition->is_open);
        partition->pending_count = 0;
        ENSURE(partition->live->type->partition_drop(partition->live, NULL) == ST_OK);
        ENSURE(partition->durable->type->partition_drop(partition->durable, NULL) == ST_OK);
    }
}

uint64_t disk_seq(const struct disk *disk, const char *name)
{
    struct store_position position = { .seq = 0 };
    struct buffer record;
    buffer_init(&record);
    for (size_t i = 0; i < disk->partition_count; i++) {
        struct store_partition *live = disk->partitions[i].live;
        if (strcmp(disk->partitions[i].name, name) != 0)
            continue;
        ENSURE(live->type->position(live, &record, NULL) == ST_OK);
        if (record.size > 0)
            ENSURE(store_position_read(&position, buffer_view(&record), NULL) == ST_OK);
    }
    buffer_fini(&record);
    return position.seq;
}

bool disk_failed(const struct disk *disk)
{
    return disk->failed;
}

static const struct store_type disk_type = {
    .name = "simulated",
    .close = disk_close,
    .partition_open = disk_partition_open,
    .partition_close = disk_partition_close,
    .partition_drop = disk_partition_drop,
    .position = disk_position,
    .get = disk_get,
    .scan = disk_scan,
    .write = disk_write,
    .ingest = disk_ingest,
    .flush = disk_flush,
    .bytes_used = disk_bytes_used,
};
