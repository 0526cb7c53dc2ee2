#include "processor/kafka/kafka_fetch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_doubts.h"
#include "processor/kafka/kafka_errors.h"

enum { NOT_ASSIGNED = -1, INTRODUCTION_MS = 5000, LOG_INTERVAL_US = 1000 * 1000 };

/* librdkafka's version from which a full queue is looked at again soon (fetch.queue.backoff.ms). */
enum { LOOKS_AT_ONCE = 0x020200ff, WAKE_AFTER_US = 2000, WAKE_MS = 100 };

/* By partition. */
struct topic {
    rd_kafka_topic_t *handle; /* made when first assigned */
    int64_t *next;            /* to hand out, or NOT_ASSIGNED */
    int64_t *end;             /* the last that was told, or NOT_ASSIGNED */
    int32_t count;
};

struct kafka_fetch {
    rd_kafka_t *client;
    const struct kafka_settings *settings;
    rd_kafka_queue_t *queue;
    struct topic *topics;
    rd_kafka_message_t **messages;
    struct log_record *records;
    struct kafka_doubts *doubts;
    struct log_rate troubles, drops;
    size_t taken;      /* records since the client was last woken */
    size_t wake_after; /* so many; SIZE_MAX: it need not be */
    struct error deferred; /* found behind records that had to be handed out first */
};

/* In records. */
static size_t full_queue(rd_kafka_t *client)
{
    char text[32] = "";
    size_t size = sizeof text;
    const rd_kafka_conf_res_t result = rd_kafka_conf_get(rd_kafka_conf(client), "queued.min.messages", text, &size);
    ENSURE(result == RD_KAFKA_CONF_OK);
    return strtoull(text, NULL, 10);
}

void kafka_fetch_create(struct kafka_fetch **out, rd_kafka_t *client,
                        const struct kafka_settings *settings)
{
    ENSURE(*out == NULL);
    struct kafka_fetch *fetch = mem_alloc(sizeof *fetch);
    fetch->client = client;
    fetch->settings = settings;
    fetch->topics = mem_alloc_array(settings->options.topic_count + 1, sizeof *fetch->topics);
    fetch->messages = mem_alloc_array(KAFKA_FETCH_RECORDS_MAX, sizeof(rd_kafka_message_t *));
    fetch->records = mem_alloc_array(KAFKA_FETCH_RECORDS_MAX, sizeof *fetch->records);
    /* Everything the handle has to say comes out of one queue, also errors and rebalances. */
    rd_kafka_poll_set_consumer(client);
    fetch->queue = rd_kafka_queue_get_consumer(client);
    ENSURE(fetch->queue != NULL);
    kafka_doubts_create(&fetch->doubts, client, settings);
    fetch->wake_after = rd_kafka_version() < LOOKS_AT_ONCE ? full_queue(client) / 2 : SIZE_MAX;
    *out = fetch;
}

void kafka_fetch_destroy(struct kafka_fetch **fetch_ref)
{
    struct kafka_fetch *fetch = TAKE(*fetch_ref);
    if (fetch == NULL)
        return;
    rd_kafka_queue_destroy(fetch->queue);
    kafka_doubts_destroy(&fetch->doubts);
    for (size_t i = 0; i < fetch->settings->options.topic_count; i++) {
        if (fetch->topics[i].handle != NULL)
            rd_kafka_topic_destroy(fetch->topics[i].handle);
        mem_free(fetch->topics[i].next);
        mem_free(fetch->topics[i].end);
    }
    mem_free(fetch->topics);
    mem_free(fetch->messages);
    mem_free(fetch->records);
    mem_free(fetch);
}

void kafka_fetch_interrupt(struct kafka_fetch *fetch)
{
    rd_kafka_queue_yield(fetch->queue);
}

/* --- what is assigned ---------------------------------------------------------------------------- */

static void forget_positions(struct kafka_fetch *fetch)
{
    for (size_t i = 0; i < fetch->settings->options.topic_count; i++) {
        for (int32_t p = 0; p < fetch->topics[i].count; p++)
            fetch->topics[i].next[p] = NOT_ASSIGNED;
    }
}

static void note_position(struct kafka_fetch *fetch, const struct log_position *position)
{
    struct topic *topic = &fetch->topics[position->topic];
    if (position->partition >= topic->count) {
        const int32_t count = position->partition + 1;
        topic->next = mem_resize_array(topic->next, (size_t)count, sizeof *topic->next);
        topic->end = mem_resize_array(topic->end, (size_t)count, sizeof *topic->end);
        for (int32_t p = topic->count; p < count; p++)
            topic->next[p] = NOT_ASSIGNED;
        topic->count = count;
    }
    topic->end[position->partition] = NOT_ASSIGNED;
    topic->next[position->partition] = position->offset < 0 ? 0 : position->offset;
}

/*
 * A client that is sent to a topic it has not heard of finds its leader up to a second later; asked
 * about it, at once. When asking fails it goes on trying by itself.
 */
static void introduce(struct kafka_fetch *fetch, int number)
{
    struct topic *topic = &fetch->topics[number];
    if (topic->handle != NULL)
        return;
    const char *name = kafka_settings_topic_name(fetch->settings, number);
    const struct rd_kafka_metadata *metadata = NULL;
    topic->handle = rd_kafka_topic_new(fetch->client, name, NULL);
    if (topic->handle != NULL && rd_kafka_metadata(fetch->client, 0, topic->handle, &metadata,
                                                   INTRODUCTION_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

/*
 * An assignment stops what was read before, by a message of the client's main thread to itself and an answer to that.
 * Another assignment before the answer is in stops a partition twice, and the client ends the process by an assertion
 * (librdkafka issue 5573; up to 2.15). That thread does one thing after the other: a question asked now is answered
 * after the partitions were stopped, a second one after their answers.
 */
static void wait_until_stopped(struct kafka_fetch *fetch)
{
    enum { ANSWERS = 2 };
    for (int i = 0; i < ANSWERS; i++) {
        rd_kafka_topic_partition_list_t *assigned = NULL;
        if (rd_kafka_assignment(fetch->client, &assigned) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_topic_partition_list_destroy(assigned);
    }
}

enum status kafka_fetch_assign(struct kafka_fetch *fetch, const struct log_position *positions,
                               size_t count, bool unassign, struct error *err)
{
    ENSURE(!unassign || count == 0);
    forget_positions(fetch);
    for (size_t i = 0; i < count; i++) {
        ENSURE(positions[i].topic >= 0 &&
               (size_t)positions[i].topic < fetch->settings->options.topic_count);
        /* librdkafka takes -1 for the end. */
        ENSURE(positions[i].offset >= 0 || positions[i].offset == RD_KAFKA_OFFSET_BEGINNING);
        introduce(fetch, positions[i].topic);
        note_position(fetch, &positions[i]);
    }
    fetch->deferred.status = ST_OK;
    kafka_doubts_forget(fetch->doubts);
    rd_kafka_topic_partition_list_t *list = kafka_client_list(fetch->settings, positions, count);
    const rd_kafka_resp_err_t code = rd_kafka_assign(fetch->client, unassign ? NULL : list);
    rd_kafka_topic_partition_list_destroy(list);
    wait_until_stopped(fetch);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ST_OK;
    TRY(kafka_errors_fatal(err, fetch->client, "assigning partitions"));
    return kafka_errors_fail(err, code, "assigning %zu partitions", count);
}

/* --- one message --------------------------------------------------------------------------------- */

static int topic_of(const struct kafka_fetch *fetch, const rd_kafka_message_t *message)
{
    if (message->rkt == NULL)
        return -1;
    return kafka_settings_topic(fetch->settings, rd_kafka_topic_name(message->rkt));
}

static int64_t *next_of(struct kafka_fetch *fetch, int topic, int32_t partition)
{
    if (topic < 0 || partition < 0 || partition >= fetch->topics[topic].count)
        return NULL;
    int64_t *next = &fetch->topics[topic].next[partition];
    return *next == NOT_ASSIGNED ? NULL : next;
}

static void describe(struct log_record *record, const rd_kafka_message_t *message, int topic)
{
    rd_kafka_timestamp_type_t type;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    *record = (struct log_record){
        .kind = LOG_RECORD_DATA,
        .topic = topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
        .key = bytes_of(message->key, message->key_len),
        .value = bytes_of(message->payload, message->len),
    };
}

static bool may_log(struct log_rate *rate, int64_t *suppressed)
{
    const struct clock clock = clock_real();
    return log_rate_allow(rate, clock_us(&clock), LOG_INTERVAL_US, suppressed);
}

/* What to do about an error that came instead of a record. */
static enum status judge(struct kafka_fetch *fetch, const rd_kafka_message_t *message,
                         struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__FATAL)
        return kafka_errors_fatal(err, fetch->client, "the consumer");
    const enum status st = kafka_errors_status(message->err);
    const bool forbidden = message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                           message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    if (st == ST_CORRUPT || forbidden)
        return FAIL(err, st, "reading %s partition %" PRId32 " at offset %" PRId64 ": %s",
                    message->rkt == NULL ? "?" : rd_kafka_topic_name(message->rkt),
                    message->partition, message->offset, rd_kafka_message_errstr(message));
    int64_t suppressed;
    if (may_log(&fetch->troubles, &suppressed))
        LOG_WARN("kafka.consumer_trouble", "error=%s text=%s suppressed=%" PRId64,
                 rd_kafka_err2name(message->err), LOG_Q(rd_kafka_message_errstr(message)),
                 suppressed);
    return ST_OK;
}

static struct log_record notice(enum log_record_kind kind, int topic, int32_t partition, int64_t offset)
{
    return (struct log_record){
        .kind = kind, .topic = topic, .partition = partition, .offset = offset, .timestamp_ms = -1
    };
}

/* Fills the record; false when there is none: then the message is not needed any more. */
static bool take_end(struct kafka_fetch *fetch, const rd_kafka_message_t *message, int topic,
                     struct log_record *record)
{
    if (next_of(fetch, topic, message->partition) == NULL)
        return false;
    fetch->topics[topic].end[message->partition] = message->offset;
    *record = notice(LOG_RECORD_EOF, topic, message->partition, message->offset);
    return true;
}

static void doubt(struct kafka_fetch *fetch, const rd_kafka_message_t *message, int topic)
{
    const int64_t *next = next_of(fetch, topic, message->partition);
    if (next != NULL)
        kafka_doubts_add(fetch->doubts, topic, message->partition, *next, rd_kafka_message_errstr(message));
}

static bool take_data(struct kafka_fetch *fetch, rd_kafka_message_t *message, int topic,
                      struct log_record *record)
{
    int64_t *next = next_of(fetch, topic, message->partition);
    int64_t suppressed;
    if (next == NULL || message->offset < *next) {
        if (may_log(&fetch->drops, &suppressed))
            LOG_WARN("kafka.dropped",
                     "topic=%s partition=%" PRId32 " offset=%" PRId64 " suppressed=%" PRId64,
                     kafka_settings_topic_name(fetch->settings, topic), message->partition,
                     message->offset, suppressed);
        return false;
    }
    *next = message->offset + 1;
    describe(record, message, topic);
    record->handle = message;
    return true;
}

static enum status take(struct kafka_fetch *fetch, rd_kafka_message_t *message, int topic,
                        struct log_batch *out, struct error *err)
{
    struct log_record *record = &fetch->records[out->count];
    enum status st = ST_OK;
    bool taken = false;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        taken = take_data(fetch, message, topic, record);
        if (taken) {
            out->count++;
            return ST_OK; /* the message lives on as the record's handle */
        }
        break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        taken = take_end(fetch, message, topic, record);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        doubt(fetch, message, topic);
        break;
    default:
        st = judge(fetch, message, err);
        break;
    }
    out->count += taken;
    rd_kafka_message_destroy(message);
    return st;
}

/* --- a batch -------------------------------------------------------------------------------------- */

/* Assigned, and there was more to read when it was last heard of. */
static rd_kafka_topic_partition_list_t *unfinished(const struct kafka_fetch *fetch)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(0);
    for (size_t i = 0; i < fetch->settings->options.topic_count; i++) {
        const struct topic *topic = &fetch->topics[i];
        for (int32_t p = 0; p < topic->count; p++) {
            if (topic->next[p] != NOT_ASSIGNED && topic->next[p] != topic->end[p])
                rd_kafka_topic_partition_list_add(list, kafka_settings_topic_name(fetch->settings, (int)i), p)->offset =
                    RD_KAFKA_OFFSET_END;
        }
    }
    return list;
}

/*
 * An old client that found its queue full looks at it again when something else wakes the thread of the partition's
 * leader, or after a second. Any request to the leader does; its answer is not needed.
 */
static void wake(struct kafka_fetch *fetch)
{
    rd_kafka_topic_partition_list_t *list = unfinished(fetch);
    if (list->cnt > 0)
        (void)rd_kafka_offsets_for_times(fetch->client, list, WAKE_MS);
    rd_kafka_topic_partition_list_destroy(list);
    fetch->taken = 0;
}

static bool wait_for_one(struct kafka_fetch *fetch, int64_t timeout_us)
{
    return rd_kafka_consume_batch_queue(fetch->queue, kafka_client_ms(timeout_us), fetch->messages, 1) > 0;
}

static bool wait_for_first(struct kafka_fetch *fetch, int64_t timeout_us)
{
    if (fetch->taken < fetch->wake_after || timeout_us <= WAKE_AFTER_US)
        return wait_for_one(fetch, timeout_us);
    if (wait_for_one(fetch, WAKE_AFTER_US))
        return true;
    wake(fetch);
    return wait_for_one(fetch, timeout_us - WAKE_AFTER_US);
}

/* The client waits until a batch is full; so one record is waited for, and what else is there taken. */
static size_t receive(struct kafka_fetch *fetch, int64_t timeout_us)
{
    const ssize_t count = timeout_us > 0;
    if (timeout_us > 0 && !wait_for_first(fetch, timeout_us))
        return 0;
    const ssize_t more = rd_kafka_consume_batch_queue(fetch->queue, 0, fetch->messages + count,
                                                      KAFKA_FETCH_RECORDS_MAX - (size_t)count);
    const size_t taken = (size_t)(count + (more > 0 ? more : 0));
    fetch->taken += taken;
    return taken;
}

/* Behind an error nothing is handed out: the client has gone on past what it could not read. */
static void take_all(struct kafka_fetch *fetch, size_t count, struct log_batch *out)
{
    const rd_kafka_topic_t *last = NULL; /* neighbours are of one topic mostly */
    int topic = -1;
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = fetch->messages[i];
        if (fetch->deferred.status != ST_OK) {
            rd_kafka_message_destroy(message);
            continue;
        }
        if (message->rkt == NULL || message->rkt != last)
            topic = topic_of(fetch, message);
        last = message->rkt;
        struct error found = { .status = ST_OK };
        if (take(fetch, message, topic, out, &found) != ST_OK)
            fetch->deferred = found;
    }
}

static void take_confirmed(struct kafka_fetch *fetch, struct log_batch *out)
{
    struct log_position outside;
    while (out->count < KAFKA_FETCH_RECORDS_MAX && kafka_doubts_confirmed(fetch->doubts, &outside))
        fetch->records[out->count++] =
            notice(LOG_RECORD_OUT_OF_RANGE, outside.topic, outside.partition, outside.offset);
}

enum status kafka_fetch_poll(struct kafka_fetch *fetch, int64_t timeout_us, struct log_batch *out,
                             struct error *err)
{
    *out = (struct log_batch){ .records = fetch->records };
    if (fetch->deferred.status == ST_OK)
        take_all(fetch, receive(fetch, timeout_us), out);
    if (fetch->deferred.status == ST_OK)
        take_confirmed(fetch, out);
    if (fetch->deferred.status == ST_OK || out->count > 0)
        return ST_OK;
    if (err != NULL)
        *err = fetch->deferred;
    return fetch->deferred.status;
}

/* Where each partition goes on that is assigned. */
static size_t positions_of(const struct kafka_fetch *fetch, struct log_position **out)
{
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < fetch->settings->options.topic_count; i++)
        capacity += (size_t)fetch->topics[i].count;
    *out = mem_alloc_array(capacity + 1, sizeof **out);
    for (size_t i = 0; i < fetch->settings->options.topic_count; i++) {
        for (int32_t p = 0; p < fetch->topics[i].count; p++) {
            const int64_t next = fetch->topics[i].next[p];
            if (next != NOT_ASSIGNED)
                (*out)[count++] = (struct log_position){ (int)i, p, next, BYTES_NONE };
        }
    }
    return count;
}

enum status kafka_fetch_mend(struct kafka_fetch *fetch, struct error *err)
{
    if (!kafka_doubts_found(fetch->doubts))
        return ST_OK;
    struct log_position *positions = NULL;
    const size_t count = positions_of(fetch, &positions);
    const enum status st = kafka_fetch_assign(fetch, positions, count, false, err);
    mem_free(positions);
    return st;
}

void kafka_fetch_release(const struct log_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].handle != NULL)
            rd_kafka_message_destroy(records[i].handle);
    }
}
