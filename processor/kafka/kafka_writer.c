#include "processor/kafka/kafka_writer.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"

enum {
    QUEUE_FULL_WAIT_MS = 20,
    QUEUE_FULL_MAX_MS = 120 * 1000, /* as long as a message may wait in librdkafka */
    SERVE_EVERY = 256,
    CLOSE_FLUSH_MS = 2000
};

struct writer_topic {
    rd_kafka_topic_t *handle;
    int32_t partition_count;
    int32_t turn;
};

struct kafka_writer {
    struct kafka_settings *settings;
    enum kafka_placement placement;
    rd_kafka_t *client;
    struct writer_topic *topics;
    uint64_t written, delivered;
    struct error failure; /* of the first record that was not delivered */
};

/* --- life ----------------------------------------------------------------------------------------- */

/* Runs within rd_kafka_poll, on the writer's thread. */
static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct kafka_writer *writer = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        writer->delivered++;
    else if (writer->failure.status == ST_OK)
        kafka_errors_fail(&writer->failure, message->err, "a record for topic '%s', partition %d",
                          rd_kafka_topic_name(message->rkt), (int)message->partition);
}

static enum status make_client(struct kafka_writer *writer, struct error *err)
{
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, writer->settings, KAFKA_PRODUCER, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return kafka_client_create(&writer->client, conf, RD_KAFKA_PRODUCER, writer, err);
}

static enum status find_topic(struct kafka_writer *writer, const char *name,
                              struct writer_topic *topic, struct error *err)
{
    TRY(kafka_client_partition_count(writer->client, name, &topic->partition_count, err));
    if (topic->partition_count == 0)
        return FAIL(err, ST_NOT_FOUND, "there is no topic '%s'", name);
    topic->handle = rd_kafka_topic_new(writer->client, name, NULL);
    if (topic->handle == NULL)
        return kafka_errors_fail(err, rd_kafka_last_error(), "topic '%s'", name);
    return ST_OK;
}

enum status kafka_writer_open(struct kafka_writer **out, const struct kafka_port_options *options,
                              enum kafka_placement placement, struct error *err)
{
    ENSURE(*out == NULL && options->transactional_id == NULL);
    AUTO(kafka_writer_close) struct kafka_writer *writer = mem_alloc(sizeof *writer);
    writer->placement = placement;
    TRY(kafka_settings_create(&writer->settings, options, err));
    writer->topics = mem_alloc_array(options->topic_count + 1, sizeof *writer->topics);
    TRY(make_client(writer, err));
    for (size_t i = 0; i < options->topic_count; i++)
        TRY(find_topic(writer, options->topics[i], &writer->topics[i], err));
    *out = TAKE(writer);
    return ST_OK;
}

void kafka_writer_close(struct kafka_writer **writer_ref)
{
    struct kafka_writer *writer = TAKE(*writer_ref);
    if (writer == NULL)
        return;
    if (writer->client != NULL) {
        rd_kafka_purge(writer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(writer->client, CLOSE_FLUSH_MS);
        for (size_t i = 0; i < writer->settings->options.topic_count; i++) {
            if (writer->topics[i].handle != NULL)
                rd_kafka_topic_destroy(writer->topics[i].handle);
        }
        rd_kafka_destroy(writer->client);
    }
    mem_free(writer->topics);
    kafka_settings_destroy(&writer->settings);
    mem_free(writer);
}

int32_t kafka_writer_partition_count(const struct kafka_writer *writer, int topic)
{
    ENSURE(topic >= 0 && (size_t)topic < writer->settings->options.topic_count);
    return writer->topics[topic].partition_count;
}

uint64_t kafka_writer_delivered(const struct kafka_writer *writer)
{
    return writer->delivered;
}

/* --- writing -------------------------------------------------------------------------------------- */

static int32_t take_turn(struct writer_topic *topic)
{
    topic->turn = (topic->turn + 1) % topic->partition_count;
    return topic->turn;
}

static int32_t right_place(enum kafka_placement placement, struct bytes key, int32_t count)
{
    return placement == KAFKA_PLACE_CRC32 ? hash_partition_crc32(key, count)
                                          : hash_partition_murmur2(key, count);
}

/* Where neither murmur2 nor CRC32 would place it; of two partitions: where ours would not. */
static int32_t wrong_place(enum kafka_placement placement, struct bytes key, int32_t count)
{
    const int32_t right = right_place(placement, key, count);
    for (int32_t i = 1; i < count; i++) {
        const int32_t wrong = (right + i) % count;
        if (wrong != hash_partition_murmur2(key, count) && wrong != hash_partition_crc32(key, count))
            return wrong;
    }
    return (right + 1) % count;
}

static int32_t place(const struct kafka_writer *writer, const struct kafka_writer_record *record)
{
    struct writer_topic *topic = &writer->topics[record->topic];
    if (record->partition >= 0)
        return record->partition;
    if (record->key.data == NULL || writer->placement == KAFKA_PLACE_TURNS)
        return take_turn(topic);
    if (record->misplaced)
        return wrong_place(writer->placement, record->key, topic->partition_count);
    return right_place(writer->placement, record->key, topic->partition_count);
}

static rd_kafka_resp_err_t enqueue(const struct kafka_writer *writer,
                                   const struct kafka_writer_record *record, int32_t partition)
{
    return rd_kafka_producev(
        writer->client, RD_KAFKA_V_RKT(writer->topics[record->topic].handle),
        RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(record->key.data, record->key.size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.size),
        RD_KAFKA_V_TIMESTAMP(record->timestamp_ms), RD_KAFKA_V_END);
}

static enum status failure(const struct kafka_writer *writer, struct error *err)
{
    *err = writer->failure;
    return writer->failure.status;
}

enum status kafka_writer_write(struct kafka_writer *writer,
                               const struct kafka_writer_record *record, struct error *err)
{
    ENSURE(record->topic >= 0 && (size_t)record->topic < writer->settings->options.topic_count);
    const int32_t partition = place(writer, record);
    rd_kafka_resp_err_t code;
    int64_t waited_ms = 0;
    if (++writer->written % SERVE_EVERY == 0)
        rd_kafka_poll(writer->client, 0);
    while ((code = enqueue(writer, record, partition)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           waited_ms < QUEUE_FULL_MAX_MS) {
        rd_kafka_poll(writer->client, QUEUE_FULL_WAIT_MS);
        waited_ms += QUEUE_FULL_WAIT_MS;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "topic '%s'",
                                 kafka_settings_topic_name(writer->settings, record->topic));
    return writer->failure.status == ST_OK ? ST_OK : failure(writer, err);
}

enum status kafka_writer_flush(struct kafka_writer *writer, int64_t timeout_ms, struct error *err)
{
    const rd_kafka_resp_err_t code = rd_kafka_flush(writer->client, (int)timeout_ms);
    if (writer->failure.status != ST_OK)
        return failure(writer, err);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return FAIL(err, ST_TIMED_OUT, "Kafka has not acknowledged everything yet");
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "flushing");
    return ST_OK;
}
