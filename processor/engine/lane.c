#include "processor/engine/lane.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/reference.h"
#include "processor/engine/worker_state.h"
#include "state/keys.h"

const char *lane_state_name(enum lane_state state)
{
    static const char *const names[] = { "opening", "restoring", "claiming", "ready", "lost", "failed" };
    return names[state];
}

struct bytes lane_journal_key(void)
{
    static const uint8_t key[] = { KEY_TASK, 'J' };
    return bytes_of(key, sizeof key);
}

/* --- queues --------------------------------------------------------------------------------------------------- */

static uint64_t bytes_of_record(const struct log_record *record)
{
    enum { OVERHEAD = 310 + sizeof *record }; /* the client's part was measured */
    return record->key.size + record->value.size + OVERHEAD;
}

void record_queue_push(struct record_queue *queue, const struct log_record *record)
{
    if (queue->count == queue->capacity) {
        const size_t capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        struct log_record *items = mem_alloc_array(capacity, sizeof *items);
        for (size_t i = 0; i < queue->count; i++)
            items[i] = queue->items[(queue->head + i) % queue->capacity];
        mem_free(queue->items);
        queue->items = items;
        queue->head = 0;
        queue->capacity = capacity;
    }
    queue->items[(queue->head + queue->count++) % queue->capacity] = *record;
    queue->bytes += bytes_of_record(record);
}

struct log_record *record_queue_front(struct record_queue *queue)
{
    return queue->count == 0 ? NULL : &queue->items[queue->head];
}

const struct log_record *record_queue_at(const struct record_queue *queue, size_t n)
{
    return n < queue->count ? &queue->items[(queue->head + n) % queue->capacity] : NULL;
}

void record_queue_pop(struct record_queue *queue)
{
    ENSURE(queue->count > 0);
    queue->bytes -= bytes_of_record(&queue->items[queue->head]);
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
}

static const struct log_record *record_queue_back(const struct record_queue *queue)
{
    return &queue->items[(queue->head + queue->count - 1) % queue->capacity];
}

static void empty_queue(struct lane *lane, struct record_queue *queue)
{
    struct log_port *port = lane->worker->options.port;
    while (queue->count > 0) {
        port->type->release(port, record_queue_front(queue), 1);
        record_queue_pop(queue);
    }
}

int64_t lane_input_fetch_position(const struct lane_input *input)
{
    return input->queue.count == 0 ? input->position : record_queue_back(&input->queue)->offset + 1;
}

/* --- lanes ---------------------------------------------------------------------------------------------------- */

static void add_input(struct lane *lane, int topic)
{
    lane->inputs[lane->input_count++] = (struct lane_input){
        .topic = topic, .source = lane->worker->options.topics->items[topic].source, .position = -1, .committed = -1,
    };
}

void lane_create(struct lane **out, struct worker *worker, enum lane_kind kind, int32_t partition)
{
    ENSURE(*out == NULL);
    const struct plan *plan = worker->options.plan;
    struct lane *lane = mem_alloc(sizeof *lane);
    lane->worker = worker;
    lane->kind = kind;
    lane->partition = partition;
    lane->inputs = mem_alloc_array(plan->stream_count + plan->table_count, sizeof *lane->inputs);
    if (kind == LANE_TASK) {
        for (size_t i = 0; i < plan->stream_count; i++)
            add_input(lane, (int)i);
        for (size_t i = 0; i < plan->table_count; i++) {
            if (plan->tables[i].scope == TABLE_COPARTITIONED)
                add_input(lane, worker->options.topics->first_table + (int)i);
        }
    }
    *out = lane;
}

void lane_become_copier(struct lane *lane, int table)
{
    ENSURE(lane->kind == LANE_COPY && lane->input_count == 0);
    lane->table = table;
    outputs_create(&lane->copy_outputs);
    add_input(lane, lane->worker->options.topics->first_table + table);
}

void lane_drop_queues(struct lane *lane)
{
    for (size_t i = 0; i < lane->input_count; i++) {
        empty_queue(lane, &lane->inputs[i].queue);
        lane->inputs[i].at_end = false;
        lane->inputs[i].held = false;
    }
}

void lane_forget(struct lane *lane)
{
    job_cancel(&lane->restore_job);
    restore_fini(&lane->restore);
    lane->restore = (struct restore){ .phase = RESTORE_LOCAL };
    if (lane->checkpoint.overlay != NULL)
        checkpoint_fini(&lane->checkpoint);
    lane->checkpoint = (struct checkpoint){ .overlay = NULL };
    task_destroy(&lane->task);
    overlay_destroy(&lane->overlay);
    if (lane->store != NULL)
        lane->store->type->partition_close(lane->store);
    lane->store = NULL;
    copier_destroy(&lane->copier);
    lane_drop_queues(lane);
    journal_runs_clear(&lane->runs);
    for (size_t i = 0; i < lane->input_count; i++) {
        lane->inputs[i].position = lane->inputs[i].committed = -1;
        lane->inputs[i].seen = lane->inputs[i].committed_seen = (struct last_seen){ .known = false };
    }
    lane->touched = lane->in_transaction = lane->changed = lane->proven = false;
    lane->tail_offset = lane->trimmed_offset = 0;
    lane->blocked_until_us = 0;
    lane->touched_records = 0;
    lane->marked = lane->committed_mark = 0;
    if (lane->copy_outputs != NULL)
        outputs_clear(lane->copy_outputs);
    buffer_clear(&lane->copied);
    lane->committed = (struct commit_metadata){ .seq = 0 };
    lane->journal_hash = (struct hash128){ 0, 0 };
}

bool lane_alert_waits(const struct lane *lane)
{
    return lane->task != NULL && outputs_alert_count(task_outputs(lane->task)) > 0;
}

void lane_destroy(struct lane **lane)
{
    if (*lane == NULL)
        return;
    lane_forget(*lane);
    if ((*lane)->has_taken)
        standby_give((*lane)->worker->options.standby, (*lane)->partition);
    journal_runs_fini(&(*lane)->runs);
    outputs_destroy(&(*lane)->copy_outputs);
    buffer_fini(&(*lane)->copied);
    for (size_t i = 0; i < (*lane)->input_count; i++)
        mem_free((*lane)->inputs[i].queue.items);
    mem_free((*lane)->inputs);
    mem_free(*lane);
    *lane = NULL;
}
