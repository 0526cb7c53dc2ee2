#include "processor/kafka/kafka_fetch_limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "processor/kafka/kafka_settings.h"

enum {
    MIB = 1 << 20,
    RECORD_OVERHEAD = 310,
    RECORD_BYTES = 200, /* a payment's, as fetched */
    RECORDS_MIN = 500,
    RECORDS_MAX = 100 * 1000,
    FETCH_BYTES_MIN = 1 << 20, /* not below what one record may have */
    FETCH_BYTES_MAX = 50 * MIB,
    PARTITION_BYTES_MIN = 64 * 1024,
    PARTITION_BYTES_MAX = 1 << 20,
};

static uint64_t within(uint64_t x, uint64_t min, uint64_t max)
{
    return x < min ? min : x > max ? max : x;
}

/* Of the queue, what is on the way, and what was taken but not released. */
struct fetch_limits kafka_fetch_limits(uint64_t bytes)
{
    return (struct fetch_limits){
        .records = within(bytes / (RECORD_OVERHEAD + RECORD_BYTES), RECORDS_MIN, RECORDS_MAX),
        .queue_kbytes = within(bytes / 2, MIB, UINT64_MAX) / 1024,
        .fetch_bytes = within(bytes / 4, FETCH_BYTES_MIN, FETCH_BYTES_MAX),
        .partition_bytes = within(bytes / 8, PARTITION_BYTES_MIN, PARTITION_BYTES_MAX),
    };
}

enum status kafka_fetch_limits_set(rd_kafka_conf_t *conf, uint64_t bytes, struct error *err)
{
    const struct fetch_limits limits = kafka_fetch_limits(bytes);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "queued.min.messages", limits.records },
        { "queued.max.messages.kbytes", limits.queue_kbytes },
        { "fetch.max.bytes", limits.fetch_bytes },
        { "max.partition.fetch.bytes", limits.partition_bytes },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%" PRIu64, rows[i].value);
        TRY(kafka_settings_set(conf, rows[i].name, text, err));
    }
    return ST_OK;
}
