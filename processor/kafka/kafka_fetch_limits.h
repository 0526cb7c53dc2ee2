/*
 * kafka_fetch_limits: what librdkafka is told so that what a consumer fetches ahead keeps to so many bytes. Bytes of
 * records alone would not do: each record that waits takes some 310 bytes beside its own. Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_FETCH_LIMITS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_FETCH_LIMITS_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"

struct fetch_limits {
    uint64_t records, queue_kbytes, fetch_bytes, partition_bytes;
};

struct fetch_limits kafka_fetch_limits(uint64_t bytes);
/* Sets them; a property that the user chose otherwise is set again afterwards. */
MUST_CHECK enum status kafka_fetch_limits_set(rd_kafka_conf_t *conf, uint64_t bytes, struct error *err);

#endif
