/*
 * kafka_errors: what librdkafka's errors mean to us. One table; the calls of a transaction have
 * rules of their own (KIP-360 as librdkafka implements it). Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_ERRORS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_ERRORS_H

#include <librdkafka/rdkafka.h>

#include "base/error.h"

/* Of a request outside a transaction. */
enum status kafka_errors_status(rd_kafka_resp_err_t code);

/* Fails with "what: description"; `what` is what we were doing. */
__attribute__((format(printf, 3, 4))) enum status
kafka_errors_fail(struct error *err, rd_kafka_resp_err_t code, const char *what, ...);

enum kafka_txn_call {
    KAFKA_TXN_INIT,
    KAFKA_TXN_WORK, /* begin, produce, send_offsets, abort: nothing is decided */
    KAFKA_TXN_COMMIT
};

/* Of a transaction call on the producer; takes `error`. NULL is ST_OK. */
enum status kafka_errors_txn(struct error *err, rd_kafka_t *producer, rd_kafka_error_t *error,
                             enum kafka_txn_call call, const char *what);
/* The fatal error that a client has run into, or ST_OK: ST_FENCED when another one took its place. */
enum status kafka_errors_fatal(struct error *err, rd_kafka_t *client, const char *what);

/* Of a record that was not delivered: class SKIP when the broker refuses this record, whatever the weather; else
 * ST_TXN_ABORTABLE. */
enum status kafka_errors_delivery(rd_kafka_resp_err_t code);

#endif
