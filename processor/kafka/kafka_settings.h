/*
 * kafka_settings: a copy of the options, and from them the configuration of each kind of client.
 * Immutable once created: any thread may read it. Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_SETTINGS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_SETTINGS_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "processor/kafka/kafka_port.h"

/* What a client is for. */
enum kafka_role {
    KAFKA_MEMBER = 1 << 0,   /* of the group: reads committed records */
    KAFKA_READER = 1 << 1,   /* of partitions somebody chose: reads committed records */
    KAFKA_UNSTABLE = 1 << 2, /* asks only: high watermarks, offsets of open transactions */
    KAFKA_PRODUCER = 1 << 3,
    KAFKA_ADMIN = 1 << 4
};

struct kafka_settings {
    struct kafka_port_options options; /* what it points to is ours */
    int64_t transaction_timeout_ms;
};

MUST_CHECK enum status kafka_settings_create(struct kafka_settings **out,
                                             const struct kafka_port_options *options,
                                             struct error *err);
void kafka_settings_destroy(struct kafka_settings **settings);

/* The caller owns the configuration until a client takes it. */
MUST_CHECK enum status kafka_settings_configure(rd_kafka_conf_t **out,
                                                const struct kafka_settings *settings,
                                                enum kafka_role role, struct error *err);
MUST_CHECK enum status kafka_settings_set(rd_kafka_conf_t *conf, const char *name,
                                          const char *value, struct error *err);

/* -1 when it is none of ours. */
int kafka_settings_topic(const struct kafka_settings *settings, const char *name);
/* The name, or "?" for a number that is none of ours. */
const char *kafka_settings_topic_name(const struct kafka_settings *settings, int topic);

#endif
