/*
 * opening: from "these partitions are yours" to tasks that may process.
 *
 * The last owner may have left a transaction open, which would pin the last stable offset; its transactional ids are in M, and are
 * initialised once unless M says that it released the partition. Then the stable offsets and M are read, and each task's
 * state is restored beside the loop. Its first transaction claims the partition: all input positions and M with our ids,
 * before any record.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "processor/engine/worker_state.h"

enum {
    COMMITTED_TIMEOUT_US = 5 * 1000 * 1000,
    STABLE_WAIT_US = 90 * 1000 * 1000, /* longer than any transaction may stay open */
    FOREIGN_IDS_MAX = 64,
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
        if (positions[i].metadata.size == 0) {
            foreign = true;
            continue;
        }
        TRY(commit_metadata_parse(&found, positions[i].metadata, err));
        if (!*has_metadata || found.seq > metadata->seq)
            *metadata = found;
        *has_metadata = true;
    }
    if (foreign)
        return FAIL(err, ST_OFFSETS_MOVED, "partition %" PRId32 ": the group's offsets were set by something else than weir, and"
                    " the state does not belong to them; `weir reset` starts with new state", lane->partition);
    return ST_OK;
}

static enum status read_committed(struct worker *worker, struct lane *lane, committed_fn *read, int64_t *offsets,
                                  struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    struct log_position *positions = mem_alloc_array(lane->input_count, sizeof *positions);
    for (size_t i = 0; i < lane->input_count; i++)
        positions[i] = (struct log_position){ .topic = lane->inputs[i].topic, .partition = lane->partition,
                                              .offset = -1 };
    enum status st = read(worker->options.port, positions, lane->input_count, COMMITTED_TIMEOUT_US, err);
    if (st == ST_OK)
        st = parse_positions(lane, positions, offsets, metadata, has_metadata, err);
    mem_free(positions);
    return st;
}

/* The same until it is answered: a broker that is away for a while is no reason to stop. */
static enum status wait_for_committed(struct worker *worker, struct lane *lane, committed_fn *read, int64_t *offsets,
                                      struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    const int64_t started_us = worker_now_us(worker);
    for (;;) {
        const enum status st = read_committed(worker, lane, read, offsets, metadata, has_metadata, err);
        if (status_class_of(st) != CLASS_RETRY)
            return st;
        if (worker_now_us(worker) - started_us > STABLE_WAIT_US)
            return error_prefix(err, "partition %" PRId32 ": its offsets could not be read", lane->partition);
        clock_sleep_us(&worker->options.clock, 10 * 1000);
    }
}

enum status opening_committed(struct worker *worker, struct lane *lane, int64_t *offsets,
                              struct commit_metadata *metadata, bool *has_metadata, struct error *err)
{
    return wait_for_committed(worker, lane, worker->options.port->type->committed, offsets, metadata, has_metadata,
                              err);
}

/* --- what the last owner left open ---------------------------------------------------------------------------------- */

static bool remember_id(char (*ids)[COMMIT_OWNER_ID_SIZE], size_t *count, const char *id)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(ids[i], id) == 0)
            return false;
    }
    if (*count == FOREIGN_IDS_MAX)
        return false;
    snprintf(ids[(*count)++], COMMIT_OWNER_ID_SIZE, "%s", id);
    return true;
}

static enum status end_foreign(struct worker *worker, const char *id, struct error *err)
{
    struct log_port *port = worker->options.port;
    for (int attempt = 0;; attempt++) {
        const enum status st = port->type->producer_end_foreign(port, id, err);
        if (status_class_of(st) != CLASS_RETRY || attempt == 60)
            return st;
        clock_sleep_us(&worker->options.clock, 500 * 1000);
    }
}

/* Ends the transactions of the last owners of the lanes that are opening. */
static enum status end_last_owners(struct worker *worker, struct error *err)
{
    struct log_port *port = worker->options.port;
    char(*ids)[COMMIT_OWNER_ID_SIZE] = mem_alloc_array(FOREIGN_IDS_MAX, sizeof *ids);
    size_t count = 0;
    enum status st = ST_OK;
    for (size_t i = 0; i < worker->lane_count && st == ST_OK; i++) {
        struct lane *lane = worker->lanes[i];
        struct commit_metadata metadata;
        bool has_metadata;
        if (lane->state != LANE_OPENING)
            continue;
        int64_t *offsets = mem_alloc_array(lane->input_count, sizeof *offsets);
        st = wait_for_committed(worker, lane, port->type->committed_unstable, offsets, &metadata, &has_metadata, err);
        mem_free(offsets);
        if (st != ST_OK || !has_metadata || metadata.released)
            continue;
        for (int owner = 0; owner < metadata.owner_count; owner++) {
            if (strcmp(metadata.owners[owner], port->type->producer_id(port)) != 0)
                remember_id(ids, &count, metadata.owners[owner]);
        }
    }
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        LOG_INFO("worker.ends_transactions_of", "worker=%d id=%s", worker->options.number, LOG_Q(ids[i]));
        st = end_foreign(worker, ids[i], err);
    }
    mem_free(ids);
    return st;
}

/* --- where to start -------------------------------------------------------------------------------------------------- */

static enum status bounds_reader(struct worker *worker, struct log_reader **out, struct error *err)
{
    struct log_port *port = worker->options.port;
    if (worker->bounds_reader == NULL)
        TRY(port->type->reader_open(port, &worker->bounds_reader, err));
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
        if (input->position < 0)
            TRY(starting_offset(worker, lane, input, &input->position, err));
        input->committed = input->position;
    }
    return ST_OK;
}

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
    struct restore_options restore = {
        .topics = worker->options.topics,
        .partition = lane->partition,
        .overlay = lane->overlay,
        .store = lane->store,
        .identity = identity_of(worker, lane),
        .target = lane->committed,
        .clock = worker->options.clock,
    };
    TRY(worker->options.port->type->reader_open(worker->options.port, &restore.reader, err));
    restore_init(&lane->restore, &restore);
    lane->state = LANE_RESTORING;
    job_start(&lane->restore_job, worker->options.threaded, restore_step, &lane->restore);
    return ST_OK;
}

static enum status open_lane(struct worker *worker, struct lane *lane, struct error *err)
{
    int64_t *offsets = mem_alloc_array(lane->input_count, sizeof *offsets);
    bool has_metadata = false;
    enum status st = opening_committed(worker, lane, offsets, &lane->committed, &has_metadata, err);
    if (st == ST_OK)
        st = set_positions(worker, lane, offsets, err);
    mem_free(offsets);
    TRY(st);
    if (!has_metadata)
        lane->committed.incarnation = random_nonce();
    lane->tail_offset = lane->committed.tail_offset;
    LOG_INFO("lane.opened", "worker=%d kind=%s partition=%" PRId32 " position=%" PRId64 " seq=%" PRIu64
             " checkpoint=%" PRIu64, worker->options.number, lane->kind == LANE_TASK ? "task" : "copy",
             lane->partition, lane->inputs[0].position, lane->committed.seq, lane->committed.checkpoint.seq);
    if (lane->kind == LANE_TASK)
        return start_restore(worker, lane, err);
    TRY(copier_create(&lane->copier, worker->options.plan, lane->table, worker->options.registry, err));
    lane->state = LANE_CLAIMING;
    return ST_OK;
}

enum status opening_reopen(struct worker *worker, struct lane *lane, struct error *err)
{
    lane_forget(lane);
    lane->state = LANE_OPENING;
    TRY(end_last_owners(worker, err));
    return open_lane(worker, lane, err);
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
    const struct state_identity identity = identity_of(worker, lane);
    checkpoint_init(&lane->checkpoint, lane->overlay, lane->store, &identity, options->threaded);
    return ST_OK;
}

static enum status restore_ended(struct worker *worker, struct lane *lane, enum status st, struct error *err)
{
    if (st != ST_OK)
        return error_prefix(err, "partition %" PRId32, lane->partition);
    LOG_INFO("lane.restored", "worker=%d partition=%" PRId32 " seq=%" PRIu64 " rows=%lld from=%s ms=%" PRId64,
             worker->options.number, lane->partition, lane->committed.seq,
             (long long)atomic_load(&lane->restore.rows), lane->restore.from_changelog ? "changelog" : "local",
             (worker_now_us(worker) - lane->restore.started_us) / 1000);
    job_cancel(&lane->restore_job);
    restore_fini(&lane->restore);
    TRY(make_task(worker, lane, err));
    lane->changed = overlay_active_count(lane->overlay) > 0; /* the tail brought rows that the next checkpoint must have */
    lane->state = LANE_CLAIMING;
    return ST_OK;
}

enum status opening_tend(struct worker *worker, struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        enum status st = ST_OK;
        if (lane->state == LANE_RESTORING && job_ended(lane->restore_job, &st, err))
            TRY(restore_ended(worker, lane, st, err));
    }
    return ST_OK;
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
    struct lane *lane = NULL;
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

enum status opening_assigned(struct worker *worker, const struct log_partition *partitions, size_t count,
                             struct error *err)
{
    ENSURE(worker->lane_count == 0);
    for (size_t i = 0; i < count; i++)
        take_partition(worker, &partitions[i]);
    TRY(check_complete(worker, partitions, count, err));
    TRY(end_last_owners(worker, err));
    for (size_t i = 0; i < worker->lane_count; i++)
        TRY(open_lane(worker, worker->lanes[i], err));
    worker->assignment_changed = true;
    return ST_OK;
}
