/*
 * opening: from "these partitions are yours" to tasks that may process.
 *
 * The last owner may have left a transaction open, which would pin the last stable offset; its transactional ids are in M, and are
 * initialised once unless M says that it released the partition. Then the stable offsets and M are read, and each task's
 * state is restored beside the loop. Its first transaction claims the partition: all input positions and M with our ids,
 * before any record.
 *
 * Each lane goes through this alone. What fails leads to a pause and another attempt, or, when it will not pass, to LANE_FAILED;
 * the other lanes are processed meanwhile. A lane that was revoked keeps its memory for a while, and is used as it is when seq, nonce
 * and positions are still the committed ones.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "processor/engine/worker_state.h"

enum {
    COMMITTED_TIMEOUT_US = 5 * 1000 * 1000,
    COMMITTED_TIMEOUT_SHORT_US = 200 * 1000, /* while other partitions are processed */
    STABLE_WAIT_US = 90 * 1000 * 1000,       /* longer than any transaction may stay open */
    OUTCOME_WAIT_US = 10 * 1000 * 1000,      /* for all partitions wait with it */
    LOOK_AGAIN_US = 10 * 1000,
    PAUSE_MIN_US = 250 * 1000,
    PAUSE_MAX_US = 30 * 1000 * 1000,
    ATTEMPTS_MAX = 12, /* about three minutes of pauses, and what the attempts themselves take */
    DROPS_MAX = 3,
    RESTORES_MAX = 4,  /* at the same time: each holds a run of rows in memory */
    LOST_WAIT_US = 30 * 1000 * 1000,
    KEEP_US = 120 * 1000 * 1000,
};

/* --- committed offsets and M -------------------------------------------------------------------------------------- */

typedef enum status committed_fn(struct log_port *port, struct log_position *positions, size_t count,
                                 int64_t timeout_us, struct error *err);

static enum status parse_positions(const struct lane *lane, const struct log_position *positions, int64_t *offsets,
                                   struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    *has_metadata = false;
    *metadata = (struct commit_metadata){ .seq = 0 };
    bool foreign = false;
    for (size_t i = 0; i < lane->input_count; i++) {
        struct commit_metadata found;
        offsets[i] = positions[i].offset;
        if (positions[i].offset < 0)
            continue;
        const enum status st = positions[i].metadata.size == 0
                                   ? ST_CORRUPT
                                   : commit_metadata_parse(&found, positions[i].metadata, err);
        if (st == ST_CORRUPT) { /* nothing, or what another program writes there */
            foreign = true;
            continue;
        }
        TRY(st);
        if (!*has_metadata || found.seq > metadata->seq)
            *metadata = found;
        *has_metadata = true;
    }
    if (foreign)
        return FAIL(err, ST_OFFSETS_MOVED, "partition %" PRId32 ": the group's offsets were set by something else than weir, and"
                    " the state does not belong to them; `weir recover` puts them right", lane->partition);
    return ST_OK;
}

static int64_t committed_timeout_us(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->state == LANE_READY)
            return COMMITTED_TIMEOUT_SHORT_US;
    }
    return COMMITTED_TIMEOUT_US;
}

static enum status read_committed(struct worker *worker, struct lane *lane, committed_fn *read, int64_t *offsets,
                                  struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    struct log_position *positions = mem_alloc_array(lane->input_count, sizeof *positions);
    for (size_t i = 0; i < lane->input_count; i++)
        positions[i] = (struct log_position){ .topic = lane->inputs[i].topic, .partition = lane->partition,
                                              .offset = -1 };
    enum status st = read(worker->options.port, positions, lane->input_count, committed_timeout_us(worker), err);
    if (st == ST_OK)
        st = parse_positions(lane, positions, offsets, metadata, has_metadata, err);
    mem_free(positions);
    return st;
}

/* The same until it is answered, but not for long: whoever has the partition now may always have a transaction open. */
enum status opening_committed(struct worker *worker, struct lane *lane, int64_t *offsets,
                              struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    const int64_t started_us = worker_now_us(worker);
    for (;;) {
        const enum status st = read_committed(worker, lane, worker->options.port->type->committed, offsets, metadata,
                                              has_metadata, err);
        if (status_class_of(st) != CLASS_RETRY)
            return st;
        if (worker_now_us(worker) - started_us > OUTCOME_WAIT_US)
            return error_prefix(err, "partition %" PRId32 ": its offsets could not be read", lane->partition);
        clock_sleep_us(&worker->options.clock, LOOK_AGAIN_US);
    }
}

/* --- what the last owner left open ---------------------------------------------------------------------------------- */

static bool was_ended(const struct worker *worker, const char *id)
{
    for (size_t i = 0; i < worker->ended_count; i++) {
        if (strcmp(worker->ended_ids[i], id) == 0)
            return true;
    }
    return false;
}

static bool is_ours(struct log_port *port, const char *id)
{
    for (size_t i = 0; i < LOG_PRODUCERS; i++) {
        if (strcmp(id, port->type->producer_id(port, i)) == 0)
            return true;
    }
    return false;
}

/* Once per assignment: the same process owned several of our partitions. */
static enum status end_owner(struct worker *worker, const char *id, struct error *err)
{
    struct log_port *port = worker->options.port;
    if (is_ours(port, id) || was_ended(worker, id))
        return ST_OK;
    LOG_INFO("worker.ends_transactions_of", "worker=%d id=%s", worker->options.number, LOG_Q(id));
    KILL_POINT(end_last_owner);
    TRY(port->type->producer_end_foreign(port, id, err));
    worker->ended_ids = mem_resize_array(worker->ended_ids, worker->ended_count + 1, sizeof *worker->ended_ids);
    snprintf(worker->ended_ids[worker->ended_count++], COMMIT_OWNER_ID_SIZE, "%s", id);
    return ST_OK;
}

static enum status end_last_owners(struct worker *worker, struct lane *lane, struct error *err)
{
    struct commit_metadata metadata;
    bool has_metadata;
    int64_t *offsets = mem_alloc_array(lane->input_count, sizeof *offsets);
    const enum status st = read_committed(worker, lane, worker->options.port->type->committed_unstable, offsets,
                                          &metadata, &has_metadata, err);
    mem_free(offsets);
    TRY(st);
    for (int i = 0; has_metadata && !metadata.released && i < metadata.owner_count; i++)
        TRY(end_owner(worker, metadata.owners[i], err));
    return ST_OK;
}

/* --- where to start -------------------------------------------------------------------------------------------------- */

static enum status bounds_reader(struct worker *worker, struct log_reader **out, struct error *err)
{
    struct log_port *port = worker->options.port;
    if (worker->bounds_reader == NULL)
        TRY(port->type->reader_open(port, SMALL_READER_BYTES, &worker->bounds_reader, err));
    *out = worker->bounds_reader;
    return ST_OK;
}

static enum status starting_offset(struct worker *worker, const struct lane *lane, const struct lane_input *input,
                                   int64_t *offset, struct error *err)
{
    const struct log_partition at = { input->topic, lane->partition };
    const bool is_stream = (size_t)input->source < worker->options.plan->stream_count;
    struct log_reader *reader;
    int64_t low, high;
    TRY(bounds_reader(worker, &reader, err));
    if (is_stream && worker->options.start == START_TIME)
        return reader->type->offset_at(reader, at, worker->options.start_ms, offset, err);
    TRY(reader->type->bounds(reader, at, false, &low, &high, err));
    *offset = is_stream && worker->options.start == START_LATEST ? high : low;
    return ST_OK;
}

static enum status set_positions(struct worker *worker, struct lane *lane, const int64_t *offsets, struct error *err)
{
    for (size_t i = 0; i < lane->input_count; i++) {
        struct lane_input *input = &lane->inputs[i];
        input->position = offsets[i];
        input->has_offset = offsets[i] >= 0;
        if (input->position < 0)
            TRY(starting_offset(worker, lane, input, &input->position, err));
        input->committed = input->position;
    }
    return ST_OK;
}

static void drop_kept(struct worker *worker);

/* --- one lane ---------------------------------------------------------------------------------------------------------- */

static struct state_identity identity_of(const struct worker *worker, const struct lane *lane)
{
    struct state_identity identity = {
        .format_version = STATE_FORMAT_VERSION,
        .incarnation = lane->committed.incarnation,
        .partition = lane->partition,
        .partition_count = worker->partition_count,
    };
    snprintf(identity.cluster_id, sizeof identity.cluster_id, "%s", worker->cluster_id);
    snprintf(identity.group, sizeof identity.group, "%s", worker->options.plan->name);
    return identity;
}

static size_t task_lane_count(const struct worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        count += worker->lanes[i]->kind == LANE_TASK;
    return count == 0 ? 1 : count;
}

struct restore_memory {
    uint64_t batch; /* of rows of the changelog, sorted and given to the store together */
    uint64_t ahead; /* what is fetched while the store takes a batch; less, and the client stands still up to a second */
};

/* It has no loaded entities yet: their memory is free. */
static struct restore_memory restore_memory(const struct worker *worker)
{
    enum { BYTES_MIN = SMALL_READER_BYTES, BATCH_BYTES_MAX = 16 << 20, AHEAD_PER_BATCH = 4 };
    const uint64_t share = worker->options.entity_cache_bytes / task_lane_count(worker);
    uint64_t batch = share / (1 + AHEAD_PER_BATCH);
    batch = batch < BYTES_MIN ? BYTES_MIN : batch > BATCH_BYTES_MAX ? BATCH_BYTES_MAX : batch;
    return (struct restore_memory){ batch, AHEAD_PER_BATCH * batch };
}

static enum status start_restore(struct worker *worker, struct lane *lane, struct error *err)
{
    char name[32];
    snprintf(name, sizeof name, "task-%05" PRId32, lane->partition);
    struct store *store = worker->options.store;
    TRY(store->type->partition_open(store, &lane->store, name, err));
    const struct overlay_options options = {
        .cache_bytes = worker->options.row_cache_bytes / task_lane_count(worker),
    };
    overlay_create(&lane->overlay, lane->store, &options);
    const struct restore_memory memory = restore_memory(worker);
    struct restore_options restore = {
        .topics = worker->options.topics,
        .partition = lane->partition,
        .overlay = lane->overlay,
        .store = lane->store,
        .identity = identity_of(worker, lane),
        .target = lane->committed,
        .drop_local = lane->drop_local,
        .batch_bytes_max = memory.batch,
        .clock = worker->options.clock,
    };
    TRY(worker->options.port->type->reader_open(worker->options.port, memory.ahead, &restore.reader, err));
    struct restore_input *inputs = mem_alloc_array(lane->input_count + 1, sizeof *inputs);
    for (size_t i = 0; i < lane->input_count; i++)
        inputs[i] = (struct restore_input){ lane->inputs[i].topic, lane->inputs[i].position,
                                           lane->inputs[i].has_offset };
    restore.inputs = inputs;
    restore.input_count = lane->input_count;
    restore_init(&lane->restore, &restore);
    mem_free(inputs);
    lane->state = LANE_RESTORING;
    job_start(&lane->restore_job, worker_job_steps(worker), restore_step, &lane->restore);
    return ST_OK;
}

/* Nobody else got the partition meanwhile: what is in memory is what is committed. */
static bool is_still_right(const struct lane *lane, const int64_t *offsets, const struct commit_metadata *found,
                           bool has_metadata)
{
    if (lane->task == NULL || !has_metadata || found->seq != lane->committed.seq || found->nonce != lane->committed.nonce)
        return false;
    for (size_t i = 0; i < lane->input_count; i++) {
        if (offsets[i] != lane->inputs[i].committed)
            return false;
    }
    return true;
}

static void forget_memory(struct worker *worker, struct lane *lane)
{
    worker_stats_retire(worker, lane);
    lane_forget(lane);
}

static void go_on(struct worker *worker, struct lane *lane)
{
    LOG_INFO("lane.kept", "worker=%d partition=%" PRId32 " seq=%" PRIu64, worker->options.number, lane->partition,
             lane->committed.seq);
    worker->stats.lanes_kept++;
    lane->trouble.status = ST_OK;
    lane->state = LANE_CLAIMING;
}

static enum status begin_lane(struct worker *worker, struct lane *lane, bool has_metadata, const int64_t *offsets,
                              struct error *err)
{
    TRY(set_positions(worker, lane, offsets, err));
    if (!has_metadata)
        lane->committed.incarnation = random_nonce();
    KILL_POINT(offsets_read);
    lane->tail_offset = lane->committed.tail_offset;
    LOG_INFO("lane.opened", "worker=%d kind=%s partition=%" PRId32 " position=%" PRId64 " seq=%" PRIu64
             " checkpoint=%" PRIu64, worker->options.number, lane->kind == LANE_TASK ? "task" : "copy",
             lane->partition, lane->inputs[0].position, lane->committed.seq, lane->committed.checkpoint.seq);
    if (lane->kind == LANE_TASK)
        return start_restore(worker, lane, err);
    TRY(copier_create(&lane->copier, worker->options.plan, lane->table, worker->options.registry, err));
    lane->trouble.status = ST_OK;
    lane->state = LANE_CLAIMING;
    return ST_OK;
}

static enum status open_from(struct worker *worker, struct lane *lane, int64_t *offsets, struct error *err)
{
    struct commit_metadata found;
    bool has_metadata = false;
    TRY(read_committed(worker, lane, worker->options.port->type->committed, offsets, &found, &has_metadata, err));
    if (is_still_right(lane, offsets, &found, has_metadata)) {
        go_on(worker, lane);
        return ST_OK;
    }
    forget_memory(worker, lane);
    lane->committed = found;
    return begin_lane(worker, lane, has_metadata, offsets, err);
}

static enum status open_lane(struct worker *worker, struct lane *lane, struct error *err)
{
    if (!lane->owners_ended)
        TRY(end_last_owners(worker, lane, err));
    lane->owners_ended = true;
    int64_t *offsets = mem_alloc_array(lane->input_count, sizeof *offsets);
    const enum status st = open_from(worker, lane, offsets, err);
    mem_free(offsets);
    return st;
}

static enum status load_journal_hash(struct lane *lane, struct error *err)
{
    struct bytes row;
    TRY(overlay_get(lane->overlay, lane_journal_key(), &row, err));
    if (row.data == NULL)
        return ST_OK;
    struct reader in = reader_of(row);
    lane->journal_hash.high = reader_be64(&in);
    lane->journal_hash.low = reader_be64(&in);
    return reader_done(&in) ? ST_OK : FAIL(err, ST_CORRUPT, "the journal's row is malformed");
}

static enum status load_last_seen(struct lane *lane, struct error *err)
{
    const struct topics *topics = lane->worker->options.topics;
    for (size_t i = 0; i < lane->input_count; i++) {
        struct lane_input *input = &lane->inputs[i];
        struct bytes row;
        TRY(overlay_get(lane->overlay, last_seen_key(), &row, err));
        TRY(last_seen_find(&input->seen, row, bytes_of_string(topics->items[input->topic].name), err));
        input->committed_seen = input->seen;
    }
    return ST_OK;
}

static enum status make_task(struct worker *worker, struct lane *lane, struct error *err)
{
    const struct worker_options *options = &worker->options;
    const struct task_options task = {
        .plan = options->plan,
        .overlay = lane->overlay,
        .registry = options->registry,
        .everywhere = reference_view_tables(worker->reference),
        .partition_count = worker->partition_count,
        .mode = ALERT_LIVE,
        .alert_schema_id = options->alert_schema_id,
        .partitioner = options->partitioner,
        .cache_bytes = options->entity_cache_bytes / task_lane_count(worker),
    };
    TRY(task_create(&lane->task, &task, err));
    TRY(load_journal_hash(lane, err));
    TRY(load_last_seen(lane, err));
    const struct state_identity identity = identity_of(worker, lane);
    checkpoint_init(&lane->checkpoint, lane->overlay, lane->store, &identity, worker_job_steps(worker));
    lane->checkpoint.write_rows_max = options->checkpoint_write_rows;
    return ST_OK;
}

static enum status restored(struct worker *worker, struct lane *lane, struct error *err)
{
    LOG_INFO("lane.restored", "worker=%d partition=%" PRId32 " seq=%" PRIu64 " rows=%lld from=%s ms=%" PRId64,
             worker->options.number, lane->partition, lane->committed.seq,
             (long long)atomic_load(&lane->restore.rows), lane->restore.from_changelog ? "changelog" : "local",
             (worker_now_us(worker) - lane->restore.started_us) / 1000);
    KILL_POINT(restored);
    job_cancel(&lane->restore_job);
    restore_fini(&lane->restore);
    TRY(make_task(worker, lane, err));
    lane->changed = overlay_active_count(lane->overlay) > 0; /* the tail brought rows that the next checkpoint must have */
    lane->drop_local = false;
    lane->trouble.status = ST_OK;
    lane->state = LANE_CLAIMING;
    return ST_OK;
}

/* --- when it does not work ---------------------------------------------------------------------------------------------- */

/* Whether the others can go on. What is refused, or was written by a newer version, holds for all: to process some partitions
 * with a topology that others refuse would mix two. */
static bool concerns_one(enum status st)
{
    switch (st) {
    case ST_IO_FAILED:
    case ST_DISK_FULL:
    case ST_CORRUPT:
    case ST_OUT_OF_RANGE:
    case ST_OFFSETS_MOVED:
    case ST_INPUT_REPLACED:
    case ST_KAFKA: return true;
    default: return status_class_of(st) == CLASS_RETRY || status_class_of(st) == CLASS_ABORT;
    }
}

/* Rows that were just loaded from the changelog, or read from the tail, are not mended by loading them again. */
static bool is_damage(const struct lane *lane, enum status st)
{
    return st == ST_CORRUPT && lane->kind == LANE_TASK && lane->drops < DROPS_MAX &&
           (lane->proven || !lane->restore.from_changelog);
}

static bool may_pass(enum status st)
{
    return st == ST_IO_FAILED || st == ST_DISK_FULL || status_class_of(st) == CLASS_RETRY ||
           status_class_of(st) == CLASS_ABORT;
}

static int64_t pause_us(int attempts)
{
    int64_t pause = PAUSE_MIN_US;
    for (int i = 1; i < attempts && pause < PAUSE_MAX_US; i++)
        pause *= 2;
    return pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US;
}

static void leave_transaction(struct worker *worker, struct lane *lane)
{
    lane->in_transaction = false;
    worker->assignment_changed = true;
    if (transaction_is_empty(worker)) {
        worker->first_record_us = 0;
        worker->records = 0;
    }
}

static void open_again(struct worker *worker, struct lane *lane, int64_t pause)
{
    lane->owners_ended = false;
    lane->opening_since_us = 0;
    lane->next_try_us = worker_now_us(worker) + pause;
    lane->state = LANE_OPENING;
}

enum status opening_trouble(struct worker *worker, struct lane *lane, enum status st, struct error *err)
{
    if (!concerns_one(st))
        return lane->kind == LANE_TASK ? error_prefix(err, "partition %" PRId32, lane->partition) : st;
    const bool damaged = is_damage(lane, st);
    lane->trouble = *err;
    lane->trouble.status = st;
    forget_memory(worker, lane);
    leave_transaction(worker, lane);
    if (damaged) {
        LOG_ERROR("lane.local_rows_damaged", "worker=%d partition=%" PRId32 " what=%s why=%s", worker->options.number,
                  lane->partition, LOG_Q("they are dropped and loaded from the changelog"), LOG_Q(err->text));
        lane->drops++;
        lane->drop_local = true;
        open_again(worker, lane, 0);
    } else if (may_pass(st) && ++lane->attempts <= ATTEMPTS_MAX) {
        open_again(worker, lane, pause_us(lane->attempts));
        LOG_WARN("lane.waits", "worker=%d partition=%" PRId32 " attempt=%d ms=%" PRId64 " status=%s error=%s",
                 worker->options.number, lane->partition, lane->attempts, pause_us(lane->attempts) / 1000,
                 status_name(st), LOG_Q(err->text));
    } else {
        lane->state = LANE_FAILED;
        LOG_ERROR("lane.failed", "worker=%d partition=%" PRId32 " status=%s error=%s", worker->options.number,
                  lane->partition, status_name(st), LOG_Q(err->text));
    }
    return ST_OK;
}

/* --- every turn ------------------------------------------------------------------------------------------------------------ */

static size_t restores_running(const struct worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        count += worker->lanes[i]->state == LANE_RESTORING;
    return count;
}

static bool needs_restore(const struct lane *lane)
{
    return lane->kind == LANE_TASK && lane->task == NULL;
}

static enum status tend_opening(struct worker *worker, struct lane *lane, struct error *err)
{
    const int64_t now_us = worker_now_us(worker);
    if (now_us < lane->next_try_us)
        return ST_OK;
    if (needs_restore(lane) && restores_running(worker) >= RESTORES_MAX) {
        lane->next_try_us = now_us + LOOK_AGAIN_US;
        return ST_OK;
    }
    if (lane->opening_since_us == 0)
        lane->opening_since_us = now_us;
    const enum status st = open_lane(worker, lane, err);
    if (status_class_of(st) != CLASS_RETRY)
        return st;
    /* A transaction that is still open, a broker that is away, a handle that another worker gives back soon. */
    if (worker_now_us(worker) - lane->opening_since_us > STABLE_WAIT_US)
        return st;
    lane->trouble = *err;
    lane->trouble.status = st;
    lane->next_try_us = worker_now_us(worker) + LOOK_AGAIN_US;
    return ST_OK;
}

static enum status tend_lane(struct worker *worker, struct lane *lane, struct error *err)
{
    enum status st = ST_OK;
    switch (lane->state) {
    case LANE_OPENING: return tend_opening(worker, lane, err);
    case LANE_RESTORING:
        if (!job_ended(lane->restore_job, &st, err))
            return ST_OK;
        return st == ST_OK ? restored(worker, lane, err) : st;
    case LANE_LOST:
        if (worker_now_us(worker) - lane->lost_at_us > LOST_WAIT_US) {
            worker->ended_count = 0; /* who wrote to it may have something open again */
            open_again(worker, lane, 0);
        }
        return ST_OK;
    case LANE_CLAIMING:
    case LANE_READY:
    case LANE_FAILED: return ST_OK;
    }
    UNREACHABLE();
}

enum status opening_tend(struct worker *worker, struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        const enum status st = tend_lane(worker, worker->lanes[i], err);
        if (st != ST_OK)
            TRY(opening_trouble(worker, worker->lanes[i], st, err));
    }
    if (worker->kept_count > 0 && worker_now_us(worker) - worker->kept_since_us > KEEP_US)
        drop_kept(worker);
    return ST_OK;
}

int64_t opening_next_us(const struct worker *worker)
{
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->state == LANE_OPENING && worker->lanes[i]->next_try_us < next_us)
            next_us = worker->lanes[i]->next_try_us;
    }
    return next_us;
}

/* --- what is kept over a rebalance ----------------------------------------------------------------------------------------- */

static void end_lane(struct worker *worker, struct lane **lane)
{
    forget_memory(worker, *lane);
    lane_destroy(lane);
}

static void drop_kept(struct worker *worker)
{
    for (size_t i = 0; i < worker->kept_count; i++)
        end_lane(worker, &worker->kept[i]);
    worker->kept_count = 0;
}

/* The background writer is joined: it must not write when somebody else may own the rows. */
static void keep(struct worker *worker, struct lane *lane)
{
    checkpoint_give_up(&lane->checkpoint);
    lane->changed = true;
    lane_drop_queues(lane);
    for (size_t i = 0; i < lane->input_count; i++)
        lane->inputs[i].position = lane->inputs[i].committed;
    open_again(worker, lane, 0);
    worker->kept = mem_resize_array(worker->kept, worker->kept_count + 1, sizeof(struct lane *));
    worker->kept[worker->kept_count++] = lane;
}

void opening_keep(struct worker *worker)
{
    drop_kept(worker);
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        const bool is_settled = lane->state == LANE_READY || lane->state == LANE_CLAIMING;
        if (is_settled && lane->task != NULL && lane->committed.seq > 0 && !lane->touched)
            keep(worker, lane);
        else
            end_lane(worker, &worker->lanes[i]);
    }
    worker->lane_count = 0;
    worker->kept_since_us = worker_now_us(worker);
}

void opening_drop(struct worker *worker)
{
    drop_kept(worker);
    for (size_t i = 0; i < worker->lane_count; i++)
        end_lane(worker, &worker->lanes[i]);
    worker->lane_count = 0;
}

static struct lane *take_kept(struct worker *worker, int32_t partition)
{
    for (size_t i = 0; i < worker->kept_count; i++) {
        struct lane *lane = worker->kept[i];
        if (lane->partition != partition)
            continue;
        worker->kept[i] = worker->kept[--worker->kept_count];
        return lane;
    }
    return NULL;
}

/* --- an assignment ------------------------------------------------------------------------------------------------------ */

static void add_lane(struct worker *worker, struct lane *lane)
{
    worker->lanes = mem_resize_array(worker->lanes, worker->lane_count + 1, sizeof *worker->lanes);
    worker->lanes[worker->lane_count++] = lane;
}

static struct lane *find_lane(const struct worker *worker, enum lane_kind kind, int topic, int32_t partition)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->kind == kind && lane->partition == partition && (kind == LANE_TASK || lane->inputs[0].topic == topic))
            return lane;
    }
    return NULL;
}

static void take_partition(struct worker *worker, const struct log_partition *partition)
{
    const struct topic *topic = &worker->options.topics->items[partition->topic];
    const struct plan *plan = worker->options.plan;
    enum lane_kind kind = LANE_TASK;
    if (topic->role == TOPIC_TABLE &&
        plan->tables[partition->topic - worker->options.topics->first_table].scope == TABLE_EVERYWHERE)
        kind = LANE_COPY;
    if (find_lane(worker, kind, partition->topic, partition->partition) != NULL)
        return;
    struct lane *lane = kind == LANE_TASK ? take_kept(worker, partition->partition) : NULL;
    if (lane == NULL)
        lane_create(&lane, worker, kind, partition->partition);
    if (kind == LANE_COPY)
        lane_become_copier(lane, partition->topic - worker->options.topics->first_table);
    add_lane(worker, lane);
}

/* A task needs partition p of every one of its inputs: eager range gives them to one member when the counts are equal. */
static enum status check_complete(const struct worker *worker, const struct log_partition *partitions, size_t count,
                                  struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *lane = worker->lanes[i];
        size_t found = 0;
        for (size_t j = 0; j < count; j++) {
            for (size_t k = 0; k < lane->input_count; k++)
                found += partitions[j].topic == lane->inputs[k].topic && partitions[j].partition == lane->partition;
        }
        if (found != lane->input_count)
            return FAIL(err, ST_REFUSED, "partition %" PRId32 " of some inputs was given to another process: all co-partitioned"
                        " topics need the same number of partitions", lane->partition);
    }
    return ST_OK;
}

/* Before the offsets are read: rows that were followed afterwards could be newer than them. */
static void take_local_rows(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->kind == LANE_TASK && !lane->has_taken)
            standby_take(worker->options.standby, lane->partition);
        lane->has_taken = lane->kind == LANE_TASK;
    }
}

enum status opening_assigned(struct worker *worker, const struct log_partition *partitions, size_t count,
                             struct error *err)
{
    if (worker->lane_count > 0) /* nothing was revoked before: what is in hand is nobody's */
        opening_drop(worker);
    for (size_t i = 0; i < count; i++)
        take_partition(worker, &partitions[i]);
    drop_kept(worker); /* the others' */
    TRY(check_complete(worker, partitions, count, err));
    take_local_rows(worker);
    worker->ended_count = 0;
    worker->assignment_changed = true;
    return opening_tend(worker, err);
}
