/* mock_port: a log port on librdkafka's in-process cluster, for the tests of processor/kafka. */
#ifndef WEIR_TESTS_UNIT_KAFKA_MOCK_PORT_H
#define WEIR_TESTS_UNIT_KAFKA_MOCK_PORT_H

#include <criterion/criterion.h>

#include "processor/kafka/kafka_mock.h"
#include "processor/kafka/kafka_port.h"

enum { TOPIC_IN, TOPIC_OUT, TOPIC_COUNT, PARTITIONS = 3 };

struct mock_port {
    struct kafka_mock *mock;
    struct log_port *port;
    struct error err;
};

#define MUST(fixture, call)                                                                   \
    do {                                                                                      \
        const enum status st_ = (call);                                                       \
        cr_assert_eq(st_, ST_OK, "%s: %s: %s", #call, status_name(st_), (fixture)->err.text); \
    } while (0)

struct kafka_port_options mock_port_options(struct kafka_mock *mock);
/* A cluster with both topics, a port with a producer, assigned every partition of the input. */
void mock_port_open(struct mock_port *fixture);
/* As the first thing after opening it does: subscribes, waits for the assignment, and reads from the beginning. */
void mock_port_join(struct mock_port *fixture);
void mock_port_close(struct mock_port *fixture);

enum status mock_port_begin(struct mock_port *fixture);
/* begin, one record to the output, flush */
enum status mock_port_produce(struct mock_port *fixture);
/* that, and offset `position` of the input's partition 0 */
enum status mock_port_offer(struct mock_port *fixture, int64_t position);

/* The next requests of this kind get these errors. */
void mock_port_inject(struct mock_port *fixture, int api_key, int code, int times);
/* The answer to the next request of this kind takes so long. */
void mock_port_delay(struct mock_port *fixture, int api_key, int milliseconds);

#endif
