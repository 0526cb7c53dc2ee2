/*
 * kafka_mock: librdkafka's in-process cluster, for the demo and for unit tests.
 *
 * Weaker than Kafka, never evidence of exactly-once: records of aborted transactions stay readable,
 * zombies are not fenced by generation, and only the newest 5 MB of a partition are kept. Offsets
 * committed by a transaction it forgets; kafka_mock remembers them here instead, so that a second
 * worker of the same process finds them. Nothing survives the process. Thread-safe.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_MOCK_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_MOCK_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

struct kafka_mock;

MUST_CHECK enum status kafka_mock_open(struct kafka_mock **out, int broker_count,
                                       struct error *err);
/* After everything that was opened with it is closed. */
void kafka_mock_close(struct kafka_mock **mock);

/* host:port[,...], valid until close. */
const char *kafka_mock_brokers(const struct kafka_mock *mock);
MUST_CHECK enum status kafka_mock_create_topic(struct kafka_mock *mock, const char *name,
                                               int partitions, struct error *err);
/* librdkafka's rd_kafka_mock_cluster_t, for tests that inject faults. */
void *kafka_mock_handle(struct kafka_mock *mock);

/* What a transaction of a group committed. */
struct kafka_mock_offset {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct bytes metadata;
};
void kafka_mock_commit(struct kafka_mock *mock, const char *group,
                       const struct kafka_mock_offset *offsets, size_t count);
/* Fills offset (-1: none) and metadata, which the caller frees with mem_free. */
void kafka_mock_committed(struct kafka_mock *mock, const char *group,
                          struct kafka_mock_offset *offset);

#endif
