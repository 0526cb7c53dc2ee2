#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/worker_state.h"

static struct process *current;

struct process *process_current(void)
{
    return current;
}

void process_run(struct process *process)
{
    ENSURE(current == NULL && process->state != PROCESS_ENDED);
    current = process;
    process->state = PROCESS_READY;
    coroutine_run(process->coroutine);
    current = NULL;
}

static int64_t now_us(const struct process *process)
{
    const struct clock clock = sim_clock(process->options.cluster);
    return clock_us(&clock);
}

static void put_aside(struct process *process, int64_t us)
{
    process->state = us > 0 ? PROCESS_ASLEEP : PROCESS_READY;
    process->wake_us = now_us(process) + us;
    coroutine_give_way(process->coroutine);
}

/* --- moments --------------------------------------------------------------------------------- */

static enum status at_moment(struct process *process, int call)
{
    int64_t pause_us = 0;
    if (process->dead)
        return ST_INTERRUPTED;
    ENSURE(current == process);
    process->moments++;
    switch (process->options.hooks.at_moment(process->options.hooks.context, process, call,
                                             &pause_us)) {
    case FATE_GO_ON:
        break;
    case FATE_DIE:
        process->dead = true;
        break;
    case FATE_PAUSE:
        put_aside(process, pause_us);
        break;
    }
    return process->dead ? ST_INTERRUPTED : ST_OK;
}

static enum status on_call(void *context, enum sim_call call, enum sim_moment moment)
{
    (void)moment;
    return at_moment(context, (int)call);
}

static enum status on_disk(void *context, enum disk_moment moment)
{
    (void)moment;
    return at_moment(context, PROCESS_CALL_DISK);
}

/* --- its clock ------------------------------------------------------------------------------- */

static int64_t clock_of_process_wall(void *self)
{
    const struct clock clock = sim_clock(((struct process *)self)->options.cluster);
    return clock_wall_ms(&clock);
}

static int64_t clock_of_process_us(void *self)
{
    return now_us(self);
}

static void clock_of_process_sleep(void *self, int64_t us)
{
    struct process *process = self;
    if (!process->dead)
        put_aside(process, us);
}

static struct clock clock_of(struct process *process)
{
    return (struct clock){ process, clock_of_process_wall, clock_of_process_us,
                           clock_of_process_sleep };
}

/* --- its port: the cluster's, but waiting lets the others run -------------------------------- */

static const struct log_port_type *inner_port;
static struct log_port_type wrapped_port;
static const struct log_reader_type *inner_reader;
static struct log_reader_type wrapped_reader;

static bool is_news(const struct log_batch *batch)
{
    return batch->count > 0 || batch->event != LOG_EVENT_NONE;
}

static int64_t step_before(const struct process *process, int64_t deadline_us)
{
    const int64_t left_us = deadline_us - now_us(process);
    return left_us < process->options.poll_step_us ? left_us : process->options.poll_step_us;
}

static enum status poll_port(struct log_port *port, int64_t timeout_us, struct log_batch *out,
                             struct error *err)
{
    struct process *process = current;
    const int64_t deadline_us = now_us(process) + timeout_us;
    for (;;) {
        const enum status st = inner_port->poll(port, 0, out, err);
        if (st != ST_OK || is_news(out) || process->dead || now_us(process) >= deadline_us)
            return st;
        put_aside(process, step_before(process, deadline_us));
    }
}

static enum status poll_reader(struct log_reader *reader, int64_t timeout_us, struct log_batch *out,
                               struct error *err)
{
    struct process *process = current;
    const int64_t deadline_us = now_us(process) + timeout_us;
    for (;;) {
        const enum status st = inner_reader->poll(reader, 0, out, err);
        if (st != ST_OK || is_news(out) || process->dead || now_us(process) >= deadline_us)
            return st;
        put_aside(process, step_before(process, deadline_us));
    }
}

static enum status committed_now(struct log_port *port, struct log_position *positions,
                                 size_t count, int64_t timeout_us, struct error *err)
{
    (void)timeout_us; /* the caller asks again, and the others run meanwhile */
    return inner_port->committed(port, positions, count, 0, err);
}

static enum status committed_unstable_now(struct log_port *port, struct log_position *positions,
                                          size_t count, int64_t timeout_us, struct error *err)
{
    (void)timeout_us;
    return inner_port->committed_unstable(port, positions, count, 0, err);
}

static enum status produce_noted(struct log_port *port, const struct log_produce *record,
                                 struct error *err)
{
    struct process *process = current;
    if (record->topic == process->options.topics->tail && !process->dead)
        ledger_note_tail(process->options.ledger, record->partition, record->value);
    return inner_port->produce(port, record, err);
}

static enum status open_reader(struct log_port *port, uint64_t bytes_ahead, struct log_reader **out,
                               struct error *err)
{
    TRY(inner_port->reader_open(port, bytes_ahead, out, err));
    if (inner_reader == NULL) {
        inner_reader = (*out)->type;
        wrapped_reader = *inner_reader;
        wrapped_reader.poll = poll_reader;
    }
    (*out)->type = &wrapped_reader;
    return ST_OK;
}

static void open_port(struct process *process)
{
    const struct process_options *options = &process->options;
    const char *names[SIM_TOPICS_MAX];
    for (int i = 0; i < options->topics->count; i++)
        names[i] = options->topics->items[i].name;
    char instance[16], transactional[16];
    snprintf(instance, sizeof instance, "sim-%d", options->slot);
    snprintf(transactional, sizeof transactional, "sim-%d-0", options->slot);
    const struct sim_client client = {
        .instance_id = instance,
        .transactional_id = transactional,
        .topics = names,
        .topic_count = (size_t)options->topics->count,
        .hook = on_call,
        .hook_context = process,
    };
    sim_port_open(&process->port, options->cluster, &client);
    if (inner_port == NULL) {
        inner_port = process->port->type;
        wrapped_port = *inner_port;
        wrapped_port.poll = poll_port;
        wrapped_port.committed = committed_now;
        wrapped_port.committed_unstable = committed_unstable_now;
        wrapped_port.produce = produce_noted;
        wrapped_port.reader_open = open_reader;
    }
    process->port->type = &wrapped_port;
}

/* --- its life -------------------------------------------------------------------------------- */

enum { TURN_US = 100 * 1000 };

static enum status live(struct process *process)
{
    struct error *err = &process->error;
    TRY(worker_create(&process->worker, &process->options.worker, err));
    process->started = true;
    while (!process->stop) {
        TRY(worker_turn(process->worker, TURN_US, err));
        if (process->dead) /* a turn that only slept has not heard of it */
            return ST_INTERRUPTED;
        process->options.hooks.after_turn(process->options.hooks.context, process);
    }
    return worker_shut_down(process->worker, err);
}

static void keep_figures(struct process *process)
{
    if (process->worker == NULL)
        return;
    const struct worker_stats *stats = &process->worker->stats;
    process->checkpoints = stats->checkpoints;
    process->recoveries = stats->recoveries;
    process->aborts = stats->aborts;
    process->commits = stats->commits;
    process->rebalances = stats->rebalances;
}

static void body(void *argument)
{
    struct process *process = argument;
    process->status = live(process);
    keep_figures(process);
    if (process->status != ST_OK)
        process->dead = true; /* an orderly death gives the memory back, and does nothing else */
    worker_destroy(&process->worker);
    if (process->dead)
        sim_port_kill(process->port);
    process->port->type->close(process->port);
    process->port = NULL;
    process->state = PROCESS_ENDED;
    coroutine_end(process->coroutine);
}

void process_start(struct process **out, const struct process_options *options)
{
    ENSURE(*out == NULL);
    struct process *process = mem_alloc(sizeof *process);
    process->options = *options;
    snprintf(process->name, sizeof process->name, "process %d (sim-%d)", options->number,
             options->slot);
    coroutine_create(&process->coroutine, body, process);
    open_port(process);
    process->options.worker.port = process->port;
    process->options.worker.store =
        disk_open(options->disk, options->disk_faults, on_disk, process);
    process->options.worker.clock = clock_of(process);
    *out = process;
}

void process_kill(struct process *process)
{
    process->dead = true;
    while (process->state != PROCESS_ENDED)
        process_run(process);
}

void process_destroy(struct process **process_ref)
{
    struct process *process = TAKE(*process_ref);
    if (process == NULL)
        return;
    ENSURE(process->state == PROCESS_ENDED);
    coroutine_destroy(&process->coroutine);
    mem_free(process);
}
