#include "mock_port.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/log.h"

static const char *const topics[TOPIC_COUNT] = { "in", "out" };

struct kafka_port_options mock_port_options(struct kafka_mock *mock)
{
    return (struct kafka_port_options){
        .group_id = "group",
        .transactional_id = "id",
        .topics = topics,
        .topic_count = TOPIC_COUNT,
        .mock = mock,
    };
}

void mock_port_join(struct mock_port *fixture)
{
    struct log_port *port = fixture->port;
    const int topic = TOPIC_IN;
    struct log_batch batch = { .event = LOG_EVENT_NONE };
    MUST(fixture, port->type->subscribe(port, &topic, 1, &fixture->err));
    for (int i = 0; i < 300 && batch.event == LOG_EVENT_NONE; i++)
        MUST(fixture, port->type->poll(port, 100 * 1000, &batch, &fixture->err));
    cr_assert_eq(batch.event, LOG_EVENT_ASSIGNED);
    cr_assert_eq(batch.partition_count, PARTITIONS);
    struct log_position positions[PARTITIONS];
    for (int32_t p = 0; p < PARTITIONS; p++)
        positions[p] = (struct log_position){ TOPIC_IN, p, 0, BYTES_NONE };
    MUST(fixture, port->type->assign(port, positions, PARTITIONS, &fixture->err));
}

void mock_port_open(struct mock_port *fixture)
{
    *fixture = (struct mock_port){ .mock = NULL };
    log_set_level(LOG_LEVEL_OFF); /* injected faults make many lines */
    MUST(fixture, kafka_mock_open(&fixture->mock, 1, &fixture->err));
    for (int i = 0; i < TOPIC_COUNT; i++)
        MUST(fixture, kafka_mock_create_topic(fixture->mock, topics[i], PARTITIONS, &fixture->err));
    const struct kafka_port_options options = mock_port_options(fixture->mock);
    MUST(fixture, kafka_port_open(&fixture->port, &options, &fixture->err));
    MUST(fixture, fixture->port->type->producer_open(fixture->port, &fixture->err));
    mock_port_join(fixture);
}

void mock_port_close(struct mock_port *fixture)
{
    fixture->port->type->close(fixture->port);
    kafka_mock_close(&fixture->mock);
}

enum status mock_port_begin(struct mock_port *fixture)
{
    return fixture->port->type->begin(fixture->port, &fixture->err);
}

enum status mock_port_produce(struct mock_port *fixture)
{
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("v") };
    TRY(mock_port_begin(fixture));
    TRY(fixture->port->type->produce(fixture->port, &record, &fixture->err));
    return fixture->port->type->flush(fixture->port, &fixture->err);
}

enum status mock_port_offer(struct mock_port *fixture, int64_t position)
{
    const struct log_position offered = { TOPIC_IN, 0, position, BYTES_LITERAL("m") };
    TRY(mock_port_produce(fixture));
    return fixture->port->type->send_offsets(fixture->port, &offered, 1, &fixture->err);
}

void mock_port_inject(struct mock_port *fixture, int api_key, int code, int times)
{
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(kafka_mock_handle(fixture->mock), (int16_t)api_key, 1,
                                          (rd_kafka_resp_err_t)code);
}

void mock_port_delay(struct mock_port *fixture, int api_key, int milliseconds)
{
    enum { BROKER = 1 };
    rd_kafka_mock_broker_push_request_error_rtts(kafka_mock_handle(fixture->mock), BROKER,
                                                 (int16_t)api_key, 1, RD_KAFKA_RESP_ERR_NO_ERROR,
                                                 milliseconds);
}
