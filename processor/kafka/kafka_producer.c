#include "processor/kafka/kafka_producer.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"
#include "processor/kafka/kafka_mock.h"
#include "processor/kafka/kafka_transactional.h"

enum {
    FULL_TURN_MS = 10,
    FLUSH_TURN_MS = 500,
    REFUSAL_TURN_MS = 5,
    REFUSAL_MAX_US = 500 * 1000,
    NO_OFFSET = -1,
    TOPIC_BITS = 16
};

_Static_assert(sizeof(uintptr_t) == 8, "a transaction's number and a topic's fit a pointer");

struct topic {
    rd_kafka_topic_t *handle;
    int32_t partition_count;
    int64_t *first_offsets; /* of this transaction, by partition */
};

struct kafka_producer {
    const struct kafka_settings *settings;
    rd_kafka_t *client;
    atomic_bool tainted;
    struct topic *topics;
    uint32_t transaction;  /* counts them */
    int32_t any_partition; /* where records without a key go: moves on with each transaction */
    struct error failed;   /* the first record of this transaction that was not delivered */
    struct kafka_mock_offset *offered; /* with a mock cluster only: see kafka_mock.h */
    size_t offered_count;
};

/* --- delivery ---------------------------------------------------------------------------------------- */

/* What a record carries along: its topic's number, and its transaction, whose reports may come late. */
static void *label_of(const struct kafka_producer *producer, int topic)
{
    return (void *)((uintptr_t)producer->transaction << TOPIC_BITS | (uintptr_t)topic);
}

static const char *hint_for(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP
               ? " (is this machine's clock right? the topic's message.timestamp.after.max.ms says how far it may be ahead)"
               : "";
}

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;
    const uintptr_t label = (uintptr_t)message->_private;
    (void)client;
    if (label >> TOPIC_BITS != producer->transaction)
        return;
    struct topic *topic = &producer->topics[label & ((1 << TOPIC_BITS) - 1)];
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* What the broker refuses says more than what fails because of it. */
        const enum status st = kafka_errors_delivery(message->err);
        if (producer->failed.status == ST_OK ||
            (producer->failed.status == ST_TXN_ABORTABLE && st != ST_TXN_ABORTABLE))
            (void)FAIL(&producer->failed, st,
                       "a record for %s partition %" PRId32 " was not delivered: %s%s",
                       rd_kafka_topic_name(message->rkt), message->partition,
                       rd_kafka_err2str(message->err), hint_for(message->err));
        return;
    }
    /* A duplicate that the broker recognised has no valid offset. */
    if (message->offset < 0 || message->partition < 0 ||
        message->partition >= topic->partition_count)
        return;
    int64_t *first = &topic->first_offsets[message->partition];
    if (*first == NO_OFFSET || message->offset < *first)
        *first = message->offset;
}

int64_t kafka_producer_offset(const struct kafka_producer *producer, int topic, int32_t partition)
{
    const struct topic *entry = &producer->topics[topic];
    if (partition < 0 || partition >= entry->partition_count)
        return NO_OFFSET;
    return entry->first_offsets[partition];
}

static void forget_transaction(struct kafka_producer *producer)
{
    for (size_t i = 0; i < producer->settings->options.topic_count; i++) {
        struct topic *topic = &producer->topics[i];
        for (int32_t p = 0; p < topic->partition_count; p++)
            topic->first_offsets[p] = NO_OFFSET;
    }
    producer->failed.status = ST_OK;
}

/* --- open and close ------------------------------------------------------------------------------------ */

/* Asks for the topic, which also tells the client who leads it. One that does not exist has no handle. */
static enum status open_topic(struct kafka_producer *producer, size_t index, struct error *err)
{
    struct topic *topic = &producer->topics[index];
    const char *name = producer->settings->options.topics[index];
    TRY(kafka_client_partition_count(producer->client, name, &topic->partition_count, err));
    if (topic->partition_count == 0)
        return ST_OK;
    topic->handle = rd_kafka_topic_new(producer->client, name, NULL);
    if (topic->handle == NULL)
        return kafka_errors_fail(err, rd_kafka_last_error(), "topic '%s'", name);
    const size_t count = (size_t)topic->partition_count;
    topic->first_offsets = mem_alloc_array(count, sizeof *topic->first_offsets);
    return ST_OK;
}

enum status kafka_producer_open(struct kafka_producer **out, const struct kafka_settings *borrowed,
                                const char *transactional_id, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(kafka_producer_close) struct kafka_producer *producer = mem_alloc(sizeof *producer);
    producer->settings = borrowed;
    producer->topics = mem_alloc_array(borrowed->options.topic_count + 1, sizeof *producer->topics);
    const struct kafka_transactional_options options = {
        .id = transactional_id,
        .delivered = on_delivered,
        .opaque = producer,
        .tainted = &producer->tainted,
    };
    TRY(kafka_transactional_open(&producer->client, borrowed, &options, err));
    for (size_t i = 0; i < borrowed->options.topic_count; i++)
        TRY(open_topic(producer, i, err));
    forget_transaction(producer);
    *out = TAKE(producer);
    return ST_OK;
}

static void forget_offered(struct kafka_producer *producer)
{
    for (size_t i = 0; i < producer->offered_count; i++)
        mem_free((void *)(uintptr_t)producer->offered[i].metadata.data);
    mem_free(producer->offered);
    producer->offered = NULL;
    producer->offered_count = 0;
}

void kafka_producer_close(struct kafka_producer **producer_ref)
{
    struct kafka_producer *producer = TAKE(*producer_ref);
    if (producer == NULL)
        return;
    const size_t topic_count = producer->settings->options.topic_count;
    for (size_t i = 0; i < topic_count; i++) {
        if (producer->topics[i].handle != NULL)
            rd_kafka_topic_destroy(producer->topics[i].handle);
    }
    kafka_transactional_close(&producer->client); /* still calls on_delivered */
    for (size_t i = 0; i < topic_count; i++)
        mem_free(producer->topics[i].first_offsets);
    mem_free(producer->topics);
    forget_offered(producer);
    mem_free(producer);
}

enum status kafka_producer_end_foreign(const struct kafka_settings *settings,
                                       const char *transactional_id, struct error *err)
{
    rd_kafka_t *client = NULL;
    const struct kafka_transactional_options options = { .id = transactional_id };
    TRY(kafka_transactional_open(&client, settings, &options, err));
    kafka_transactional_close(&client);
    return ST_OK;
}

/* --- a transaction --------------------------------------------------------------------------------------- */

/*
 * A dead client is not asked any more: librdkafka (2.8) gives the result of a failed request of
 * send_offsets twice, and the second one ends whatever call has come after it, also with "done".
 */
static enum status ensure_alive(const struct kafka_producer *producer, const char *call,
                                struct error *err)
{
    return kafka_errors_fatal(err, producer->client, call);
}

enum status kafka_producer_begin(struct kafka_producer *producer, struct error *err)
{
    rd_kafka_poll(producer->client, 0);
    TRY(ensure_alive(producer, "begin_transaction", err));
    forget_transaction(producer);
    forget_offered(producer);
    producer->transaction++;
    producer->any_partition = (producer->any_partition + 1) & INT32_MAX;
    return kafka_errors_txn(err, producer->client, rd_kafka_begin_transaction(producer->client),
                            KAFKA_TXN_WORK, "begin_transaction");
}

static int32_t choose_partition(const struct kafka_producer *producer, const struct topic *topic,
                                const struct log_produce *record)
{
    if (record->partition >= 0)
        return record->partition;
    if (record->key.data == NULL)
        return producer->any_partition % topic->partition_count;
    return hash_partition_murmur2(record->key, topic->partition_count);
}

/* librdkafka takes the headers only if it takes the record. */
static rd_kafka_resp_err_t enqueue(struct kafka_producer *producer, const struct topic *topic,
                                   const struct log_produce *record, int32_t partition)
{
    /* The C API is not const-correct; with F_COPY nothing is written or kept. */
    void *key = (void *)(uintptr_t)record->key.data;
    void *value = (void *)(uintptr_t)record->value.data;
    void *opaque = label_of(producer, record->topic);
    if (record->header_count == 0) {
        const int rc = rd_kafka_produce(topic->handle, partition, RD_KAFKA_MSG_F_COPY, value,
                                        record->value.size, key, record->key.size, opaque);
        return rc == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct log_header *header = &record->headers[i];
        rd_kafka_header_add(headers, header->name, -1, header->value.data,
                            (ssize_t)header->value.size);
    }
    const rd_kafka_resp_err_t code = rd_kafka_producev(
        producer->client, RD_KAFKA_V_RKT(topic->handle), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, record->value.size),
        RD_KAFKA_V_KEY(key, record->key.size), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return code;
}

static enum status not_enqueued(struct kafka_producer *producer, const char *topic,
                                rd_kafka_resp_err_t code, struct error *err)
{
    TRY(kafka_errors_fatal(err, producer->client, "producing"));
    /* The client refuses records once something has gone wrong in the transaction. */
    if (code == RD_KAFKA_RESP_ERR__STATE)
        return FAIL(err, ST_TXN_ABORTABLE, "producing to %s: the transaction has failed already",
                    topic);
    return kafka_errors_fail(err, code, "producing to %s", topic);
}

enum status kafka_producer_produce(struct kafka_producer *producer,
                                   const struct log_produce *record, struct error *err)
{
    const struct topic *topic = &producer->topics[record->topic];
    const char *name = kafka_settings_topic_name(producer->settings, record->topic);
    ENSURE(record->header_count <= LOG_HEADERS_MAX);
    if (topic->partition_count == 0)
        return FAIL(err, ST_NOT_FOUND, "topic '%s' does not exist", name);
    const int32_t partition = choose_partition(producer, topic, record);
    const struct clock clock = clock_real();
    int64_t deadline_us = 0;
    for (;;) {
        const rd_kafka_resp_err_t code = enqueue(producer, topic, record, partition);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return ST_OK;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return not_enqueued(producer, name, code, err);
        if (deadline_us == 0)
            deadline_us = clock_us(&clock) + producer->settings->transaction_timeout_ms * 1000;
        if (clock_us(&clock) >= deadline_us)
            return FAIL(err, ST_TXN_ABORTABLE, "the producer's queue stayed full");
        rd_kafka_poll(producer->client, FULL_TURN_MS);
    }
}

static enum status delivery_status(struct kafka_producer *producer, struct error *err)
{
    TRY(kafka_errors_fatal(err, producer->client, "producing"));
    if (producer->failed.status == ST_OK)
        return ST_OK;
    if (err != NULL)
        *err = producer->failed;
    return producer->failed.status;
}

/* Every record ends, acknowledged or not, within the transaction's timeout; some more for the client. */
enum status kafka_producer_flush(struct kafka_producer *producer, struct error *err)
{
    const struct clock clock = clock_real();
    const int64_t deadline_us =
        clock_us(&clock) + producer->settings->transaction_timeout_ms * 2 * 1000;
    while (rd_kafka_flush(producer->client, FLUSH_TURN_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        TRY(delivery_status(producer, err));
        if (clock_us(&clock) >= deadline_us)
            return FAIL(err, ST_TXN_ABORTABLE, "records were not acknowledged in time");
    }
    return delivery_status(producer, err);
}

/* --- its end ------------------------------------------------------------------------------------------------ */

static enum status check_positions(const struct kafka_producer *producer,
                                   const struct log_position *positions, size_t count,
                                   struct error *err)
{
    ENSURE(count > 0); /* a transaction without offsets would not be fenced by a rebalance */
    for (size_t i = 0; i < count; i++) {
        /* Above 32,767 bytes librdkafka would write a broken request and retry it for a minute. */
        if (positions[i].metadata.size > LOG_METADATA_SIZE_MAX)
            return FAIL(err, ST_INVALID,
                        "the commit metadata of %s partition %" PRId32 " has %zu bytes, more than "
                        "the %d that a broker takes",
                        kafka_settings_topic_name(producer->settings, positions[i].topic),
                        positions[i].partition, positions[i].metadata.size, LOG_METADATA_SIZE_MAX);
    }
    return ST_OK;
}

static void remember_offered(struct kafka_producer *producer, const struct log_position *positions,
                             size_t count)
{
    forget_offered(producer);
    if (producer->settings->options.mock == NULL)
        return;
    producer->offered = mem_alloc_array(count, sizeof *producer->offered);
    producer->offered_count = count;
    for (size_t i = 0; i < count; i++) {
        struct bytes metadata = positions[i].metadata;
        if (metadata.data != NULL)
            metadata.data = mem_copy(metadata.data, metadata.size);
        producer->offered[i] = (struct kafka_mock_offset){
            .topic = kafka_settings_topic_name(producer->settings, positions[i].topic),
            .partition = positions[i].partition,
            .offset = positions[i].offset,
            .metadata = metadata,
        };
    }
}

/*
 * A transaction that has failed, `why` being what a call made of it: a record may have been refused meanwhile, which says
 * more, and the call may not have told (librdkafka answers "wrong state" when it happens between the two requests of
 * send_offsets). What was not sent is given up at once, so the reports of all records come soon.
 */
static enum status refused_or(struct kafka_producer *producer, enum status why, struct error *err)
{
    const struct clock clock = clock_real();
    const int64_t deadline_us = clock_us(&clock) + REFUSAL_MAX_US;
    while (status_class_of(producer->failed.status) != CLASS_SKIP &&
           rd_kafka_outq_len(producer->client) > 0 && clock_us(&clock) < deadline_us)
        rd_kafka_poll(producer->client, REFUSAL_TURN_MS);
    return status_class_of(producer->failed.status) == CLASS_SKIP ? delivery_status(producer, err)
                                                                  : why;
}

enum status kafka_producer_send_offsets(struct kafka_producer *producer,
                                        const struct log_position *positions, size_t count,
                                        const rd_kafka_consumer_group_metadata_t *metadata,
                                        struct error *err)
{
    TRY(ensure_alive(producer, "send_offsets", err));
    TRY(check_positions(producer, positions, count, err));
    rd_kafka_topic_partition_list_t *list = kafka_client_list(producer->settings, positions, count);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(producer->client, list, metadata, -1);
    rd_kafka_topic_partition_list_destroy(list);
    const enum status st =
        kafka_errors_txn(err, producer->client, error, KAFKA_TXN_WORK, "send_offsets");
    if (st != ST_OK)
        return st == ST_TXN_ABORTABLE ? refused_or(producer, st, err) : st;
    remember_offered(producer, positions, count);
    return ST_OK;
}

enum status kafka_producer_commit(struct kafka_producer *producer, struct error *err)
{
    TRY(ensure_alive(producer, "commit_transaction", err));
    TRY(kafka_errors_txn(err, producer->client, rd_kafka_commit_transaction(producer->client, -1),
                         KAFKA_TXN_COMMIT, "commit_transaction"));
    if (producer->offered_count > 0)
        kafka_mock_commit(producer->settings->options.mock, producer->settings->options.group_id,
                          producer->offered, producer->offered_count);
    forget_offered(producer);
    return ST_OK;
}

/*
 * A record that was refused leaves a gap in the sequence numbers, at which the broker would refuse
 * the next transaction too: a new producer starts without it.
 */
enum status kafka_producer_abort(struct kafka_producer *producer, struct error *err)
{
    forget_offered(producer);
    if (producer->failed.status != ST_OK)
        atomic_store(&producer->tainted, true);
    TRY(ensure_alive(producer, "abort_transaction", err));
    return kafka_errors_txn(err, producer->client, rd_kafka_abort_transaction(producer->client, -1),
                            KAFKA_TXN_WORK, "abort_transaction");
}

bool kafka_producer_tainted(struct kafka_producer *producer)
{
    return atomic_load(&producer->tainted);
}

void kafka_producer_serve(struct kafka_producer *producer)
{
    rd_kafka_poll(producer->client, 0);
}
