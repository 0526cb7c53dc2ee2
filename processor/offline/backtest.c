#include "processor/offline/backtest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/task.h"
#include "processor/offline/csv_decoder.h"
#include "processor/offline/file_source.h"
#include "processor/offline/labels.h"
#include "schemas/decoder_type.h"
#include "state/store.h"

enum { COMMIT_RECORDS = 20000, PARTITIONS_MAX = 4096, ARENA_BLOCK = 16 * 1024 };
static const uint64_t CACHE_BYTES = UINT64_C(1) << 30;

/* One partition: its task over state in memory. */
struct lane {
    int32_t partition;
    struct store_partition *store;
    struct overlay *overlay;
    struct task *task;
    bool in_range; /* past the warm-up of an export */
};

struct backtest {
    const struct backtest_options *options;
    const struct plan *plan;
    struct backtest_result *result;
    struct store *store;
    struct lane *lanes;
    size_t lane_count;
    int32_t partition_count; /* of an export; 0: files */
    struct everywhere_table **everywhere;
    struct decoder **everywhere_decoders;
    struct arena *arena;
    struct labels *labels;
    int label_column;
    size_t uncommitted;
    struct file_source *source;
    struct decoder *file_decoder; /* of the file in hand; NULL: an export */
    bool warming_up;              /* the record in hand lies before the range */
    const char *last_topic;       /* of an export's record, and its input */
    int last_input;
    uint64_t files_before; /* records of the files before, so that events are numbered over all */
};

/* --- lanes --------------------------------------------------------------------------------------------------------------- */

static void on_features(void *context, const struct plan_stream *stream, const struct value *slots,
                        struct bytes key, struct bytes id, int64_t time_us)
{
    const struct backtest *backtest = context;
    if (!backtest->warming_up)
        backtest->options->on_features(backtest->options->context, stream, slots, key, id, time_us);
}

/* A task keeps its decoder; files come and go, each with its own header or schema. */
struct current_decoder {
    struct decoder base;
    const struct backtest *backtest;
};

static enum status current_decode(struct decoder *base, struct bytes payload, struct value *slots,
                                  struct arena *arena, struct error *err)
{
    return decoder_decode(((struct current_decoder *)base)->backtest->file_decoder, payload, slots,
                          arena, err);
}

static void current_destroy(struct decoder *base)
{
    mem_free(base);
}

static struct decoder *current_decoder_create(const struct backtest *backtest)
{
    static const struct decoder_type type = { current_decode, current_destroy };
    struct current_decoder *decoder = mem_alloc(sizeof *decoder);
    decoder->base.type = &type;
    decoder->backtest = backtest;
    return &decoder->base;
}

static enum status make_task(struct backtest *backtest, struct lane *lane, struct error *err)
{
    const struct backtest_options *options = backtest->options;
    struct decoder **decoders = mem_alloc_array(backtest->plan->stream_count, sizeof *decoders);
    if (backtest->file_decoder != NULL)
        decoders[0] = current_decoder_create(backtest);
    const struct task_options task = {
        .plan = backtest->plan,
        .overlay = lane->overlay,
        .registry = options->registry,
        .everywhere = (const struct everywhere_table *const *)backtest->everywhere,
        .stream_decoders = decoders,
        .partition_count = backtest->partition_count,
        .partitioner = options->partitioner,
        .mode = ALERT_REPLAY,
        .alerts_unread = options->alerts_unread,
        .cache_bytes = options->cache_bytes == 0 ? CACHE_BYTES : options->cache_bytes,
        .never_aborts = true,
        .on_features = options->on_features == NULL ? NULL : on_features,
        .on_features_context = backtest,
    };
    const enum status st = task_create(&lane->task, &task, err);
    decoder_destroy(&decoders[0]);
    mem_free(decoders);
    return st;
}

static struct lane *find_lane(const struct backtest *backtest, int32_t partition)
{
    for (size_t i = 0; i < backtest->lane_count; i++) {
        if (backtest->lanes[i].partition == partition)
            return &backtest->lanes[i];
    }
    return NULL;
}

static enum status open_lane(struct backtest *backtest, int32_t partition, struct lane **out,
                             struct error *err)
{
    *out = find_lane(backtest, partition);
    if (*out != NULL)
        return ST_OK;
    if (backtest->lane_count == PARTITIONS_MAX)
        return FAIL(err, ST_INVALID, "more than %d partitions", PARTITIONS_MAX);
    backtest->lanes =
        mem_resize_array(backtest->lanes, backtest->lane_count + 1, sizeof *backtest->lanes);
    struct lane *lane = &backtest->lanes[backtest->lane_count++];
    *lane = (struct lane){ .partition = partition };
    char name[32];
    snprintf(name, sizeof name, "task-%05" PRId32, partition);
    TRY(backtest->store->type->partition_open(backtest->store, &lane->store, name, err));
    const struct overlay_options options = { .cache_bytes = 0 };
    overlay_create(&lane->overlay, lane->store, &options);
    *out = lane;
    return make_task(backtest, lane, err);
}

static void close_lane(struct lane *lane)
{
    task_destroy(&lane->task);
    overlay_destroy(&lane->overlay);
    if (lane->store != NULL)
        lane->store->type->partition_close(lane->store);
}

/* --- outputs --------------------------------------------------------------------------------------------------------------- */

static void take_alert(struct backtest *backtest, const struct alert *alert)
{
    const size_t rule = (size_t)(alert->rule - backtest->plan->rules);
    backtest->result->rules[rule].alerts++;
    backtest->result->rules[backtest->plan->rule_count].alerts++;
    if (backtest->labels != NULL && backtest->partition_count == 0)
        labels_set_alerted(backtest->labels, rule, (uint64_t)alert->event.offset);
}

static enum status commit_lane(struct backtest *backtest, struct lane *lane, struct error *err)
{
    TRY(task_prepare_commit(lane->task, err));
    const struct outputs *outputs = task_outputs(lane->task);
    for (size_t i = 0; i < outputs_count(outputs); i++) {
        const struct output *output = outputs_at(outputs, i);
        if (output->kind == OUTPUT_ALERT)
            take_alert(backtest, output->alert);
        if (backtest->options->on_output != NULL)
            backtest->options->on_output(backtest->options->context, output);
    }
    overlay_commit(lane->overlay);
    task_commit(lane->task);
    return ST_OK;
}

static enum status commit_all(struct backtest *backtest, struct error *err)
{
    for (size_t i = 0; i < backtest->lane_count; i++)
        TRY(commit_lane(backtest, &backtest->lanes[i], err));
    backtest->uncommitted = 0;
    return ST_OK;
}

/* --- everywhere tables ------------------------------------------------------------------------------------------------------ */

static enum status make_everywhere(struct backtest *backtest, struct error *err)
{
    const struct plan *plan = backtest->plan;
    backtest->everywhere =
        mem_alloc_array(plan->table_count + 1, sizeof(struct everywhere_table *));
    backtest->everywhere_decoders =
        mem_alloc_array(plan->table_count + 1, sizeof(struct decoder *));
    for (size_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->scope != TABLE_EVERYWHERE)
            continue;
        everywhere_table_create(&backtest->everywhere[i], &table->spec);
        const struct schema *reader = schema_root(table->schema);
        if (table->format == FORMAT_JSON)
            TRY(decoder_create_json(&backtest->everywhere_decoders[i], reader,
                                    table->decoder_columns, table->decoder_column_count, err));
        else
            TRY(decoder_create_avro(&backtest->everywhere_decoders[i], reader,
                                    table->decoder_columns, table->decoder_column_count,
                                    backtest->options->registry, err));
    }
    return ST_OK;
}

static enum status adopt(struct backtest *backtest, size_t number, const struct input_record *input,
                         struct error *err)
{
    const struct plan_table *table = &backtest->plan->tables[number];
    struct bytes key;
    int64_t time_us;
    bool deleted;
    arena_reset(backtest->arena);
    struct value *columns =
        arena_alloc(backtest->arena, (table->spec.column_count + 1) * sizeof *columns);
    const enum status st =
        table_step_decode(table, backtest->everywhere_decoders[number], input, columns, &key,
                          &time_us, &deleted, backtest->arena, err);
    if (status_class_of(st) == CLASS_SKIP) {
        backtest->result->counters.dead_letters[st]++;
        return ST_OK;
    }
    TRY(st);
    everywhere_table_put(backtest->everywhere[number], key, time_us, deleted ? NULL : columns);
    return ST_OK;
}

/* --- counting ---------------------------------------------------------------------------------------------------------------- */

static const uint64_t ONCE = 1, BACK_OUT = UINT64_MAX; /* minus one, modulo 2^64 */

static void add_counters(struct backtest_result *result, const struct plan *plan,
                         const struct step_counters *from, uint64_t times)
{
    struct step_counters *into = &result->counters;
    into->events += times * from->events;
    into->duplicates += times * from->duplicates;
    into->late += times * from->late;
    into->alerts += times * from->alerts;
    into->reevaluated += times * from->reevaluated;
    into->divisions_by_zero += times * from->divisions_by_zero;
    into->overflows += times * from->overflows;
    for (size_t i = 0; i < STATUS_COUNT; i++)
        into->dead_letters[i] += times * from->dead_letters[i];
    for (size_t i = 0; i < plan->rule_count; i++) {
        into->rule_alerts[i] += times * from->rule_alerts[i];
        into->rule_unknown[i] += times * from->rule_unknown[i];
    }
}

/* --- records ---------------------------------------------------------------------------------------------------------------- */

static int find_topic(const struct plan *plan, const char *topic)
{
    for (size_t i = 0; i < plan->stream_count; i++) {
        if (strcmp(plan->streams[i].topic, topic) == 0)
            return (int)i;
    }
    for (size_t i = 0; i < plan->table_count; i++) {
        if (strcmp(plan->tables[i].topic, topic) == 0)
            return (int)(plan->stream_count + i);
    }
    return -1;
}

/* The number of the topic's input; -1: the topology does not read it. */
static int find_input(struct backtest *backtest, const char *topic)
{
    if (topic == NULL)
        return 0;
    if (topic != backtest->last_topic) {
        backtest->last_topic = topic;
        backtest->last_input = find_topic(backtest->plan, topic);
    }
    return backtest->last_input;
}

static const char *topic_name(const struct plan *plan, int source)
{
    const size_t i = (size_t)source;
    return i < plan->stream_count ? plan->streams[i].topic
                                  : plan->tables[i - plan->stream_count].topic;
}

/* Of the CSV line that was decoded last. */
static void take_label(struct backtest *backtest, int64_t number)
{
    if (backtest->label_column < 0)
        return;
    const struct bytes label =
        csv_decoder_field(backtest->file_decoder, (size_t)backtest->label_column);
    if (bytes_equal(label, BYTES_LITERAL("1")) || bytes_equal(label, BYTES_LITERAL("true")))
        labels_set_fraud(backtest->labels, (uint64_t)number);
}

static enum status process_in(struct lane *lane, const struct input_record *input,
                              struct error *err)
{
    for (;;) {
        const enum status st = task_process(lane->task, input, err);
        if (status_class_of(st) != CLASS_RETRY)
            return st;
        /* A schema that has to be fetched: there is no hurry here. */
        const struct clock clock = clock_real();
        clock_sleep_us(&clock, 10 * 1000);
    }
}

/* What came before the range left its traces in the state, and leaves none in the result. */
static enum status process(struct backtest *backtest, int32_t partition,
                           const struct input_record *input, struct error *err)
{
    struct lane *lane = NULL;
    TRY(open_lane(backtest, partition, &lane, err));
    if (!lane->in_range && !backtest->warming_up) {
        add_counters(backtest->result, backtest->plan, task_counters(lane->task), BACK_OUT);
        lane->in_range = true;
    }
    struct outputs *outputs = task_outputs(lane->task);
    const size_t outputs_before = outputs_count(outputs);
    TRY(process_in(lane, input, err));
    if (backtest->warming_up)
        outputs_truncate(outputs, outputs_before);
    return ST_OK;
}

static enum status take_record(struct backtest *backtest, const struct file_record *record,
                               struct error *err)
{
    const struct plan *plan = backtest->plan;
    const int source = find_input(backtest, record->topic);
    if (source < 0)
        return ST_OK; /* an export may hold more than this topology reads */
    const bool is_export = record->topic != NULL;
    const int64_t offset =
        is_export ? record->offset : record->offset + (int64_t)backtest->files_before;
    const struct input_record input = {
        .source = source,
        .topic = topic_name(plan, source),
        .partition = record->partition,
        .offset = offset,
        .timestamp_ms = record->timestamp_ms,
        .reference_ms = record->timestamp_ms >= 0 ? record->timestamp_ms : INT64_MAX / 2000,
        .key = record->key,
        .value = record->value,
    };
    backtest->warming_up = record->warm_up;
    backtest->result->records++;
    backtest->result->warm_up += record->warm_up;
    backtest->result->bytes += record->key.size + record->value.size;
    const size_t table = (size_t)source - plan->stream_count;
    if ((size_t)source >= plan->stream_count && plan->tables[table].scope == TABLE_EVERYWHERE)
        return adopt(backtest, table, &input, err);
    TRY(process(backtest, record->partition, &input, err));
    take_label(backtest, offset);
    if (++backtest->uncommitted >= COMMIT_RECORDS)
        TRY(commit_all(backtest, err));
    return ST_OK;
}

/* As a worker does: what a record needs is fetched while others are processed. */
static void announce(struct backtest *backtest, const struct file_record *record)
{
    struct lane *lane = find_lane(backtest, record->partition);
    if (lane != NULL && record->topic != NULL)
        task_look_ahead(lane->task, find_input(backtest, record->topic), record->key);
}

static enum status take_records(struct backtest *backtest, const struct file_record *records, size_t count,
                                struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (i + TASK_AHEAD < count)
            announce(backtest, &records[i + TASK_AHEAD]);
        TRY(take_record(backtest, &records[i], err));
    }
    return ST_OK;
}

static enum status run_file(struct backtest *backtest, const char *path, struct error *err)
{
    TRY(file_source_open(&backtest->source, path, err));
    TRY(file_source_decoder(backtest->source, &backtest->plan->streams[0], &backtest->file_decoder,
                            err));
    backtest->label_column = -1;
    if (backtest->labels != NULL)
        backtest->label_column = file_source_csv_column(backtest->source, backtest->options->label);
    backtest->result->labelled |= backtest->label_column >= 0;
    const uint64_t before = backtest->result->records;
    for (bool end = false; !end;) {
        const struct file_record *records;
        size_t count;
        TRY(file_source_next(backtest->source, &records, &count, &end, err));
        TRY(take_records(backtest, records, count, err));
    }
    TRY(commit_all(backtest, err));
    backtest->last_topic = NULL; /* the next file has its own */
    backtest->files_before += backtest->result->records - before;
    decoder_destroy(&backtest->file_decoder);
    file_source_close(&backtest->source);
    return ST_OK;
}

/* --- before the first record: what all files together are ------------------------------------------------------------------ */

static enum status look_at(struct backtest *backtest, const char *path, size_t *exports,
                           bool *has_label, struct error *err)
{
    AUTO(file_source_close) struct file_source *source = NULL;
    int64_t partitions;
    TRY(file_source_open(&source, path, err));
    const char *label = backtest->options->label;
    *has_label |= label != NULL && file_source_csv_column(source, label) >= 0;
    if (file_source_format(source) != FILE_EXPORT)
        return ST_OK;
    (*exports)++;
    if (!file_source_export_partitions(source, &partitions))
        return ST_OK;
    if (backtest->partition_count != 0 && backtest->partition_count != partitions)
        return FAIL(err, ST_INVALID,
                    "%s is of %" PRId64 " partitions, an export before it of %" PRId32, path,
                    partitions, backtest->partition_count);
    backtest->partition_count = (int32_t)partitions;
    return ST_OK;
}

static enum status look_ahead(struct backtest *backtest, struct error *err)
{
    const struct backtest_options *options = backtest->options;
    size_t exports = 0;
    bool has_label = false;
    for (size_t i = 0; i < options->input_count; i++)
        TRY(look_at(backtest, options->inputs[i], &exports, &has_label, err));
    if (exports != 0 && exports != options->input_count)
        return FAIL(
            err, ST_INVALID,
            "exports, whose records know their partitions, and other files do not go together");
    if (options->label_required && !has_label)
        return FAIL(err, ST_INVALID, "no file has a CSV column '%s' that says what was fraud",
                    options->label);
    return ST_OK;
}

/* --- result ------------------------------------------------------------------------------------------------------------------- */

static void finish(struct backtest *backtest)
{
    struct backtest_result *result = backtest->result;
    for (size_t i = 0; i < backtest->lane_count; i++) {
        if (backtest->lanes[i].in_range)
            add_counters(result, backtest->plan, task_counters(backtest->lanes[i].task), ONCE);
    }
    result->partitions = backtest->lane_count;
    if (backtest->labels == NULL)
        return;
    result->frauds = labels_frauds(backtest->labels);
    for (size_t i = 0; i <= backtest->plan->rule_count; i++)
        labels_count(backtest->labels, i, &result->rules[i].events, &result->rules[i].hits);
}

static void close_all(struct backtest *backtest)
{
    for (size_t i = 0; i < backtest->lane_count; i++)
        close_lane(&backtest->lanes[i]);
    for (size_t i = 0; backtest->everywhere != NULL && i < backtest->plan->table_count; i++) {
        everywhere_table_destroy(&backtest->everywhere[i]);
        decoder_destroy(&backtest->everywhere_decoders[i]);
    }
    decoder_destroy(&backtest->file_decoder);
    file_source_close(&backtest->source);
    store_close(&backtest->store);
    labels_destroy(&backtest->labels);
    arena_destroy(&backtest->arena);
    mem_free(backtest->lanes);
    mem_free(backtest->everywhere);
    mem_free(backtest->everywhere_decoders);
}

static enum status run_all(struct backtest *backtest, struct error *err)
{
    TRY(look_ahead(backtest, err));
    TRY(make_everywhere(backtest, err));
    for (size_t i = 0; i < backtest->options->input_count; i++)
        TRY(run_file(backtest, backtest->options->inputs[i], err));
    finish(backtest);
    return ST_OK;
}

enum status backtest_run(struct backtest_result *out, const struct backtest_options *options,
                         struct error *err)
{
    const struct clock clock = clock_real();
    const int64_t started_us = clock_us(&clock), started_cpu_us = clock_process_cpu_us();
    const size_t rules = options->plan->rule_count + 1;
    *out = (struct backtest_result){ .records = 0 };
    out->rules = mem_alloc_array(rules, sizeof *out->rules);
    out->counters.rule_alerts = mem_alloc_array(rules, sizeof(uint64_t));
    out->counters.rule_unknown = mem_alloc_array(rules, sizeof(uint64_t));
    struct backtest backtest = {
        .options = options, .plan = options->plan, .result = out, .label_column = -1
    };
    store_open_memory(&backtest.store);
    arena_create(&backtest.arena, ARENA_BLOCK);
    if (options->label != NULL)
        labels_create(&backtest.labels, options->plan->rule_count);
    const enum status st = run_all(&backtest, err);
    close_all(&backtest);
    out->elapsed_us = clock_us(&clock) - started_us;
    out->cpu_us = clock_process_cpu_us() - started_cpu_us;
    return st;
}

void backtest_result_fini(struct backtest_result *result)
{
    mem_free(result->rules);
    mem_free(result->counters.rule_alerts);
    mem_free(result->counters.rule_unknown);
    *result = (struct backtest_result){ .records = 0 };
}
