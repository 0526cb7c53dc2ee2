/*
 * kafka_writer: records to topics without a transaction, idempotent and in order: what `weir
 * generate` and the demo write. The worker never uses it.
 *
 * Asynchronous: write queues, a full queue is waited for, flush waits for all. The first record that
 * could not be delivered is reported by the next write or flush, and by every one after it. One
 * thread.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_WRITER_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "processor/kafka/kafka_port.h"

enum kafka_placement {
    KAFKA_PLACE_MURMUR2, /* as Java clients */
    KAFKA_PLACE_CRC32,   /* as librdkafka */
    KAFKA_PLACE_TURNS    /* one partition after another, whatever the key */
};

struct kafka_writer_record {
    int topic;         /* index into the options' topics */
    int32_t partition; /* -1: placed; without a key in turns */
    bool misplaced;    /* with -1: where no partitioner would place the key (of one partition: there) */
    struct bytes key, value; /* none: null */
    int64_t timestamp_ms;
};

struct kafka_writer;

/* Asks for every topic: ST_NOT_FOUND names the one that is missing. */
MUST_CHECK enum status kafka_writer_open(struct kafka_writer **out,
                                         const struct kafka_port_options *options,
                                         enum kafka_placement placement, struct error *err);
/* What was not flushed is thrown away. */
void kafka_writer_close(struct kafka_writer **writer);

int32_t kafka_writer_partition_count(const struct kafka_writer *writer, int topic);
/* Copies. */
MUST_CHECK enum status kafka_writer_write(struct kafka_writer *writer,
                                          const struct kafka_writer_record *record,
                                          struct error *err);
/* Waits until everything is acknowledged; ST_TIMED_OUT: call again. */
MUST_CHECK enum status kafka_writer_flush(struct kafka_writer *writer, int64_t timeout_ms,
                                          struct error *err);
/* How many records were acknowledged. */
uint64_t kafka_writer_delivered(const struct kafka_writer *writer);

#endif
