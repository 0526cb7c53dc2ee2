/*
 * job_task: the benchmark's job through a task, from Avro bodies to the records of the tail, without Kafka and disk:
 * the same work each time, for counting instructions (bench/instructions.py) and for seeing what an event costs when
 * there is more of everything (bench/job/growth.py).
 *
 *     job_task TOPOLOGY SCHEMAS EVENTS [USERS STEP_MS WARM uniform|mandelbrot|zipf RULES [CHECKPOINT_BYTES]]
 *
 * A transaction ends every BATCH events: the task writes its rows, they are packed for the tail, and merged. Payments
 * are made before, outside of what is timed; the first WARM of them are not timed either. RULES are the bits of the
 * oracle's rules that the topology has. A checkpoint begins when the overlay holds CHECKPOINT_BYTES.
 * Prints how many alerts the task has put out and how many the oracle expects: 1 when they differ; and the bytes of the
 * tail for the events that are timed. Then the processor time of one, and the bytes of memory that the task has at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "job_event.h"
#include "processor/engine/task.h"
#include "processor/topology/topology.h"
#include "state/tail.h"

enum { USERS = 1000, STEP_MS = 1000, BATCH = 1000, ALL_RULES = (1 << JOB_RULES) - 1 };
/* All is in memory; rows that a checkpoint would write are dropped, as nobody reads them again. */
static const uint64_t CACHE_BYTES = UINT64_C(1) << 40;
static const uint64_t CHECKPOINT_BYTES = 64 << 20; /* unless another number is given */

struct payments {
    struct buffer bytes;
    struct payment {
        size_t key_at, value_at, end;
        int64_t event_ms;
    } items[BATCH];
};

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
    uint64_t seq, offset, tail_bytes, alerts, expected, checkpoint_bytes;
    uint32_t rules;
    int64_t timed_ns;
    struct payments payments;
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
    if (overlay_active_bytes(bench->overlay) < bench->checkpoint_bytes)
        return;
    overlay_freeze(bench->overlay);
    overlay_thaw(bench->overlay);
}

static void make_payments(struct bench *bench, struct job *job, size_t count)
{
    struct payments *payments = &bench->payments;
    buffer_clear(&payments->bytes);
    for (size_t i = 0; i < count; i++) {
        struct job_event event;
        struct payment *payment = &payments->items[i];
        job_next(job, &event);
        payment->event_ms = event.event_ms;
        payment->key_at = payments->bytes.size;
        job_key(&payments->bytes, &event);
        payment->value_at = payments->bytes.size;
        job_value(&payments->bytes, &event, bench->schema_id);
        payment->end = payments->bytes.size;
        bench->expected += (uint64_t)__builtin_popcount(event.alerts & bench->rules);
    }
}

static struct bytes key_of(const struct payments *payments, const struct payment *payment)
{
    return bytes_of(payments->bytes.data + payment->key_at, payment->value_at - payment->key_at);
}

static void process_payments(struct bench *bench, size_t count)
{
    const struct payments *payments = &bench->payments;
    for (size_t i = 0; i < count; i++) {
        const struct payment *payment = &payments->items[i];
        const uint8_t *bytes = payments->bytes.data;
        if (i + TASK_AHEAD < count) /* as a worker does */
            task_look_ahead(bench->task, 0, key_of(payments, payment + TASK_AHEAD));
        const struct input_record input = {
            .topic = "transactions", .offset = (int64_t)bench->offset++, .timestamp_ms = payment->event_ms,
            .reference_ms = payment->event_ms,
            .key = key_of(payments, payment),
            .value = bytes_of(bytes + payment->value_at, payment->end - payment->value_at),
        };
        must(bench, task_process(bench->task, &input, &bench->err));
    }
    commit(bench);
}

static int64_t processor_ns(void)
{
    struct timespec t;
    ENSURE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The first `warm` events are neither timed nor counted. */
static void run(struct bench *bench, struct job *job, uint64_t events, uint64_t warm)
{
    for (uint64_t done = 0; done < events;) {
        if (done == warm)
            bench->tail_bytes = 0;
        const size_t count = events - done < BATCH ? (size_t)(events - done) : BATCH;
        make_payments(bench, job, count);
        const int64_t before_ns = processor_ns();
        process_payments(bench, count);
        if (done >= warm)
            bench->timed_ns += processor_ns() - before_ns;
        done += count;
    }
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 9 && argc != 10) {
        fprintf(stderr, "job_task TOPOLOGY SCHEMAS EVENTS [USERS STEP_MS WARM DISTRIBUTION RULES [CHECKPOINT_BYTES]]\n");
        return 2;
    }
    const bool given = argc > 4;
    const struct job_options options = {
        .seed = 1,
        .users = given ? (uint32_t)strtoul(argv[4], NULL, 10) : USERS,
        .distribution = given ? job_users_of(argv[7]) : JOB_MANDELBROT,
        .start_ms = JOB_START_MS,
        .step_ms = given ? strtod(argv[5], NULL) : STEP_MS,
        .attack_every = JOB_ATTACK_EVERY,
        .blocked_every = JOB_BLOCKED_EVERY,
    };
    const uint64_t events = strtoull(argv[3], NULL, 10), warm = given ? strtoull(argv[6], NULL, 10) : 0;
    struct bench bench = {
        .rules = given ? (uint32_t)strtoul(argv[8], NULL, 0) : ALL_RULES,
        .checkpoint_bytes = argc == 10 ? strtoull(argv[9], NULL, 10) : CHECKPOINT_BYTES,
    };
    struct job *job = NULL;
    job_create(&job, &options);
    open_bench(&bench, argv[1], argv[2]);
    run(&bench, job, events, warm / BATCH * BATCH);
    printf("%" PRIu64 " alerts, %" PRIu64 " expected, %" PRIu64 " bytes for the tail\n", bench.alerts,
           bench.expected, bench.tail_bytes);
    printf("%.1f ns per event, %" PRIu64 " bytes of memory\n",
           (double)bench.timed_ns / (double)(events - warm / BATCH * BATCH), task_footprint(bench.task));
    close_bench(&bench);
    buffer_fini(&bench.payments.bytes);
    job_destroy(&job);
    return bench.alerts == bench.expected ? 0 : 1;
}
