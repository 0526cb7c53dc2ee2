/* The log port: puts the consumer, the producer and the rest together, and says so where one is missing. */
#include "processor/kafka/kafka_port.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_consumer.h"
#include "processor/kafka/kafka_fetch.h"
#include "processor/kafka/kafka_offsets.h"
#include "processor/kafka/kafka_producer.h"
#include "processor/kafka/kafka_trim.h"

struct kafka_port {
    struct log_port base;
    struct kafka_settings *settings;
    struct kafka_consumer *consumer;
    char *ids[LOG_PRODUCERS];
    struct kafka_producer *producers[LOG_PRODUCERS]; /* until the first producer_open, and after a failed one, not all */
    size_t turn;
    bool ended; /* the transaction of the one whose turn it is; the other one begins the next */
    struct kafka_offsets *offsets;
    struct kafka_trim *trim;
    char *cluster_id;
};

static struct kafka_port *self_of(struct log_port *port)
{
    return (struct kafka_port *)port;
}

static void close_producers(struct kafka_port *port)
{
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        kafka_producer_close(&port->producers[i]);
}

/* What asks by the consumer's connections goes with it. */
static void close_membership(struct kafka_port *port)
{
    kafka_offsets_destroy(&port->offsets);
    kafka_trim_destroy(&port->trim);
    kafka_consumer_close(&port->consumer);
}

static enum status open_membership(struct kafka_port *port, struct error *err)
{
    TRY(kafka_consumer_open(&port->consumer, port->settings, err));
    rd_kafka_t *client = kafka_consumer_handle(port->consumer);
    kafka_offsets_create(&port->offsets, port->settings, client);
    kafka_trim_create(&port->trim, port->settings, client);
    return ST_OK;
}

static void destroy(struct kafka_port **port_ref)
{
    struct kafka_port *port = TAKE(*port_ref);
    if (port == NULL)
        return;
    close_producers(port);
    close_membership(port);
    kafka_settings_destroy(&port->settings);
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        mem_free(port->ids[i]);
    mem_free(port->cluster_id);
    mem_free(port);
}

static void port_close(struct log_port *log_port)
{
    struct kafka_port *port = self_of(log_port);
    destroy(&port);
}

/* --- facts ------------------------------------------------------------------------------------------- */

static enum status port_cluster_id(struct log_port *log_port, const char **out, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    if (port->cluster_id == NULL)
        TRY(kafka_client_cluster_id(kafka_consumer_handle(port->consumer), &port->cluster_id, err));
    *out = port->cluster_id;
    return ST_OK;
}

static enum status port_partition_count(struct log_port *log_port, int topic, int32_t *out,
                                        struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    return kafka_client_partition_count(kafka_consumer_handle(port->consumer),
                                        kafka_settings_topic_name(port->settings, topic), out, err);
}

/* --- reading ------------------------------------------------------------------------------------------- */

static enum status port_subscribe(struct log_port *port, const int *topics, size_t count,
                                  struct error *err)
{
    return kafka_consumer_subscribe(self_of(port)->consumer, topics, count, err);
}

static enum status port_assign(struct log_port *port, const struct log_position *positions,
                               size_t count, struct error *err)
{
    return kafka_consumer_assign(self_of(port)->consumer, positions, count, err);
}

static enum status port_poll(struct log_port *log_port, int64_t timeout_us, struct log_batch *out,
                             struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    kafka_trim_serve(port->trim);
    for (size_t i = 0; i < LOG_PRODUCERS; i++) {
        if (port->producers[i] != NULL)
            kafka_producer_serve(port->producers[i]);
    }
    return kafka_consumer_poll(port->consumer, timeout_us, out, err);
}

static void port_release(struct log_port *port, const struct log_record *records, size_t count)
{
    (void)port;
    kafka_fetch_release(records, count);
}

static enum status port_rejoin(struct log_port *log_port, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    close_membership(port);
    return open_membership(port, err);
}

static enum status port_committed(struct log_port *port, struct log_position *positions,
                                  size_t count, int64_t timeout_us, struct error *err)
{
    return kafka_offsets_stable(self_of(port)->offsets, positions, count, timeout_us, err);
}

static enum status port_committed_unstable(struct log_port *port, struct log_position *positions,
                                           size_t count, int64_t timeout_us, struct error *err)
{
    return kafka_offsets_unstable(self_of(port)->offsets, positions, count, timeout_us, err);
}

/* --- the producer ---------------------------------------------------------------------------------------- */

static const char *port_producer_id(struct log_port *port, size_t n)
{
    ENSURE(n < LOG_PRODUCERS);
    return self_of(port)->ids[n];
}

static enum status port_producer_open(struct log_port *log_port, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    close_producers(port);
    if (port->settings->options.transactional_id == NULL)
        return FAIL(err, ST_INVALID, "a producer needs a transactional id");
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        TRY(kafka_producer_open(&port->producers[i], port->settings, port->ids[i], err));
    return ST_OK;
}

static enum status port_producer_end_foreign(struct log_port *port, const char *transactional_id,
                                             struct error *err)
{
    return kafka_producer_end_foreign(self_of(port)->settings, transactional_id, err);
}

static bool has_producers(const struct kafka_port *port)
{
    return port->producers[LOG_PRODUCERS - 1] != NULL; /* the one that is opened last */
}

/* ST_KAFKA leads the caller to producer_open, which is what is missing. */
static enum status take_producer(const struct kafka_port *port, struct kafka_producer **out,
                                 struct error *err)
{
    if (!has_producers(port))
        return FAIL(err, ST_KAFKA, "there is no producer: the last attempt to open one failed");
    *out = port->producers[port->turn];
    return ST_OK;
}

static enum status port_begin(struct log_port *log_port, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    struct kafka_producer *producer = NULL;
    port->turn = (port->turn + port->ended) % LOG_PRODUCERS;
    port->ended = false;
    TRY(take_producer(port, &producer, err));
    return kafka_producer_begin(producer, err);
}

static enum status port_produce(struct log_port *log_port, const struct log_produce *record,
                                struct error *err)
{
    struct kafka_producer *producer = NULL;
    TRY(take_producer(self_of(log_port), &producer, err));
    return kafka_producer_produce(producer, record, err);
}

static enum status port_flush(struct log_port *log_port, struct error *err)
{
    struct kafka_producer *producer = NULL;
    TRY(take_producer(self_of(log_port), &producer, err));
    return kafka_producer_flush(producer, err);
}

static int64_t port_produced_offset(struct log_port *log_port, int topic, int32_t partition)
{
    const struct kafka_port *port = self_of(log_port);
    if (!has_producers(port))
        return -1;
    return kafka_producer_offset(port->producers[port->turn], topic, partition);
}

static enum status port_send_offsets(struct log_port *log_port,
                                     const struct log_position *positions, size_t count,
                                     struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    struct kafka_producer *producer = NULL;
    TRY(take_producer(port, &producer, err));
    rd_kafka_consumer_group_metadata_t *metadata = NULL;
    TRY(kafka_consumer_metadata(port->consumer, &metadata, err));
    const enum status st =
        kafka_producer_send_offsets(producer, positions, count, metadata, err);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return st;
}

static enum status port_commit(struct log_port *log_port, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    struct kafka_producer *producer = NULL;
    TRY(take_producer(port, &producer, err));
    TRY(kafka_producer_commit(producer, err));
    port->ended = true;
    return ST_OK;
}

static enum status port_abort(struct log_port *log_port, struct error *err)
{
    struct kafka_port *port = self_of(log_port);
    struct kafka_producer *producer = NULL;
    TRY(take_producer(port, &producer, err));
    TRY(kafka_producer_abort(producer, err));
    port->ended = true;
    return ST_OK;
}

/* A delayed request may be either's. Without a producer the next begin needs a new one anyway. */
static bool port_tainted(struct log_port *log_port)
{
    struct kafka_port *port = self_of(log_port);
    for (size_t i = 0; i < LOG_PRODUCERS; i++) {
        if (port->producers[i] == NULL || kafka_producer_tainted(port->producers[i]))
            return true;
    }
    return false;
}

/* --- the rest ---------------------------------------------------------------------------------------------- */

static void port_delete_records(struct log_port *port, const struct log_position *positions,
                                size_t count)
{
    kafka_trim_before(self_of(port)->trim, positions, count);
}

static enum status port_reader_open(struct log_port *port, uint64_t bytes_ahead,
                                    struct log_reader **out, struct error *err)
{
    struct kafka_port_options options = self_of(port)->settings->options;
    options.reader_bytes = bytes_ahead;
    return kafka_reader_open(out, &options, err);
}

static void port_leave(struct log_port *port)
{
    kafka_consumer_leave(self_of(port)->consumer);
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

enum status kafka_port_open(struct log_port **out, const struct kafka_port_options *options,
                            struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(destroy) struct kafka_port *port = mem_alloc(sizeof *port);
    port->base.type = &type;
    TRY(kafka_settings_create(&port->settings, options, err));
    const char *id = options->transactional_id;
    for (int i = 0; i < LOG_PRODUCERS; i++)
        port->ids[i] = mem_format("%s-%c", id == NULL ? "" : id, 'a' + i);
    TRY(open_membership(port, err));
    *out = &TAKE(port)->base;
    return ST_OK;
}
