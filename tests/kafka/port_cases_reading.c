/* Reading: exactly what was asked for, in order, and what is told about ends and bounds. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "port_world.h"

static struct log_port *reading_port(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    port_join(port, PARTITIONS);
    return port;
}

static void records_say_where_and_when(struct world *world)
{
    const struct clock clock = clock_real();
    const int64_t before_ms = clock_wall_ms(&clock);
    world_load(world, TOPIC_IN, 2, 0, 3);
    const int64_t after_ms = clock_wall_ms(&clock);
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 2, 1, 1);
    struct log_batch batch = { .count = 0 };
    while (batch.count == 0)
        MUST(port->type->poll(port, 100 * 1000, &batch, &failure));
    const struct log_record *record = &batch.records[0];
    CHECK(record->kind == LOG_RECORD_DATA && record->topic == TOPIC_IN, "topic %d", record->topic);
    CHECK(record->partition == 2 && record->offset == 1, "%d/%lld", record->partition,
          (long long)record->offset);
    CHECK(bytes_equal(record->key, BYTES_LITERAL("k")), "the key");
    CHECK(bytes_equal(record->value, BYTES_LITERAL("1")), "the value");
    CHECK(record->timestamp_ms >= before_ms && record->timestamp_ms <= after_ms, "%lld",
          (long long)record->timestamp_ms);
    CHECK(!record->append_time, "the client's time");
    port->type->release(port, batch.records, batch.count);
    port->type->close(port);
}

/* A poll must not wait for a full batch: it is half of what an alert's way costs. */
static void poll_returns_with_the_first_record(struct world *world)
{
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    while (port_drain(port, 50 * 1000) > 0)
        ;
    world_load(world, TOPIC_IN, 1, 0, 1);
    const int64_t started_ms = world_ms();
    size_t count = 0;
    while (count == 0 && world_ms() < started_ms + 5000)
        count = port_drain(port, 3 * 1000 * 1000);
    CHECK(count == 1, "%zu records", count);
    CHECK(world_ms() - started_ms < 1000, "%lld ms", (long long)(world_ms() - started_ms));
    int64_t empty_ms = world_ms();
    port_drain(port, 0);
    empty_ms = world_ms() - empty_ms;
    CHECK(empty_ms < 50, "a poll without a timeout took %lld ms", (long long)empty_ms);
    port->type->close(port);
}

/* The client stops fetching when it has enough, and must notice at once that it has not any more. */
static void a_full_queue_is_filled_again(struct world *world)
{
    enum { BATCH = 250, COUNT = 40 * BATCH }; /* a batch is fetched whole */
    static const struct kafka_property small[] = { { "queued.min.messages", "500" },
                                                   { "max.partition.fetch.bytes", "8000" } };
    const struct port_setup setup = { .consumer = { small, 2 } };
    struct log_port *port = world_port(world, &setup);
    for (int first = 0; first < COUNT; first += BATCH)
        world_load(world, TOPIC_IN, 1, first, BATCH);
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 1, 1, 0);
    size_t count = 0, empty = 0;
    while (count < COUNT && empty < 1000) {
        const size_t some = port_drain(port, 100 * 1000);
        count += some;
        empty += some == 0;
    }
    CHECK(count == COUNT, "%zu records", count);
    CHECK(empty <= 20, "nothing came for %zu tenths of a second", empty);
    port->type->close(port);
}

struct expectation {
    int64_t next[PARTITIONS];
    bool assigned[PARTITIONS];
    size_t count;
};

static void expect(struct expectation *expectation, const struct log_batch *batch, uint64_t seed)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct log_record *record = &batch->records[i];
        CHECK(expectation->assigned[record->partition], "seed %llu: partition %d is not assigned",
              (unsigned long long)seed, record->partition);
        if (record->kind != LOG_RECORD_DATA)
            continue;
        CHECK(record->offset == expectation->next[record->partition],
              "seed %llu: partition %d: offset %lld instead of %lld", (unsigned long long)seed,
              record->partition, (long long)record->offset,
              (long long)expectation->next[record->partition]);
        char value[16];
        const int size = snprintf(value, sizeof value, "%lld", (long long)record->offset);
        CHECK(bytes_equal(record->value, bytes_of(value, (size_t)size)), "another record's value");
        expectation->next[record->partition]++;
        expectation->count++;
    }
}

static void assign_some(struct log_port *port, struct expectation *expectation, struct prng *prng,
                        bool all)
{
    struct log_position positions[PARTITIONS];
    size_t count = 0;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        expectation->assigned[p] = all || prng_chance(prng, 2, 3);
        if (expectation->assigned[p])
            positions[count++] =
                (struct log_position){ TOPIC_IN, p, expectation->next[p], BYTES_NONE };
    }
    MUST(port->type->assign(port, positions, count, &failure));
}

/* Every offset of every partition once, whatever is assigned in between. */
static void reassigning_loses_and_repeats_nothing(struct world *world)
{
    enum { RECORDS = 20000 };
    for (int32_t p = 0; p < PARTITIONS; p++)
        world_load(world, TOPIC_IN, p, 0, RECORDS);
    struct log_port *port = reading_port(world);
    struct prng prng = prng_from_env("TEST_SEED", random_nonce());
    struct expectation expectation = { .count = 0 };
    const int64_t until_ms = world_ms() + 60000;
    for (int turn = 0; expectation.count < (size_t)RECORDS * PARTITIONS; turn++) {
        CHECK(world_ms() < until_ms, "seed %llu: only %zu records came",
              (unsigned long long)prng.seed, expectation.count);
        if (turn % 5 == 0)
            assign_some(port, &expectation, &prng, turn % 20 == 0 || turn > 200);
        if (prng_chance(&prng, 1, 3))
            usleep((useconds_t)prng_below(&prng, 20000)); /* lets the client fetch ahead */
        struct log_batch batch;
        MUST(port->type->poll(port, (int64_t)prng_below(&prng, 30000), &batch, &failure));
        expect(&expectation, &batch, prng.seed);
        port->type->release(port, batch.records, batch.count);
    }
    port->type->close(port);
}

/* A rewind: the same partitions from earlier positions, as after an abort. */
static void rewinding_delivers_again_from_there(struct world *world)
{
    enum { RECORDS = 10000 };
    for (int32_t p = 0; p < PARTITIONS; p++)
        world_load(world, TOPIC_IN, p, 0, RECORDS);
    struct log_port *port = reading_port(world);
    struct prng prng = prng_from_env("TEST_SEED", random_nonce());
    struct expectation expectation = { .count = 0 };
    for (int rewind = 0; rewind < 20; rewind++) {
        for (int32_t p = 0; p < PARTITIONS; p++)
            expectation.next[p] = (int64_t)prng_below(&prng, RECORDS);
        assign_some(port, &expectation, &prng, true);
        expectation.count = 0;
        const int64_t until_ms = world_ms() + 20000;
        while (expectation.count < 500) {
            struct log_batch batch;
            MUST(port->type->poll(port, 20 * 1000, &batch, &failure));
            expect(&expectation, &batch, prng.seed);
            port->type->release(port, batch.records, batch.count);
            CHECK(world_ms() < until_ms, "seed %llu", (unsigned long long)prng.seed);
            if (batch.count > 0 && batch.records[0].kind == LOG_RECORD_EOF)
                break;
        }
    }
    port->type->close(port);
}

/* As when a lost group is told right after a rollback: librdkafka asserts that a partition is stopped once. */
static void assignments_may_follow_each_other_at_once(struct world *world)
{
    enum { TURNS = 100 };
    world_load(world, TOPIC_IN, 0, 0, 10);
    struct log_port *port = reading_port(world);
    for (int turn = 0; turn < TURNS; turn++) {
        port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
        port_read_from(port, TOPIC_IN, 0, PARTITIONS, 1);
        MUST(port->type->assign(port, NULL, 0, &failure));
    }
    port->type->close(port);
}

static void nothing_comes_after_an_empty_assignment(struct world *world)
{
    world_load(world, TOPIC_IN, 0, 0, 5000);
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    usleep(300 * 1000); /* all of it waits in the client */
    MUST(port->type->assign(port, NULL, 0, &failure));
    for (int i = 0; i < 10; i++) {
        struct log_batch batch;
        MUST(port->type->poll(port, 30 * 1000, &batch, &failure));
        CHECK(batch.count == 0, "%zu records", batch.count);
        CHECK(batch.event == LOG_EVENT_NONE, "event %d", batch.event);
    }
    port_read_from(port, TOPIC_IN, 0, 1, 4999);
    size_t count = 0;
    for (int i = 0; i < 50 && count == 0; i++)
        count = port_drain(port, 100 * 1000);
    CHECK(count == 1, "%zu records", count);
    port->type->close(port);
}

static int64_t wait_notice(struct log_port *port, enum log_record_kind kind)
{
    const int64_t until_ms = world_ms() + 10000;
    while (world_ms() < until_ms) {
        struct log_batch batch;
        int64_t offset = -1;
        MUST(port->type->poll(port, 100 * 1000, &batch, &failure));
        for (size_t i = 0; i < batch.count; i++) {
            if (batch.records[i].kind == kind)
                offset = batch.records[i].offset;
        }
        port->type->release(port, batch.records, batch.count);
        if (offset >= 0)
            return offset;
    }
    return -1;
}

static void the_end_is_told(struct world *world)
{
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 0, 1, 0);
    CHECK(wait_notice(port, LOG_RECORD_EOF) == 0, "the end of nothing");
    world_load(world, TOPIC_IN, 0, 0, 5);
    int64_t end = wait_notice(port, LOG_RECORD_EOF);
    CHECK(end == 6, "5 records and a marker end at %lld", (long long)end);
    port_read_from(port, TOPIC_IN, 0, 1, 6);
    CHECK(wait_notice(port, LOG_RECORD_EOF) == 6, "assigned at the end");
    port->type->close(port);
}

/* How many records come, until there are so many. */
static size_t drain(struct log_port *port, size_t wanted)
{
    size_t count = 0;
    for (int i = 0; i < 50 && count < wanted; i++)
        count += port_drain(port, 100 * 1000);
    return count;
}

static void out_of_range_is_told(struct world *world)
{
    world_load(world, TOPIC_IN, 0, 0, 10);
    MUST(kafka_admin_delete_records(world->admin, world->topics[TOPIC_IN], 0, 4, &failure));
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 0, 1, 1000);
    CHECK(wait_notice(port, LOG_RECORD_OUT_OF_RANGE) == 1000, "above the end");
    port_read_from(port, TOPIC_IN, 0, 1, 2);
    CHECK(wait_notice(port, LOG_RECORD_OUT_OF_RANGE) == 2, "below the start");
    port_read_from(port, TOPIC_IN, 0, 1, 4);
    const size_t count = drain(port, 6);
    CHECK(count == 6, "%zu records once the position is right", count);
    port->type->close(port);
}

/* As a broker's that has just come back: the end is before the position at first. */
static void a_position_that_is_reached_after_all_is_read_from(struct world *world)
{
    world_load(world, TOPIC_IN, 0, 0, 10);
    struct log_port *port = reading_port(world);
    port_read_from(port, TOPIC_IN, 0, 1, 13);
    usleep(500 * 1000); /* what the client has to say waits for us */
    world_load(world, TOPIC_IN, 0, 0, 10);
    const size_t count = drain(port, 8);
    CHECK(count == 8, "%zu of the last records", count);
    port->type->close(port);
}

static void bounds_of(struct log_reader *reader, int topic, int32_t partition, int64_t *low,
                      int64_t *stable, int64_t *high)
{
    const struct log_partition at = { topic, partition };
    MUST(reader->type->bounds(reader, at, false, low, stable, &failure));
    MUST(reader->type->bounds(reader, at, true, low, high, &failure));
}

static void readers_know_bounds_and_times(struct world *world)
{
    const struct clock clock = clock_real();
    struct log_reader *reader = world_reader(world);
    int64_t low, stable, high;
    bounds_of(reader, TOPIC_IN, 0, &low, &stable, &high);
    CHECK(low == 0 && stable == 0 && high == 0, "an empty partition");
    const int64_t first_ms = clock_wall_ms(&clock);
    world_load(world, TOPIC_IN, 0, 0, 10);
    usleep(50 * 1000);
    const int64_t second_ms = clock_wall_ms(&clock);
    world_load(world, TOPIC_IN, 0, 10, 10);
    bounds_of(reader, TOPIC_IN, 0, &low, &stable, &high);
    CHECK(low == 0 && stable == 22 && high == 22, "%lld %lld %lld", (long long)low,
          (long long)stable, (long long)high);

    const struct log_partition at = { TOPIC_IN, 0 };
    int64_t offset;
    MUST(reader->type->offset_at(reader, at, first_ms - 1000, &offset, &failure));
    CHECK(offset == 0, "%lld", (long long)offset);
    MUST(reader->type->offset_at(reader, at, second_ms, &offset, &failure));
    CHECK(offset == 11, "%lld", (long long)offset);
    MUST(reader->type->offset_at(reader, at, clock_wall_ms(&clock) + 60000, &offset, &failure));
    CHECK(offset == 22, "the end: %lld", (long long)offset);

    struct log_port *port = world_port(world, NULL);
    const struct log_produce record = { .topic = TOPIC_IN, .value = BYTES_LITERAL("open") };
    MUST(port->type->producer_open(port, &failure));
    MUST(port->type->begin(port, &failure));
    MUST(port->type->produce(port, &record, &failure));
    MUST(port->type->flush(port, &failure));
    bounds_of(reader, TOPIC_IN, 0, &low, &stable, &high);
    CHECK(stable == 22 && high == 23, "%lld %lld", (long long)stable, (long long)high);
    CHECK(reader_count(reader, TOPIC_IN, 0, 0, NULL) == 20, "uncommitted records are read");
    MUST(port->type->abort(port, &failure));
    CHECK(reader_count(reader, TOPIC_IN, 0, -2, NULL) == 20, "aborted records are read");
    port->type->close(port);
    reader->type->close(reader);
}

static void readers_go_where_they_are_sent(struct world *world)
{
    world_load(world, TOPIC_IN, 0, 0, 100);
    world_load(world, TOPIC_TAIL, 0, 0, 50);
    struct log_reader *reader = world_reader(world);
    char last[64];
    CHECK(reader_count(reader, TOPIC_IN, 0, 90, last) == 10, "from 90");
    CHECK(strcmp(last, "99") == 0, "%s", last);
    const int64_t started_ms = world_ms();
    CHECK(reader_count(reader, TOPIC_TAIL, 0, -2, last) == 50, "the other topic");
    CHECK(world_ms() - started_ms < 800, "a topic not read before took %lld ms",
          (long long)(world_ms() - started_ms));
    CHECK(strcmp(last, "49") == 0, "%s", last);
    CHECK(reader_count(reader, TOPIC_IN, 0, 0, last) == 100, "back again");
    reader->type->close(reader);
}

static void trimming_moves_the_start(struct world *world)
{
    world_load(world, TOPIC_TAIL, 0, 0, 100);
    struct log_port *port = world_port(world, NULL);
    struct log_reader *reader = world_reader(world);
    const struct log_position position = { TOPIC_TAIL, 0, 60, BYTES_NONE };
    const struct log_position nowhere = { TOPIC_MISSING, 0, 1, BYTES_NONE };
    port->type->delete_records(port, &position, 1);
    port->type->delete_records(port, &nowhere, 1);
    int64_t low = 0, high;
    const struct log_partition at = { TOPIC_TAIL, 0 };
    for (int i = 0; i < 100 && low != 60; i++) {
        port_drain(port, 50 * 1000);
        MUST(reader->type->bounds(reader, at, false, &low, &high, &failure));
    }
    CHECK(low == 60, "%lld", (long long)low);
    reader->type->close(reader);
    port->type->close(port);
}

static void the_cluster_tells_facts(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    const char *id = NULL, *again = NULL;
    int32_t count = -1;
    MUST(port->type->cluster_id(port, &id, &failure));
    MUST(port->type->cluster_id(port, &again, &failure));
    CHECK(strlen(id) > 10 && strcmp(id, again) == 0, "%s", id);
    MUST(port->type->partition_count(port, TOPIC_IN, &count, &failure));
    CHECK(count == PARTITIONS, "%d", count);
    MUST(port->type->partition_count(port, TOPIC_MISSING, &count, &failure));
    CHECK(count == 0, "%d", count);
    port->type->close(port);
}

const struct conformance_case cases_reading[] = {
    { "records_say_where_and_when", records_say_where_and_when },
    { "poll_returns_with_the_first_record", poll_returns_with_the_first_record },
    { "a_full_queue_is_filled_again", a_full_queue_is_filled_again },
    { "reassigning_loses_and_repeats_nothing", reassigning_loses_and_repeats_nothing },
    { "rewinding_delivers_again_from_there", rewinding_delivers_again_from_there },
    { "assignments_may_follow_each_other_at_once", assignments_may_follow_each_other_at_once },
    { "nothing_comes_after_an_empty_assignment", nothing_comes_after_an_empty_assignment },
    { "the_end_is_told", the_end_is_told },
    { "out_of_range_is_told", out_of_range_is_told },
    { "a_position_that_is_reached_after_all_is_read_from", a_position_that_is_reached_after_all_is_read_from },
    { "readers_know_bounds_and_times", readers_know_bounds_and_times },
    { "readers_go_where_they_are_sent", readers_go_where_they_are_sent },
    { "trimming_moves_the_start", trimming_moves_the_start },
    { "the_cluster_tells_facts", the_cluster_tells_facts },
    { NULL, NULL },
};
