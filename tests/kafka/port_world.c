#include "port_world.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

struct error failure;

int64_t world_ms(void)
{
    const struct clock clock = clock_real();
    return clock_us(&clock) / 1000;
}

void world_open(struct world *world, const char *brokers, const char *name)
{
    static const char *const suffixes[TOPIC_COUNT] = { "in", "out", "tail", "missing" };
    static const int partitions[TOPIC_COUNT] = { PARTITIONS, PARTITIONS, 1, 0 };
    const struct clock clock = clock_real();
    world->brokers = brokers;
    snprintf(world->group, sizeof world->group, "%.30s-%" PRIx64, name,
             (uint64_t)clock_wall_ms(&clock) ^ ((uint64_t)getpid() << 44));
    for (int i = 0; i < TOPIC_COUNT; i++) {
        snprintf(world->names[i], sizeof world->names[i], "%.50s-%s", world->group, suffixes[i]);
        world->topics[i] = world->names[i];
    }
    const struct port_setup setup = { .instance = NULL };
    char id[128];
    const struct kafka_port_options options = world_options(world, &setup, id);
    world->admin = NULL;
    MUST(kafka_admin_open(&world->admin, &options, &failure));
    for (int i = 0; i < TOPIC_MISSING; i++) {
        const struct kafka_new_topic topic = { .name = world->names[i],
                                               .partition_count = partitions[i],
                                               .replication = 1 };
        MUST(kafka_admin_create_topic(world->admin, &topic, &failure));
    }
}

void world_close(struct world *world)
{
    for (int i = 0; i < TOPIC_MISSING; i++)
        MUST(kafka_admin_delete_topic(world->admin, world->names[i], &failure));
    kafka_admin_close(&world->admin);
}

struct kafka_port_options world_options(const struct world *world, const struct port_setup *setup,
                                        char id[128])
{
    snprintf(id, 128, "%s-%s", world->group,
             setup->transactional_id == NULL ? "0" : setup->transactional_id);
    return (struct kafka_port_options){
        .bootstrap_servers = world->brokers,
        .consumer = setup->consumer,
        .producer = setup->producer,
        .group_id = world->group,
        .group_instance_id = setup->instance,
        .transactional_id = id,
        .topics = world->topics,
        .topic_count = TOPIC_COUNT,
    };
}

struct log_port *world_port(const struct world *world, const struct port_setup *setup)
{
    static const struct port_setup usual = { .instance = NULL };
    struct log_port *port = NULL;
    char id[128];
    const struct kafka_port_options options =
        world_options(world, setup == NULL ? &usual : setup, id);
    MUST(kafka_port_open(&port, &options, &failure));
    return port;
}

struct log_reader *world_reader(const struct world *world)
{
    struct log_reader *reader = NULL;
    const struct port_setup setup = { .instance = NULL };
    char id[128];
    const struct kafka_port_options options = world_options(world, &setup, id);
    MUST(kafka_reader_open(&reader, &options, &failure));
    return reader;
}

/* A commit is answered before its markers are in the partitions. */
static void wait_until_visible(const struct world *world, struct log_partition at)
{
    struct log_reader *reader = world_reader(world);
    const int64_t until_ms = world_ms() + 30000;
    int64_t low, stable, high;
    do {
        MUST(reader->type->bounds(reader, at, false, &low, &stable, &failure));
        MUST(reader->type->bounds(reader, at, true, &low, &high, &failure));
        CHECK(world_ms() < until_ms, "%lld of %lld can be read", (long long)stable, (long long)high);
    } while (stable != high);
    reader->type->close(reader);
}

void world_load(const struct world *world, int topic, int32_t partition, int first, int count)
{
    const struct port_setup setup = { .transactional_id = "loader" };
    struct log_port *port = world_port(world, &setup);
    MUST(port->type->producer_open(port, &failure));
    MUST(port->type->begin(port, &failure));
    for (int i = first; i < first + count; i++) {
        char value[32];
        snprintf(value, sizeof value, "%d", i);
        const struct log_produce record = { .topic = topic,
                                            .partition = partition,
                                            .key = BYTES_LITERAL("k"),
                                            .value = bytes_of_string(value) };
        MUST(port->type->produce(port, &record, &failure));
    }
    MUST(port->type->flush(port, &failure));
    MUST(port->type->commit(port, &failure));
    port->type->close(port);
    wait_until_visible(world, (struct log_partition){ topic, partition });
}

struct log_batch port_wait_event(struct log_port *port, enum log_event_kind kind)
{
    const int64_t until_ms = world_ms() + 30000;
    for (;;) {
        struct log_batch batch;
        MUST(port->type->poll(port, 100 * 1000, &batch, &failure));
        port->type->release(port, batch.records, batch.count);
        if (batch.event == kind)
            return batch;
        CHECK(batch.event == LOG_EVENT_NONE, "event %d instead of %d", batch.event, kind);
        CHECK(world_ms() < until_ms, "no event %d", kind);
    }
}

void port_join(struct log_port *port, size_t partitions)
{
    const int topic = TOPIC_IN;
    MUST(port->type->subscribe(port, &topic, 1, &failure));
    const struct log_batch batch = port_wait_event(port, LOG_EVENT_ASSIGNED);
    CHECK(batch.partition_count == partitions, "%zu partitions", batch.partition_count);
}

void port_read_from(struct log_port *port, int topic, int32_t first, int32_t count, int64_t offset)
{
    struct log_position positions[64];
    for (int32_t i = 0; i < count; i++)
        positions[i] = (struct log_position){ topic, first + i, offset, BYTES_NONE };
    MUST(port->type->assign(port, positions, (size_t)count, &failure));
}

size_t port_drain(struct log_port *port, int64_t timeout_us)
{
    struct log_batch batch;
    MUST(port->type->poll(port, timeout_us, &batch, &failure));
    port->type->release(port, batch.records, batch.count);
    size_t count = 0;
    for (size_t i = 0; i < batch.count; i++)
        count += batch.records[i].kind == LOG_RECORD_DATA;
    return count;
}

size_t reader_count(struct log_reader *reader, int topic, int32_t partition, int64_t offset,
                    char last[64])
{
    const struct log_position position = { topic, partition, offset, BYTES_NONE };
    const int64_t until_ms = world_ms() + 30000;
    size_t count = 0;
    MUST(reader->type->assign(reader, &position, 1, &failure));
    for (bool ended = false; !ended;) {
        struct log_batch batch;
        MUST(reader->type->poll(reader, 100 * 1000, &batch, &failure));
        for (size_t i = 0; i < batch.count; i++) {
            const struct log_record *record = &batch.records[i];
            ended = ended || record->kind == LOG_RECORD_EOF;
            if (record->kind != LOG_RECORD_DATA)
                continue;
            count++;
            if (last != NULL)
                snprintf(last, 64, "%.*s", (int)record->value.size,
                         (const char *)record->value.data);
        }
        reader->type->release(reader, batch.records, batch.count);
        CHECK(world_ms() < until_ms, "the end was not reached");
    }
    return count;
}

void port_open_transaction(struct log_port *port, int64_t position, const char *metadata)
{
    const struct log_position offered = { TOPIC_IN, 0, position, bytes_of_string(metadata) };
    const struct log_produce record = { .topic = TOPIC_OUT,
                                        .partition = 0,
                                        .key = BYTES_LITERAL("k"),
                                        .value = bytes_of_string(metadata) };
    MUST(port->type->begin(port, &failure));
    MUST(port->type->produce(port, &record, &failure));
    MUST(port->type->flush(port, &failure));
    MUST(port->type->send_offsets(port, &offered, 1, &failure));
}

void port_transaction(struct log_port *port, int64_t position, const char *metadata)
{
    port_open_transaction(port, position, metadata);
    MUST(port->type->commit(port, &failure));
}

int64_t port_committed(struct log_port *port)
{
    struct log_position position = { TOPIC_IN, 0, -7, BYTES_NONE };
    MUST(port->type->committed(port, &position, 1, 10 * 1000 * 1000, &failure));
    return position.offset;
}
