/*
 * kafka_client: making a librdkafka handle whose log lines are ours, and the questions that any
 * handle can answer. Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_CLIENT_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_CLIENT_H

#include <stdint.h>

#include "processor/kafka/kafka_settings.h"

/* How long a question to the cluster may take. */
enum { KAFKA_CLIENT_TIMEOUT_MS = 15000 };

/* Takes the configuration in any case. `opaque` goes to the callbacks that it names. */
MUST_CHECK enum status kafka_client_create(rd_kafka_t **out, rd_kafka_conf_t *conf,
                                           rd_kafka_type_t type, void *opaque, struct error *err);

/* 0: there is no such topic. Never creates it. */
MUST_CHECK enum status kafka_client_partition_count(rd_kafka_t *client, const char *topic,
                                                    int32_t *out, struct error *err);
/* Free with mem_free. */
MUST_CHECK enum status kafka_client_cluster_id(rd_kafka_t *client, char **out, struct error *err);

/* Of the first record that is not older; of RD_KAFKA_OFFSET_BEGINNING and _END, which the protocol takes for times, what
 * they name. Negative: none. */
rd_kafka_resp_err_t kafka_client_offset_at(rd_kafka_t *client, const char *topic, int32_t partition, int64_t timestamp_ms,
                                           int timeout_ms, int64_t *out);
/* The first offset and the end, as this client may read it. It does end in time, which rd_kafka_query_watermark_offsets does
 * not when a broker is away (librdkafka issue 2588). */
rd_kafka_resp_err_t kafka_client_bounds(rd_kafka_t *client, const char *topic, int32_t partition, int timeout_ms,
                                        int64_t *low, int64_t *high);

/* Ours to librdkafka's: offsets and metadata are copied. */
rd_kafka_topic_partition_list_t *kafka_client_list(const struct kafka_settings *settings,
                                                   const struct log_position *positions,
                                                   size_t count);
/* Whole milliseconds, rounded up: 0 stays 0. */
int kafka_client_ms(int64_t us);

#endif
