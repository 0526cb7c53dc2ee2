/*
 * job_task: the benchmark's job through a task, from Avro bodies to the records of the tail, without Kafka and disk:
 * the same work each time, for counting instructions (bench/instructions.py). `job_task TOPOLOGY SCHEMAS EVENTS`
 *
 * A transaction ends every BATCH events: the task writes its rows, they are packed for the tail, and merged.
 * Prints how many alerts the task has put out and how many the oracle expects: 1 when they differ.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "job_event.h"
#include "processor/engine/task.h"
#include "processor/topology/topology.h"
#include "state/tail.h"

enum { USERS = 1000, BATCH = 1000, CACHE_BYTES = 256 << 20 };

struct bench {
    struct plan *plan;
    struct registry *registry;
    int32_t schema_id;
    struct everywhere_table *blocked;
    const struct everywhere_table *tables[1];
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct task *task;
    uint64_t seq, tail_bytes, alerts, expected;
    struct error err;
};

static void must(struct bench *bench, enum status st)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "job_task: %s\n", bench->err.text);
    exit(1);
}

static void load_plan(struct bench *bench, const char *path, const char *schemas)
{
    const struct topology_options options = { .schemas_directory = schemas };
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics, path);
    must(bench, topology_load_file(&bench->plan, path, &options, &diagnostics, &bench->err));
    diagnostics_fini(&diagnostics);
}

static void fill_blacklist(struct bench *bench)
{
    const struct table_spec *spec = &bench->plan->tables[0].spec;
    struct value *columns = mem_alloc_array(spec->column_count + 1, sizeof *columns);
    struct buffer key;
    buffer_init(&key);
    everywhere_table_create(&bench->blocked, spec);
    for (uint32_t i = 0; i < JOB_BLOCKED; i++) {
        buffer_clear(&key);
        job_merchant(&key, i);
        everywhere_table_put(bench->blocked, buffer_view(&key), 0, columns);
    }
    buffer_fini(&key);
    mem_free(columns);
}

static void open_bench(struct bench *bench, const char *topology, const char *schemas)
{
    const struct overlay_options overlay = { .cache_bytes = CACHE_BYTES };
    load_plan(bench, topology, schemas);
    registry_open_memory(&bench->registry);
    must(bench, registry_register(bench->registry, "transactions-value", schema_text(bench->plan->streams[0].schema),
                                  0, &bench->schema_id, &bench->err));
    fill_blacklist(bench);
    store_open_memory(&bench->store);
    must(bench, bench->store->type->partition_open(bench->store, &bench->partition, "task-00000",
                                                   &bench->err));
    overlay_create(&bench->overlay, bench->partition, &overlay);
    bench->tables[0] = bench->blocked;
    const struct task_options options = {
        .plan = bench->plan, .overlay = bench->overlay, .registry = bench->registry,
        .everywhere = bench->tables, .mode = ALERT_LIVE, .cache_bytes = CACHE_BYTES,
    };
    must(bench, task_create(&bench->task, &options, &bench->err));
}

static void close_bench(struct bench *bench)
{
    task_destroy(&bench->task);
    overlay_destroy(&bench->overlay);
    bench->partition->type->partition_close(bench->partition);
    store_close(&bench->store);
    everywhere_table_destroy(&bench->blocked);
    registry_close(&bench->registry);
    plan_destroy(&bench->plan);
}

static enum status take_record(void *context, struct bytes record, struct error *err)
{
    (void)err;
    ((struct bench *)context)->tail_bytes += record.size;
    return ST_OK;
}

/* What a worker does at the end of a transaction, but for Kafka. A function of its own for the profile. */
__attribute__((noinline)) static void commit(struct bench *bench)
{
    const struct commit_metadata metadata = { .seq = ++bench->seq };
    struct tail_transaction tail = { .metadata = &metadata };
    must(bench, task_prepare_commit(bench->task, &bench->err));
    overlay_changes(bench->overlay, &tail.changes, &tail.change_count);
    must(bench, tail_write(&tail, 0, take_record, bench, &bench->err));
    bench->alerts += outputs_count(task_outputs(bench->task));
    overlay_commit(bench->overlay);
    task_commit(bench->task);
}

static void run(struct bench *bench, uint64_t events)
{
    const struct job_options options = {
        .seed = 1, .users = USERS, .distribution = JOB_MANDELBROT,
        .start_ms = JOB_START_MS, .step_ms = 1000,
        .attack_every = JOB_ATTACK_EVERY, .blocked_every = JOB_BLOCKED_EVERY,
    };
    struct job *job = NULL;
    struct buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    job_create(&job, &options);
    for (uint64_t i = 0; i < events; i++) {
        struct job_event event;
        job_next(job, &event);
        buffer_clear(&key);
        buffer_clear(&value);
        job_key(&key, &event);
        job_value(&value, &event, bench->schema_id);
        bench->expected += (uint64_t)__builtin_popcount(event.alerts);
        const struct input_record input = {
            .topic = "transactions", .offset = (int64_t)i, .timestamp_ms = event.event_ms,
            .reference_ms = event.event_ms, .key = buffer_view(&key), .value = buffer_view(&value),
        };
        must(bench, task_process(bench->task, &input, &bench->err));
        if (i % BATCH == BATCH - 1)
            commit(bench);
    }
    job_destroy(&job);
    buffer_fini(&key);
    buffer_fini(&value);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "job_task TOPOLOGY SCHEMAS EVENTS\n");
        return 2;
    }
    struct bench bench = { .seq = 0 };
    open_bench(&bench, argv[1], argv[2]);
    run(&bench, strtoull(argv[3], NULL, 10));
    commit(&bench);
    printf("%" PRIu64 " alerts, %" PRIu64 " expected, %" PRIu64 " bytes for the tail\n", bench.alerts,
           bench.expected, bench.tail_bytes);
    close_bench(&bench);
    return bench.alerts == bench.expected ? 0 : 1;
}
