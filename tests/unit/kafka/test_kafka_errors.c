#include <criterion/criterion.h>

#include "processor/kafka/kafka_errors.h"

static const struct {
    rd_kafka_resp_err_t code;
    enum status status;
} rows[] = {
    { RD_KAFKA_RESP_ERR_NO_ERROR, ST_OK },
    { RD_KAFKA_RESP_ERR__TIMED_OUT, ST_BROKER_BUSY },
    { RD_KAFKA_RESP_ERR__TRANSPORT, ST_BROKER_BUSY },
    { RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ST_BROKER_BUSY },
    { RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, ST_BROKER_BUSY },
    { RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, ST_UNSTABLE_OFFSETS },
    { RD_KAFKA_RESP_ERR__FENCED, ST_FENCED },
    { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ST_FENCED },
    { RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ST_FENCED },
    { RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ST_REASSIGNED },
    { RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ST_REASSIGNED },
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ST_TOO_LARGE },
    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ST_NOT_FOUND },
    { RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ST_OUT_OF_RANGE },
    { RD_KAFKA_RESP_ERR__BAD_MSG, ST_CORRUPT },
    { RD_KAFKA_RESP_ERR__BAD_COMPRESSION, ST_CORRUPT },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ST_KAFKA },
    { RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ST_KAFKA },
};

Test(kafka_errors, each_code_has_its_meaning)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(kafka_errors_status(rows[i].code), rows[i].status, "%s: %s",
                     rd_kafka_err2name(rows[i].code),
                     status_name(kafka_errors_status(rows[i].code)));
}

Test(kafka_errors, the_text_says_what_was_done_and_what_was_answered)
{
    struct error err;
    cr_assert_eq(kafka_errors_fail(&err, RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for %d", 7),
                 ST_BROKER_BUSY);
    cr_assert_eq(err.status, ST_BROKER_BUSY);
    cr_assert_str_eq(err.text, "asking for 7: Local: Timed out (_TIMED_OUT)");
}
