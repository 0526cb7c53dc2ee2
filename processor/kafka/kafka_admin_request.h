/*
 * kafka_admin_request: one question of an admin client and its answer. Private to
 * processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_ADMIN_REQUEST_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_ADMIN_REQUEST_H

#include <librdkafka/rdkafka.h>

#include "processor/kafka/kafka_admin.h"
#include "processor/kafka/kafka_settings.h"

struct kafka_admin {
    struct kafka_settings *settings;
    rd_kafka_t *client;
    rd_kafka_queue_t *answers;
};

/* Destroy it with rd_kafka_AdminOptions_destroy. */
rd_kafka_AdminOptions_t *kafka_admin_request_options(struct kafka_admin *admin,
                                                     rd_kafka_admin_op_t operation);
/*
 * Waits for the answer to the request just sent. The caller destroys the event. `what` says what
 * was asked for.
 */
MUST_CHECK enum status kafka_admin_request_wait(struct kafka_admin *admin, rd_kafka_event_t **out,
                                                const char *what, struct error *err);
/* NULL is ST_OK. Does not take the error. */
MUST_CHECK enum status kafka_admin_request_check(const rd_kafka_error_t *error, const char *what,
                                                 struct error *err);

#endif
