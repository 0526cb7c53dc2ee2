#include "processor/engine/standby.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/engine/follower.h"
#include "state/changelog.h"

enum {
    SECOND_US = 1000 * 1000,
    LOOK_INTERVAL_US = 3 * SECOND_US,
    TURN_US = 20 * 1000,
    WRITE_INTERVAL_US = SECOND_US,
    FLUSH_INTERVAL_US = 45 * SECOND_US,
    LAG_INTERVAL_US = 3 * SECOND_US,
    CLEAN_INTERVAL_US = 10 * SECOND_US,
    RETRY_US = 10 * SECOND_US,
    RELOAD_PAUSE_US = 2 * SECOND_US,
    DISK_GRACE_US = 60 * SECOND_US, /* until then the group has assigned what it will assign */
    PREPARE_INTERVAL_US = SECOND_US / 2,
    PREPARE_STALL_US = 60 * SECOND_US,
    PREPARED_BEHIND_MAX = 20, /* transactions */
    NAME_SIZE = 32,
    OFFSETS_PER_TRANSACTION = 2, /* a record at least, and the marker */
};
static const int64_t KEEP_US = INT64_C(3600) * SECOND_US;
static const uint64_t WAITING_BYTES_MAX = UINT64_C(16) << 20;

/* One partition. */
struct slot {
    /* under the mutex */
    bool wanted;  /* it should be followed */
    int taken;    /* lanes that have it */
    bool writing; /* the following thread has it: wait for `released` */
    bool has_rows;
    int64_t needed_us; /* when it was last of use */
    struct standby_stats stats;
    /* the following thread's */
    struct follower *follower;
    int64_t not_before_us; /* after a failure, or a load that led nowhere */
    int64_t written_us, flushed_us;
    bool flush_due;
    bool at_end;
    int64_t behind;
};

struct standby {
    struct standby_options options;
    char *process;
    struct state_identity identity;
    struct slot *slots; /* by partition */
    pthread_mutex_t mutex;
    pthread_cond_t released; /* a slot's `writing` became false */
    pthread_cond_t changed;  /* there is something to do, or to stop */
    bool stopping;
    bool prepared;
    pthread_t following, looking;

    /* the looking thread's */
    bool decided; /* what is wanted was computed at least once */
    int64_t started_us, progress_us;
    uint64_t progress;

    /* the following thread's */
    struct log_reader *tails;
    bool tails_changed; /* what is assigned is not what is followed */
    struct log_reader *loader;
    int32_t loading; /* partition, or -1 */
    bool load_ended; /* it is to be read from elsewhere now */
    int64_t reader_not_before_us, lag_us, clean_us;
    struct log_rate troubles;
};

static int64_t now_us(const struct standby *standby)
{
    return clock_us(&standby->options.clock);
}

/* Every lane's and follower's name for the same rows. */
static void name_of(char name[NAME_SIZE], int32_t partition)
{
    snprintf(name, NAME_SIZE, "task-%05" PRId32, partition);
}

static void trouble(struct standby *standby, int32_t partition, const struct error *why)
{
    int64_t suppressed;
    if (log_rate_allow(&standby->troubles, now_us(standby), SECOND_US, &suppressed))
        LOG_WARN("standby.trouble", "partition=%" PRId32 " status=%s error=%s suppressed=%" PRId64,
                 partition, status_name(why->status), LOG_Q(why->text), suppressed);
}

/* --- whose the rows are ------------------------------------------------------------------------ */

/* Only the following thread asks; true: nobody else opens them until let_go. */
static bool claim(struct standby *standby, struct slot *slot)
{
    pthread_mutex_lock(&standby->mutex);
    const bool is_free = slot->taken == 0;
    if (is_free)
        slot->writing = true;
    pthread_mutex_unlock(&standby->mutex);
    return is_free;
}

static void let_go(struct standby *standby, struct slot *slot, bool has_rows)
{
    pthread_mutex_lock(&standby->mutex);
    slot->writing = false;
    slot->has_rows = has_rows;
    slot->needed_us = now_us(standby);
    slot->stats.state = NULL;
    pthread_cond_broadcast(&standby->released);
    pthread_mutex_unlock(&standby->mutex);
}

static void stop_following(struct standby *standby, struct slot *slot);

void standby_take(struct standby *standby, int32_t partition)
{
    if (standby == NULL)
        return;
    struct slot *slot = &standby->slots[partition];
    pthread_mutex_lock(&standby->mutex);
    slot->taken++;
    pthread_cond_broadcast(&standby->changed);
    while (slot->writing && standby->options.threaded)
        pthread_cond_wait(&standby->released, &standby->mutex);
    pthread_mutex_unlock(&standby->mutex);
    if (!standby->options.threaded && slot->writing)
        stop_following(standby, slot);
}

void standby_give(struct standby *standby, int32_t partition)
{
    if (standby == NULL)
        return;
    struct slot *slot = &standby->slots[partition];
    pthread_mutex_lock(&standby->mutex);
    ENSURE(slot->taken > 0);
    slot->taken--;
    slot->has_rows = true;
    slot->needed_us = now_us(standby);
    pthread_cond_broadcast(&standby->changed);
    pthread_mutex_unlock(&standby->mutex);
}

/* --- one follower ------------------------------------------------------------------------------ */

static int32_t partition_of(const struct standby *standby, const struct slot *slot)
{
    return (int32_t)(slot - standby->slots);
}

static void end_load(struct standby *standby)
{
    if (standby->loader != NULL)
        standby->loader->type->close(standby->loader);
    standby->loader = NULL;
    standby->loading = -1;
    standby->load_ended = false;
}

static void drop_follower(struct standby *standby, struct slot *slot)
{
    follower_destroy(&slot->follower);
    /* Not at once: records of the loader may be in hand. */
    standby->load_ended |= standby->loading == partition_of(standby, slot);
    standby->tails_changed = true;
    let_go(standby, slot, true);
}

/* It is given up for a while. */
static void fail(struct standby *standby, struct slot *slot, const struct error *why)
{
    trouble(standby, partition_of(standby, slot), why);
    slot->not_before_us = now_us(standby) + RETRY_US;
    drop_follower(standby, slot);
}

static void write_rows(struct standby *standby, struct slot *slot)
{
    struct error err;
    const uint64_t before = follower_stats(slot->follower).written_seq;
    slot->written_us = now_us(standby);
    if (follower_write(slot->follower, &err) != ST_OK) {
        fail(standby, slot, &err);
        return;
    }
    if (follower_stats(slot->follower).written_seq != before)
        slot->flush_due = true;
}

static void stop_following(struct standby *standby, struct slot *slot)
{
    write_rows(standby, slot);
    if (slot->follower == NULL)
        return;
    LOG_INFO("standby.stopped", "partition=%" PRId32 " seq=%" PRIu64, partition_of(standby, slot),
             follower_stats(slot->follower).seq);
    drop_follower(standby, slot);
}

static void start_following(struct standby *standby, struct slot *slot)
{
    struct error err;
    char name[NAME_SIZE];
    if (!claim(standby, slot))
        return;
    name_of(name, partition_of(standby, slot));
    struct state_identity identity = standby->identity;
    identity.partition = partition_of(standby, slot);
    if (follower_create(&slot->follower, standby->options.store, name, &identity, &err) != ST_OK) {
        fail(standby, slot, &err);
        return;
    }
    slot->written_us = slot->flushed_us = now_us(standby);
    slot->at_end = slot->flush_due = false;
    slot->behind = -1;
    standby->tails_changed = true;
    LOG_INFO("standby.following", "partition=%" PRId32 " seq=%" PRIu64 " from=%s",
             identity.partition, follower_stats(slot->follower).seq,
             follower_source(slot->follower) == FOLLOWER_READS_TAIL ? "local" : "changelog");
}

/* --- what is followed ---------------------------------------------------------------------------- */

static bool should_follow(struct standby *standby, const struct slot *slot)
{
    pthread_mutex_lock(&standby->mutex);
    const bool should = slot->wanted && slot->taken == 0;
    pthread_mutex_unlock(&standby->mutex);
    return should;
}

static void tend_followers(struct standby *standby)
{
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        struct slot *slot = &standby->slots[p];
        const bool should = should_follow(standby, slot);
        if (slot->follower != NULL && !should)
            stop_following(standby, slot);
        else if (slot->follower == NULL && should && now_us(standby) >= slot->not_before_us)
            start_following(standby, slot);
    }
}

/* --- what is going to be ours ---------------------------------------------------------------------- */

bool standby_is_prepared(struct standby *standby)
{
    if (standby == NULL)
        return true;
    pthread_mutex_lock(&standby->mutex);
    const bool prepared = standby->prepared;
    pthread_mutex_unlock(&standby->mutex);
    return prepared;
}

/* Makes of the group what it will be once our workers have joined; false: they have. */
static bool add_ourselves(const struct standby *standby, struct members *members)
{
    const struct bytes process = bytes_of_string(standby->process);
    for (size_t i = 0; i < members->count; i++) {
        if (bytes_equal(members_process(&members->items[i]), process))
            return false;
    }
    for (int worker = 0; worker < standby->options.workers; worker++) {
        AUTO(mem_auto_free) char *id = mem_format("%s-%d", standby->process, worker);
        AUTO(mem_auto_free) char *full = mem_format("%s-", id);
        members_add(members, full, id);
    }
    members_sort(members);
    return true;
}

/* Rows and transactions of what is wanted, to see whether something moves; *close: nothing is missing. */
static uint64_t measure(struct standby *standby, bool *close)
{
    uint64_t sum = 0;
    *close = standby->decided; /* nothing is missing of nothing */
    pthread_mutex_lock(&standby->mutex);
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        const struct slot *slot = &standby->slots[p];
        const struct standby_stats *stats = &slot->stats;
        if (!slot->wanted)
            continue;
        sum += stats->rows + stats->seq;
        *close &=
            stats->state != NULL && stats->behind >= 0 && stats->behind <= PREPARED_BEHIND_MAX;
    }
    pthread_mutex_unlock(&standby->mutex);
    return sum;
}

static void set_prepared(struct standby *standby, const char *why)
{
    pthread_mutex_lock(&standby->mutex);
    standby->prepared = true;
    pthread_mutex_unlock(&standby->mutex);
    LOG_INFO("standby.prepared", "ms=%" PRId64 " why=%s",
             (now_us(standby) - standby->started_us) / 1000, LOG_Q(why));
}

static void tend_preparation(struct standby *standby)
{
    bool close;
    const uint64_t progress = measure(standby, &close);
    if (progress != standby->progress)
        standby->progress_us = now_us(standby);
    standby->progress = progress;
    if (close)
        set_prepared(standby, "close behind");
    else if (now_us(standby) - standby->progress_us >= PREPARE_STALL_US)
        set_prepared(standby, "nothing moves");
}

static void want(struct standby *standby, const bool *wanted)
{
    pthread_mutex_lock(&standby->mutex);
    for (int32_t p = 0; p < standby->options.partition_count; p++)
        standby->slots[p].wanted = wanted[p];
    pthread_cond_broadcast(&standby->changed);
    pthread_mutex_unlock(&standby->mutex);
}

/* What we are next for, or before we are there: what will be ours. */
static void decide(struct standby *standby, struct members *members, bool *wanted)
{
    const int32_t count = standby->options.partition_count;
    const struct bytes process = bytes_of_string(standby->process);
    const bool nobody_works = members->count == 0;
    const bool absent = add_ourselves(standby, members);
    members_follows(members, count, standby->options.standbys, process, wanted);
    for (int32_t p = 0; p < count && absent; p++)
        wanted[p] = bytes_equal(members_process(&members->items[members_owner(members, count, p)]),
                                process);
    if (!standby_is_prepared(standby) && (nobody_works || !absent))
        set_prepared(standby, nobody_works ? "nobody else is there" : "the group knows us");
}

void standby_look(struct standby *standby)
{
    struct error err;
    struct members members = { .items = NULL };
    struct members_port *port = standby->options.members;
    if (port == NULL)
        return;
    if (!standby_is_prepared(standby))
        tend_preparation(standby);
    if (port->type->read(port, &members, &err) != ST_OK) {
        trouble(standby, -1, &err);
        return;
    }
    if (members.stable || members.count == 0) {
        bool *wanted = mem_alloc_array((size_t)standby->options.partition_count, sizeof *wanted);
        decide(standby, &members, wanted);
        want(standby, wanted);
        standby->decided = true;
        mem_free(wanted);
    }
    members_fini(&members);
}

/* --- reading --------------------------------------------------------------------------------------- */

static void feed(struct standby *standby, struct slot *slot, const struct log_record *record)
{
    struct error err;
    bool moved;
    slot->at_end = record->kind == LOG_RECORD_EOF;
    if (follower_feed(slot->follower, record, &moved, &err) != ST_OK) {
        fail(standby, slot, &err);
        return;
    }
    if (!moved)
        return;
    slot->at_end = false;
    standby->tails_changed = true;
    standby->load_ended |= record->topic == standby->options.topics->changelog;
    if (follower_source(slot->follower) == FOLLOWER_READS_CHANGELOG)
        slot->not_before_us = now_us(standby) + RELOAD_PAUSE_US;
    else
        slot->flush_due = true; /* loaded: what it cost should not be lost */
}

/* Whose record it is; NULL when it is not followed, or wants to be fed from elsewhere by now. */
static struct slot *slot_for(struct standby *standby, const struct log_record *record)
{
    const bool tail = record->topic == standby->options.topics->tail;
    if (record->partition < 0 || record->partition >= standby->options.partition_count)
        return NULL;
    struct slot *slot = &standby->slots[record->partition];
    if (slot->follower == NULL || (follower_source(slot->follower) == FOLLOWER_READS_TAIL) != tail)
        return NULL;
    if (record->kind == LOG_RECORD_DATA && record->offset < follower_offset(slot->follower))
        return NULL;
    return slot;
}

static uint64_t waiting_bytes(const struct standby *standby)
{
    uint64_t bytes = 0;
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        if (standby->slots[p].follower != NULL)
            bytes += follower_waiting_bytes(standby->slots[p].follower);
    }
    return bytes;
}

static void write_all(struct standby *standby)
{
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        if (standby->slots[p].follower != NULL)
            write_rows(standby, &standby->slots[p]);
    }
}

static void take_records(struct standby *standby, struct log_reader *reader,
                         const struct log_batch *batch)
{
    uint64_t waiting = waiting_bytes(standby);
    for (size_t i = 0; i < batch->count; i++) {
        struct slot *slot = slot_for(standby, &batch->records[i]);
        if (slot == NULL)
            continue;
        waiting += batch->records[i].value.size; /* about: counted anew when it is written */
        feed(standby, slot, &batch->records[i]);
        if (waiting < standby->options.waiting_bytes_max)
            continue;
        write_all(standby);
        waiting = waiting_bytes(standby);
    }
    reader->type->release(reader, batch->records, batch->count);
}

static void give_up_readers(struct standby *standby, const struct error *why)
{
    trouble(standby, -1, why);
    end_load(standby);
    if (standby->tails != NULL)
        standby->tails->type->close(standby->tails);
    standby->tails = NULL;
    standby->tails_changed = true;
    standby->reader_not_before_us = now_us(standby) + RETRY_US;
}

static bool poll_reader(struct standby *standby, struct log_reader *reader, int64_t timeout_us,
                        struct error *err)
{
    struct log_batch batch = { .count = 0 };
    const enum status st = reader->type->poll(reader, timeout_us, &batch, err);
    if (st == ST_OK)
        take_records(standby, reader, &batch);
    return st == ST_OK || status_class_of(st) == CLASS_RETRY;
}

/* --- the tails --------------------------------------------------------------------------------------- */

static size_t list_tails(const struct standby *standby, struct log_position *positions)
{
    size_t count = 0;
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        const struct follower *follower = standby->slots[p].follower;
        if (follower != NULL && follower_source(follower) == FOLLOWER_READS_TAIL)
            positions[count++] = (struct log_position){ .topic = standby->options.topics->tail,
                                                        .partition = p,
                                                        .offset = follower_offset(follower) };
    }
    return count;
}

static enum status assign_tails(struct standby *standby, struct error *err)
{
    struct log_position *positions =
        mem_alloc_array((size_t)standby->options.partition_count, sizeof *positions);
    const size_t count = list_tails(standby, positions);
    enum status st = ST_OK;
    if (count > 0 && standby->tails == NULL)
        st = standby->options.open_reader(standby->options.context, &standby->tails, err);
    if (st == ST_OK && count > 0)
        st = standby->tails->type->assign(standby->tails, positions, count, err);
    mem_free(positions);
    if (count == 0 && standby->tails != NULL) {
        standby->tails->type->close(standby->tails);
        standby->tails = NULL;
    }
    standby->tails_changed = st != ST_OK;
    return st;
}

/* true: it waited for records. */
static bool read_tails(struct standby *standby, int64_t timeout_us)
{
    struct error err;
    if (standby->tails_changed && assign_tails(standby, &err) != ST_OK) {
        give_up_readers(standby, &err);
        return false;
    }
    if (standby->tails == NULL)
        return false;
    if (!poll_reader(standby, standby->tails, timeout_us, &err))
        give_up_readers(standby, &err);
    return true;
}

/* --- the changelog, one at a time ---------------------------------------------------------------------- */

static int32_t next_to_load(const struct standby *standby)
{
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        const struct slot *slot = &standby->slots[p];
        if (slot->follower != NULL && follower_source(slot->follower) == FOLLOWER_READS_CHANGELOG &&
            now_us(standby) >= slot->not_before_us)
            return p;
    }
    return -1;
}

static enum status begin_load(struct standby *standby, int32_t partition, struct error *err)
{
    const struct log_position position = {
        .topic = standby->options.topics->changelog,
        .partition = partition,
        .offset = follower_offset(standby->slots[partition].follower),
    };
    standby->loading = partition;
    TRY(standby->options.open_reader(standby->options.context, &standby->loader, err));
    LOG_INFO("standby.loading", "partition=%" PRId32, partition);
    return standby->loader->type->assign(standby->loader, &position, 1, err);
}

static void read_changelog(struct standby *standby, int64_t timeout_us)
{
    struct error err;
    if (standby->load_ended)
        end_load(standby);
    if (standby->loading < 0) {
        const int32_t next = next_to_load(standby);
        if (next < 0)
            return;
        if (begin_load(standby, next, &err) != ST_OK) {
            give_up_readers(standby, &err);
            return;
        }
    }
    if (!poll_reader(standby, standby->loader, timeout_us, &err))
        give_up_readers(standby, &err);
    if (standby->load_ended)
        end_load(standby);
}

/* --- now and then ---------------------------------------------------------------------------------------- */

static void tend_rows(struct standby *standby)
{
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        struct slot *slot = &standby->slots[p];
        struct error err;
        if (slot->follower != NULL && now_us(standby) - slot->written_us >= WRITE_INTERVAL_US)
            write_rows(standby, slot);
        if (slot->follower == NULL || !slot->flush_due ||
            now_us(standby) - slot->flushed_us < FLUSH_INTERVAL_US)
            continue;
        slot->flush_due = false;
        slot->flushed_us = now_us(standby);
        if (follower_flush(slot->follower, &err) != ST_OK)
            fail(standby, slot, &err);
    }
}

/* The distance to the tail's end in offsets. A transaction has two of them at least. */
static int64_t count_behind(struct standby *standby, int32_t partition)
{
    struct error err;
    const struct slot *slot = &standby->slots[partition];
    int64_t low, high;
    if (follower_source(slot->follower) != FOLLOWER_READS_TAIL || standby->tails == NULL)
        return -1;
    if (slot->at_end)
        return 0;
    const struct log_partition at = { standby->options.topics->tail, partition };
    if (standby->tails->type->bounds(standby->tails, at, false, &low, &high, &err) != ST_OK)
        return -1;
    const int64_t next = follower_offset(slot->follower);
    const int64_t offsets = high - (next > low ? next : low);
    return offsets <= 0 ? 0 : (offsets + 1) / OFFSETS_PER_TRANSACTION;
}

static void tend_lag(struct standby *standby)
{
    const bool due = now_us(standby) - standby->lag_us >= LAG_INTERVAL_US;
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        struct slot *slot = &standby->slots[p];
        if (slot->follower == NULL)
            continue;
        if (due || slot->at_end)
            slot->behind = count_behind(standby, p);
        const struct follower_stats stats = follower_stats(slot->follower);
        const bool loading = stats.source == FOLLOWER_READS_CHANGELOG;
        pthread_mutex_lock(&standby->mutex);
        slot->stats = (struct standby_stats){
            .partition = p,
            .state = loading ? "loading" : "following",
            .seq = stats.seq,
            .behind = loading ? -1 : slot->behind,
            .rows = stats.rows,
            .reloads = stats.reloads,
        };
        pthread_mutex_unlock(&standby->mutex);
    }
    if (due)
        standby->lag_us = now_us(standby);
}

/* --- rows that nobody needs ------------------------------------------------------------------------------- */

static void note_rows(void *context, const char *name)
{
    struct standby *standby = context;
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        char expected[NAME_SIZE];
        name_of(expected, p);
        if (strcmp(name, expected) == 0)
            standby->slots[p].has_rows = true;
    }
}

static bool is_leftover(struct standby *standby, const struct slot *slot, bool disk_is_short)
{
    pthread_mutex_lock(&standby->mutex);
    const bool unused = slot->has_rows && slot->taken == 0 && !slot->wanted && !slot->writing;
    const int64_t unused_us = now_us(standby) - slot->needed_us;
    pthread_mutex_unlock(&standby->mutex);
    return unused &&
           (unused_us >= standby->options.keep_us || (disk_is_short && unused_us >= DISK_GRACE_US));
}

static void delete_rows(struct standby *standby, struct slot *slot, bool disk_is_short)
{
    struct error err = { .status = ST_OK };
    char name[NAME_SIZE];
    struct store_partition *rows = NULL;
    struct store *store = standby->options.store;
    if (!claim(standby, slot))
        return;
    name_of(name, partition_of(standby, slot));
    enum status st = store->type->partition_open(store, &rows, name, &err);
    const uint64_t bytes = st == ST_OK ? rows->type->bytes_used(rows) : 0;
    if (st == ST_OK) {
        st = rows->type->partition_drop(rows, &err);
        rows->type->partition_close(rows);
    }
    if (st != ST_OK)
        trouble(standby, partition_of(standby, slot), &err);
    else
        LOG_INFO("standby.deleted", "partition=%" PRId32 " bytes=%" PRIu64 " why=%s",
                 partition_of(standby, slot), bytes, disk_is_short ? "disk" : "age");
    let_go(standby, slot, st != ST_OK);
}

static void tend_leftovers(struct standby *standby)
{
    if (now_us(standby) - standby->clean_us < CLEAN_INTERVAL_US)
        return;
    standby->clean_us = now_us(standby);
    const struct standby_options *options = &standby->options;
    const bool is_short =
        options->disk_is_short != NULL && options->disk_is_short(options->context);
    for (int32_t p = 0; p < options->partition_count; p++) {
        struct slot *slot = &standby->slots[p];
        if (slot->follower == NULL && is_leftover(standby, slot, is_short))
            delete_rows(standby, slot, is_short);
    }
}

/* --- threads ------------------------------------------------------------------------------------------------ */

/* false: nothing was there to wait for. */
static bool turn(struct standby *standby, int64_t timeout_us)
{
    bool waited = false;
    tend_followers(standby);
    if (now_us(standby) >= standby->reader_not_before_us) {
        const bool loads = standby->loading >= 0;
        waited = read_tails(standby, loads ? 0 : timeout_us);
        read_changelog(standby, timeout_us);
        waited = waited || loads;
    }
    tend_rows(standby);
    tend_lag(standby);
    tend_leftovers(standby);
    return waited;
}

void standby_turn(struct standby *standby, int64_t timeout_us)
{
    turn(standby, timeout_us);
}

static bool is_stopping(struct standby *standby)
{
    pthread_mutex_lock(&standby->mutex);
    const bool stopping = standby->stopping;
    pthread_mutex_unlock(&standby->mutex);
    return stopping;
}

/* Until something changes, or the time is over. The condition's clock is the one of clock_real(). */
static void wait_for_change(struct standby *standby, int64_t us)
{
    const int64_t until_us = now_us(standby) + us;
    const struct timespec until = { .tv_sec = until_us / SECOND_US,
                                    .tv_nsec = until_us % SECOND_US * 1000 };
    pthread_mutex_lock(&standby->mutex);
    if (!standby->stopping)
        pthread_cond_timedwait(&standby->changed, &standby->mutex, &until);
    pthread_mutex_unlock(&standby->mutex);
}

static void *follow(void *argument)
{
    struct standby *standby = argument;
    while (!is_stopping(standby)) {
        if (!turn(standby, TURN_US))
            wait_for_change(standby, SECOND_US);
    }
    return NULL;
}

static void *look(void *argument)
{
    struct standby *standby = argument;
    while (!is_stopping(standby)) {
        standby_look(standby);
        const int64_t next_us =
            now_us(standby) + (standby_is_prepared(standby) ? standby->options.look_interval_us
                                                            : PREPARE_INTERVAL_US);
        while (!is_stopping(standby) && now_us(standby) < next_us)
            wait_for_change(standby, next_us - now_us(standby));
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static void make_identity(struct standby *standby)
{
    standby->identity = (struct state_identity){
        .format_version = STATE_FORMAT_VERSION,
        .partition_count = standby->options.partition_count,
    };
    snprintf(standby->identity.cluster_id, sizeof standby->identity.cluster_id, "%s",
             standby->options.cluster_id);
    snprintf(standby->identity.group, sizeof standby->identity.group, "%s", standby->options.group);
}

static void set_defaults(struct standby_options *options)
{
    if (options->look_interval_us == 0)
        options->look_interval_us = LOOK_INTERVAL_US;
    if (options->keep_us == 0)
        options->keep_us = KEEP_US;
    if (options->waiting_bytes_max == 0)
        options->waiting_bytes_max = WAITING_BYTES_MAX;
}

static void make_locks(struct standby *standby)
{
    pthread_condattr_t monotonic;
    ENSURE(pthread_mutex_init(&standby->mutex, NULL) == 0);
    ENSURE(pthread_condattr_init(&monotonic) == 0);
    ENSURE(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    ENSURE(pthread_cond_init(&standby->changed, &monotonic) == 0);
    ENSURE(pthread_cond_init(&standby->released, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
}

void standby_create(struct standby **out, const struct standby_options *options)
{
    ENSURE(*out == NULL && options->partition_count > 0);
    ENSURE(options->standbys >= 0 && options->standbys <= MEMBERS_STANDBYS_MAX);
    ENSURE(options->members != NULL || options->standbys == 0);
    struct standby *standby = mem_alloc(sizeof *standby);
    standby->options = *options;
    set_defaults(&standby->options);
    standby->process = mem_copy_string(options->process);
    make_identity(standby);
    make_locks(standby);
    standby->loading = -1;
    standby->prepared = options->members == NULL;
    standby->started_us = standby->progress_us = now_us(standby);
    standby->slots = mem_alloc_array((size_t)options->partition_count, sizeof *standby->slots);
    standby->clean_us = now_us(standby);
    for (int32_t p = 0; p < options->partition_count; p++)
        standby->slots[p].needed_us = standby->clean_us;
    options->store->type->partition_names(options->store, note_rows, standby);
    if (options->threaded) {
        ENSURE(pthread_create(&standby->following, NULL, follow, standby) == 0);
        if (options->members != NULL)
            ENSURE(pthread_create(&standby->looking, NULL, look, standby) == 0);
    }
    *out = standby;
}

static void join(struct standby *standby)
{
    pthread_mutex_lock(&standby->mutex);
    standby->stopping = true;
    pthread_cond_broadcast(&standby->changed);
    pthread_mutex_unlock(&standby->mutex);
    if (!standby->options.threaded)
        return;
    pthread_join(standby->following, NULL);
    if (standby->options.members != NULL)
        pthread_join(standby->looking, NULL);
}

void standby_destroy(struct standby **standby_ref)
{
    struct standby *standby = TAKE(*standby_ref);
    if (standby == NULL)
        return;
    join(standby);
    for (int32_t p = 0; p < standby->options.partition_count; p++) {
        if (standby->slots[p].follower != NULL)
            stop_following(standby, &standby->slots[p]);
    }
    end_load(standby);
    if (standby->tails != NULL)
        standby->tails->type->close(standby->tails);
    if (standby->options.members != NULL)
        standby->options.members->type->close(standby->options.members);
    pthread_cond_destroy(&standby->changed);
    pthread_cond_destroy(&standby->released);
    pthread_mutex_destroy(&standby->mutex);
    mem_free(standby->slots);
    mem_free(standby->process);
    mem_free(standby);
}

size_t standby_stats(struct standby *standby, struct standby_stats *out, size_t max)
{
    size_t count = 0;
    if (standby == NULL)
        return 0;
    pthread_mutex_lock(&standby->mutex);
    for (int32_t p = 0; p < standby->options.partition_count && count < max; p++) {
        if (standby->slots[p].writing && standby->slots[p].stats.state != NULL)
            out[count++] = standby->slots[p].stats;
    }
    pthread_mutex_unlock(&standby->mutex);
    return count;
}
