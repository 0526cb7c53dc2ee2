/*
 * transaction_records: what a transaction writes, and in which order.
 *
 * Kafka has to hear of each partition before what is written to it counts, and the client tells it in one request of all
 * partitions that were given a record within a millisecond: for each further time it asks again, and its thread spins until the
 * millisecond is over. So what takes long to make is made before the first record is handed over, the first records of all
 * partitions come first, and those that are many come last. Where its thread and ours share one processor it may still ask
 * after the first record: 1.6 requests for an alert's transaction.
 */
#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/memory.h"
#include "processor/engine/version.h"
#include "processor/engine/worker_state.h"
#include "state/tail.h"

enum {
    SLICE_ROWS = 2000,
    SLICE_ROWS_HURRY = 50000, /* at shutdown, and when nothing else is going on */
};

/* --- records to Kafka --------------------------------------------------------------------------------------------------- */

static enum status produce(struct worker *worker, int topic, int32_t partition, struct bytes key, struct bytes value,
                           struct error *err)
{
    struct log_port *port = worker->options.port;
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

static enum status emit_changelog(void *context, struct bytes key, struct bytes value, struct error *err)
{
    struct lane *lane = context;
    lane->worker->stats.changelog_bytes += key.size + value.size;
    return produce(lane->worker, lane->worker->options.topics->changelog, lane->partition, key, value, err);
}

/* --- made before -------------------------------------------------------------------------------------------------------- */

/* worker->staged: varint topic | varint partition | the record, a run. */
static void stage(struct lane *lane, int topic, struct bytes record)
{
    struct buffer *staged = &lane->worker->staged;
    buffer_put_varint(staged, (uint64_t)topic);
    buffer_put_varint(staged, (uint64_t)lane->partition);
    buffer_put_run(staged, record);
}

static enum status stage_journal(struct lane *lane, struct error *err)
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
    stage(lane, lane->worker->options.topics->journal, buffer_view(&record));
    buffer_clear(&record);
    buffer_put_be64(&record, lane->pending_journal_hash.high);
    buffer_put_be64(&record, lane->pending_journal_hash.low);
    const enum status st = overlay_put(lane->overlay, lane_journal_key(), buffer_view(&record), err);
    buffer_fini(&record);
    return st;
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

static enum status stage_tail_record(void *context, struct bytes record, struct error *err)
{
    (void)err;
    struct lane *lane = context;
    lane->worker->stats.tail_bytes += record.size;
    stage(lane, lane->worker->options.topics->tail, record);
    return ST_OK;
}

static enum status stage_tail(struct lane *lane, struct error *err)
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
    const enum status st = tail_write(&tail, 0, stage_tail_record, lane, err);
    mem_free(inputs);
    return st;
}

/* --- slices of checkpoints ---------------------------------------------------------------------------------------------- */

bool transaction_wants_slice(const struct lane *lane, enum commit_reason reason)
{
    return lane->kind == LANE_TASK && lane->state == LANE_READY && reason != COMMIT_ALERT && reason != COMMIT_REVOKE &&
           checkpoint_wants_slice(&lane->checkpoint) && !worker_isolation_runs(lane->worker);
}

/* Of one transaction. */
struct slices {
    size_t count; /* of lanes that have one */
    bool lag, shut_down;
};

static struct slices find_slices(struct worker *worker, enum commit_reason reason)
{
    struct slices slices = { .lag = worker_checkpoints_lag(worker), .shut_down = reason == COMMIT_SHUT_DOWN };
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        lane->has_slice = lane->in_transaction && transaction_wants_slice(lane, reason);
        slices.count += lane->has_slice;
    }
    return slices;
}

/* More than has changed since the last slice (commits for alerts take none), or the checkpoint would not end before as much has
 * changed again. */
static size_t slice_rows(const struct lane *lane, bool hurry)
{
    const size_t given = lane->worker->options.checkpoint_slice_rows;
    return given > 0 ? given : hurry ? SLICE_ROWS_HURRY : SLICE_ROWS + 2 * (lane->unsliced_records + lane->touched_records);
}

/*
 * All slices together are as large as a transaction may be, so that the client's queue has a limit. When checkpoints lag
 * nothing is processed, and what else a transaction would take is theirs.
 */
static struct slice_limit slice_of(const struct lane *lane, const struct slices *slices)
{
    return (struct slice_limit){
        .rows = slice_rows(lane, slices->lag || slices->shut_down || !lane->touched),
        .bytes = (slices->lag ? 2 : 1) * lane->worker->options.transaction_bytes_max / slices->count,
    };
}

/* --- one lane's --------------------------------------------------------------------------------------------------------- */

static enum status stage_task(struct lane *lane, const struct slices *slices, struct error *err)
{
    lane->outputs = task_outputs(lane->task);
    if (lane->has_slice) {
        KILL_POINT(slice);
        const struct slice_limit limit = slice_of(lane, slices);
        if (checkpoint_plan_slice(&lane->checkpoint, &limit))
            lane->pending.checkpoint = lane->checkpoint.target;
    }
    TRY(stage_journal(lane, err));
    TRY(put_last_seen(lane, err));
    return stage_tail(lane, err);
}

static enum status produce_outputs(struct lane *lane, size_t from, size_t to, struct error *err)
{
    for (size_t i = from; i < to && i < outputs_count(lane->outputs); i++)
        TRY(produce_output(lane, outputs_at(lane->outputs, i), err));
    return ST_OK;
}

static enum status produce_all_outputs(struct lane *lane, size_t from, struct error *err)
{
    TRY(produce_outputs(lane, from, SIZE_MAX, err));
    lane->worker->stats.output_bytes += outputs_bytes(lane->outputs);
    return ST_OK;
}

/* Of alerts one is enough, mostly: those of one lane have keys of one partition. */
enum { FIRST_OUTPUTS = 1, FIRST_ROWS = 1 };

static enum status produce_first(struct lane *lane, struct error *err)
{
    if (lane->has_slice)
        TRY(checkpoint_slice(&lane->checkpoint, FIRST_ROWS, emit_changelog, lane, err));
    return produce_outputs(lane, 0, FIRST_OUTPUTS, err);
}

static enum status produce_others(struct lane *lane, struct error *err)
{
    if (lane->has_slice)
        TRY(checkpoint_slice(&lane->checkpoint, SIZE_MAX, emit_changelog, lane, err));
    TRY(produce_all_outputs(lane, FIRST_OUTPUTS, err));
    KILL_POINT(outputs_produced);
    return ST_OK;
}

static enum status produce_copy(struct lane *lane, struct error *err)
{
    lane->outputs = lane->copy_outputs;
    TRY(produce_all_outputs(lane, 0, err));
    struct reader in = reader_of(buffer_view(&lane->copied));
    while (reader_left(&in) > 0) {
        const struct bytes record = reader_run(&in);
        ENSURE(!in.failed);
        TRY(produce(lane->worker, lane->worker->options.topics->reference, 0, BYTES_NONE, record, err));
    }
    return ST_OK;
}

/* --- all of them -------------------------------------------------------------------------------------------------------- */

typedef enum status lane_fn(struct lane *lane, struct error *err);

static enum status for_each(struct worker *worker, enum lane_kind kind, lane_fn *function, struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->in_transaction && lane->kind == kind)
            TRY(function(lane, err));
    }
    return ST_OK;
}

static enum status stage_all(struct worker *worker, enum commit_reason reason, struct error *err)
{
    const struct slices slices = find_slices(worker, reason);
    buffer_clear(&worker->staged);
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (!lane->in_transaction || lane->kind != LANE_TASK)
            continue;
        TRY(stage_task(lane, &slices, err));
    }
    return ST_OK;
}

static enum status produce_staged(struct worker *worker, struct error *err)
{
    struct reader in = reader_of(buffer_view(&worker->staged));
    while (reader_left(&in) > 0) {
        const int topic = (int)reader_varint(&in);
        const int32_t partition = (int32_t)reader_varint(&in);
        const struct bytes record = reader_run(&in);
        ENSURE(!in.failed);
        TRY(produce(worker, topic, partition, BYTES_NONE, record, err));
        if (topic == worker->options.topics->journal)
            KILL_POINT(journal_produced);
        else
            KILL_POINT(tail_produced);
    }
    return ST_OK;
}

enum status transaction_produce(struct worker *worker, enum commit_reason reason, struct error *err)
{
    TRY(stage_all(worker, reason, err));
    TRY(for_each(worker, LANE_TASK, produce_first, err));
    TRY(produce_staged(worker, err));
    TRY(for_each(worker, LANE_TASK, produce_others, err));
    return for_each(worker, LANE_COPY, produce_copy, err);
}
