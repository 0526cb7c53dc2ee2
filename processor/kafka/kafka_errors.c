#include "processor/kafka/kafka_errors.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum { TEXT_SIZE = 400 };

enum status kafka_errors_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return ST_OK;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
        return ST_BROKER_BUSY;
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        return ST_UNSTABLE_OFFSETS;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return ST_FENCED;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return ST_REASSIGNED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return ST_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return ST_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return ST_OUT_OF_RANGE;
    /* A batch that cannot be unpacked is skipped by the client: nobody may read on behind it. */
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return ST_CORRUPT;
    default:
        return ST_KAFKA;
    }
}

/* Missing rights are not here: they are the cluster's matter, and concern every record. Nor is a timestamp that the
 * broker does not take: it is this machine's clock that is wrong. */
enum status kafka_errors_delivery(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return ST_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return ST_OUTPUT_REFUSED;
    default:
        return ST_TXN_ABORTABLE;
    }
}

enum status kafka_errors_fail(struct error *err, rd_kafka_resp_err_t code, const char *what, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    return FAIL(err, kafka_errors_status(code), "%s: %s (%s)", text, rd_kafka_err2str(code),
                rd_kafka_err2name(code));
}

static bool is_fenced(rd_kafka_resp_err_t code)
{
    return kafka_errors_status(code) == ST_FENCED;
}

enum status kafka_errors_fatal(struct error *err, rd_kafka_t *client, const char *what)
{
    char text[TEXT_SIZE];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, text, sizeof text);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ST_OK;
    return FAIL(err, is_fenced(code) ? ST_FENCED : ST_KAFKA, "%s: %s (%s)", what, text,
                rd_kafka_err2name(code));
}

/*
 * librdkafka's rule: requires-abort first, then retriable, and "neither" is fatal. A fatal error of
 * a commit may follow a commit that the broker has already done.
 */
static enum status txn_status(rd_kafka_t *producer, const rd_kafka_error_t *error,
                              enum kafka_txn_call call)
{
    if (rd_kafka_error_txn_requires_abort(error))
        return ST_TXN_ABORTABLE;
    if (rd_kafka_error_is_retriable(error))
        return ST_BROKER_BUSY;
    if (is_fenced(rd_kafka_error_code(error)) ||
        kafka_errors_fatal(NULL, producer, "") == ST_FENCED)
        return ST_FENCED;
    return call == KAFKA_TXN_COMMIT ? ST_TXN_UNKNOWN : ST_KAFKA;
}

enum status kafka_errors_txn(struct error *err, rd_kafka_t *producer, rd_kafka_error_t *error,
                             enum kafka_txn_call call, const char *what)
{
    if (error == NULL)
        return ST_OK;
    const enum status st = FAIL(err, txn_status(producer, error, call), "%s: %s (%s)", what,
                                rd_kafka_error_string(error), rd_kafka_error_name(error));
    rd_kafka_error_destroy(error);
    return st;
}
