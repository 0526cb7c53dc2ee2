/* What the port makes of the errors that a broker or a connection can give a transaction. */
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "mock_port.h"
#include "processor/kafka/kafka_consumer.h"
#include "processor/kafka/kafka_fetch.h"

enum { PRODUCE = 0, HEARTBEAT = 12, ADD_PARTITIONS = 24, ADD_OFFSETS = 25, END_TXN = 26, TXN_OFFSET_COMMIT = 28 };

static const struct {
    int api_key;
    const char *name;
} requests[] = {
    { PRODUCE, "Produce" },
    { ADD_PARTITIONS, "AddPartitionsToTxn" },
    { ADD_OFFSETS, "AddOffsetsToTxn" },
    { END_TXN, "EndTxn" },
    { TXN_OFFSET_COMMIT, "TxnOffsetCommit" },
};

/* librdkafka repeats the request and says nothing; only the interceptor knows (KAFKA-17754). */
Test(kafka_port, a_cut_connection_taints_the_producer_until_there_is_a_new_one)
{
    struct mock_port fixture;
    mock_port_open(&fixture); /* once: the mock cluster's groups need 3 s to form */
    struct log_port *port = fixture.port;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        MUST(&fixture, mock_port_offer(&fixture, 1));
        MUST(&fixture, port->type->commit(port, &fixture.err));
        cr_assert_not(port->type->tainted(port), "%s: nothing happened yet", requests[i].name);
        mock_port_inject(&fixture, requests[i].api_key, RD_KAFKA_RESP_ERR__TRANSPORT, 1);
        MUST(&fixture, mock_port_offer(&fixture, 2));
        MUST(&fixture, port->type->commit(port, &fixture.err));
        cr_assert(port->type->tainted(port), "%s", requests[i].name);
        MUST(&fixture, port->type->producer_open(port, &fixture.err));
        cr_assert_not(port->type->tainted(port), "%s: it is a new one", requests[i].name);
    }
    mock_port_close(&fixture);
}

Test(kafka_port, what_a_broker_answers_does_not_taint)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    mock_port_inject(&fixture, ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 2);
    mock_port_inject(&fixture, PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 1);
    mock_port_inject(&fixture, END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 1);
    MUST(&fixture, mock_port_offer(&fixture, 1));
    MUST(&fixture, port->type->commit(port, &fixture.err));
    cr_assert_not(port->type->tainted(port));
    mock_port_close(&fixture);
}

/* How far a transaction gets; what it answers there. */
enum stage { AT_FLUSH, AT_OFFSETS, AT_COMMIT };

static enum stage run(struct mock_port *fixture, enum status *st)
{
    struct log_port *port = fixture->port;
    const struct log_position offered = { TOPIC_IN, 0, 1, BYTES_NONE };
    *st = mock_port_produce(fixture);
    if (*st != ST_OK)
        return AT_FLUSH;
    *st = port->type->send_offsets(port, &offered, 1, &fixture->err);
    if (*st != ST_OK)
        return AT_OFFSETS;
    *st = port->type->commit(port, &fixture->err);
    return AT_COMMIT;
}

static const struct {
    int api_key;
    rd_kafka_resp_err_t code;
    enum stage stage;
    enum status status;
} failures[] = {
    { PRODUCE, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_FLUSH, ST_TXN_ABORTABLE },
    { PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, AT_FLUSH, ST_TOO_LARGE },
    { PRODUCE, RD_KAFKA_RESP_ERR_INVALID_RECORD, AT_FLUSH, ST_OUTPUT_REFUSED },
    { PRODUCE, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, AT_FLUSH, ST_TXN_ABORTABLE },
    { PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, AT_FLUSH, ST_TXN_ABORTABLE },
    { PRODUCE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, AT_FLUSH, ST_KAFKA },
    { PRODUCE, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_FLUSH, ST_FENCED },
    { ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_FLUSH, ST_FENCED },
    { ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_FLUSH, ST_KAFKA },
    { ADD_OFFSETS, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_OFFSETS, ST_KAFKA },
    { ADD_OFFSETS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_OFFSETS, ST_FENCED },
    { TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, AT_OFFSETS, ST_TXN_ABORTABLE },
    { TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, AT_OFFSETS, ST_TXN_ABORTABLE },
    { TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, AT_OFFSETS, ST_TXN_ABORTABLE },
    { END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_COMMIT, ST_TXN_UNKNOWN },
    { END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_COMMIT, ST_FENCED },
    { END_TXN, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, AT_COMMIT, ST_TXN_UNKNOWN },
};

static void abort_or_renew(struct mock_port *fixture, enum status st)
{
    struct log_port *port = fixture->port;
    const bool is_definite = st == ST_TXN_ABORTABLE || status_class_of(st) == CLASS_SKIP;
    if (is_definite)
        MUST(fixture, port->type->abort(port, &fixture->err));
    if (!is_definite || port->type->tainted(port))
        MUST(fixture, port->type->producer_open(port, &fixture->err));
}

Test(kafka_port, each_failure_leads_back_to_a_working_producer)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        const char *code = rd_kafka_err2name(failures[i].code);
        mock_port_inject(&fixture, failures[i].api_key, failures[i].code, 1);
        enum status st;
        const enum stage stage = run(&fixture, &st);
        cr_assert_eq(st, failures[i].status, "%d %s: %s: %s", failures[i].api_key, code,
                     status_name(st), fixture.err.text);
        cr_assert_eq(stage, failures[i].stage, "%d %s: %d: %s", failures[i].api_key, code, stage,
                     fixture.err.text);
        abort_or_renew(&fixture, st);
        const enum stage again = run(&fixture, &st);
        cr_assert(again == AT_COMMIT && st == ST_OK, "%d %s: %s: %s", failures[i].api_key, code,
                  status_name(st), fixture.err.text);
    }
    mock_port_close(&fixture);
}

/* The records' answer comes before that to the offsets, or after it. */
static enum status run_offsets_first(struct mock_port *fixture)
{
    struct log_port *port = fixture->port;
    const struct log_position offered = { TOPIC_IN, 0, 1, BYTES_NONE };
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("v") };
    TRY(port->type->begin(port, &fixture->err));
    TRY(port->type->produce(port, &record, &fixture->err));
    TRY(port->type->send_offsets(port, &offered, 1, &fixture->err));
    TRY(port->type->flush(port, &fixture->err));
    return port->type->commit(port, &fixture->err);
}

Test(kafka_port, failures_are_the_same_when_offsets_do_not_wait_for_records)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        const char *code = rd_kafka_err2name(failures[i].code);
        mock_port_inject(&fixture, failures[i].api_key, failures[i].code, 1);
        const enum status st = run_offsets_first(&fixture);
        cr_assert_eq(st, failures[i].status, "%d %s: %s: %s", failures[i].api_key, code,
                     status_name(st), fixture.err.text);
        abort_or_renew(&fixture, st);
        MUST(&fixture, run_offsets_first(&fixture));
    }
    mock_port_close(&fixture);
}

static const struct {
    rd_kafka_resp_err_t code;
    enum status status;
} refusals[] = {
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ST_TOO_LARGE },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, ST_OUTPUT_REFUSED },
    { RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, ST_TXN_ABORTABLE },
};

Test(kafka_port, offsets_after_a_refused_record_are_refused_like_it)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    const struct log_position offered = { TOPIC_IN, 0, 1, BYTES_NONE };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        mock_port_inject(&fixture, PRODUCE, refusals[i].code, 1);
        cr_assert_eq(mock_port_produce(&fixture), refusals[i].status, "%s", fixture.err.text);
        const enum status st = port->type->send_offsets(port, &offered, 1, &fixture.err);
        cr_assert_eq(st, refusals[i].status, "%s: %s", status_name(st), fixture.err.text);
        abort_or_renew(&fixture, st);
    }
    mock_port_close(&fixture);
}

Test(kafka_port, a_record_is_refused_between_the_two_requests_of_the_offsets)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        mock_port_inject(&fixture, PRODUCE, refusals[i].code, 1);
        mock_port_delay(&fixture, ADD_OFFSETS, 300);
        const enum status st = run_offsets_first(&fixture);
        cr_assert_eq(st, refusals[i].status, "%s: %s", status_name(st), fixture.err.text);
        abort_or_renew(&fixture, st);
        MUST(&fixture, run_offsets_first(&fixture));
    }
    mock_port_close(&fixture);
}

static enum status poll_until_it_fails(struct mock_port *fixture)
{
    struct log_port *port = fixture->port;
    enum status st = ST_OK;
    for (int i = 0; i < 300 && st == ST_OK; i++) {
        struct log_batch batch;
        st = port->type->poll(port, 100 * 1000, &batch, &fixture->err);
        if (st == ST_OK)
            port->type->release(port, batch.records, batch.count);
    }
    return st;
}

Test(kafka_port, who_is_fenced_can_join_again_and_commit)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    mock_port_inject(&fixture, HEARTBEAT, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, 1);
    cr_assert_eq(poll_until_it_fails(&fixture), ST_FENCED);
    cr_assert(strstr(fixture.err.text, "same group.instance.id") != NULL, "%s", fixture.err.text);
    cr_assert_eq(poll_until_it_fails(&fixture), ST_FENCED, "it stays so");
    MUST(&fixture, port->type->rejoin(port, &fixture.err));
    mock_port_join(&fixture);
    MUST(&fixture, mock_port_offer(&fixture, 7));
    MUST(&fixture, port->type->commit(port, &fixture.err));
    struct log_position committed = { TOPIC_IN, 0, -1, BYTES_NONE };
    MUST(&fixture, port->type->committed(port, &committed, 1, 1000 * 1000, &fixture.err));
    cr_assert_eq(committed.offset, 7);
    mock_port_close(&fixture);
}

static void put_in(struct mock_port *fixture, int count)
{
    struct log_port *port = fixture->port;
    const struct log_produce record = { .topic = TOPIC_IN, .value = BYTES_LITERAL("v") };
    MUST(fixture, port->type->begin(port, &fixture->err));
    for (int i = 0; i < count; i++)
        MUST(fixture, port->type->produce(port, &record, &fixture->err));
    MUST(fixture, port->type->flush(port, &fixture->err));
    MUST(fixture, port->type->commit(port, &fixture->err));
}

/* It is said once, here behind records, and what is behind them is dropped by the next assignment. */
Test(kafka_port, that_it_is_fenced_outlives_an_assignment)
{
    enum { FETCHED_US = 1000 * 1000 };
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct kafka_port_options options = mock_port_options(fixture.mock);
    options.group_id = "another";
    struct kafka_settings *settings = NULL;
    struct kafka_consumer *consumer = NULL;
    MUST(&fixture, kafka_settings_create(&settings, &options, &fixture.err));
    MUST(&fixture, kafka_consumer_open(&consumer, settings, &fixture.err));
    const int topic = TOPIC_IN;
    const struct log_position position = { TOPIC_IN, 0, 0, BYTES_NONE };
    struct log_batch batch = { .event = LOG_EVENT_NONE };
    MUST(&fixture, kafka_consumer_subscribe(consumer, &topic, 1, &fixture.err));
    for (int i = 0; i < 300 && batch.event != LOG_EVENT_ASSIGNED; i++)
        MUST(&fixture, kafka_consumer_poll(consumer, 100 * 1000, &batch, &fixture.err));
    MUST(&fixture, kafka_consumer_assign(consumer, &position, 1, &fixture.err));
    put_in(&fixture, 10);
    usleep(FETCHED_US);
    rd_kafka_test_fatal_error(kafka_consumer_handle(consumer), RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "as the group would");
    MUST(&fixture, kafka_consumer_poll(consumer, 0, &batch, &fixture.err));
    cr_assert_geq(batch.count, 10, "%zu records came first", batch.count); /* and that it was at the end */
    kafka_fetch_release(batch.records, batch.count);
    MUST(&fixture, kafka_consumer_assign(consumer, &position, 1, &fixture.err));
    enum status st = ST_OK;
    for (int i = 0; i < 20 && st == ST_OK; i++) {
        st = kafka_consumer_poll(consumer, 100 * 1000, &batch, &fixture.err);
        kafka_fetch_release(batch.records, batch.count);
    }
    cr_assert_eq(st, ST_FENCED, "%s", status_name(st));
    kafka_consumer_close(&consumer);
    kafka_settings_destroy(&settings);
    mock_port_close(&fixture);
}

Test(kafka_port, without_a_producer_everything_asks_for_one)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = NULL;
    const struct kafka_port_options options = mock_port_options(fixture.mock);
    MUST(&fixture, kafka_port_open(&port, &options, &fixture.err));
    const struct log_produce record = { .topic = TOPIC_OUT };
    const struct log_position position = { TOPIC_IN, 0, 1, BYTES_NONE };
    cr_assert_eq(port->type->begin(port, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->produce(port, &record, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->flush(port, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->send_offsets(port, &position, 1, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->commit(port, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->abort(port, &fixture.err), ST_KAFKA);
    cr_assert_eq(port->type->produced_offset(port, TOPIC_OUT, 0), -1);
    cr_assert(port->type->tainted(port));
    cr_assert_str_eq(port->type->producer_id(port, 0), "id-a");
    cr_assert_str_eq(port->type->producer_id(port, 1), "id-b");
    port->type->close(port);
    mock_port_close(&fixture);
}
