#include <criterion/criterion.h>

#include "base/memory.h"
#include "mock_port.h"

Test(kafka_mock, remembers_what_a_transaction_committed)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    struct log_position position = { TOPIC_IN, 0, -7, BYTES_NONE };
    MUST(&fixture, port->type->committed(port, &position, 1, 1000 * 1000, &fixture.err));
    cr_assert_eq(position.offset, -1);
    cr_assert_null(position.metadata.data);

    MUST(&fixture, mock_port_offer(&fixture, 5));
    MUST(&fixture, port->type->committed(port, &position, 1, 1000 * 1000, &fixture.err));
    cr_assert_eq(position.offset, -1, "before the commit");
    MUST(&fixture, port->type->commit(port, &fixture.err));
    MUST(&fixture, port->type->committed(port, &position, 1, 1000 * 1000, &fixture.err));
    cr_assert_eq(position.offset, 5);
    cr_assert(bytes_equal(position.metadata, BYTES_LITERAL("m")));

    MUST(&fixture, mock_port_offer(&fixture, 9));
    MUST(&fixture, port->type->abort(port, &fixture.err));
    MUST(&fixture, mock_port_produce(&fixture));
    MUST(&fixture, port->type->commit(port, &fixture.err));
    MUST(&fixture, port->type->committed_unstable(port, &position, 1, 1000 * 1000, &fixture.err));
    cr_assert_eq(position.offset, 5, "what was aborted must not be committed by the next");
    mock_port_close(&fixture);
}

Test(kafka_mock, groups_are_kept_apart)
{
    struct kafka_mock *mock = NULL;
    struct error err;
    cr_assert_eq(kafka_mock_open(&mock, 1, &err), ST_OK, "%s", err.text);
    const struct kafka_mock_offset one = { "t", 1, 11, BYTES_LITERAL("one") };
    const struct kafka_mock_offset two = { "t", 1, 22, BYTES_NONE };
    kafka_mock_commit(mock, "a", &one, 1);
    kafka_mock_commit(mock, "b", &two, 1);
    struct kafka_mock_offset found = { .topic = "t", .partition = 1 };
    kafka_mock_committed(mock, "a", &found);
    cr_assert_eq(found.offset, 11);
    cr_assert(bytes_equal(found.metadata, BYTES_LITERAL("one")));
    mem_free((void *)found.metadata.data);
    kafka_mock_committed(mock, "b", &found);
    cr_assert_eq(found.offset, 22);
    cr_assert_null(found.metadata.data);
    found.partition = 2;
    kafka_mock_committed(mock, "b", &found);
    cr_assert_eq(found.offset, -1);
    kafka_mock_close(&mock);
}

Test(kafka_mock, records_go_round_and_the_end_is_told)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    const struct log_produce record = {
        .topic = TOPIC_IN, .partition = 1, .key = BYTES_LITERAL("k"), .value = BYTES_LITERAL("v")
    };
    MUST(&fixture, mock_port_begin(&fixture));
    for (int i = 0; i < 10; i++)
        MUST(&fixture, port->type->produce(port, &record, &fixture.err));
    MUST(&fixture, port->type->flush(port, &fixture.err));
    MUST(&fixture, port->type->commit(port, &fixture.err));
    cr_assert_eq(port->type->produced_offset(port, TOPIC_IN, 1), 0);

    int64_t next = 0;
    bool ended = false;
    for (int i = 0; i < 100 && !ended; i++) {
        struct log_batch batch;
        MUST(&fixture, port->type->poll(port, 100 * 1000, &batch, &fixture.err));
        for (size_t j = 0; j < batch.count; j++) {
            if (batch.records[j].partition != 1)
                continue;
            if (batch.records[j].kind == LOG_RECORD_EOF)
                ended = next == 10;
            else
                cr_assert_eq(batch.records[j].offset, next++);
        }
        port->type->release(port, batch.records, batch.count);
    }
    cr_assert(ended, "%d records", (int)next);
    mock_port_close(&fixture);
}

Test(kafka_mock, readers_answer_questions)
{
    struct mock_port fixture;
    mock_port_open(&fixture);
    struct log_port *port = fixture.port;
    struct log_reader *reader = NULL;
    MUST(&fixture, mock_port_produce(&fixture));
    MUST(&fixture, port->type->commit(port, &fixture.err));
    MUST(&fixture, port->type->reader_open(port, 4 << 20, &reader, &fixture.err));
    int64_t low = -1, high = -1, sum = 0;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct log_partition at = { TOPIC_OUT, p };
        MUST(&fixture, reader->type->bounds(reader, at, p == 0, &low, &high, &fixture.err));
        cr_assert_eq(low, 0);
        sum += high;
    }
    cr_assert_eq(sum, 1, "one record in one of the partitions");
    reader->type->close(reader);
    mock_port_close(&fixture);
}

/* The demo's workers: static members of one group, in one process. */
Test(kafka_mock, two_workers_share_the_partitions)
{
    static const char *const names[] = { "a", "b" };
    struct mock_port fixture = { .mock = NULL };
    struct log_port *ports[2] = { NULL, NULL };
    size_t has[2] = { 0, 0 };
    const int topic = TOPIC_IN;
    MUST(&fixture, kafka_mock_open(&fixture.mock, 1, &fixture.err));
    MUST(&fixture, kafka_mock_create_topic(fixture.mock, "in", PARTITIONS, &fixture.err));
    for (int i = 0; i < 2; i++) {
        struct kafka_port_options options = mock_port_options(fixture.mock);
        options.group_instance_id = options.transactional_id = names[i];
        MUST(&fixture, kafka_port_open(&ports[i], &options, &fixture.err));
        MUST(&fixture, ports[i]->type->producer_open(ports[i], &fixture.err));
        MUST(&fixture, ports[i]->type->subscribe(ports[i], &topic, 1, &fixture.err));
    }
    for (int turn = 0; turn < 600 && !(has[0] > 0 && has[1] > 0); turn++) {
        struct log_port *port = ports[turn % 2];
        struct log_batch batch;
        MUST(&fixture, port->type->poll(port, 25 * 1000, &batch, &fixture.err));
        port->type->release(port, batch.records, batch.count);
        if (batch.event == LOG_EVENT_NONE)
            continue;
        has[turn % 2] = batch.event == LOG_EVENT_ASSIGNED ? batch.partition_count : 0;
        MUST(&fixture, port->type->assign(port, NULL, 0, &fixture.err));
    }
    cr_assert_eq(has[0] + has[1], PARTITIONS, "%zu and %zu", has[0], has[1]);
    for (int i = 0; i < 2; i++) {
        ports[i]->type->leave(ports[i]);
        ports[i]->type->close(ports[i]);
    }
    kafka_mock_close(&fixture.mock);
}
