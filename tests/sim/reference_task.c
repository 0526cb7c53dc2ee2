#include "reference_task.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/reference.h"

enum { CACHE_BYTES = 1 << 20, ARENA_BLOCK = 4096 };

static void make_everywhere(struct reference_task *reference)
{
    const struct plan *plan = reference->plan;
    reference->everywhere = mem_alloc_array(plan->table_count + 1, sizeof *reference->everywhere);
    reference->decoders = mem_alloc_array(plan->table_count + 1, sizeof *reference->decoders);
    for (size_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->scope != TABLE_EVERYWHERE)
            continue;
        everywhere_table_create(&reference->everywhere[i], &table->spec);
        ENSURE(decoder_create_json(&reference->decoders[i], schema_root(table->schema),
                                   table->decoder_columns, table->decoder_column_count,
                                   NULL) == ST_OK);
    }
}

void reference_task_init(struct reference_task *reference,
                         const struct reference_task_options *options)
{
    *reference = (struct reference_task){ .plan = fixture_plan(options->variant) };
    arena_create(&reference->arena, ARENA_BLOCK);
    store_open_memory(&reference->store);
    ENSURE(reference->store->type->partition_open(reference->store, &reference->partition, "task",
                                                  NULL) == ST_OK);
    overlay_create(&reference->overlay, reference->partition,
                   &(struct overlay_options){ .cache_bytes = CACHE_BYTES });
    make_everywhere(reference);
    const struct task_options task = {
        .plan = reference->plan,
        .overlay = reference->overlay,
        .everywhere = (const struct everywhere_table *const *)reference->everywhere,
        .partition_count = options->partitions,
        .partitioner = options->partitioner,
        .mode = ALERT_LIVE,
        .alert_schema_id = 1,
        .cache_bytes = CACHE_BYTES,
    };
    ENSURE(task_create(&reference->task, &task, NULL) == ST_OK);
}

void reference_task_fini(struct reference_task *reference)
{
    task_destroy(&reference->task);
    overlay_destroy(&reference->overlay);
    reference->partition->type->partition_close(reference->partition);
    store_close(&reference->store);
    for (size_t i = 0; i < reference->plan->table_count; i++) {
        everywhere_table_destroy(&reference->everywhere[i]);
        decoder_destroy(&reference->decoders[i]);
    }
    mem_free(reference->everywhere);
    mem_free(reference->decoders);
    arena_destroy(&reference->arena);
}

void reference_task_adopt(struct reference_task *reference, struct bytes value)
{
    struct reference_record record;
    ENSURE(reference_read(&record, value, NULL) == ST_OK);
    for (size_t i = 0; i < reference->plan->table_count && !record.is_mark; i++) {
        const struct plan_table *table = &reference->plan->tables[i];
        if (reference->everywhere[i] == NULL ||
            !bytes_equal(record.table, bytes_of_string(table->name)))
            continue;
        const struct input_record input = {
            .topic = table->topic,
            .partition = record.partition,
            .offset = record.offset,
            .timestamp_ms = record.timestamp_ms,
            .key = record.key,
            .value = record.value,
        };
        struct bytes key;
        int64_t time_us;
        bool deleted;
        arena_reset(reference->arena);
        struct value *columns =
            arena_alloc(reference->arena, (table->spec.column_count + 1) * sizeof *columns);
        ENSURE(table_step_decode(table, reference->decoders[i], &input, columns, &key, &time_us,
                                 &deleted, reference->arena, NULL) == ST_OK);
        everywhere_table_put(reference->everywhere[i], key, time_us, deleted ? NULL : columns);
    }
}

void reference_task_feed(struct reference_task *reference, const struct fixture_record *record,
                         int64_t reference_ms)
{
    const struct plan *plan = reference->plan;
    const bool is_stream = record->topic < (int)plan->stream_count;
    const struct input_record input = {
        .source = record->topic, /* streams, then tables: the same order */
        .topic = is_stream ? plan->streams[record->topic].topic
                           : plan->tables[record->topic - (int)plan->stream_count].topic,
        .partition = record->partition,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .reference_ms = reference_ms,
        .key = record->key,
        .value = record->value,
    };
    struct error err = { .status = ST_OK };
    ENSURE(task_process(reference->task, &input, &err) == ST_OK);
}

static bool take_row(void *context, struct bytes key, struct bytes value)
{
    (void)context;
    (void)key;
    (void)value;
    return true;
}

void reference_task_prepare(struct reference_task *reference)
{
    struct error err = { .status = ST_OK };
    const struct bytes nothing = BYTES_LITERAL("\xff");
    ENSURE(task_prepare_commit(reference->task, &err) == ST_OK);
    /* Whoever scans has every row whole: what the tail appends is compared with the ends of these. */
    ENSURE(overlay_scan(reference->overlay, nothing, nothing, take_row, NULL, &err) == ST_OK);
}

void reference_task_commit(struct reference_task *reference)
{
    overlay_commit(reference->overlay);
    task_commit(reference->task);
}
