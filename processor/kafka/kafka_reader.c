/*
 * kafka_reader: a log reader: a consumer of its own that reads partitions somebody chose, and
 * answers questions about offsets. It never joins the group.
 */
#include <inttypes.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"
#include "processor/kafka/kafka_fetch.h"

struct kafka_reader {
    struct log_reader base;
    struct kafka_settings *settings;
    rd_kafka_t *client;
    struct kafka_fetch *fetch;
    rd_kafka_t *uncommitted; /* knows high watermarks; made when first asked */
};

static struct kafka_reader *self_of(struct log_reader *reader)
{
    return (struct kafka_reader *)reader;
}

static void destroy(struct kafka_reader **reader_ref)
{
    struct kafka_reader *reader = TAKE(*reader_ref);
    if (reader == NULL)
        return;
    kafka_fetch_destroy(&reader->fetch);
    if (reader->client != NULL)
        rd_kafka_destroy_flags(reader->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (reader->uncommitted != NULL)
        rd_kafka_destroy_flags(reader->uncommitted, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_settings_destroy(&reader->settings);
    mem_free(reader);
}

static void reader_close(struct log_reader *log_reader)
{
    struct kafka_reader *reader = self_of(log_reader);
    destroy(&reader);
}

/* --- reading ------------------------------------------------------------------------------------------ */

static enum status reader_assign(struct log_reader *reader, const struct log_position *positions,
                                 size_t count, struct error *err)
{
    return kafka_fetch_assign(self_of(reader)->fetch, positions, count, false, err);
}

static enum status reader_poll(struct log_reader *reader, int64_t timeout_us, struct log_batch *out,
                               struct error *err)
{
    struct kafka_fetch *fetch = self_of(reader)->fetch;
    TRY(kafka_fetch_poll(fetch, timeout_us, out, err));
    return out->count > 0 ? ST_OK : kafka_fetch_mend(fetch, err);
}

static void reader_release(struct log_reader *reader, const struct log_record *records,
                           size_t count)
{
    (void)reader;
    kafka_fetch_release(records, count);
}

/* --- questions ------------------------------------------------------------------------------------------ */

static enum status uncommitted_client(struct kafka_reader *reader, struct error *err)
{
    if (reader->uncommitted != NULL)
        return ST_OK;
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, reader->settings, KAFKA_UNSTABLE, err));
    return kafka_client_create(&reader->uncommitted, conf, RD_KAFKA_CONSUMER, NULL, err);
}

/* What a client is told for the end depends on what it may read: the last stable offset or all. */
static enum status reader_bounds(struct log_reader *log_reader, struct log_partition at,
                                 bool high_watermark, int64_t *low, int64_t *high,
                                 struct error *err)
{
    struct kafka_reader *reader = self_of(log_reader);
    const char *topic = kafka_settings_topic_name(reader->settings, at.topic);
    if (high_watermark)
        TRY(uncommitted_client(reader, err));
    rd_kafka_t *client = high_watermark ? reader->uncommitted : reader->client;
    const rd_kafka_resp_err_t code =
        kafka_client_bounds(client, topic, at.partition, KAFKA_CLIENT_TIMEOUT_MS, low, high);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ST_OK;
    return kafka_errors_fail(err, code, "the bounds of %s partition %" PRId32, topic, at.partition);
}

static enum status reader_offset_at(struct log_reader *log_reader, struct log_partition at,
                                    int64_t timestamp_ms, int64_t *offset, struct error *err)
{
    struct kafka_reader *reader = self_of(log_reader);
    const rd_kafka_resp_err_t code =
        kafka_client_offset_at(reader->client, kafka_settings_topic_name(reader->settings, at.topic), at.partition,
                               timestamp_ms, KAFKA_CLIENT_TIMEOUT_MS, offset);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "the offset of a time in %s partition %" PRId32,
                                 kafka_settings_topic_name(reader->settings, at.topic),
                                 at.partition);
    if (*offset >= 0)
        return ST_OK;
    int64_t low;
    return reader_bounds(log_reader, at, false, &low, offset, err);
}

static const struct log_reader_type type = {
    .close = reader_close,
    .assign = reader_assign,
    .poll = reader_poll,
    .release = reader_release,
    .bounds = reader_bounds,
    .offset_at = reader_offset_at,
};

enum status kafka_reader_open(struct log_reader **out, const struct kafka_port_options *options,
                              struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(destroy) struct kafka_reader *reader = mem_alloc(sizeof *reader);
    reader->base.type = &type;
    TRY(kafka_settings_create(&reader->settings, options, err));
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, reader->settings, KAFKA_READER, err));
    TRY(kafka_client_create(&reader->client, conf, RD_KAFKA_CONSUMER, NULL, err));
    kafka_fetch_create(&reader->fetch, reader->client, reader->settings);
    *out = &TAKE(reader)->base;
    return ST_OK;
}
