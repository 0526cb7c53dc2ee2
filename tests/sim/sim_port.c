/*
 * sim_port: the log port on the simulated cluster. Every call goes past the process's hook before
 * and after it does something, so that a process may die, or stand still, at either moment.
 */
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_cluster.h"
#include "sim_consumer.h"
#include "sim_fetch.h"
#include "sim_model.h"
#include "sim_process.h"
#include "sim_producer.h"

/* As long as a real one. */
static const char CLUSTER_ID[] = "c2ltdWxhdGVkLWNsdXN0ZQ";

struct sim_port {
    struct log_port base;
    struct sim_process *process;
    char *instance;
    char *ids[LOG_PRODUCERS];
    struct sim_consumer *consumer;
    struct sim_producer *producers[LOG_PRODUCERS]; /* until the first producer_open, and after a
                                                      failed one, not all */
    size_t turn;
    bool ended; /* the transaction of the one whose turn it is; the other one begins the next */
    struct sim_payload **answers;  /* the metadata that the last committed() gave out */
    size_t answer_count;
};

static struct sim_port *self_of(struct log_port *port)
{
    return (struct sim_port *)port;
}

static struct sim_cluster *cluster_of(const struct sim_port *port)
{
    return port->process->cluster;
}

/* `call` between the two moments of the hook, if the process is still alive then. */
#define AROUND(port, kind, call)                                                       \
    do {                                                                               \
        struct sim_process *process_ = (port)->process;                                \
        TRY(sim_process_pass(process_, (kind), SIM_BEFORE, err));                      \
        const enum status done_ = (call);                                              \
        const enum status after_ = sim_process_pass(process_, (kind), SIM_AFTER, err); \
        return after_ == ST_OK ? done_ : after_;                                       \
    } while (0)

/* --- life ------------------------------------------------------------------------------------- */

void sim_port_kill(struct log_port *log_port)
{
    struct sim_port *port = self_of(log_port);
    port->process->dead = true;
    sim_consumer_kill(port->consumer);
}

void sim_port_freeze(struct log_port *log_port, bool frozen)
{
    sim_consumer_freeze(self_of(log_port)->consumer, frozen);
}

void sim_port_displace(struct log_port *log_port)
{
    sim_consumer_displace(self_of(log_port)->consumer);
}

static void forget_answers(struct sim_port *port)
{
    for (size_t i = 0; i < port->answer_count; i++)
        sim_payload_release(port->answers[i]);
    mem_free(port->answers);
    port->answers = NULL;
    port->answer_count = 0;
}

static void close_producers(struct sim_port *port)
{
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        sim_producer_close(&port->producers[i]);
}

static void port_close(struct log_port *log_port)
{
    struct sim_port *port = self_of(log_port);
    close_producers(port);
    sim_consumer_destroy(&port->consumer);
    forget_answers(port);
    sim_process_release(port->process);
    mem_free(port->instance);
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        mem_free(port->ids[i]);
    mem_free(port);
}

/* --- facts ------------------------------------------------------------------------------------ */

static enum status busy(struct sim_port *port, struct error *err)
{
    sim_model_travel(cluster_of(port));
    if (sim_model_chance(cluster_of(port), cluster_of(port)->options.faults.busy))
        return FAIL(err, ST_BROKER_BUSY, "no answer in time");
    return ST_OK;
}

static enum status port_cluster_id(struct log_port *log_port, const char **out, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    *out = CLUSTER_ID;
    AROUND(port, SIM_OTHER, busy(port, err));
}

static enum status count_partitions(struct sim_port *port, int topic, int32_t *out,
                                    struct error *err)
{
    TRY(busy(port, err));
    const int number = port->process->topics[topic];
    *out = number < 0 ? 0 : cluster_of(port)->topics[number].count;
    return ST_OK;
}

static enum status port_partition_count(struct log_port *log_port, int topic, int32_t *out,
                                        struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_OTHER, count_partitions(port, topic, out, err));
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum status subscribe(struct sim_port *port, const int *topics, size_t count)
{
    sim_model_travel(cluster_of(port));
    sim_consumer_subscribe(port->consumer, topics, count);
    return ST_OK;
}

static enum status port_subscribe(struct log_port *log_port, const int *topics, size_t count,
                                  struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_OTHER, subscribe(port, topics, count));
}

static enum status assign(struct sim_port *port, const struct log_position *positions, size_t count)
{
    sim_time_advance(&cluster_of(port)->time, 1);
    sim_consumer_assign(port->consumer, positions, count);
    return ST_OK;
}

static enum status port_assign(struct log_port *log_port, const struct log_position *positions,
                               size_t count, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_ASSIGN, assign(port, positions, count));
}

/* What was fetched by a process that died in the moment after is given back: nobody else can. */
static enum status poll(struct sim_port *port, int64_t timeout_us, struct log_batch *out,
                        struct error *err)
{
    TRY(sim_process_pass(port->process, SIM_POLL, SIM_BEFORE, err));
    sim_time_advance(&cluster_of(port)->time, 1);
    TRY(sim_consumer_poll(port->consumer, timeout_us, out, err));
    const enum status st = sim_process_pass(port->process, SIM_POLL, SIM_AFTER, err);
    if (st == ST_OK)
        return ST_OK;
    sim_fetch_release(out->records, out->count);
    *out = (struct log_batch){ .records = NULL };
    return st;
}

static enum status port_poll(struct log_port *log_port, int64_t timeout_us, struct log_batch *out,
                             struct error *err)
{
    *out = (struct log_batch){ .records = NULL };
    return poll(self_of(log_port), timeout_us, out, err);
}

static void port_release(struct log_port *port, const struct log_record *records, size_t count)
{
    (void)port;
    sim_fetch_release(records, count);
}

/* --- committed offsets ------------------------------------------------------------------------ */

static bool all_stable(const struct sim_port *port, const struct log_position *positions,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int topic = port->process->topics[positions[i].topic];
        if (topic >= 0 && !sim_offsets_is_stable(cluster_of(port), topic, positions[i].partition))
            return false;
    }
    return true;
}

static void fill(struct sim_port *port, struct log_position *positions, size_t count)
{
    forget_answers(port);
    port->answers = mem_alloc_array(count + 1, sizeof *port->answers);
    for (size_t i = 0; i < count; i++) {
        struct log_position *position = &positions[i];
        const int topic = port->process->topics[position->topic];
        position->offset = -1;
        position->metadata = BYTES_NONE;
        if (sim_model_partition(cluster_of(port), topic, position->partition) == NULL)
            continue;
        const struct sim_offset *committed =
            &cluster_of(port)->topics[topic].committed[position->partition];
        position->offset = committed->offset;
        if (committed->metadata == NULL)
            continue;
        port->answers[port->answer_count++] = sim_payload_acquire(committed->metadata);
        position->metadata = committed->metadata->value;
    }
}

static enum status committed(struct sim_port *port, struct log_position *positions, size_t count,
                             int64_t timeout_us, struct error *err)
{
    struct sim_time *time = &cluster_of(port)->time;
    const int64_t deadline_us = time->now_us + timeout_us;
    const bool answered = busy(port, NULL) == ST_OK;
    while (answered && !all_stable(port, positions, count) && time->now_us < deadline_us)
        sim_time_wait(time, deadline_us);
    if (!answered || !all_stable(port, positions, count))
        return FAIL(err, ST_UNSTABLE_OFFSETS, "the group's offsets are not stable");
    fill(port, positions, count);
    return ST_OK;
}

static enum status port_committed(struct log_port *log_port, struct log_position *positions,
                                  size_t count, int64_t timeout_us, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_COMMITTED, committed(port, positions, count, timeout_us, err));
}

static enum status committed_unstable(struct sim_port *port, struct log_position *positions,
                                      size_t count, struct error *err)
{
    TRY(busy(port, err));
    fill(port, positions, count);
    return ST_OK;
}

static enum status port_committed_unstable(struct log_port *log_port,
                                           struct log_position *positions, size_t count,
                                           int64_t timeout_us, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    (void)timeout_us;
    AROUND(port, SIM_COMMITTED, committed_unstable(port, positions, count, err));
}

/* --- the producer ----------------------------------------------------------------------------- */

static const char *port_producer_id(struct log_port *port, size_t n)
{
    ENSURE(n < LOG_PRODUCERS);
    return self_of(port)->ids[n];
}

static enum status producer_open(struct sim_port *port, struct error *err)
{
    close_producers(port);
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        TRY(sim_producer_open(&port->producers[i], cluster_of(port), port->ids[i],
                              port->process->topics, port->process->topic_count, err));
    return ST_OK;
}

static enum status port_producer_open(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_PRODUCER_OPEN, producer_open(port, err));
}

static enum status end_foreign(struct sim_port *port, const char *id, struct error *err)
{
    struct sim_producer *producer = NULL;
    TRY(sim_producer_open(&producer, cluster_of(port), id, NULL, 0, err));
    sim_producer_close(&producer);
    return ST_OK;
}

static enum status port_producer_end_foreign(struct log_port *log_port, const char *id,
                                             struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_END_FOREIGN, end_foreign(port, id, err));
}

static bool has_producers(const struct sim_port *port)
{
    return port->producers[LOG_PRODUCERS - 1] != NULL; /* the one that is opened last */
}

static struct sim_producer *current(const struct sim_port *port)
{
    return port->producers[port->turn];
}

/* Each call costs time, and needs a producer. */
static enum status prepare(struct sim_port *port, struct error *err)
{
    sim_time_advance(&cluster_of(port)->time, 1);
    if (!has_producers(port))
        return FAIL(err, ST_KAFKA, "there is no producer: the last attempt to open one failed");
    return ST_OK;
}

static enum status begin(struct sim_port *port, struct error *err)
{
    port->turn = (port->turn + port->ended) % LOG_PRODUCERS;
    port->ended = false;
    TRY(prepare(port, err));
    return sim_producer_begin(current(port), err);
}

static enum status port_begin(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_BEGIN, begin(port, err));
}

static enum status produce(struct sim_port *port, const struct log_produce *record,
                           struct error *err)
{
    TRY(prepare(port, err));
    return sim_producer_produce(current(port), record, err);
}

static enum status port_produce(struct log_port *log_port, const struct log_produce *record,
                                struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_PRODUCE, produce(port, record, err));
}

static enum status flush(struct sim_port *port, struct error *err)
{
    TRY(prepare(port, err));
    return sim_producer_flush(current(port), err);
}

static enum status port_flush(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_FLUSH, flush(port, err));
}

static int64_t port_produced_offset(struct log_port *log_port, int topic, int32_t partition)
{
    const struct sim_port *port = self_of(log_port);
    return has_producers(port) ? sim_producer_offset(current(port), topic, partition) : -1;
}

static enum status send_offsets(struct sim_port *port, const struct log_position *positions,
                                size_t count, struct error *err)
{
    int64_t member = 0;
    int32_t generation = 0;
    TRY(prepare(port, err));
    TRY(sim_consumer_metadata(port->consumer, &member, &generation, err));
    return sim_producer_send_offsets(current(port), positions, count, member, generation, err);
}

static enum status port_send_offsets(struct log_port *log_port,
                                     const struct log_position *positions, size_t count,
                                     struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_SEND_OFFSETS, send_offsets(port, positions, count, err));
}

static enum status commit(struct sim_port *port, struct error *err)
{
    TRY(prepare(port, err));
    TRY(sim_producer_commit(current(port), err));
    port->ended = true;
    return ST_OK;
}

static enum status port_commit(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_COMMIT, commit(port, err));
}

static enum status abort_transaction(struct sim_port *port, struct error *err)
{
    TRY(prepare(port, err));
    TRY(sim_producer_abort(current(port), err));
    port->ended = true;
    return ST_OK;
}

static enum status port_abort(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_ABORT, abort_transaction(port, err));
}

static bool port_tainted(struct log_port *log_port)
{
    const struct sim_port *port = self_of(log_port);
    for (size_t i = 0; i < LOG_PRODUCERS; i++) {
        if (port->producers[i] == NULL || sim_producer_tainted(port->producers[i]))
            return true;
    }
    return false;
}

/* --- the rest --------------------------------------------------------------------------------- */

/* A call that returns nothing; whoever died in it finds out with the next one. */
static void pass_after(struct sim_port *port, enum sim_call call)
{
    if (sim_process_pass(port->process, call, SIM_AFTER, NULL) != ST_OK)
        return;
}

static void on_delete(void *self, int64_t where, int64_t before)
{
    struct sim_cluster *cluster = self;
    struct sim_partition *log =
        sim_model_partition(cluster, (int)(where >> 32), (int32_t)(where & INT32_MAX));
    if (log != NULL)
        sim_partition_delete(log, before);
}

static void port_delete_records(struct log_port *log_port, const struct log_position *positions,
                                size_t count)
{
    struct sim_port *port = self_of(log_port);
    struct sim_cluster *cluster = cluster_of(port);
    if (sim_process_pass(port->process, SIM_DELETE_RECORDS, SIM_BEFORE, NULL) != ST_OK)
        return;
    const int64_t late_us = cluster->options.faults.delay_us_max;
    const int64_t at_us = cluster->time.now_us + 1 + prng_between(&cluster->prng, 0, late_us);
    for (size_t i = 0; i < count; i++) {
        const int topic = port->process->topics[positions[i].topic];
        if (topic >= 0)
            sim_time_plan(&cluster->time,
                          &(struct sim_event){ .at_us = at_us,
                                               .happen = on_delete,
                                               .self = cluster,
                                               .a = (int64_t)topic << 32 | positions[i].partition,
                                               .b = positions[i].offset,
                                               .on_its_way = true });
    }
    sim_time_advance(&cluster->time, 1);
    pass_after(port, SIM_DELETE_RECORDS);
}

static enum status port_reader_open(struct log_port *log_port, uint64_t bytes_ahead,
                                    struct log_reader **out, struct error *err)
{
    (void)bytes_ahead;
    struct sim_port *port = self_of(log_port);
    TRY(sim_process_pass(port->process, SIM_OTHER, SIM_BEFORE, err));
    sim_time_advance(&cluster_of(port)->time, 1);
    sim_reader_open(out, port->process);
    const enum status st = sim_process_pass(port->process, SIM_OTHER, SIM_AFTER, err);
    if (st != ST_OK) {
        (*out)->type->close(*out);
        *out = NULL;
    }
    return st;
}

static enum status rejoin(struct sim_port *port)
{
    sim_time_advance(&cluster_of(port)->time, 1);
    sim_consumer_start_again(port->consumer);
    return ST_OK;
}

static enum status port_rejoin(struct log_port *log_port, struct error *err)
{
    struct sim_port *port = self_of(log_port);
    AROUND(port, SIM_OTHER, rejoin(port));
}

static void port_leave(struct log_port *log_port)
{
    struct sim_port *port = self_of(log_port);
    if (sim_process_pass(port->process, SIM_LEAVE, SIM_BEFORE, NULL) != ST_OK)
        return;
    sim_time_advance(&cluster_of(port)->time, 1);
    sim_consumer_leave(port->consumer);
    pass_after(port, SIM_LEAVE);
}

static const struct log_port_type type = {
    .close = port_close,
    .cluster_id = port_cluster_id,
    .partition_count = port_partition_count,
    .subscribe = port_subscribe,
    .assign = port_assign,
    .poll = port_poll,
    .release = port_release,
    .rejoin = port_rejoin,
    .committed = port_committed,
    .committed_unstable = port_committed_unstable,
    .producer_id = port_producer_id,
    .producer_open = port_producer_open,
    .producer_end_foreign = port_producer_end_foreign,
    .begin = port_begin,
    .produce = port_produce,
    .flush = port_flush,
    .produced_offset = port_produced_offset,
    .send_offsets = port_send_offsets,
    .commit = port_commit,
    .abort = port_abort,
    .tainted = port_tainted,
    .delete_records = port_delete_records,
    .reader_open = port_reader_open,
    .leave = port_leave,
};

void sim_port_open(struct log_port **out, struct sim_cluster *cluster,
                   const struct sim_client *client)
{
    ENSURE(*out == NULL && client->transactional_id != NULL);
    struct sim_port *port = mem_alloc(sizeof *port);
    port->base.type = &type;
    port->process = sim_process_create(cluster, client);
    port->instance = client->instance_id == NULL ? NULL : mem_copy_string(client->instance_id);
    for (int i = 0; i < LOG_PRODUCERS; i++)
        port->ids[i] = mem_format("%s-%c", client->transactional_id, 'a' + i);
    sim_consumer_create(&port->consumer, cluster, port->instance, port->process->topics,
                        port->process->topic_count);
    *out = &port->base;
}
