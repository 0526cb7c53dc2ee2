/*
 * The task's own rows (KEY_TASK):
 *     [6]['S']  the plan's state signature (text), what a changed topology is compared with
 *     [6]['T']  u8 format = 1 | u8 partitioner | varint stream count, each: zigzag newest event time (INT64_MIN: none)
 * ('L' are the layouts', layouts.h.)
 */
#include "processor/engine/task.h"

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/steps/decision.h"
#include "processor/topology/topology.h"
#include "state/keys.h"
#include "state/layouts.h"
#include "state/snooze.h"

enum { TASK_ARENA_BLOCK = 64 * 1024, TIME_ROW_FORMAT = 1, TIMERS_PER_COMMIT_MAX = 1000 };

static const uint8_t signature_key[] = { KEY_TASK, 'S' };
static const uint8_t time_key[] = { KEY_TASK, 'T' };

struct task {
    struct task_options options;
    const struct plan *plan;
    struct overlay *overlay;
    struct buffer signature; /* of the plan's state */
    struct layouts *layouts;
    struct timers *timers;
    struct arena *arena;
    struct outputs *outputs;
    struct step_counters counters;
    struct step_context context;
    enum partitioner partitioner, committed_partitioner;

    struct stream_state *streams; /* per plan stream */
    struct entity_log_spec *log_specs;
    int64_t *committed_newest_us;
    struct table **tables; /* per plan table; NULL for everywhere ones */
    struct decoder **table_decoders;
    const struct everywhere_table **everywhere;
};

/* --- making it ------------------------------------------------------------------------------------------------ */

static enum status make_decoder(struct task *task, enum payload_format format, struct schema_document *schema,
                                const struct decoder_column *columns, size_t count, struct decoder **out,
                                struct error *err)
{
    if (format == FORMAT_JSON)
        return decoder_create_json(out, schema_root(schema), columns, count, err);
    return decoder_create_avro(out, schema_root(schema), columns, count, task->options.registry, err);
}

/* Computed measures of a remembered event, for the entity log. */
static void compute_measures(void *context, const struct value *columns, struct value *measures, struct arena *arena)
{
    const struct plan_stream *plan = context;
    struct expression_context expression = { .slots = columns, .arena = arena };
    for (size_t i = 0; i < plan->measure_count; i++)
        measures[plan->remembered_count + i] = expression_evaluate(plan->measures[i].program, &expression);
}

static enum status make_log(struct task *task, size_t number, struct error *err)
{
    const struct plan_stream *plan = &task->plan->streams[number];
    struct entity_log_spec *spec = &task->log_specs[number];
    struct aggregate_spec *aggregates = mem_alloc_array(plan->aggregate_count + 1, sizeof *aggregates);
    for (size_t i = 0; i < plan->aggregate_count; i++)
        aggregates[i] = plan->aggregates[i].spec;
    *spec = (struct entity_log_spec){
        .stream = (uint8_t)number,
        .columns = plan->remembered_columns,
        .column_count = plan->remembered_count,
        .measure_count = plan->remembered_count + plan->measure_count,
        .measure = compute_measures,
        .measure_context = (void *)plan,
        .windows = plan->windows,
        .window_count = plan->window_count,
        .aggregates = aggregates,
        .aggregate_count = plan->aggregate_count,
        .finds_ids = plan->dedupe_us > 0,
        .id = plan->id_measure,
        .retention_us = plan->retention_us,
        .look_back_us = plan->look_back_us,
        .cache_bytes = task->options.cache_bytes / task->plan->stream_count,
        .never_aborts = task->options.never_aborts,
    };
    return entity_log_create(&task->streams[number].log, spec, task->overlay, task->layouts, err);
}

/* How far behind a late event what holds at an event can change: the longest look-back of a rule. */
static void find_reach(const struct plan *plan, struct stream_state *stream)
{
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        if (rule->stream != stream->plan->number)
            continue;
        stream->has_rises |= rule->repeat == REPEAT_ON_RISE;
        for (size_t j = 0; j < rule->aggregate_count; j++) {
            const struct aggregate_spec *aggregate = &stream->plan->aggregates[rule->aggregates[j]].spec;
            const struct window_spec *window = &stream->plan->windows[aggregate->window];
            const int64_t reach_us = window->span_us > 0 ? window->span_us + window->delay_us
                                                         : stream->plan->look_back_us;
            if (reach_us > stream->reach_us)
                stream->reach_us = reach_us;
        }
    }
}

static enum status make_stream(struct task *task, size_t number, struct error *err)
{
    const struct plan_stream *plan = &task->plan->streams[number];
    struct stream_state *stream = &task->streams[number];
    stream->plan = plan;
    stream->newest_us = INT64_MIN;
    task->committed_newest_us[number] = INT64_MIN;
    find_reach(task->plan, stream);
    stream->slots = mem_alloc_array(plan->slot_count + 1, sizeof *stream->slots);
    stream->other_slots = mem_alloc_array(plan->slot_count + 1, sizeof *stream->other_slots);
    stream->columns = mem_alloc_array(plan->remembered_count + 1, sizeof *stream->columns);
    for (size_t i = 1; i < plan->aggregate_count; i++)
        ENSURE(plan->aggregates[i].slot == plan->aggregates[i - 1].slot + 1);
    stream->truth = mem_alloc_array(2 * rule_words(task->plan) + 1, sizeof *stream->truth);
    if (task->options.stream_decoders != NULL)
        stream->decoder = TAKE(task->options.stream_decoders[number]);
    if (stream->decoder == NULL)
        TRY(make_decoder(task, plan->format, plan->schema, plan->decoder_columns, plan->decoder_column_count,
                         &stream->decoder, err));
    return make_log(task, number, err);
}

static enum status make_table(struct task *task, size_t number, struct error *err)
{
    const struct plan_table *plan = &task->plan->tables[number];
    task->everywhere[number] = NULL;
    if (plan->scope == TABLE_EVERYWHERE) {
        ENSURE(task->options.everywhere != NULL && task->options.everywhere[number] != NULL);
        task->everywhere[number] = task->options.everywhere[number];
        return ST_OK;
    }
    TRY(make_decoder(task, plan->format, plan->schema, plan->decoder_columns, plan->decoder_column_count,
                     &task->table_decoders[number], err));
    return table_create(&task->tables[number], &plan->spec, task->overlay, task->layouts, err);
}

static void make_context(struct task *task)
{
    task->counters.rule_alerts = mem_alloc_array(task->plan->rule_count + 1, sizeof(uint64_t));
    task->counters.rule_unknown = mem_alloc_array(task->plan->rule_count + 1, sizeof(uint64_t));
    task->context = (struct step_context){
        .plan = task->plan,
        .overlay = task->overlay,
        .timers = task->timers,
        .tables = task->tables,
        .everywhere = task->everywhere,
        .outputs = task->outputs,
        .arena = task->arena,
        .counters = &task->counters,
        .partition_count = task->options.partition_count,
        .partitioner = &task->partitioner,
        .mode = task->options.mode,
        .alerts_unread = task->options.alerts_unread,
        .alert_schema_id = task->options.alert_schema_id,
        .on_features = task->options.on_features,
        .on_features_context = task->options.on_features_context,
    };
}

/* --- what the state remembers of itself ------------------------------------------------------------------------- */

static enum status load_times(struct task *task, struct error *err)
{
    struct bytes row;
    TRY(overlay_get(task->overlay, bytes_of(time_key, sizeof time_key), &row, err));
    if (row.data == NULL)
        return ST_OK;
    struct reader in = reader_of(row);
    if (reader_u8(&in) != TIME_ROW_FORMAT)
        return FAIL(err, ST_FORMAT_NEWER, "the task's time row was written by a newer version");
    task->partitioner = (enum partitioner)reader_u8(&in);
    const uint64_t count = reader_varint(&in);
    for (uint64_t i = 0; i < count && !in.failed; i++) {
        const int64_t newest_us = reader_zigzag(&in);
        if (i < task->plan->stream_count)
            task->streams[i].newest_us = newest_us;
    }
    if (!reader_done(&in) || task->partitioner > PARTITIONER_CRC32)
        return FAIL(err, ST_CORRUPT, "the task's time row is malformed");
    for (size_t i = 0; i < task->plan->stream_count; i++)
        task->committed_newest_us[i] = task->streams[i].newest_us;
    task->committed_partitioner = task->partitioner;
    return ST_OK;
}

static void state_partitioner(struct task *task)
{
    if (task->options.partitioner != PARTITIONER_UNKNOWN)
        task->partitioner = task->committed_partitioner = task->options.partitioner;
}

static void write_times(const struct task *task, struct buffer *out)
{
    buffer_put_u8(out, TIME_ROW_FORMAT);
    buffer_put_u8(out, (uint8_t)task->partitioner);
    buffer_put_varint(out, task->plan->stream_count);
    for (size_t i = 0; i < task->plan->stream_count; i++)
        buffer_put_zigzag(out, task->streams[i].newest_us);
}

static bool times_changed(const struct task *task)
{
    if (task->partitioner != task->committed_partitioner)
        return true;
    for (size_t i = 0; i < task->plan->stream_count; i++) {
        if (task->streams[i].newest_us != task->committed_newest_us[i])
            return true;
    }
    return false;
}

static enum status save_times(struct task *task, struct error *err)
{
    if (!times_changed(task))
        return ST_OK;
    struct buffer row;
    buffer_init(&row);
    write_times(task, &row);
    const enum status st = overlay_put(task->overlay, bytes_of(time_key, sizeof time_key), buffer_view(&row), err);
    buffer_fini(&row);
    return st;
}

/* Compares the topology with the one that wrote the state, and writes down the new one when it differs. */
static enum status check_signature(struct task *task, struct error *err)
{
    const struct bytes now = buffer_view(&task->signature);
    struct buffer changes;
    buffer_init(&changes);
    struct bytes old;
    enum status st = overlay_get(task->overlay, bytes_of(signature_key, sizeof signature_key), &old, err);
    if (st == ST_OK && !bytes_equal(old, now)) {
        if (old.data != NULL)
            st = plan_check_state_change(task->plan, old, &changes, err);
        if (st == ST_OK && changes.size > 0)
            LOG_INFO("task.topology_changed", "topology=%s changes=%s", task->plan->name,
                     LOG_Q(buffer_text(&changes)));
        if (st == ST_OK)
            st = overlay_put(task->overlay, bytes_of(signature_key, sizeof signature_key), now, err);
    }
    buffer_fini(&changes);
    return st;
}

static enum status build(struct task *task, struct error *err)
{
    const struct plan *plan = task->plan;
    plan_state_signature(plan, &task->signature);
    TRY(check_signature(task, err));
    TRY(layouts_open(&task->layouts, task->overlay, err));
    TRY(timers_create(&task->timers, task->overlay, err));
    for (size_t i = 0; i < plan->stream_count; i++)
        TRY(make_stream(task, i, err));
    for (size_t i = 0; i < plan->table_count; i++)
        TRY(make_table(task, i, err));
    make_context(task);
    TRY(load_times(task, err));
    state_partitioner(task);
    return ST_OK;
}

enum status task_create(struct task **out, const struct task_options *options, struct error *err)
{
    ENSURE(*out == NULL && options->plan->stream_count > 0);
    const struct plan *plan = options->plan;
    AUTO(task_destroy) struct task *task = mem_alloc(sizeof *task);
    task->options = *options;
    task->plan = plan;
    task->overlay = options->overlay;
    arena_create(&task->arena, TASK_ARENA_BLOCK);
    outputs_create(&task->outputs);
    task->streams = mem_alloc_array(plan->stream_count, sizeof *task->streams);
    task->log_specs = mem_alloc_array(plan->stream_count, sizeof *task->log_specs);
    task->committed_newest_us = mem_alloc_array(plan->stream_count, sizeof *task->committed_newest_us);
    task->tables = mem_alloc_array(plan->table_count + 1, sizeof *task->tables);
    task->table_decoders = mem_alloc_array(plan->table_count + 1, sizeof *task->table_decoders);
    task->everywhere = mem_alloc_array(plan->table_count + 1, sizeof *task->everywhere);
    TRY(build(task, err));
    *out = TAKE(task);
    return ST_OK;
}

static void destroy_stream(struct task *task, size_t number)
{
    struct stream_state *stream = &task->streams[number];
    entity_log_destroy(&stream->log);
    decoder_destroy(&stream->decoder);
    mem_free(stream->slots);
    mem_free(stream->other_slots);
    mem_free(stream->columns);
    mem_free(stream->truth);
    mem_free((void *)task->log_specs[number].aggregates);
}

void task_destroy(struct task **task_ref)
{
    struct task *task = TAKE(*task_ref);
    if (task == NULL)
        return;
    for (size_t i = 0; i < task->plan->stream_count; i++)
        destroy_stream(task, i);
    for (size_t i = 0; i < task->plan->table_count; i++) {
        table_destroy(&task->tables[i]);
        decoder_destroy(&task->table_decoders[i]);
    }
    timers_destroy(&task->timers);
    layouts_close(&task->layouts);
    outputs_destroy(&task->outputs);
    arena_destroy(&task->arena);
    buffer_fini(&task->signature);
    mem_free(task->streams);
    mem_free(task->log_specs);
    mem_free(task->committed_newest_us);
    mem_free(task->tables);
    mem_free(task->table_decoders);
    mem_free((void *)task->everywhere);
    mem_free(task->counters.rule_alerts);
    mem_free(task->counters.rule_unknown);
    mem_free(task);
}

/* --- one record ------------------------------------------------------------------------------------------------- */

static enum status process_one(struct task *task, const struct input_record *input, struct error *err)
{
    const size_t stream_count = task->plan->stream_count;
    ENSURE(input->source >= 0 && (size_t)input->source < stream_count + task->plan->table_count);
    if ((size_t)input->source < stream_count)
        return steps_run(&task->context, &task->streams[input->source], input, err);
    const size_t number = (size_t)input->source - stream_count;
    ENSURE(task->tables[number] != NULL);
    return table_step_apply(&task->context, &task->plan->tables[number], task->table_decoders[number], input, err);
}

void task_look_ahead(struct task *task, int source, struct bytes key)
{
    if ((size_t)source < task->plan->stream_count && key.data != NULL && task->plan->streams[source].retention_us > 0)
        entity_log_look_ahead(task->streams[source].log, key);
}

enum status task_process(struct task *task, const struct input_record *input, struct error *err)
{
    const size_t outputs_before = outputs_count(task->outputs);
    arena_reset(task->arena);
    const enum status st = process_one(task, input, err);
    if (st == ST_OK)
        return ST_OK;
    if (status_class_of(st) != CLASS_SKIP)
        return st;
    outputs_truncate(task->outputs, outputs_before);
    outputs_add_dead_letter(task->outputs, input, st, err->text, task->plan->dead_letters.payload_reference);
    task->counters.dead_letters[st]++;
    return ST_OK;
}

void task_skip(struct task *task, const struct input_record *input, enum status reason, const char *detail, size_t value_max)
{
    outputs_add_cut_dead_letter(task->outputs, input, reason, detail, task->plan->dead_letters.payload_reference, value_max);
    task->counters.dead_letters[reason]++;
}

/* --- the end of a transaction ------------------------------------------------------------------------------------- */

/* `on rise` is about the event before, which is gone now; `once per` about the last alert, which has a deadline of its own. */
static enum status forget_rises(struct task *task, const struct plan_stream *plan, struct bytes key,
                                struct error *err)
{
    for (size_t i = 0; i < task->plan->rule_count; i++) {
        const struct plan_rule *rule = &task->plan->rules[i];
        if (rule->stream == plan->number && rule->repeat == REPEAT_ON_RISE)
            TRY(snooze_put(task->overlay, rule->id, key, &(struct snooze){ .last_alert_us = INT64_MIN }, err));
    }
    return ST_OK;
}

static enum status on_entity_expiry(struct task *task, struct bytes timer_key, struct error *err)
{
    struct reader in = reader_of(timer_key);
    const size_t number = reader_u8(&in);
    const struct bytes key = bytes_of(in.at, reader_left(&in));
    if (in.failed || number >= task->plan->stream_count)
        return ST_OK; /* a stream that the topology no longer has */
    const struct plan_stream *plan = &task->plan->streams[number];
    const int64_t before_us = task->streams[number].newest_us - plan->retention_us;
    bool deleted = false;
    int64_t newest_us = 0;
    TRY(entity_log_expire(task->streams[number].log, key, before_us, &deleted, &newest_us, err));
    if (deleted)
        return forget_rises(task, plan, key, err);
    return timers_add(task->timers, newest_us + plan->retention_us, TIMER_ENTITY_EXPIRY, timer_key, err);
}

static const struct plan_rule *find_rule(const struct plan *plan, uint32_t id)
{
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].id == id)
            return &plan->rules[i];
    }
    return NULL;
}

static enum status on_snooze_expiry(struct task *task, struct bytes timer_key, struct error *err)
{
    struct snooze snooze;
    struct reader in = reader_of(timer_key);
    const uint32_t id = reader_be32(&in);
    const struct bytes key = bytes_of(in.at, reader_left(&in));
    if (in.failed)
        return FAIL(err, ST_CORRUPT, "a timer's row is damaged");
    TRY(snooze_get(task->overlay, id, key, &snooze, err));
    const struct plan_rule *rule = find_rule(task->plan, id);
    if (snooze.last_alert_us != INT64_MIN && rule != NULL && rule->repeat == REPEAT_ONCE_PER) {
        const struct stream_state *stream = &task->streams[rule->stream];
        const int64_t end_us = snooze_end_us(snooze.last_alert_us, rule->repeat_us, stream->plan->accept_late_us);
        if (end_us > stream->newest_us)
            return timers_add(task->timers, end_us, TIMER_SNOOZE_EXPIRY, timer_key, err);
    }
    snooze.last_alert_us = INT64_MIN;
    return snooze_put(task->overlay, id, key, &snooze, err);
}

static enum status fire(void *context, int64_t due_us, enum timer_kind kind, struct bytes key, struct error *err)
{
    (void)due_us;
    switch (kind) {
    case TIMER_ENTITY_EXPIRY: return on_entity_expiry(context, key, err);
    case TIMER_SNOOZE_EXPIRY: return on_snooze_expiry(context, key, err);
    }
    return FAIL(err, ST_CORRUPT, "a timer of unknown kind %d", (int)kind);
}

enum status task_prepare_commit(struct task *task, struct error *err)
{
    size_t fired = 0;
    TRY(check_signature(task, err));
    TRY(layouts_prepare(task->layouts, err));
    const int64_t newest_us = task_newest_us(task);
    if (newest_us != INT64_MIN)
        TRY(timers_fire(task->timers, newest_us, TIMERS_PER_COMMIT_MAX, fire, task, &fired, err));
    for (size_t i = 0; i < task->plan->stream_count; i++)
        TRY(entity_log_flush(task->streams[i].log, err));
    return save_times(task, err);
}

void task_commit(struct task *task)
{
    for (size_t i = 0; i < task->plan->stream_count; i++) {
        entity_log_commit(task->streams[i].log);
        task->committed_newest_us[i] = task->streams[i].newest_us;
    }
    layouts_commit(task->layouts);
    task->committed_partitioner = task->partitioner;
    outputs_clear(task->outputs);
}

void task_abort(struct task *task)
{
    for (size_t i = 0; i < task->plan->stream_count; i++) {
        entity_log_abort(task->streams[i].log);
        task->streams[i].newest_us = task->committed_newest_us[i];
    }
    timers_abort(task->timers);
    layouts_abort(task->layouts);
    task->partitioner = task->committed_partitioner;
    outputs_clear(task->outputs);
}

struct outputs *task_outputs(struct task *task)
{
    return task->outputs;
}

const struct step_counters *task_counters(const struct task *task)
{
    return &task->counters;
}

int64_t task_newest_us(const struct task *task)
{
    int64_t newest_us = INT64_MIN;
    for (size_t i = 0; i < task->plan->stream_count; i++) {
        if (task->streams[i].newest_us > newest_us)
            newest_us = task->streams[i].newest_us;
    }
    return newest_us;
}

uint64_t task_footprint(const struct task *task)
{
    uint64_t bytes = arena_footprint(task->arena) + arena_footprint(outputs_arena(task->outputs));
    for (size_t i = 0; i < task->plan->stream_count; i++)
        bytes += entity_log_footprint(task->streams[i].log);
    return bytes;
}

uint64_t task_hand_bytes(const struct task *task)
{
    uint64_t bytes = outputs_bytes(task->outputs);
    for (size_t i = 0; i < task->plan->stream_count; i++)
        bytes += entity_log_touched_bytes(task->streams[i].log);
    return bytes;
}

bool task_is_overfull(const struct task *task)
{
    for (size_t i = 0; i < task->plan->stream_count; i++) {
        if (entity_log_is_overfull(task->streams[i].log))
            return true;
    }
    return false;
}
