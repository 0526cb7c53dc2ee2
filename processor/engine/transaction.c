/*
 * transaction: the commit of everything a worker has in hand, and the ways back.
 *
 *     prepare lanes -> begin -> outputs, journal, tail, a slice of the checkpoint -> flush -> send_offsets with M -> commit
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
#include "processor/engine/version.h"
#include "processor/engine/worker_state.h"
#include "state/tail.h"

enum {
    SLICE_ROWS = 2000,
    SLICE_ROWS_HURRY = 50000, /* at shutdown, and when nothing else is going on */
    RETRIES_MAX = 200,
    RETRY_US = 20 * 1000,
    ABORTS_MAX = 20,
    ABORT_PAUSE_US = 30 * 1000, /* times how many there were in a row: 6 s in all, longer than two heartbeats */
    FENCED_MAX = 5,
    FENCED_PAUSE_US = 2 * 1000 * 1000,
};

/* --- what takes part ------------------------------------------------------------------------------------------------- */

static bool wants_slice(const struct lane *lane, enum commit_reason reason)
{
    return lane->kind == LANE_TASK && lane->state == LANE_READY && reason != COMMIT_ALERT && reason != COMMIT_REVOKE &&
           checkpoint_wants_slice(&lane->checkpoint) && !worker_isolation_runs(lane->worker);
}

static bool takes_part(const struct worker *worker, const struct lane *lane, enum commit_reason reason)
{
    if (lane->state == LANE_CLAIMING)
        return !worker->releasing && !worker_isolation_runs(worker);
    if (lane->state != LANE_READY)
        return false;
    if (reason == COMMIT_ALERT) /* each partition costs the broker a marker: the others wait for the interval */
        return lane_alert_waits(lane);
    return lane->touched || worker->releasing || wants_slice(lane, reason);
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

/* --- producing one lane --------------------------------------------------------------------------------------------------- */

static enum status produce(struct lane *lane, int topic, int32_t partition, struct bytes key, struct bytes value,
                           struct error *err)
{
    struct log_port *port = lane->worker->options.port;
    const struct log_produce record = { .topic = topic, .partition = partition, .key = key, .value = value };
    return port->type->produce(port, &record, err);
}

static enum status produce_output(struct lane *lane, const struct output *output, struct error *err)
{
    const struct topics *topics = lane->worker->options.topics;
    struct log_header headers[OUTPUT_HEADERS_MAX];
    for (size_t i = 0; i < output->header_count; i++)
        headers[i] = (struct log_header){ output->headers[i].name, output->headers[i].value };
    const struct log_produce record = {
        .topic = output->kind == OUTPUT_ALERT ? topics->alerts : topics->dead_letters,
        .partition = -1,
        .key = output->key,
        .value = output->value,
        .headers = headers,
        .header_count = output->header_count,
    };
    struct log_port *port = lane->worker->options.port;
    return port->type->produce(port, &record, err);
}

static enum status produce_outputs(struct lane *lane, struct error *err)
{
    const struct outputs *outputs = lane->outputs;
    for (size_t i = 0; i < outputs_count(outputs); i++)
        TRY(produce_output(lane, outputs_at(outputs, i), err));
    lane->worker->stats.output_bytes += outputs_bytes(outputs);
    return ST_OK;
}

static enum status produce_journal(struct lane *lane, struct error *err)
{
    struct buffer record;
    buffer_init(&record);
    const struct journal_entry entry = {
        .metadata = &lane->pending,
        .runs = &lane->runs,
        .poll_ms = lane->worker->poll_ms,
        .topology_digest = lane->worker->options.plan->digest,
        .weir_version = WEIR_VERSION,
        .outputs = lane->outputs,
        .previous = lane->journal_hash,
    };
    lane->pending_journal_hash = journal_write(&record, &entry);
    lane->worker->stats.journal_bytes += record.size;
    enum status st = produce(lane, lane->worker->options.topics->journal, lane->partition, BYTES_NONE,
                             buffer_view(&record), err);
    buffer_clear(&record);
    buffer_put_be64(&record, lane->pending_journal_hash.high);
    buffer_put_be64(&record, lane->pending_journal_hash.low);
    if (st == ST_OK)
        st = overlay_put(lane->overlay, lane_journal_key(), buffer_view(&record), err);
    buffer_fini(&record);
    return st;
}

static enum status emit_tail(void *context, struct bytes record, struct error *err)
{
    struct lane *lane = context;
    lane->worker->stats.tail_bytes += record.size;
    return produce(lane, lane->worker->options.topics->tail, lane->partition, BYTES_NONE, record, err);
}

static enum status produce_tail(struct lane *lane, struct error *err)
{
    const struct topics *topics = lane->worker->options.topics;
    struct tail_input *inputs = mem_alloc_array(lane->input_count, sizeof *inputs);
    for (size_t i = 0; i < lane->input_count; i++)
        inputs[i] = (struct tail_input){ bytes_of_string(topics->items[lane->inputs[i].topic].name), lane->partition,
                                         lane->inputs[i].position };
    const struct row_change *changes;
    size_t change_count;
    overlay_changes(lane->overlay, &changes, &change_count);
    const struct tail_transaction tail = { &lane->pending, inputs, lane->input_count, changes, change_count };
    const enum status st = tail_write(&tail, 0, emit_tail, lane, err);
    mem_free(inputs);
    return st;
}

static enum status emit_changelog(void *context, struct bytes key, struct bytes value, struct error *err)
{
    struct lane *lane = context;
    lane->worker->stats.changelog_bytes += key.size + value.size;
    return produce(lane, lane->worker->options.topics->changelog, lane->partition, key, value, err);
}

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

static enum status put_last_seen(struct lane *lane, struct error *err)
{
    const struct topics *topics = lane->worker->options.topics;
    struct buffer row;
    size_t known = 0;
    if (!lane->touched)
        return ST_OK;
    for (size_t i = 0; i < lane->input_count; i++)
        known += lane->inputs[i].seen.known;
    buffer_init(&row);
    last_seen_write_head(&row, known);
    for (size_t i = 0; i < lane->input_count; i++) {
        const struct lane_input *input = &lane->inputs[i];
        if (input->seen.known)
            last_seen_write(&row, bytes_of_string(topics->items[input->topic].name), &input->seen);
    }
    const enum status st = overlay_put(lane->overlay, last_seen_key(), buffer_view(&row), err);
    buffer_fini(&row);
    return st;
}

/* More than the transaction changes, or the checkpoint would not end before as much has changed again. */
static size_t slice_rows(const struct lane *lane, bool hurry)
{
    const size_t given = lane->worker->options.checkpoint_slice_rows;
    return given > 0 ? given : hurry ? SLICE_ROWS_HURRY : SLICE_ROWS + 2 * lane->touched_records;
}

static size_t slice_count(const struct worker *worker, enum commit_reason reason)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        count += worker->lanes[i]->in_transaction && wants_slice(worker->lanes[i], reason);
    return count;
}

/*
 * All slices together are as large as a transaction may be, so that the client's queue has a limit. When checkpoints lag
 * nothing is processed, and what else a transaction would take is theirs.
 */
static struct slice_limit slice_of(const struct lane *lane, enum commit_reason reason)
{
    const struct worker *worker = lane->worker;
    const bool lag = worker_checkpoints_lag(worker);
    return (struct slice_limit){
        .rows = slice_rows(lane, lag || reason == COMMIT_SHUT_DOWN || !lane->touched),
        .bytes = (lag ? 2 : 1) * worker->options.transaction_bytes_max / slice_count(worker, reason),
    };
}

static enum status produce_task(struct lane *lane, enum commit_reason reason, struct error *err)
{
    lane->outputs = task_outputs(lane->task);
    if (wants_slice(lane, reason)) {
        KILL_POINT(slice);
        const struct slice_limit limit = slice_of(lane, reason);
        bool complete = false;
        TRY(checkpoint_slice(&lane->checkpoint, &limit, emit_changelog, lane, &complete, err));
        if (complete)
            lane->pending.checkpoint = lane->checkpoint.target;
    }
    TRY(produce_outputs(lane, err));
    KILL_POINT(outputs_produced);
    TRY(produce_journal(lane, err));
    KILL_POINT(journal_produced);
    TRY(put_last_seen(lane, err));
    TRY(produce_tail(lane, err));
    KILL_POINT(tail_produced);
    return ST_OK;
}

static enum status produce_copy(struct lane *lane, struct error *err)
{
    lane->outputs = lane->copy_outputs;
    TRY(produce_outputs(lane, err));
    struct reader in = reader_of(buffer_view(&lane->copied));
    while (reader_left(&in) > 0) {
        const struct bytes record = reader_run(&in);
        ENSURE(!in.failed);
        TRY(produce(lane, lane->worker->options.topics->reference, 0, BYTES_NONE, record, err));
    }
    return ST_OK;
}

/* --- one transaction -------------------------------------------------------------------------------------------------------- */

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

static enum status produce_lanes(struct worker *worker, enum commit_reason reason, struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->in_transaction)
            TRY(lane->kind == LANE_TASK ? produce_task(lane, reason, err) : produce_copy(lane, err));
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

/* How far a transaction came. */
struct attempt {
    bool offered;   /* everything was produced and acknowledged: what is refused now is not the records' */
    bool undecided; /* the commit was sent */
};

static enum status run(struct worker *worker, enum commit_reason reason, size_t position_count,
                       struct attempt *attempt, struct error *err)
{
    const struct log_port_type *port = worker->options.port->type;
    TRY(call(worker, port->begin, err));
    KILL_POINT(begun);
    TRY(produce_lanes(worker, reason, err));
    KILL_POINT(flush);
    TRY(call(worker, port->flush, err));
    KILL_POINT(flushed);
    attempt->offered = true;
    TRY(offer_offsets(worker, position_count, err));
    KILL_POINT(offsets_sent);
    attempt->undecided = true;
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

static enum status roll_back(struct worker *worker, enum status why, const struct attempt *attempt, struct error *err)
{
    const bool refused = status_class_of(why) == CLASS_SKIP && !attempt->offered;
    TRY(count_abort(worker, why, refused, err));
    const bool definite = (why == ST_TXN_ABORTABLE || why == ST_REASSIGNED || refused) && !attempt->undecided;
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
    struct attempt attempt = { .offered = false };
    const enum status st = run(worker, reason, position_count, &attempt, err);
    if (st != ST_OK) {
        const enum status_class class = status_class_of(st);
        if (class == CLASS_FATAL && st != ST_KAFKA)
            return st; /* our own trouble (a full disk, a bug): the open transaction dies with the producer */
        return roll_back(worker, st, &attempt, err);
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
