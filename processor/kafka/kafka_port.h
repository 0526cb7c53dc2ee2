/*
 * kafka_port: the `log` port (processor/engine/log_port.h) on librdkafka 2.0.2 and later.
 *
 * A port owns a consumer, a transactional producer and now and then a second consumer that reads
 * unstable offsets. One thread uses it; the readers it opens are independent of it and of each
 * other, and may outlive it. Records are released before what delivered them is closed.
 *
 * Exactly-once needs settings that nobody may change (kafka_settings.c has the list); all others of
 * librdkafka can be passed through.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_PORT_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/log_port.h"

struct kafka_mock;

struct kafka_property {
    const char *name;
    const char *value;
};

struct kafka_properties {
    const struct kafka_property *items;
    size_t count;
};

/* Everything is copied, but for the mock cluster, which must outlive what was opened with it. */
struct kafka_port_options {
    const char *bootstrap_servers;  /* may be NULL with a mock cluster */
    struct kafka_properties common; /* librdkafka's, for every client */
    struct kafka_properties consumer;
    struct kafka_properties reader; /* what a reader has differently from the consumer of the group */
    struct kafka_properties producer;
    uint64_t consumer_bytes; /* what the consumer may fetch ahead; 0: librdkafka's limits */
    uint64_t reader_bytes;   /* and kafka_reader_open's; 0: the same */
    const char *group_id;
    const char *group_instance_id; /* NULL: dynamic membership */
    bool gives_place_up;           /* a static member that leaves does so for good: others take over at once */
    const char *transactional_id;  /* of the producers, who put -a and -b behind it; a reader or an admin client needs none */
    const char *client_id;         /* shorter than 64 characters; NULL: "weir" */
    const char *const *topics;     /* the index is the topic's number */
    size_t topic_count;
    struct kafka_mock *mock; /* or NULL: a real cluster */
};

/* ST_INVALID names the option or property that is wrong. Does not wait for a broker. */
MUST_CHECK enum status kafka_port_open(struct log_port **out,
                                       const struct kafka_port_options *options, struct error *err);

/* A reader without a port: for commands that only look. */
MUST_CHECK enum status kafka_reader_open(struct log_reader **out,
                                         const struct kafka_port_options *options,
                                         struct error *err);

#endif
