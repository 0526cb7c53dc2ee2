#include "processor/kafka/kafka_admin_request.h"

#include "base/ensure.h"
#include "processor/kafka/kafka_errors.h"

enum { GRACE_MS = 2000 }; /* the client's own timeout comes first, and says more */

rd_kafka_AdminOptions_t *kafka_admin_request_options(struct kafka_admin *admin,
                                                     rd_kafka_admin_op_t operation)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->client, operation);
    char text[128];
    ENSURE(options != NULL);
    ENSURE(rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_ADMIN_TIMEOUT_MS, text,
                                                     sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR);
    return options;
}

enum status kafka_admin_request_wait(struct kafka_admin *admin, rd_kafka_event_t **out,
                                     const char *what, struct error *err)
{
    rd_kafka_event_t *event =
        rd_kafka_queue_poll(admin->answers, KAFKA_ADMIN_TIMEOUT_MS + GRACE_MS);
    if (event == NULL)
        return FAIL(err, ST_BROKER_BUSY, "%s: no answer in %d s", what,
                    KAFKA_ADMIN_TIMEOUT_MS / 1000);
    const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *out = event;
        return ST_OK;
    }
    const enum status st = FAIL(err, kafka_errors_status(code), "%s: %s (%s)", what,
                                rd_kafka_event_error_string(event), rd_kafka_err2name(code));
    rd_kafka_event_destroy(event);
    return st;
}

enum status kafka_admin_request_check(const rd_kafka_error_t *error, const char *what,
                                      struct error *err)
{
    if (error == NULL)
        return ST_OK;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    return FAIL(err, kafka_errors_status(code), "%s: %s (%s)", what, rd_kafka_error_string(error),
                rd_kafka_err2name(code));
}
