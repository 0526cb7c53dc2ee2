/* Transactions: what commits, what does not, who is fenced, what is told about the outcome. */
#include <string.h>

#include "base/hash.h"
#include "port_world.h"

static struct log_port *ready_port(struct world *world, const struct port_setup *setup)
{
    struct log_port *port = world_port(world, setup);
    MUST(port->type->producer_open(port, &failure));
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    return port;
}

static void commit_is_visible(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    CHECK(port_committed(port) == -1, "an offset before the first commit");
    port_transaction(port, 5, "m1");
    CHECK(port->type->produced_offset(port, TOPIC_OUT, 0) == 0, "the first offset");
    port_transaction(port, 7, "m2");
    const int64_t second = port->type->produced_offset(port, TOPIC_OUT, 0);
    CHECK(second == 1 || second == 2, "behind the first record, or its marker too: %lld",
          (long long)second);
    CHECK(port->type->produced_offset(port, TOPIC_OUT, 1) == -1, "nothing was produced there");

    struct log_position positions[2] = { { TOPIC_IN, 0, -7, BYTES_NONE },
                                         { TOPIC_IN, 1, -7, BYTES_NONE } };
    MUST(port->type->committed(port, positions, 2, 5 * 1000 * 1000, &failure));
    CHECK(positions[0].offset == 7, "committed %lld", (long long)positions[0].offset);
    CHECK(bytes_equal(positions[0].metadata, BYTES_LITERAL("m2")), "%.*s",
          (int)positions[0].metadata.size, (const char *)positions[0].metadata.data);
    CHECK(positions[1].offset == -1 && positions[1].metadata.data == NULL, "none");

    struct log_reader *reader = NULL;
    char last[64];
    MUST(port->type->reader_open(port, 4 << 20, &reader, &failure));
    CHECK(reader_count(reader, TOPIC_OUT, 0, -2, last) == 2, "two records");
    CHECK(strcmp(last, "m2") == 0, "%s", last);
    reader->type->close(reader);
    CHECK(!port->type->tainted(port), "nothing went wrong");
    port->type->leave(port);
    port->type->close(port);
}

static void abort_leaves_nothing(struct world *world)
{
    world_load(world, TOPIC_IN, 0, 0, 10);
    struct log_port *port = ready_port(world, NULL);
    port_transaction(port, 3, "kept");
    port_open_transaction(port, 10, "dropped");
    MUST(port->type->abort(port, &failure));
    CHECK(port_committed(port) == 3, "the offset of the transaction before");
    struct log_reader *reader = world_reader(world);
    char last[64];
    CHECK(reader_count(reader, TOPIC_OUT, 0, 0, last) == 1, "one record");
    CHECK(strcmp(last, "kept") == 0, "%s", last);
    reader->type->close(reader);

    /* Rewound, the input comes again, and the same producer goes on. */
    port_read_from(port, TOPIC_IN, 0, 1, 3);
    size_t count = 0;
    const int64_t until_ms = world_ms() + 10000;
    while (count < 7 && world_ms() < until_ms)
        count += port_drain(port, 100 * 1000);
    CHECK(count == 7, "%zu records after the rewind", count);
    port_transaction(port, 10, "again");
    CHECK(port_committed(port) == 10, "the second attempt");
    port->type->close(port);
}

static void a_record_without_trouble_is_not_delayed(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    const int64_t started_ms = world_ms();
    port_transaction(port, 1, "first");
    const int64_t took_ms = world_ms() - started_ms;
    CHECK(took_ms < 700, "the first transaction took %lld ms: topics were not asked for before",
          (long long)took_ms);
    port->type->close(port);
}

static void headers_keys_and_partitions(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    const struct log_header headers[] = { { "weir.reason", BYTES_LITERAL("late") },
                                          { "empty", BYTES_LITERAL("") },
                                          { "none", BYTES_NONE } };
    int32_t wanted[32];
    int per_partition[PARTITIONS] = { 0 };
    MUST(port->type->begin(port, &failure));
    for (int i = 0; i < 32; i++) {
        char key[24];
        snprintf(key, sizeof key, "user-%d", i);
        wanted[i] = hash_partition_murmur2(bytes_of_string(key), PARTITIONS);
        per_partition[wanted[i]]++;
        const struct log_produce record = { .topic = TOPIC_OUT,
                                            .partition = -1,
                                            .key = bytes_of_string(key),
                                            .value = BYTES_LITERAL("v"),
                                            .headers = headers,
                                            .header_count = i % 2 == 0 ? 0 : 3 };
        MUST(port->type->produce(port, &record, &failure));
    }
    const struct log_produce tombstone = { .topic = TOPIC_TAIL, .partition = -1 };
    MUST(port->type->produce(port, &tombstone, &failure));
    MUST(port->type->flush(port, &failure));
    MUST(port->type->commit(port, &failure));
    struct log_reader *reader = world_reader(world);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const size_t count = reader_count(reader, TOPIC_OUT, p, 0, NULL);
        CHECK(count == (size_t)per_partition[p], "partition %d: %zu", p, count);
    }
    CHECK(reader_count(reader, TOPIC_TAIL, 0, 0, NULL) == 1, "a record without key and value");
    reader->type->close(reader);
    const struct log_produce nowhere = { .topic = TOPIC_MISSING, .partition = -1 };
    MUST(port->type->begin(port, &failure));
    MUST_BE(ST_NOT_FOUND, port->type->produce(port, &nowhere, &failure));
    MUST(port->type->abort(port, &failure));
    port->type->close(port);
}

static void metadata_has_a_limit(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    static char text[LOG_METADATA_SIZE_MAX + 2];
    memset(text, 'm', sizeof text);
    struct log_position position = { TOPIC_IN, 0, 1, bytes_of(text, LOG_METADATA_SIZE_MAX + 1) };
    MUST(port->type->begin(port, &failure));
    MUST_BE(ST_INVALID, port->type->send_offsets(port, &position, 1, &failure));
    position.metadata.size = LOG_METADATA_SIZE_MAX;
    MUST(port->type->send_offsets(port, &position, 1, &failure));
    MUST(port->type->commit(port, &failure));
    MUST(port->type->committed(port, &position, 1, 5 * 1000 * 1000, &failure));
    CHECK(position.metadata.size == LOG_METADATA_SIZE_MAX, "%zu bytes", position.metadata.size);
    CHECK(memcmp(position.metadata.data, text, LOG_METADATA_SIZE_MAX) == 0, "other bytes");
    port->type->close(port);
}

static void full_queue_is_waited_for(struct world *world)
{
    static const struct kafka_property small[] = { { "queue.buffering.max.messages", "50" } };
    const struct port_setup setup = { .producer = { small, 1 } };
    struct log_port *port = ready_port(world, &setup);
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("v") };
    MUST(port->type->begin(port, &failure));
    for (int i = 0; i < 5000; i++)
        MUST(port->type->produce(port, &record, &failure));
    MUST(port->type->flush(port, &failure));
    CHECK(port->type->produced_offset(port, TOPIC_OUT, 0) == 0, "the first of 5000");
    MUST(port->type->commit(port, &failure));
    struct log_reader *reader = world_reader(world);
    const size_t count = reader_count(reader, TOPIC_OUT, 0, 0, NULL);
    CHECK(count == 5000, "%zu records", count);
    reader->type->close(reader);
    port->type->close(port);
}

/* Without membership there is no generation: nothing may be committed. */
static void offsets_need_membership(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    MUST(port->type->producer_open(port, &failure));
    const struct log_position position = { TOPIC_IN, 0, 1, BYTES_NONE };
    MUST(port->type->begin(port, &failure));
    MUST_BE(ST_REASSIGNED, port->type->send_offsets(port, &position, 1, &failure));
    MUST(port->type->abort(port, &failure));
    port->type->close(port);
}

static enum status whole_transaction(struct log_port *port)
{
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("zombie") };
    const struct log_position position = { TOPIC_IN, 0, 99, BYTES_NONE };
    TRY(port->type->produce(port, &record, &failure));
    TRY(port->type->flush(port, &failure));
    TRY(port->type->send_offsets(port, &position, 1, &failure));
    return port->type->commit(port, &failure);
}

/* What the worker does about every failure that is not definite. */
static bool leads_to_a_new_producer(struct log_port *port, enum status st)
{
    if (st == ST_TXN_ABORTABLE || st == ST_REASSIGNED) {
        st = port->type->abort(port, &failure);
    }
    return st == ST_FENCED || st == ST_KAFKA || st == ST_TXN_UNKNOWN;
}

static void same_id_fences(struct world *world)
{
    struct log_port *old = ready_port(world, NULL);
    port_transaction(old, 1, "old");
    MUST(old->type->begin(old, &failure));
    struct log_port *new = world_port(world, NULL);
    MUST(new->type->producer_open(new, &failure));
    const enum status st = whole_transaction(old);
    CHECK(leads_to_a_new_producer(old, st), "%s", status_name(st));
    CHECK(port_committed(old) == 1, "the zombie's offset");
    /* Taking it back fences the other. */
    MUST(old->type->producer_open(old, &failure));
    port_transaction(old, 2, "again");
    MUST_BE(ST_OK, new->type->begin(new, &failure));
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("zombie") };
    enum status zombie = new->type->produce(new, &record, &failure);
    if (zombie == ST_OK)
        zombie = new->type->flush(new, &failure);
    CHECK(leads_to_a_new_producer(new, zombie), "%s", status_name(zombie));
    new->type->close(new);
    struct log_reader *reader = world_reader(world);
    CHECK(reader_count(reader, TOPIC_OUT, 0, 0, NULL) == 2, "what the zombies wrote is visible");
    reader->type->close(reader);
    old->type->close(old);
}

/* Destroying a fenced producer that has records in flight corrupted librdkafka's heap. */
static void fenced_producers_are_replaced_often(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    struct log_port *rival = world_port(world, NULL);
    const struct log_produce record = { .topic = TOPIC_OUT, .value = BYTES_LITERAL("x") };
    for (int round = 0; round < 8; round++) {
        MUST(port->type->producer_open(port, &failure));
        MUST(port->type->begin(port, &failure));
        for (int i = 0; i < 500; i++)
            MUST(port->type->produce(port, &record, &failure));
        MUST(rival->type->producer_open(rival, &failure));
        for (int i = 0; i < 500; i++) {
            if (port->type->produce(port, &record, &failure) != ST_OK)
                break;
        }
        if (round % 2 == 0)
            CHECK(port->type->flush(port, &failure) != ST_OK, "the fenced one could flush");
    }
    rival->type->close(rival);
    port->type->close(port);
}

/* Outcome unknown: after a new producer the stable offsets tell. */
static void new_producer_decides_the_outcome(struct world *world)
{
    struct log_port *port = ready_port(world, NULL);
    port_transaction(port, 1, "one");
    port_open_transaction(port, 2, "two");
    const int64_t started_ms = world_ms();
    MUST(port->type->producer_open(port, &failure)); /* as after a commit that was never answered */
    const int64_t took_ms = world_ms() - started_ms;
    CHECK(port_committed(port) == 1, "what was open is gone");
    CHECK(took_ms < 450,
          "ending an open transaction took %lld ms: the client's own retry is 500 ms",
          (long long)took_ms);
    port_transaction(port, 3, "three");
    MUST(port->type->producer_open(port, &failure));
    CHECK(port_committed(port) == 3, "what was committed stays");
    port->type->close(port);
}

static void open_transaction_makes_offsets_unstable(struct world *world)
{
    const struct port_setup first = { .transactional_id = "a" },
                            second = { .transactional_id = "b" };
    struct log_port *owner = ready_port(world, &first);
    struct log_port *heir = world_port(world, &second);
    port_transaction(owner, 4, "committed");
    CHECK(port_committed(heir) == 4, "before");
    port_open_transaction(owner, 9, "open");
    struct log_position position = { TOPIC_IN, 0, -7, BYTES_NONE };
    MUST_BE(ST_UNSTABLE_OFFSETS, heir->type->committed(heir, &position, 1, 400 * 1000, &failure));
    MUST(heir->type->committed_unstable(heir, &position, 1, 5 * 1000 * 1000, &failure));
    CHECK(position.offset == 4, "the old value, for the ids in it: %lld",
          (long long)position.offset);
    CHECK(bytes_equal(position.metadata, BYTES_LITERAL("committed")), "its metadata");

    int64_t started_ms = world_ms();
    for (size_t i = 0; i < LOG_PRODUCERS; i++)
        MUST(heir->type->producer_end_foreign(heir, owner->type->producer_id(owner, i), &failure));
    CHECK(world_ms() - started_ms < 450, "%lld ms", (long long)(world_ms() - started_ms));
    CHECK(port_committed(heir) == 4, "after");
    const enum status st = owner->type->commit(owner, &failure);
    CHECK(st == ST_FENCED || st == ST_TXN_UNKNOWN, "%s", status_name(st));
    MUST(heir->type->producer_open(heir, &failure));
    heir->type->close(heir);
    owner->type->close(owner);
}

static void unused_ids_end_quickly(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    const int64_t started_ms = world_ms();
    MUST(port->type->producer_end_foreign(port, "nobody-ever-used-this", &failure));
    CHECK(world_ms() - started_ms < 2000, "%lld ms", (long long)(world_ms() - started_ms));
    CHECK(port->type->begin(port, &failure) == ST_KAFKA, "a transaction without a producer");
    CHECK(port->type->tainted(port), "the next begin needs a new producer");
    port->type->close(port);
}

const struct conformance_case cases_transactions[] = {
    { "commit_is_visible", commit_is_visible },
    { "abort_leaves_nothing", abort_leaves_nothing },
    { "a_record_without_trouble_is_not_delayed", a_record_without_trouble_is_not_delayed },
    { "headers_keys_and_partitions", headers_keys_and_partitions },
    { "metadata_has_a_limit", metadata_has_a_limit },
    { "full_queue_is_waited_for", full_queue_is_waited_for },
    { "offsets_need_membership", offsets_need_membership },
    { "same_id_fences", same_id_fences },
    { "fenced_producers_are_replaced_often", fenced_producers_are_replaced_often },
    { "new_producer_decides_the_outcome", new_producer_decides_the_outcome },
    { "open_transaction_makes_offsets_unstable", open_transaction_makes_offsets_unstable },
    { "unused_ids_end_quickly", unused_ids_end_quickly },
    { NULL, NULL },
};
