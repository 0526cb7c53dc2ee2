#include "processor/kafka/kafka_client.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_errors.h"

/* Of syslog.h, whose names are our macros' names. */
enum { SYSLOG_CRITICAL = 2, SYSLOG_WARNING = 4, SYSLOG_DEBUG = 7 };
enum { ERROR_LOG_INTERVAL_US = 1000 * 1000 };

/* --- its log lines -------------------------------------------------------------------------- */

static enum log_level level_of(int syslog_level)
{
    if (syslog_level <= SYSLOG_CRITICAL)
        return LOG_LEVEL_ERROR;
    if (syslog_level <= SYSLOG_WARNING) /* a broker that is away is an error to librdkafka */
        return LOG_LEVEL_WARN;
    return syslog_level == SYSLOG_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* librdkafka takes it for a producer's, warns, and then does use it to retry reading offsets. */
static bool is_wrong_warning(const char *facility, const char *text)
{
    return strcmp(facility, "CONFWARN") == 0 && strstr(text, "retry.backoff") != NULL;
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    if (is_wrong_warning(facility, text))
        return;
    LOG_AT(level_of(level), "kafka.client", "client=%s facility=%s text=%s",
           LOG_Q(client == NULL ? "" : rd_kafka_name(client)), facility, LOG_Q(text));
}

/* What librdkafka tells here it goes on trying: "all brokers are down" comes also when one is. */
static void on_error(rd_kafka_t *client, int code, const char *text, void *opaque)
{
    static struct log_rate rate;
    const struct clock clock = clock_real();
    int64_t suppressed;
    (void)opaque;
    if (log_rate_allow(&rate, clock_us(&clock), ERROR_LOG_INTERVAL_US, &suppressed))
        LOG_AT(LOG_LEVEL_WARN, "kafka.trouble", "client=%s error=%s text=%s suppressed=%lld",
               LOG_Q(rd_kafka_name(client)), rd_kafka_err2name(code), LOG_Q(text),
               (long long)suppressed);
}

/* --- making one ------------------------------------------------------------------------------- */

enum status kafka_client_create(rd_kafka_t **out, rd_kafka_conf_t *conf, rd_kafka_type_t type,
                                void *opaque, struct error *err)
{
    ENSURE(*out == NULL);
    char text[256];
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, opaque);
    *out = rd_kafka_new(type, conf, text, sizeof text);
    if (*out != NULL)
        return ST_OK;
    rd_kafka_conf_destroy(conf);
    return FAIL(err, ST_INVALID, "the Kafka client cannot be made: %s", text);
}

/* --- questions --------------------------------------------------------------------------------- */

static enum status count_of(const struct rd_kafka_metadata *metadata, const char *topic,
                            int32_t *out, struct error *err)
{
    *out = 0;
    if (metadata->topic_cnt != 1)
        return FAIL(err, ST_KAFKA, "topic '%s': the broker answered for %d topics", topic,
                    metadata->topic_cnt);
    const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
    const enum status st = kafka_errors_status(found->err);
    if (st == ST_NOT_FOUND)
        return ST_OK;
    if (found->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        *out = found->partition_cnt; /* some partition has no leader at the moment */
        return ST_OK;
    }
    if (st != ST_OK)
        return kafka_errors_fail(err, found->err, "topic '%s'", topic);
    *out = found->partition_cnt;
    return ST_OK;
}

enum status kafka_client_partition_count(rd_kafka_t *client, const char *topic, int32_t *out,
                                         struct error *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (handle == NULL)
        return kafka_errors_fail(err, rd_kafka_last_error(), "topic '%s'", topic);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client, 0, handle, &metadata, KAFKA_CLIENT_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "asking for topic '%s'", topic);
    const enum status st = count_of(metadata, topic, out, err);
    rd_kafka_metadata_destroy(metadata);
    return st;
}

/* The id comes with metadata, which a client that has nothing to do asks for a second later. */
enum status kafka_client_cluster_id(rd_kafka_t *client, char **out, struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client, 0, NULL, &metadata, KAFKA_CLIENT_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "asking for the cluster's id");
    rd_kafka_metadata_destroy(metadata);
    char *id = rd_kafka_clusterid(client, KAFKA_CLIENT_TIMEOUT_MS);
    if (id == NULL)
        return FAIL(err, ST_KAFKA, "the brokers do not tell their cluster's id");
    *out = mem_copy_string(id);
    rd_kafka_mem_free(client, id);
    return ST_OK;
}

/* --- conversions --------------------------------------------------------------------------------- */

rd_kafka_resp_err_t kafka_client_offset_at(rd_kafka_t *client, const char *topic, int32_t partition, int64_t timestamp_ms,
                                           int timeout_ms, int64_t *out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = timestamp_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    *out = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static rd_kafka_resp_err_t bound_of(rd_kafka_t *client, const char *topic, int32_t partition, int64_t logical,
                                    int timeout_ms, int64_t *out)
{
    const rd_kafka_resp_err_t code = kafka_client_offset_at(client, topic, partition, logical, timeout_ms, out);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && *out < 0)
        return RD_KAFKA_RESP_ERR__TIMED_OUT; /* of a partition that was not answered for */
    return code;
}

rd_kafka_resp_err_t kafka_client_bounds(rd_kafka_t *client, const char *topic, int32_t partition, int timeout_ms,
                                        int64_t *low, int64_t *high)
{
    const rd_kafka_resp_err_t code =
        bound_of(client, topic, partition, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, low);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    return bound_of(client, topic, partition, RD_KAFKA_OFFSET_END, timeout_ms, high);
}

rd_kafka_topic_partition_list_t *kafka_client_list(const struct kafka_settings *settings,
                                                   const struct log_position *positions,
                                                   size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct log_position *position = &positions[i];
        rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(
            list, kafka_settings_topic_name(settings, position->topic), position->partition);
        item->offset = position->offset;
        if (position->metadata.data == NULL)
            continue;
        /* librdkafka frees it, and takes the size for the length of a string. */
        item->metadata =
            mem_copy_string_n((const char *)position->metadata.data, position->metadata.size);
        item->metadata_size = position->metadata.size;
    }
    return list;
}

int kafka_client_ms(int64_t us)
{
    if (us <= 0)
        return 0;
    const int64_t ms = (us - 1) / 1000 + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
