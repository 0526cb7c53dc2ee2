/*
 * transaction: the commit of everything a worker has in hand, and the ways back.
 *
 *     prepare lanes -> begin -> outputs, journal, tail, slices (transaction_records.c) -> send_offsets with M -> flush -> commit
 *     ok        merge the transaction's values; positions and M become the committed ones
 *     abort     throw the values away, rewind to the committed positions
 *     unknown, fatal, fenced: new producers with the same ids, then the stable offsets tell: nonce ours -> merge;
 *               nonce of our last commit -> rewind; anything else -> the partition is not ours any more, let go
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
    RETRIES_MAX = 200,
    RETRY_US = 20 * 1000,
    ABORTS_MAX = 20,
    ABORT_PAUSE_US = 30 * 1000, /* times how many there were in a row: 6 s in all, longer than two heartbeats */
    FENCED_MAX = 5,
    FENCED_PAUSE_US = 2 * 1000 * 1000,
};

/* --- what takes part ------------------------------------------------------------------------------------------------- */

static bool takes_part(const struct worker *worker, const struct lane *lane, enum commit_reason reason)
{
    if (lane->state == LANE_CLAIMING)
        return !worker->releasing && !worker_isolation_runs(worker);
    if (lane->state != LANE_READY)
        return false;
    if (reason == COMMIT_ALERT) /* each partition costs the broker a marker: the others wait for the interval */
        return lane_alert_waits(lane);
    return lane->touched || worker->releasing || transaction_wants_slice(lane, reason);
}

bool transaction_is_empty(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->touched)
            return false;
    }
    return true;
}

/* --- calls to the port, again while they say "again" ------------------------------------------------------------------- */

typedef enum status port_call_fn(struct log_port *port, struct error *err);

static enum status call(struct worker *worker, port_call_fn *function, struct error *err)
{
    for (int attempt = 0;; attempt++) {
        const enum status st = function(worker->options.port, err);
        if (status_class_of(st) != CLASS_RETRY || attempt == RETRIES_MAX)
            return st;
        clock_sleep_us(&worker->options.clock, RETRY_US);
    }
}

static enum status send_offsets(struct worker *worker, const struct log_position *positions, size_t count,
                                struct error *err)
{
    struct log_port *port = worker->options.port;
    for (int attempt = 0;; attempt++) {
        const enum status st = port->type->send_offsets(port, positions, count, err);
        if (status_class_of(st) != CLASS_RETRY || attempt == RETRIES_MAX)
            return st;
        clock_sleep_us(&worker->options.clock, RETRY_US);
    }
}

/* --- one transaction -------------------------------------------------------------------------------------------------------- */

static void prepare_metadata(struct lane *lane)
{
    struct worker *worker = lane->worker;
    lane->pending = lane->committed;
    lane->pending.seq = lane->committed.seq + 1;
    lane->pending.nonce = random_nonce();
    lane->pending.tail_offset = lane->tail_offset;
    if (reference_view_offset(worker->reference) > lane->committed.reference_offset)
        lane->pending.reference_offset = reference_view_offset(worker->reference);
    lane->pending.released = worker->releasing;
    struct log_port *port = worker->options.port;
    _Static_assert((int)LOG_PRODUCERS <= (int)COMMIT_OWNER_IDS_MAX, "all of our ids are in M");
    lane->pending.owner_count = LOG_PRODUCERS;
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        snprintf(lane->pending.owners[i], sizeof lane->pending.owners[i], "%s", port->type->producer_id(port, i));
}

static enum status prepare(struct worker *worker, enum commit_reason reason, size_t *position_count,
                           struct error *err)
{
    *position_count = 0;
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        lane->in_transaction = takes_part(worker, lane, reason);
        if (!lane->in_transaction)
            continue;
        prepare_metadata(lane);
        const enum status st = lane->kind == LANE_TASK ? task_prepare_commit(lane->task, err) : ST_OK;
        if (st != ST_OK)
            TRY(opening_trouble(worker, lane, st, err)); /* takes it out of the transaction */
        else
            *position_count += lane->input_count;
    }
    return ST_OK;
}

static enum status offer_offsets(struct worker *worker, size_t position_count, struct error *err)
{
    struct log_position *positions = mem_alloc_array(position_count + 1, sizeof *positions);
    char(*texts)[COMMIT_METADATA_SIZE] = mem_alloc_array(worker->lane_count + 1, sizeof *texts);
    size_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (!lane->in_transaction)
            continue;
        const int size = commit_metadata_format(texts[i], &lane->pending);
        for (size_t j = 0; j < lane->input_count; j++)
            positions[count++] = (struct log_position){
                .topic = lane->inputs[j].topic, .partition = lane->partition, .offset = lane->inputs[j].position,
                .metadata = bytes_of(texts[i], (size_t)size),
            };
    }
    ENSURE(count == position_count);
    const enum status st = send_offsets(worker, positions, count, err);
    mem_free(positions);
    mem_free(texts);
    return st;
}

/* Nothing in M depends on what the records get for an answer, so the offsets do not wait for it. `undecided`: everything was
 * acknowledged and the commit was sent. */
static enum status run(struct worker *worker, enum commit_reason reason, size_t position_count,
                       bool *undecided, struct error *err)
{
    const struct log_port_type *port = worker->options.port->type;
    TRY(call(worker, port->begin, err));
    KILL_POINT(begun);
    TRY(transaction_produce(worker, reason, err));
    KILL_POINT(flush);
    TRY(offer_offsets(worker, position_count, err));
    KILL_POINT(offsets_sent);
    TRY(call(worker, port->flush, err));
    KILL_POINT(flushed);
    *undecided = true;
    return call(worker, port->commit, err);
}

/* --- its outcome ------------------------------------------------------------------------------------------------------------- */

static void tell_outputs(struct worker *worker, const struct outputs *outputs)
{
    if (worker->options.on_output == NULL)
        return;
    for (size_t i = 0; i < outputs_count(outputs); i++)
        worker->options.on_output(worker->options.on_output_context, outputs_at(outputs, i));
}

static void merge_task(struct worker *worker, struct lane *lane)
{
    struct log_port *port = worker->options.port;
    tell_outputs(worker, task_outputs(lane->task));
    overlay_commit(lane->overlay);
    task_commit(lane->task);
    checkpoint_commit(&lane->checkpoint);
    lane->journal_hash = lane->pending_journal_hash;
    const int64_t offset = port->type->produced_offset(port, worker->options.topics->tail, lane->partition);
    if (offset > lane->tail_offset)
        lane->tail_offset = offset;
}

static void merge(struct worker *worker, struct lane *lane)
{
    if (lane->kind == LANE_TASK) {
        merge_task(worker, lane);
    } else {
        tell_outputs(worker, lane->copy_outputs);
        outputs_clear(lane->copy_outputs);
        buffer_clear(&lane->copied);
    }
    for (size_t i = 0; i < lane->input_count; i++) {
        lane->inputs[i].committed = lane->inputs[i].position;
        lane->inputs[i].committed_seen = lane->inputs[i].seen;
    }
    worker_isolation_committed(worker, lane);
    lane->committed = lane->pending;
    lane->changed |= lane->touched;
    lane->unsliced_records = lane->checkpoint.running && !lane->has_slice ? lane->unsliced_records + lane->touched_records : 0;
    journal_runs_clear(&lane->runs);
    lane->touched = false;
    lane->touched_records = 0;
    if (lane->state == LANE_CLAIMING) {
        KILL_POINT(claimed);
        lane->state = LANE_READY;
        worker->assignment_changed = true;
    }
}

static void rewind_lane(struct lane *lane)
{
    if (lane->kind == LANE_TASK) {
        if (lane->task == NULL)
            return;
        overlay_abort(lane->overlay);
        task_abort(lane->task);
        checkpoint_abort(&lane->checkpoint);
    } else {
        outputs_clear(lane->copy_outputs);
        buffer_clear(&lane->copied);
        lane->marked = lane->committed_mark;
    }
    journal_runs_clear(&lane->runs);
    lane->touched = false;
    lane->touched_records = 0;
    lane_drop_queues(lane);
    for (size_t i = 0; i < lane->input_count; i++) {
        lane->inputs[i].position = lane->inputs[i].committed;
        lane->inputs[i].seen = lane->inputs[i].committed_seen;
    }
}

/* What is left in hand after a transaction: the lanes that it left out. Their first record is not newer than the hand's. */
static void settle_hand(struct worker *worker)
{
    worker->records = 0;
    worker->hand_closed = false;
    for (size_t i = 0; i < worker->lane_count; i++) {
        worker->lanes[i]->in_transaction = false;
        worker->records += worker->lanes[i]->touched_records;
    }
    if (transaction_is_empty(worker))
        worker->first_record_us = 0;
}

void transaction_rewind(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->touched || worker->lanes[i]->in_transaction)
            rewind_lane(worker->lanes[i]);
    }
    settle_hand(worker);
    worker->assignment_changed = true;
}

static void let_go(struct worker *worker, struct lane *lane, const struct commit_metadata *found)
{
    LOG_WARN("lane.lost", "worker=%d partition=%" PRId32 " seq=%" PRIu64 " found=%" PRIu64, worker->options.number,
             lane->partition, lane->committed.seq, found->seq);
    rewind_lane(lane);
    worker_stats_retire(worker, lane);
    lane_forget(lane);
    lane->state = LANE_LOST;
    lane->lost_at_us = worker_now_us(worker);
    worker->assignment_changed = true;
}

/* What cannot be learnt is found out when the lane is opened, which does not keep the others waiting. */
static enum status decide_lane(struct worker *worker, struct lane *lane, struct error *err)
{
    int64_t *offsets = mem_alloc_array(lane->input_count, sizeof *offsets);
    struct commit_metadata found;
    bool has_metadata;
    const enum status st = opening_committed(worker, lane, offsets, &found, &has_metadata, err);
    mem_free(offsets);
    if (st != ST_OK)
        return status_class_of(st) == CLASS_RETRY ? opening_trouble(worker, lane, st, err) : st;
    if (has_metadata && found.seq == lane->pending.seq && found.nonce == lane->pending.nonce)
        merge(worker, lane);
    else if (has_metadata ? found.seq == lane->committed.seq && found.nonce == lane->committed.nonce
                          : lane->committed.seq == 0)
        rewind_lane(lane);
    else
        let_go(worker, lane, &found);
    return ST_OK;
}

static enum status new_producer(struct worker *worker, struct error *err)
{
    for (int fenced = 0;;) {
        const enum status st = call(worker, worker->options.port->type->producer_open, err);
        if (st != ST_FENCED)
            return st;
        /* Somebody has our identity. Never fight: give the consumer time to learn whose the partitions are. */
        if (++fenced == FENCED_MAX)
            return FAIL(err, ST_REFUSED, "another process uses the transactional id '%s': every process needs its own ordinal or state"
                        " directory", worker->options.port->type->producer_id(worker->options.port, 0));
        clock_sleep_us(&worker->options.clock, FENCED_PAUSE_US);
    }
}

/* The outcome is not known: the committed offsets are. */
static enum status recover(struct worker *worker, struct error *err)
{
    worker->stats.recoveries++;
    TRY(new_producer(worker, err));
    KILL_POINT(recover);
    worker->producer_dead = false;
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->in_transaction)
            TRY(decide_lane(worker, lane, err));
        else if (lane->touched)
            rewind_lane(lane);
    }
    KILL_POINT(recovered);
    settle_hand(worker);
    worker->assignment_changed = true;
    return ST_OK;
}

/* A refusal narrows the search for the record to blame, which ends by itself; everything else may go on for ever. */
static enum status count_abort(struct worker *worker, enum status why, bool refused, struct error *err)
{
    bool blamed = false;
    worker->stats.aborts++;
    KILL_POINT(rolled_back);
    LOG_WARN("transaction.rolled_back", "worker=%d status=%s error=%s", worker->options.number, status_name(why),
             LOG_Q(err->text));
    if (refused)
        TRY(worker_isolation_blame(worker, why, &blamed, err));
    if (!blamed && ++worker->consecutive_aborts > ABORTS_MAX)
        return FAIL(err, ST_KAFKA, "%d transactions in a row were rolled back; the last: %s", ABORTS_MAX, err->text);
    /* Somebody else may have the partitions, and this process hears of it with its next heartbeat only. */
    if (!blamed && worker->consecutive_aborts > 1)
        clock_sleep_us(&worker->options.clock, ABORT_PAUSE_US * worker->consecutive_aborts);
    return ST_OK;
}

static enum status roll_back(struct worker *worker, enum status why, bool undecided, struct error *err)
{
    const bool refused = status_class_of(why) == CLASS_SKIP && !undecided;
    TRY(count_abort(worker, why, refused, err));
    const bool definite = (why == ST_TXN_ABORTABLE || why == ST_REASSIGNED || refused) && !undecided;
    if (definite || why == ST_TXN_ABORTABLE) {
        if (call(worker, worker->options.port->type->abort, err) == ST_OK) {
            transaction_rewind(worker);
            return ST_OK;
        }
    }
    return recover(worker, err);
}

static void count_commit(struct worker *worker, int64_t started_us)
{
    struct worker_stats *stats = &worker->stats;
    stats->commits++;
    histogram_add(&stats->commit_us, (uint64_t)(worker_now_us(worker) - started_us));
    worker->consecutive_aborts = 0;
    worker->last_commit_us = worker_now_us(worker);
}

enum status transaction_commit(struct worker *worker, enum commit_reason reason, struct error *err)
{
    struct log_port *port = worker->options.port;
    const int64_t started_us = worker_now_us(worker);
    size_t position_count = 0;
    /* After an indefinite error a delayed EndTxn could hit the next transaction (KAFKA-17754): a new epoch first. */
    if (worker->producer_dead || port->type->tainted(port)) {
        TRY(new_producer(worker, err));
        worker->producer_dead = false;
    }
    const enum status prepared = prepare(worker, reason, &position_count, err);
    if (status_class_of(prepared) == CLASS_SKIP) { /* a row that is too large; Kafka knows of nothing yet */
        TRY(count_abort(worker, prepared, true, err));
        transaction_rewind(worker);
        return ST_OK;
    }
    TRY(prepared);
    if (position_count == 0)
        return ST_OK;
    bool undecided = false;
    const enum status st = run(worker, reason, position_count, &undecided, err);
    if (st != ST_OK) {
        const enum status_class class = status_class_of(st);
        if (class == CLASS_FATAL && st != ST_KAFKA)
            return st; /* our own trouble (a full disk, a bug): the open transaction dies with the producer */
        return roll_back(worker, st, undecided, err);
    }
    KILL_POINT(committed);
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->in_transaction) {
            merge(worker, worker->lanes[i]);
            worker->lanes[i]->committed_mark = worker->lanes[i]->marked;
        }
    }
    KILL_POINT(merged);
    settle_hand(worker);
    count_commit(worker, started_us);
    return ST_OK;
}
