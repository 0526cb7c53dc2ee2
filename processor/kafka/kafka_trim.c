#include "processor/kafka/kafka_trim.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"

struct kafka_trim {
    const struct kafka_settings *settings;
    rd_kafka_t *client;
    rd_kafka_queue_t *answers;
    size_t waiting;
};

void kafka_trim_create(struct kafka_trim **out, const struct kafka_settings *settings,
                       rd_kafka_t *client)
{
    ENSURE(*out == NULL);
    struct kafka_trim *trim = mem_alloc(sizeof *trim);
    trim->settings = settings;
    trim->client = client;
    trim->answers = rd_kafka_queue_new(client);
    *out = trim;
}

void kafka_trim_destroy(struct kafka_trim **trim_ref)
{
    struct kafka_trim *trim = TAKE(*trim_ref);
    if (trim == NULL)
        return;
    rd_kafka_queue_destroy(trim->answers);
    mem_free(trim);
}

void kafka_trim_before(struct kafka_trim *trim, const struct log_position *positions, size_t count)
{
    if (trim->settings->options.mock != NULL || count == 0)
        return; /* the mock cluster cannot; it forgets by size */
    rd_kafka_topic_partition_list_t *list = kafka_client_list(trim->settings, positions, count);
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(trim->client, &request, 1, NULL, trim->answers);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    trim->waiting++;
}

static void log_failures(rd_kafka_event_t *event)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        LOG_WARN("kafka.trim_failed", "error=%s", LOG_Q(rd_kafka_event_error_string(event)));
        return;
    }
    const rd_kafka_DeleteRecords_result_t *result = rd_kafka_event_DeleteRecords_result(event);
    if (result == NULL)
        return;
    const rd_kafka_topic_partition_list_t *list = rd_kafka_DeleteRecords_result_offsets(result);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        if (item->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            LOG_WARN("kafka.trim_failed", "topic=%s partition=%" PRId32 " error=%s", item->topic,
                     item->partition, LOG_Q(rd_kafka_err2str(item->err)));
    }
}

void kafka_trim_serve(struct kafka_trim *trim)
{
    while (trim->waiting > 0) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(trim->answers, 0);
        if (event == NULL)
            return;
        trim->waiting--;
        log_failures(event);
        rd_kafka_event_destroy(event);
    }
}
