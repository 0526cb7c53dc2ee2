/* The loop of a worker: poll, process, commit when due, and what comes up between: assignments, restores, checkpoints. */
#include "processor/engine/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "processor/engine/worker_state.h"

enum {
    COMMIT_INTERVAL_MS = 100,
    ALERT_FLOOR_US = 2000,
    CHECKPOINT_INTERVAL_MS = 10 * 1000,
    RECORDS_MAX = 100 * 1000,
    REGISTRY_PAUSE_US = 200 * 1000,
    IDLE_TURN_US = 100 * 1000,
    BUSY_TURN_US = 1000,
    BEHIND_RECORDS = 1000, /* that one poll brings: some 10 ms of work, an alert's commit would not be its delay */
    SHUT_DOWN_US = 60 * 1000 * 1000,
    TROUBLE_TEXT_MAX = 199,
    OVERFULL_RECORDS_MIN = 100,
    PUBLISH_US = 50 * 1000,
    FENCED_AGAIN_US = 60 * 1000 * 1000,
};
static const uint64_t TRANSACTION_BYTES_MAX = UINT64_C(32) << 20;
static const uint64_t QUEUED_BYTES_MAX = UINT64_C(16) << 20;
static const uint64_t QUEUED_BYTES_MIN = UINT64_C(2) << 20; /* of one input: more than one poll brings */
static const uint64_t ACTIVE_BYTES_MAX = UINT64_C(64) << 20;
static const uint64_t ENTITY_CACHE_BYTES = UINT64_C(64) << 20;
static const uint64_t ROW_CACHE_BYTES = UINT64_C(16) << 20;

/* --- making it --------------------------------------------------------------------------------------------------- */

static void set_defaults(struct worker_options *options)
{
#define DEFAULT(member, value)        \
    do {                              \
        if (options->member == 0)     \
            options->member = (value); \
    } while (0)
    DEFAULT(commit_interval_ms, COMMIT_INTERVAL_MS);
    DEFAULT(alert_floor_us, ALERT_FLOOR_US);
    DEFAULT(checkpoint_interval_ms, CHECKPOINT_INTERVAL_MS);
    DEFAULT(transaction_records_max, RECORDS_MAX);
    DEFAULT(transaction_bytes_max, TRANSACTION_BYTES_MAX);
    DEFAULT(queued_bytes_max, QUEUED_BYTES_MAX);
    DEFAULT(active_bytes_max, ACTIVE_BYTES_MAX);
    DEFAULT(entity_cache_bytes, ENTITY_CACHE_BYTES);
    DEFAULT(row_cache_bytes, ROW_CACHE_BYTES);
#undef DEFAULT
}

static bool is_co_partitioned(const struct worker *worker, int topic)
{
    const struct topics *topics = worker->options.topics;
    const struct topic *item = &topics->items[topic];
    if (item->role == TOPIC_STREAM)
        return true;
    return item->role == TOPIC_TABLE &&
           worker->options.plan->tables[topic - topics->first_table].scope == TABLE_COPARTITIONED;
}

/* Streams and their tables must have the same number of partitions; internal topics too. */
static enum status check_partitions(struct worker *worker, struct error *err)
{
    struct log_port *port = worker->options.port;
    const struct topics *topics = worker->options.topics;
    for (int i = 0; i < topics->count; i++) {
        const enum topic_role role = topics->items[i].role;
        const bool internal = role == TOPIC_TAIL || role == TOPIC_CHANGELOG || role == TOPIC_JOURNAL;
        if (role == TOPIC_REFERENCE && !topics_have_everywhere(worker->options.plan))
            continue;
        int32_t count = 0;
        TRY(port->type->partition_count(port, i, &count, err));
        if (count == 0)
            return FAIL(err, ST_NOT_FOUND, "topic '%s' does not exist; `weir topics` checks and creates what is needed",
                        topics->items[i].name);
        if (worker->partition_count == 0)
            worker->partition_count = count;
        if ((internal || is_co_partitioned(worker, i)) && count != worker->partition_count)
            return FAIL(err, ST_REFUSED, "topic '%s' has %" PRId32 " partitions and '%s' has %" PRId32
                        ": they must be equal", topics->items[i].name, count, topics->items[0].name,
                        worker->partition_count);
    }
    return ST_OK;
}

static enum status subscribe(struct worker *worker, struct error *err)
{
    const size_t inputs = worker->options.plan->stream_count + worker->options.plan->table_count;
    int *topics = mem_alloc_array(inputs, sizeof *topics);
    for (size_t i = 0; i < inputs; i++)
        topics[i] = (int)i;
    struct log_port *port = worker->options.port;
    const enum status st = port->type->subscribe(port, topics, inputs, err);
    mem_free(topics);
    return st;
}

static enum status open_reference(struct worker *worker, struct error *err)
{
    const struct worker_options *options = &worker->options;
    struct log_reader *reader = NULL;
    worker->tables_ready = !topics_have_everywhere(options->plan);
    if (!worker->tables_ready)
        TRY(options->port->type->reader_open(options->port, SMALL_READER_BYTES, &reader, err));
    return reference_view_open(&worker->reference, options->plan, options->topics, reader, options->registry, err);
}

enum status worker_create(struct worker **out, const struct worker_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(worker_destroy) struct worker *worker = mem_alloc(sizeof *worker);
    worker->options = *options;
    set_defaults(&worker->options);
    if (options->crashes != NULL)
        worker->crashes = *options->crashes;
    ENSURE(pthread_mutex_init(&worker->stats_lock, NULL) == 0);
    const size_t rules = options->plan->rule_count + 1;
    worker->published.counters.rule_alerts = mem_alloc_array(rules, sizeof(uint64_t));
    worker->published.counters.rule_unknown = mem_alloc_array(rules, sizeof(uint64_t));
    worker->retired.rule_alerts = mem_alloc_array(rules, sizeof(uint64_t));
    worker->retired.rule_unknown = mem_alloc_array(rules, sizeof(uint64_t));
    struct log_port *port = options->port;
    TRY(port->type->cluster_id(port, &worker->cluster_id, err));
    TRY(check_partitions(worker, err));
    TRY(open_reference(worker, err));
    TRY(port->type->producer_open(port, err));
    *out = TAKE(worker);
    return ST_OK;
}

void worker_destroy(struct worker **worker_ref)
{
    struct worker *worker = TAKE(*worker_ref);
    if (worker == NULL)
        return;
    opening_drop(worker);
    mem_free(worker->lanes);
    mem_free(worker->kept);
    buffer_fini(&worker->staged);
    mem_free(worker->turns);
    mem_free(worker->ended_ids);
    if (worker->bounds_reader != NULL)
        worker->bounds_reader->type->close(worker->bounds_reader);
    reference_view_close(&worker->reference);
    mem_free(worker->tables_wanted);
    worker_stats_fini(&worker->published);
    mem_free(worker->retired.rule_alerts);
    mem_free(worker->retired.rule_unknown);
    pthread_mutex_destroy(&worker->stats_lock);
    mem_free(worker);
}

/* --- records in ------------------------------------------------------------------------------------------------------ */

static struct lane_input *find_input(const struct worker *worker, int topic, int32_t partition, struct lane **lane)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->partition != partition)
            continue;
        for (size_t j = 0; j < worker->lanes[i]->input_count; j++) {
            if (worker->lanes[i]->inputs[j].topic == topic) {
                *lane = worker->lanes[i];
                return &worker->lanes[i]->inputs[j];
            }
        }
    }
    return NULL;
}

static enum status take_record(struct worker *worker, const struct log_record *record, bool *kept, struct error *err)
{
    struct lane *lane = NULL;
    struct lane_input *input = find_input(worker, record->topic, record->partition, &lane);
    *kept = false;
    if (input == NULL || lane->state != LANE_READY) {
        worker->stats.records_dropped += record->kind == LOG_RECORD_DATA;
        return ST_OK;
    }
    switch (record->kind) {
    case LOG_RECORD_EOF:
        input->at_end = true;
        input->end_offset = record->offset;
        return ST_OK;
    case LOG_RECORD_OUT_OF_RANGE:
        FAIL(err, ST_OUT_OF_RANGE, "topic '%s' partition %" PRId32 " does not reach offset %" PRId64
             ", where reading must go on: it was deleted by retention, or the topic was recreated",
             worker->options.topics->items[record->topic].name, record->partition, input->position);
        return opening_trouble(worker, lane, ST_OUT_OF_RANGE, err);
    case LOG_RECORD_DATA:
        break;
    }
    if (record->offset < lane_input_fetch_position(input)) {
        worker->stats.records_dropped++;
        return ST_OK;
    }
    input->at_end = false;
    record_queue_push(&input->queue, record);
    *kept = true;
    return ST_OK;
}

static enum status take_batch(struct worker *worker, const struct log_batch *batch, struct error *err)
{
    struct log_port *port = worker->options.port;
    enum status st = ST_OK;
    for (size_t i = 0; i < batch->count; i++) {
        bool kept = false;
        if (st == ST_OK)
            st = take_record(worker, &batch->records[i], &kept, err);
        if (!kept)
            port->type->release(port, &batch->records[i], 1);
    }
    return st;
}

/* --- processing -------------------------------------------------------------------------------------------------------- */

/*
 * The input whose next record comes next: by time, and only when no other input could still have an older one. Of one time a
 * table's row comes before an event. `weir export` writes in the same order.
 */
static struct lane_input *next_input(struct lane *lane)
{
    struct lane_input *next = NULL;
    for (size_t i = 0; i < lane->input_count; i++) {
        struct lane_input *input = &lane->inputs[i];
        const struct log_record *front = record_queue_front(&input->queue);
        if (front == NULL) {
            if (!input->at_end)
                return NULL;
            continue;
        }
        if (next == NULL || front->timestamp_ms <= record_queue_front(&next->queue)->timestamp_ms)
            next = input;
    }
    return next;
}

static struct input_record input_record_of(const struct worker *worker, const struct lane_input *input,
                                           const struct log_record *record)
{
    return (struct input_record){
        .source = input->source,
        .topic = worker->options.topics->items[input->topic].name,
        .partition = record->partition,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .reference_ms = record->append_time ? record->timestamp_ms : worker->poll_ms,
        .key = record->key,
        .value = record->value,
    };
}

static enum status copy_record(struct lane *lane, const struct input_record *input, struct error *err)
{
    struct buffer record;
    buffer_init(&record);
    enum status st = copier_take(lane->copier, input, &record, err);
    if (st == ST_OK)
        buffer_put_run(&lane->copied, buffer_view(&record));
    buffer_fini(&record);
    if (status_class_of(st) != CLASS_SKIP)
        return st;
    outputs_add_dead_letter(lane->copy_outputs, input, st, err->text,
                            lane->worker->options.plan->dead_letters.payload_reference);
    lane->worker->retired.dead_letters[st]++; /* no task counts it */
    return ST_OK;
}

static void begin_hand(struct worker *worker)
{
    if (worker->first_record_us != 0)
        return;
    worker->first_record_us = worker_now_us(worker);
    worker->poll_ms = clock_wall_ms(&worker->options.clock);
}

/* Not processed, for a reason that is not in the record: the journal says so, or a replay would process it. */
static void skip_record(struct lane *lane, const struct input_record *in, const struct sentence *sentence)
{
    if (lane->kind == LANE_TASK) {
        task_skip(lane->task, in, sentence->reason, sentence->detail, sentence->value_max);
        journal_runs_skip(&lane->runs, in->topic, in->offset, sentence->reason);
    } else {
        outputs_add_cut_dead_letter(lane->copy_outputs, in, sentence->reason, sentence->detail,
                                    lane->worker->options.plan->dead_letters.payload_reference, sentence->value_max);
        lane->worker->retired.dead_letters[sentence->reason]++;
    }
    LOG_ERROR("record.skipped", "worker=%d topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=%s",
              lane->worker->options.number, in->topic, lane->partition, in->offset, status_reason(sentence->reason));
}

static enum status use_record(struct lane *lane, const struct lane_input *input, const struct input_record *in,
                              struct error *err)
{
    struct worker *worker = lane->worker;
    const struct sentence *refused = isolation_sentence(&lane->isolation, input->topic, in->offset);
    static const struct sentence crashed = {
        .reason = ST_CRASHED, .detail = "the process died at this record each time", .value_max = DEAD_LETTER_VALUE_MAX,
    };
    const bool kills = crash_watch_deaths(&worker->crashes, input->topic, lane->partition, in->offset) >= CRASH_SKIP_DEATHS;
    if (refused != NULL || kills) {
        skip_record(lane, in, refused != NULL ? refused : &crashed);
        return ST_OK;
    }
    in_hand_take(worker->options.in_hand, input->topic, lane->partition, in->offset);
    const enum status st = lane->kind == LANE_TASK ? task_process(lane->task, in, err) : copy_record(lane, in, err);
    in_hand_put_down(worker->options.in_hand);
    return st;
}

/* All of a common event; of a large one the beginning. */
static void prefetch_value(struct bytes value)
{
    enum { AT_MOST = 256 };
    bytes_prefetch(bytes_of(value.data, value.size < AT_MOST ? value.size : AT_MOST));
}

/* The client has a record's handle in the middle of what giving it back reads. */
static void prefetch_release(const struct log_record *record)
{
    enum { ABOUT = 192 };
    if (record->handle != NULL)
        bytes_prefetch(bytes_of((const uint8_t *)record->handle - ABOUT, 2 * ABOUT));
}

/* Where it waits, the processor waits for memory: records were written by the client's thread, entities were used long ago. */
static void look_ahead(struct lane *lane, const struct lane_input *input)
{
    const struct log_record *far = record_queue_at(&input->queue, 2 * (size_t)TASK_AHEAD);
    const struct log_record *near = record_queue_at(&input->queue, TASK_AHEAD);
    if (far != NULL) {
        prefetch(far->key.data);
        prefetch_value(far->value);
    }
    if (near != NULL)
        prefetch_release(near);
    if (near != NULL && lane->kind == LANE_TASK)
        task_look_ahead(lane->task, input->source, near->key);
}

static enum status process_next(struct lane *lane, struct lane_input *input, struct error *err)
{
    struct worker *worker = lane->worker;
    struct log_port *port = worker->options.port;
    begin_hand(worker);
    struct log_record *record = record_queue_front(&input->queue);
    const struct input_record in = input_record_of(worker, input, record);
    KILL_POINT(process);
    look_ahead(lane, input);
    TRY(use_record(lane, input, &in, err));
    if (lane->kind == LANE_TASK)
        journal_runs_add(&lane->runs, in.topic, in.offset);
    KILL_POINT(processed);
    input->position = in.offset + 1;
    input->seen = last_seen_of(record);
    port->type->release(port, record, 1);
    record_queue_pop(&input->queue);
    lane->touched = true;
    lane->touched_records++;
    lane->last_topic = input->topic;
    lane->last_offset = in.offset;
    worker->records++;
    worker->stats.records++;
    return ST_OK;
}

static uint64_t lane_hand_bytes(const struct lane *lane)
{
    if (lane->kind == LANE_COPY)
        return lane->copied.size + outputs_bytes(lane->copy_outputs);
    return lane->task == NULL ? 0 : task_hand_bytes(lane->task) + overlay_changes_bytes(lane->overlay);
}

static uint64_t hand_bytes(const struct worker *worker)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        bytes += lane_hand_bytes(worker->lanes[i]);
    return bytes;
}

/* Over so few records a commit costs more than the memory is worth. */
static bool needs_too_much(const struct worker *worker, const struct lane *lane)
{
    return lane->task != NULL && lane->touched_records >= OVERFULL_RECORDS_MIN && worker->records > 0 &&
           task_is_overfull(lane->task);
}

/* `others`: bytes in the hands of the other lanes. */
static bool may_take(const struct lane *lane, uint64_t others)
{
    const struct worker *worker = lane->worker;
    return !worker->hand_closed && worker->records < worker_isolation_records_max(worker) &&
           others + lane_hand_bytes(lane) < worker->options.transaction_bytes_max && !needs_too_much(worker, lane);
}

static bool hand_is_full(const struct worker *worker)
{
    const uint64_t bytes = hand_bytes(worker);
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (!may_take(worker->lanes[i], bytes - lane_hand_bytes(worker->lanes[i])))
            return true;
    }
    return false;
}

/* When the end of a table's partition is reached, the others must learn that nothing is missing. */
static void mark_end(struct lane *lane)
{
    struct lane_input *input = &lane->inputs[0];
    if (!input->at_end || input->queue.count > 0 || input->end_offset <= lane->marked)
        return;
    struct buffer record;
    buffer_init(&record);
    const struct reference_record mark = {
        .is_mark = true,
        .table = bytes_of_string(lane->worker->options.plan->tables[lane->table].name),
        .partition = lane->partition,
        .offset = input->end_offset,
    };
    reference_write(&record, &mark);
    buffer_put_run(&lane->copied, buffer_view(&record));
    buffer_fini(&record);
    lane->marked = input->end_offset;
    begin_hand(lane->worker);
    lane->touched = true;
}

/* Decisions that are committed may have known more of the everywhere tables than is adopted here. */
static bool tables_reach(const struct worker *worker, const struct lane *lane)
{
    return worker->tables_ready && (!topics_have_everywhere(worker->options.plan) ||
                                    lane->committed.reference_offset <= reference_view_offset(worker->reference));
}

static bool is_at_end(const struct lane *lane)
{
    for (size_t i = 0; i < lane->input_count; i++) {
        if (!lane->inputs[i].at_end || lane->inputs[i].queue.count > 0)
            return false;
    }
    return true;
}

static void end_isolation(struct lane *lane)
{
    isolation_end(&lane->isolation);
    lane->worker->assignment_changed = true;
}

/* What came before it is committed before it, and it before what comes after it. */
static bool stands_alone(const struct lane *lane, const struct lane_input *input)
{
    const struct crash_watch *crashes = &lane->worker->crashes;
    if (crashes->count == 0)
        return false;
    const int64_t offset = record_queue_front((struct record_queue *)&input->queue)->offset;
    return crash_watch_deaths(crashes, input->topic, lane->partition, offset) >= CRASH_ALONE_DEATHS;
}

static bool can_process(const struct lane *lane)
{
    const struct worker *worker = lane->worker;
    return lane->state == LANE_READY && lane->blocked_until_us <= worker_now_us(worker) &&
           (lane->kind == LANE_COPY || tables_reach(worker, lane)) && worker_isolation_allows(worker, lane);
}

static enum status process_lane(struct lane *lane, struct error *err)
{
    struct worker *worker = lane->worker;
    if (!can_process(lane))
        return ST_OK;
    const uint64_t others = hand_bytes(worker) - lane_hand_bytes(lane);
    while (may_take(lane, others)) {
        struct lane_input *input = next_input(lane);
        if (input == NULL)
            break;
        const bool alone = stands_alone(lane, input);
        if (alone && worker->records > 0) {
            worker->hand_closed = true;
            break;
        }
        const enum status st = process_next(lane, input, err);
        if (status_class_of(st) == CLASS_RETRY) {
            lane->blocked_until_us = worker_now_us(worker) + REGISTRY_PAUSE_US;
            if (transaction_is_empty(worker))
                worker->first_record_us = 0; /* there is nothing to be committed when the interval is over */
            snprintf(worker->stats.trouble, sizeof worker->stats.trouble, "%.*s", TROUBLE_TEXT_MAX, err->text);
            if (isolation_is_suspected(&lane->isolation))
                end_isolation(lane); /* the others must not wait for the registry */
            return ST_OK;
        }
        TRY(st);
        worker->hand_closed |= alone;
        worker->stats.trouble[0] = '\0';
    }
    if (lane->kind == LANE_COPY)
        mark_end(lane);
    if (isolation_is_suspected(&lane->isolation) && !lane->touched && is_at_end(lane))
        end_isolation(lane); /* compaction took some of the refused records: the others must not wait for them */
    return ST_OK;
}

static enum status process_all(struct worker *worker, struct error *err)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        const enum status st = process_lane(worker->lanes[i], err);
        if (status_class_of(st) == CLASS_ABORT) {
            transaction_rewind(worker);
            return ST_OK;
        }
        if (st != ST_OK)
            TRY(opening_trouble(worker, worker->lanes[i], st, err));
    }
    return ST_OK;
}

/* A transaction was full before everything that was read was in it: that comes before new records. */
static bool has_backlog(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (can_process(worker->lanes[i]) && next_input(worker->lanes[i]) != NULL)
            return true;
    }
    return false;
}

/*
 * What is read and has to wait (for another input's older record, the registry, a table) must not pile up: the rest of that
 * input stays at the broker until its queue is empty. The client's pause would do, but loses offsets with batch reads.
 */
static void hold_full_inputs(struct worker *worker)
{
    size_t inputs = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        inputs += worker->lanes[i]->input_count;
    const uint64_t share = inputs == 0 ? 0 : worker->options.queued_bytes_max / inputs;
    const uint64_t bytes_max = share < QUEUED_BYTES_MIN ? QUEUED_BYTES_MIN : share;
    for (size_t i = 0; i < worker->lane_count; i++) {
        for (size_t j = 0; j < worker->lanes[i]->input_count; j++) {
            struct lane_input *input = &worker->lanes[i]->inputs[j];
            const bool held = input->queue.bytes > bytes_max || (input->held && input->queue.count > 0);
            worker->assignment_changed |= held != input->held;
            input->held = held;
        }
    }
}

/* --- when to commit -------------------------------------------------------------------------------------------------------- */

static bool alert_waits(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (lane_alert_waits(worker->lanes[i]))
            return true;
    }
    return false;
}

/*
 * When an alert that waits is committed: at once, but not while records come faster than commits: each would hold up all that
 * wait behind it, and costs the broker the same again. INT64_MAX: not for its own sake.
 */
static int64_t alert_due_us(const struct worker *worker)
{
    const bool behind = worker->polled >= BEHIND_RECORDS;
    return behind || !alert_waits(worker) ? INT64_MAX : worker->last_commit_us + worker->options.alert_floor_us;
}

static bool claim_waits(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->state == LANE_CLAIMING)
            return true;
    }
    return false;
}

static bool slice_waits(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *lane = worker->lanes[i];
        if (lane->kind == LANE_TASK && lane->state == LANE_READY && checkpoint_wants_slice(&lane->checkpoint))
            return true;
    }
    return false;
}

static bool commit_is_due(const struct worker *worker, enum commit_reason *reason)
{
    const int64_t now_us = worker_now_us(worker);
    const int64_t interval_us = worker->options.commit_interval_ms * 1000;
    *reason = COMMIT_INTERVAL;
    if (claim_waits(worker))
        return true;
    const bool in_hand = worker->first_record_us != 0;
    if (in_hand && now_us - worker->first_record_us >= interval_us)
        return true;
    *reason = COMMIT_LIMIT;
    if (in_hand && hand_is_full(worker))
        return true;
    *reason = COMMIT_ALERT;
    if (in_hand && now_us >= alert_due_us(worker))
        return true;
    /* A pending checkpoint is itself a reason: an idle task's must end too, and one that everything waits for at once. */
    *reason = COMMIT_CHECKPOINT;
    return slice_waits(worker) && (now_us - worker->last_commit_us >= interval_us || worker_checkpoints_lag(worker));
}

/* How long a poll may wait without missing the next thing to do. */
static int64_t turn_budget(const struct worker *worker, int64_t timeout_us)
{
    int64_t budget_us = timeout_us < IDLE_TURN_US ? timeout_us : IDLE_TURN_US;
    const int64_t now_us = worker_now_us(worker);
    if (worker->first_record_us != 0) {
        const int64_t interval_us = worker->first_record_us + worker->options.commit_interval_ms * 1000;
        const int64_t alert_us = alert_due_us(worker), due_us = alert_us < interval_us ? alert_us : interval_us;
        budget_us = due_us - now_us < budget_us ? due_us - now_us : budget_us;
    }
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *lane = worker->lanes[i];
        if (lane->state == LANE_RESTORING || lane->state == LANE_CLAIMING || (!worker->tables_ready && budget_us > BUSY_TURN_US))
            budget_us = budget_us < BUSY_TURN_US ? budget_us : BUSY_TURN_US;
    }
    const int64_t wait_us = opening_next_us(worker) - now_us;
    if (wait_us < budget_us)
        budget_us = wait_us;
    return budget_us < 0 ? 0 : budget_us;
}

/* --- assignments --------------------------------------------------------------------------------------------------------------- */

static enum status tell_assignment(struct worker *worker, struct error *err)
{
    if (!worker->assignment_changed)
        return ST_OK;
    size_t capacity = 0, count = 0;
    for (size_t i = 0; i < worker->lane_count; i++)
        capacity += worker->lanes[i]->input_count;
    struct log_position *positions = mem_alloc_array(capacity + 1, sizeof *positions);
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *lane = worker->lanes[i];
        for (size_t j = 0; j < lane->input_count && lane->state == LANE_READY && worker_isolation_allows(worker, lane);
             j++) {
            const struct lane_input *input = &lane->inputs[j];
            if (!input->held)
                positions[count++] = (struct log_position){ .topic = input->topic, .partition = lane->partition,
                                                            .offset = lane_input_fetch_position(input) };
        }
    }
    struct log_port *port = worker->options.port;
    const enum status st = port->type->assign(port, positions, count, err);
    mem_free(positions);
    worker->assignment_changed = st != ST_OK;
    return st;
}

static enum status on_assigned(struct worker *worker, const struct log_batch *batch, struct error *err)
{
    worker->stats.rebalances++;
    LOG_INFO("worker.assigned", "worker=%d partitions=%zu", worker->options.number, batch->partition_count);
    KILL_POINT(assign);
    TRY(opening_assigned(worker, batch->partitions, batch->partition_count, err));
    return tell_assignment(worker, err);
}

static enum status on_revoked(struct worker *worker, bool lost, struct error *err)
{
    LOG_INFO("worker.revoked", "worker=%d lost=%d", worker->options.number, lost);
    enum status st = ST_OK;
    if (lost) {
        KILL_POINT(lost);
        transaction_rewind(worker);
    } else {
        KILL_POINT(revoke);
        worker->releasing = true;
        st = transaction_commit(worker, COMMIT_REVOKE, err);
        worker->releasing = false;
        KILL_POINT(revoke_committed);
    }
    opening_keep(worker);
    KILL_POINT(revoked);
    worker->assignment_changed = true;
    TRY(st);
    return tell_assignment(worker, err);
}

static enum status on_event(struct worker *worker, const struct log_batch *batch, struct error *err)
{
    switch (batch->event) {
    case LOG_EVENT_NONE: return ST_OK;
    case LOG_EVENT_ASSIGNED: return on_assigned(worker, batch, err);
    case LOG_EVENT_REVOKED: return on_revoked(worker, false, err);
    case LOG_EVENT_LOST: return on_revoked(worker, true, err);
    }
    UNREACHABLE();
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------------- */

static enum status poll(struct worker *worker, int64_t timeout_us, struct error *err)
{
    struct log_port *port = worker->options.port;
    struct log_batch batch = { .count = 0 };
    KILL_POINT(poll);
    const enum status polled = port->type->poll(port, timeout_us, &batch, err);
    if (status_class_of(polled) == CLASS_RETRY)
        return ST_OK;
    TRY(polled);
    worker->polled = batch.count;
    if (batch.count > 0)
        KILL_POINT(polled);
    TRY(take_batch(worker, &batch, err));
    TRY(process_all(worker, err));
    return on_event(worker, &batch, err);
}

/* What asks Kafka something between transactions: a broker that is busy or away is asked again with the next turn. */
static enum status tend_with_kafka(struct worker *worker, struct error *err)
{
    enum status st = worker_tables_tend(worker, err);
    if (st == ST_OK)
        st = tell_assignment(worker, err);
    if (status_class_of(st) != CLASS_RETRY)
        return st;
    snprintf(worker->stats.trouble, sizeof worker->stats.trouble, "%.*s", TROUBLE_TEXT_MAX, err->text);
    clock_sleep_us(&worker->options.clock, BUSY_TURN_US);
    return ST_OK;
}

/* Once this process is close behind what it will be given. */
static enum status join_group(struct worker *worker, int64_t timeout_us, struct error *err)
{
    worker->joined = standby_is_prepared(worker->options.standby);
    if (worker->joined) {
        worker->stats.trouble[0] = '\0';
        return subscribe(worker, err);
    }
    snprintf(worker->stats.trouble, sizeof worker->stats.trouble,
             "before it joins the others it loads the state of what it will be given");
    worker_stats_publish(worker);
    clock_sleep_us(&worker->options.clock, timeout_us);
    return ST_OK;
}

/*
 * The group says that another member has our static id. That may be a process of our name, or a join of our own that the
 * broker came to late or took back (it does when it cannot store it in time, as while another broker is down). A process of
 * our name does this again when we take the place back; then the older of the two ends.
 */
static enum status join_again(struct worker *worker, struct error *err)
{
    const int64_t now_us = worker_now_us(worker);
    if (worker->fenced_us != 0 && now_us - worker->fenced_us < FENCED_AGAIN_US)
        return ST_FENCED;
    LOG_WARN("worker.fenced", "worker=%d joins_again=1 error=%s", worker->options.number, LOG_Q(err->text));
    worker->fenced_us = now_us;
    transaction_rewind(worker);
    opening_keep(worker);
    worker->assignment_changed = false;
    struct log_port *port = worker->options.port;
    TRY(port->type->rejoin(port, err));
    return subscribe(worker, err);
}

static enum status turn(struct worker *worker, int64_t timeout_us, struct error *err)
{
    if (!worker->joined)
        return join_group(worker, timeout_us, err);
    TRY(opening_tend(worker, err));
    TRY(worker_checkpoints_tend(worker, false, err));
    hold_full_inputs(worker);
    TRY(tend_with_kafka(worker, err));
    /* Refused, it has to hear whether the partitions are still its own: without them the checkpoint never ends. */
    if (worker_checkpoints_lag(worker) && worker->consecutive_aborts == 0) {
        clock_sleep_us(&worker->options.clock, BUSY_TURN_US);
    } else if (has_backlog(worker)) {
        TRY(process_all(worker, err));
    } else {
        TRY(poll(worker, turn_budget(worker, timeout_us), err));
    }
    enum commit_reason reason;
    if (commit_is_due(worker, &reason))
        TRY(transaction_commit(worker, reason, err));
    if (worker_now_us(worker) - worker->published_us >= PUBLISH_US)
        worker_stats_publish(worker);
    return ST_OK;
}

enum status worker_turn(struct worker *worker, int64_t timeout_us, struct error *err)
{
    const enum status st = turn(worker, timeout_us, err);
    return st == ST_FENCED ? join_again(worker, err) : st;
}

enum status worker_run(struct worker *worker, const atomic_bool *stop, struct error *err)
{
    while (!atomic_load(stop))
        TRY(worker_turn(worker, IDLE_TURN_US, err));
    return worker_shut_down(worker, err);
}

static bool checkpoints_run(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->kind == LANE_TASK && worker->lanes[i]->checkpoint.running)
            return true;
    }
    return false;
}

/* Finishes the checkpoint that runs and takes one more of everything, so that the next start replays nothing. */
static enum status last_checkpoint(struct worker *worker, struct error *err)
{
    const int64_t started_us = worker_now_us(worker);
    const uint64_t aborts = worker->stats.aborts;
    for (int round = 0; round < 2; round++) {
        do {
            TRY(worker_checkpoints_tend(worker, round == 1, err));
            if (slice_waits(worker))
                TRY(transaction_commit(worker, COMMIT_SHUT_DOWN, err));
            if (worker->stats.aborts != aborts)
                return ST_OK; /* perhaps nothing is ours any more, and nobody polls to hear of it: the tail has it all */
            if (checkpoints_run(worker))
                clock_sleep_us(&worker->options.clock, BUSY_TURN_US);
        } while (checkpoints_run(worker) && worker_now_us(worker) - started_us < SHUT_DOWN_US);
    }
    return ST_OK;
}

/*
 * From the last commit until somebody else has taken over nothing is processed. So what takes long is done before it: a
 * checkpoint of everything, beside the processing. The next owner reads what was committed since it began.
 */
static enum status checkpoint_before_leaving(struct worker *worker, struct error *err)
{
    const int64_t started_us = worker_now_us(worker);
    TRY(transaction_commit(worker, COMMIT_SHUT_DOWN, err));
    TRY(worker_checkpoints_tend(worker, true, err));
    while (checkpoints_run(worker) && worker_now_us(worker) - started_us < SHUT_DOWN_US)
        TRY(worker_turn(worker, BUSY_TURN_US, err));
    return ST_OK;
}

enum status worker_shut_down(struct worker *worker, struct error *err)
{
    struct log_port *port = worker->options.port;
    ENSURE(!worker->shut_down);
    worker->shut_down = true;
    LOG_INFO("worker.stopping", "worker=%d hands_over=%d", worker->options.number, worker->options.hands_over);
    KILL_POINT(shut_down);
    if (worker->options.hands_over)
        TRY(checkpoint_before_leaving(worker, err));
    TRY(transaction_commit(worker, COMMIT_SHUT_DOWN, err));
    KILL_POINT(shut_down_committed);
    if (!worker->options.hands_over)
        TRY(last_checkpoint(worker, err));
    KILL_POINT(shut_down_checkpoint);
    worker->releasing = true;
    TRY(transaction_commit(worker, COMMIT_REVOKE, err));
    KILL_POINT(shut_down_released);
    LOG_INFO("worker.leaves", "worker=%d", worker->options.number);
    port->type->leave(port); /* others wait for it; to free memory takes a while */
    worker_stats_publish(worker);
    opening_drop(worker);
    LOG_INFO("worker.stopped", "worker=%d records=%" PRIu64 " commits=%" PRIu64, worker->options.number,
             worker->stats.records, worker->stats.commits);
    return ST_OK;
}
