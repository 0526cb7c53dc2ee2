/*
 * kafka_transactional: a client that owns a transactional id: made so that whatever the id left
 * open has ended, and unmade so that librdkafka survives it. Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_TRANSACTIONAL_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_TRANSACTIONAL_H

#include <stdatomic.h>

#include "processor/kafka/kafka_settings.h"

typedef void kafka_delivered_fn(rd_kafka_t *client, const rd_kafka_message_t *message,
                                void *opaque);

struct kafka_transactional_options {
    const char *id;
    kafka_delivered_fn *delivered; /* NULL: nothing will be produced */
    void *opaque;
    /* Set by any thread of the client when a request of a transaction meets a transport error; must
       live as long as the client. NULL: nobody is interested. */
    atomic_bool *tainted;
};

MUST_CHECK enum status kafka_transactional_open(rd_kafka_t **out,
                                                const struct kafka_settings *settings,
                                                const struct kafka_transactional_options *options,
                                                struct error *err);
void kafka_transactional_close(rd_kafka_t **client);

#endif
