/*
 * The simulated cluster by itself: each case is a small story with a perfect network, some with one
 * fault that always happens, and one long random run that has to end the same way twice.
 *     sim_cluster_test [CASE...]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "sim_cluster.h"

#define CHECK(condition, ...)                                      \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__);                                   \
            printf("\n");                                          \
            exit(1);                                               \
        }                                                          \
    } while (0)
#define MUST_BE(expected, call)                                                                 \
    do {                                                                                        \
        const enum status st_ = (call);                                                         \
        CHECK(st_ == (expected), "%s: %s", status_name(st_), st_ == ST_OK ? "" : failure.text); \
    } while (0)
#define MUST(call) MUST_BE(ST_OK, call)

static struct error failure;

enum { IN, OUT, TAIL, MISSING, TOPICS, PARTITIONS = 4, SECOND_US = 1000 * 1000 };
static const struct sim_topic topics[] = { { "in", PARTITIONS, false },
                                           { "out", PARTITIONS, false },
                                           { "tail", 1, true } };
static const char *const names[TOPICS] = { "in", "out", "tail", "missing" };

static struct sim_cluster *cluster_with(uint64_t seed, const struct sim_faults *faults)
{
    struct sim_cluster *cluster = NULL;
    struct sim_options options = { .seed = seed, .topics = topics, .topic_count = 3, .group = "g" };
    if (faults != NULL)
        options.faults = *faults;
    sim_cluster_create(&cluster, &options);
    return cluster;
}

static struct log_port *port_of(struct sim_cluster *cluster, const char *instance, const char *id)
{
    const struct sim_client client = {
        .instance_id = instance, .transactional_id = id, .topics = names, .topic_count = TOPICS
    };
    struct log_port *port = NULL;
    sim_port_open(&port, cluster, &client);
    return port;
}

static struct log_batch wait_event(struct log_port *port, enum log_event_kind kind)
{
    for (int i = 0; i < 1000; i++) {
        struct log_batch batch;
        MUST(port->type->poll(port, 100 * 1000, &batch, &failure));
        port->type->release(port, batch.records, batch.count);
        if (batch.event == kind)
            return batch;
        CHECK(batch.event == LOG_EVENT_NONE, "event %d", batch.event);
    }
    CHECK(false, "no event %d", kind);
}

static void answer(struct log_port *port)
{
    MUST(port->type->assign(port, NULL, 0, &failure));
}

static void join(struct log_port *port, size_t partitions)
{
    const int topic = IN;
    MUST(port->type->subscribe(port, &topic, 1, &failure));
    const struct log_batch batch = wait_event(port, LOG_EVENT_ASSIGNED);
    CHECK(batch.partition_count == partitions, "%zu", batch.partition_count);
    answer(port);
}

static struct log_port *ready(struct sim_cluster *cluster, const char *name)
{
    struct log_port *port = port_of(cluster, name, name);
    MUST(port->type->producer_open(port, &failure));
    join(port, PARTITIONS);
    return port;
}

static enum status produce(struct log_port *port, int topic, int32_t partition, const char *value)
{
    const struct log_produce record = { .topic = topic,
                                        .partition = partition,
                                        .key = BYTES_LITERAL("k"),
                                        .value = bytes_of_string(value) };
    return port->type->produce(port, &record, &failure);
}

static void open_transaction(struct log_port *port, int64_t position, const char *metadata)
{
    const struct log_position offered = { IN, 0, position, bytes_of_string(metadata) };
    MUST(port->type->begin(port, &failure));
    MUST(produce(port, OUT, 0, metadata));
    MUST(port->type->flush(port, &failure));
    MUST(port->type->send_offsets(port, &offered, 1, &failure));
}

static void transaction(struct log_port *port, int64_t position, const char *metadata)
{
    open_transaction(port, position, metadata);
    MUST(port->type->commit(port, &failure));
}

static enum status end_foreign(struct log_port *port, const char *id)
{
    char full[32];
    enum status st = ST_OK;
    for (int i = 0; i < LOG_PRODUCERS && st == ST_OK; i++) {
        snprintf(full, sizeof full, "%s-%c", id, 'a' + i);
        st = port->type->producer_end_foreign(port, full, &failure);
    }
    return st;
}

static int64_t committed(struct log_port *port, const char *metadata)
{
    struct log_position position = { IN, 0, -7, BYTES_NONE };
    MUST(port->type->committed(port, &position, 1, SECOND_US, &failure));
    CHECK(metadata == NULL || bytes_equal(position.metadata, bytes_of_string(metadata)), "%.*s",
          (int)position.metadata.size, (const char *)position.metadata.data);
    return position.offset;
}

struct seen {
    size_t count;
    int64_t end; /* that was told; -1: not yet */
    int64_t outside;
    char last[32];
};

static struct seen read_from(struct log_port *port, int topic, int32_t partition, int64_t offset)
{
    struct seen seen = { .end = -1, .outside = -1 };
    struct log_reader *reader = NULL;
    const struct log_position position = { topic, partition, offset, BYTES_NONE };
    MUST(port->type->reader_open(port, 4 << 20, &reader, &failure));
    MUST(reader->type->assign(reader, &position, 1, &failure));
    for (int i = 0; i < 200 && seen.end < 0; i++) {
        struct log_batch batch;
        MUST(reader->type->poll(reader, 1000, &batch, &failure));
        for (size_t r = 0; r < batch.count; r++) {
            const struct log_record *record = &batch.records[r];
            if (record->kind == LOG_RECORD_EOF)
                seen.end = record->offset;
            if (record->kind == LOG_RECORD_OUT_OF_RANGE)
                seen.outside = record->offset;
            if (record->kind != LOG_RECORD_DATA)
                continue;
            seen.count++;
            snprintf(seen.last, sizeof seen.last, "%.*s", (int)record->value.size,
                     (const char *)record->value.data);
        }
        reader->type->release(reader, batch.records, batch.count);
    }
    reader->type->close(reader);
    return seen;
}

/* --- transactions ----------------------------------------------------------------------------- */

static void commits_are_visible_and_aborts_are_not(void)
{
    struct sim_cluster *cluster = cluster_with(1, NULL);
    struct log_port *port = ready(cluster, "a");
    CHECK(committed(port, NULL) == -1, "before");
    transaction(port, 5, "m1");
    open_transaction(port, 9, "dropped");
    CHECK(port->type->produced_offset(port, OUT, 0) == 2, "record, marker, record");
    CHECK(port->type->produced_offset(port, OUT, 1) == -1, "nothing there");
    MUST(port->type->abort(port, &failure));
    transaction(port, 7, "m2");
    CHECK(committed(port, "m2") == 7, "the second");
    const struct seen seen = read_from(port, OUT, 0, -2);
    CHECK(seen.count == 2 && strcmp(seen.last, "m2") == 0 && seen.end == 6, "%zu %s %" PRId64,
          seen.count, seen.last, seen.end);
    CHECK(sim_transactions_committed(cluster) == 2, "two");
    CHECK(!port->type->tainted(port), "nothing went wrong");
    MUST_BE(ST_NOT_FOUND, produce(port, MISSING, 0, "x"));
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void open_transactions_hold_the_end_and_the_offsets(void)
{
    struct sim_cluster *cluster = cluster_with(2, NULL);
    struct log_port *port = ready(cluster, "a");
    struct log_port *heir = port_of(cluster, "b", "b");
    transaction(port, 4, "old");
    open_transaction(port, 9, "open");
    struct log_position position = { IN, 0, -7, BYTES_NONE };
    MUST_BE(ST_UNSTABLE_OFFSETS, heir->type->committed(heir, &position, 1, 1000, &failure));
    CHECK(position.offset == -7, "an old value");
    MUST(heir->type->committed_unstable(heir, &position, 1, 1000, &failure));
    CHECK(position.offset == 4, "the old value");
    const struct sim_bounds bounds = sim_bounds(cluster, OUT, 0);
    CHECK(bounds.last_stable == 2 && bounds.high_watermark == 3, "bounds");
    CHECK(read_from(port, OUT, 0, 0).end == 2, "the end is the last stable offset");
    MUST(end_foreign(heir, "a"));
    CHECK(committed(heir, "old") == 4, "ended");
    MUST_BE(ST_FENCED, port->type->commit(port, &failure));
    MUST_BE(ST_FENCED, port->type->begin(port, &failure));
    MUST(port->type->producer_open(port, &failure));
    transaction(port, 10, "new");
    heir->type->close(heir);
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void markers_arrive_late(void)
{
    const struct sim_faults late = { .marker_delay_us_max = 100 * 1000 };
    struct sim_cluster *cluster = cluster_with(3, &late);
    struct log_port *port = ready(cluster, "a");
    int unstable = 0, behind = 0;
    for (int i = 1; i <= 50; i++) {
        struct log_position position = { IN, 0, -7, BYTES_NONE };
        transaction(port, i, "m");
        if (port->type->committed(port, &position, 1, 0, &failure) == ST_UNSTABLE_OFFSETS)
            unstable++;
        else
            CHECK(position.offset == i, "an old value after the commit: %" PRId64, position.offset);
        const struct sim_bounds bounds = sim_bounds(cluster, OUT, 0);
        behind += bounds.last_stable < bounds.high_watermark;
        CHECK(committed(port, "m") == i, "the value, once it is stable");
    }
    CHECK(unstable > 40 && behind > 40, "%d, %d", unstable, behind);
    sim_heal(cluster);
    const struct sim_bounds bounds = sim_bounds(cluster, OUT, 0);
    CHECK(bounds.last_stable == bounds.high_watermark, "nothing is on its way");
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void transactions_time_out(void)
{
    struct sim_cluster *cluster = cluster_with(4, NULL);
    struct log_port *port = ready(cluster, "a");
    open_transaction(port, 9, "open");
    sim_advance(cluster, 29 * SECOND_US);
    CHECK(sim_bounds(cluster, OUT, 0).last_stable == 0, "still open");
    sim_advance(cluster, 2 * SECOND_US);
    CHECK(sim_bounds(cluster, OUT, 0).last_stable == 2, "aborted");
    CHECK(committed(port, NULL) == -1, "aborted");
    MUST_BE(ST_FENCED, port->type->commit(port, &failure));
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

/* KAFKA-17754: with the taint ignored, a delayed EndTxn commits half of the next transaction. */
static void a_delayed_end_hits_the_next_transaction(void)
{
    const struct sim_faults delayed = { .end_txn_delayed = 10000, .delay_us_max = 1 };
    struct sim_cluster *cluster = cluster_with(5, NULL);
    struct log_port *port = ready(cluster, "a");
    *sim_faults(cluster) = delayed;
    sim_faults(cluster)->delay_us_max = 300 * 1000;
    bool hit = false;
    for (int i = 1; i < 50 && !hit; i++) {
        *sim_faults(cluster) = delayed;
        sim_faults(cluster)->delay_us_max = 300 * 1000;
        transaction(port, i, "kept");
        CHECK(port->type->tainted(port), "the taint");
        *sim_faults(cluster) = (struct sim_faults){ .fatal = 0 };
        transaction(port, i, "kept"); /* the other producer's */
        const uint64_t before = sim_transactions_committed(cluster);
        MUST(port->type->begin(port, &failure)); /* as nobody should */
        MUST(produce(port, OUT, 1, "half"));
        MUST(port->type->flush(port, &failure));
        sim_advance(cluster, SECOND_US);
        hit = sim_transactions_committed(cluster) > before;
        if (!hit)
            MUST(port->type->abort(port, &failure));
    }
    CHECK(hit, "no EndTxn came that late");
    CHECK(read_from(port, OUT, 1, 0).count > 0, "it is visible");
    MUST_BE(ST_OK, produce(port, OUT, 1, "rest"));
    MUST_BE(ST_TXN_ABORTABLE, port->type->flush(port, &failure));
    MUST_BE(ST_KAFKA, port->type->abort(port, &failure));
    port->type->close(port);

    /* By the rule, a new producer before the next begin, it hits nothing. */
    port = ready(cluster, "a");
    for (int i = 1; i < 20; i++) {
        *sim_faults(cluster) = delayed;
        sim_faults(cluster)->delay_us_max = 300 * 1000;
        transaction(port, i, "kept");
        *sim_faults(cluster) = (struct sim_faults){ .fatal = 0 };
        MUST(port->type->producer_open(port, &failure));
        MUST(port->type->begin(port, &failure));
        MUST(produce(port, OUT, 2, "half"));
        MUST(port->type->flush(port, &failure));
        sim_advance(cluster, SECOND_US);
        MUST(port->type->abort(port, &failure));
    }
    CHECK(read_from(port, OUT, 2, 0).count == 0, "a delayed EndTxn committed it");
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void lost_requests_taint_and_change_nothing(void)
{
    const struct sim_faults lossy = { .request_lost = 3000, .response_lost = 3000 };
    struct sim_cluster *cluster = cluster_with(6, &lossy);
    struct log_port *port = ready(cluster, "a");
    for (int i = 1; i <= 100; i++)
        transaction(port, i, "m");
    CHECK(port->type->tainted(port), "the taint");
    CHECK(committed(port, "m") == 100, "the last");
    CHECK(read_from(port, OUT, 0, 0).count == 100, "each once");
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void unknown_outcomes_are_decided_by_a_new_producer(void)
{
    struct sim_cluster *cluster = cluster_with(7, NULL);
    struct log_port *port = ready(cluster, "a");
    int done = 0, lost = 0;
    for (int i = 1; i <= 60; i++) {
        const int64_t before = committed(port, NULL);
        open_transaction(port, i, "m");
        *sim_faults(cluster) =
            (struct sim_faults){ .end_txn_unknown = 10000, .delay_us_max = 50 * 1000 };
        MUST_BE(ST_TXN_UNKNOWN, port->type->commit(port, &failure));
        *sim_faults(cluster) = (struct sim_faults){ .fatal = 0 };
        CHECK(port->type->tainted(port), "the taint");
        MUST(port->type->producer_open(port, &failure));
        const int64_t after = committed(port, NULL);
        CHECK(after == before || after == i, "%" PRId64, after);
        (*(after == i ? &done : &lost))++;
        sim_advance(cluster, SECOND_US); /* what comes late, comes too late */
        CHECK(committed(port, NULL) == after, "changed afterwards");
    }
    CHECK(done > 5 && lost > 5, "%d done, %d lost", done, lost);
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

static void misuse_is_answered_as_by_librdkafka(void)
{
    const struct log_position position = { IN, 0, 1, BYTES_NONE };
    struct sim_cluster *cluster = cluster_with(8, NULL);
    struct log_port *port = port_of(cluster, "a", "a");
    MUST_BE(ST_KAFKA, port->type->begin(port, &failure));
    CHECK(port->type->tainted(port), "there is no producer");
    MUST(port->type->producer_open(port, &failure));
    MUST_BE(ST_TXN_UNKNOWN, port->type->commit(port, &failure));
    MUST_BE(ST_KAFKA, port->type->abort(port, &failure));
    MUST_BE(ST_TXN_ABORTABLE, produce(port, OUT, 0, "x"));
    MUST(port->type->flush(port, &failure));
    MUST(port->type->begin(port, &failure));
    MUST_BE(ST_KAFKA, port->type->begin(port, &failure));
    MUST_BE(ST_REASSIGNED, port->type->send_offsets(port, &position, 1, &failure));
    MUST(port->type->commit(port, &failure));
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

/* --- the group -------------------------------------------------------------------------------- */

static void a_rebalance_waits_for_the_answer(void)
{
    struct sim_cluster *cluster = cluster_with(10, NULL);
    struct log_port *b = ready(cluster, "b");
    struct log_port *a = port_of(cluster, "a", "a");
    const int topic = IN;
    MUST(a->type->producer_open(a, &failure));
    MUST(a->type->subscribe(a, &topic, 1, &failure));
    CHECK(wait_event(b, LOG_EVENT_REVOKED).partition_count == PARTITIONS, "all");
    struct log_batch batch;
    MUST(a->type->poll(a, 2 * SECOND_US, &batch, &failure));
    CHECK(batch.event == LOG_EVENT_NONE, "assigned while the other still commits");
    transaction(b, 2, "last words");
    answer(b);
    batch = wait_event(b, LOG_EVENT_ASSIGNED);
    CHECK(batch.partition_count == 2 && batch.partitions[0].partition == 2, "sorted by their ids");
    const struct log_position stale = { IN, 0, 3, BYTES_NONE };
    answer(b);
    batch = wait_event(a, LOG_EVENT_ASSIGNED);
    CHECK(batch.partition_count == 2 && batch.partitions[0].partition == 0, "the first half");
    answer(a);
    transaction(a, 4, "a");
    transaction(b, 5, "b");

    /* Between the answer and the new assignment nobody commits. */
    sim_rebalance(cluster);
    wait_event(a, LOG_EVENT_REVOKED);
    wait_event(b, LOG_EVENT_REVOKED);
    answer(a);
    answer(b);
    MUST(b->type->begin(b, &failure));
    MUST_BE(ST_REASSIGNED, b->type->send_offsets(b, &stale, 1, &failure));
    MUST(b->type->abort(b, &failure));
    wait_event(a, LOG_EVENT_ASSIGNED);
    wait_event(b, LOG_EVENT_ASSIGNED);
    a->type->close(a);
    b->type->close(b);
    sim_cluster_destroy(&cluster);
}

/* Two transactions on the same offset: the order of their offers counts, not that of their ends. */
static void the_latest_offer_counts(void)
{
    struct sim_cluster *cluster = cluster_with(16, NULL);
    struct log_port *b = ready(cluster, "b");
    struct log_port *a = port_of(cluster, "a", "a");
    const int topic = IN;
    MUST(a->type->producer_open(a, &failure));
    MUST(a->type->subscribe(a, &topic, 1, &failure));
    wait_event(b, LOG_EVENT_REVOKED);
    answer(b);
    wait_event(a, LOG_EVENT_ASSIGNED);
    answer(a);
    wait_event(b, LOG_EVENT_ASSIGNED);
    answer(b);
    open_transaction(a, 1, "first");
    open_transaction(b, 2, "second");
    MUST(b->type->commit(b, &failure));
    MUST(a->type->commit(a, &failure));
    CHECK(committed(a, "second") == 2, "the older offer");
    transaction(a, 1, "third");
    CHECK(committed(b, "third") == 1, "a later one may be lower");
    a->type->close(a);
    b->type->close(b);
    sim_cluster_destroy(&cluster);
}

static void static_members_keep_their_place(void)
{
    struct sim_cluster *cluster = cluster_with(11, NULL);
    struct log_port *a = ready(cluster, "a");
    sim_port_kill(a);
    struct log_batch batch;
    MUST_BE(ST_INTERRUPTED, a->type->poll(a, 0, &batch, &failure));
    a->type->close(a);
    sim_advance(cluster, 3 * SECOND_US);
    a = ready(cluster, "a");
    transaction(a, 1, "back");
    sim_advance(cluster, 30 * SECOND_US);
    transaction(a, 2, "heartbeats go on");
    a->type->close(a);
    sim_cluster_destroy(&cluster);
}

static void the_dead_time_out(void)
{
    struct sim_cluster *cluster = cluster_with(12, NULL);
    struct log_port *a = ready(cluster, "a");
    struct log_port *b = port_of(cluster, "b", "b");
    const int topic = IN;
    sim_port_kill(a);
    MUST(b->type->producer_open(b, &failure));
    MUST(b->type->subscribe(b, &topic, 1, &failure));
    const struct clock clock = sim_clock(cluster);
    const int64_t before_us = clock_us(&clock);
    CHECK(wait_event(b, LOG_EVENT_ASSIGNED).partition_count == PARTITIONS, "all");
    const int64_t took_us = clock_us(&clock) - before_us;
    CHECK(took_us > 5 * SECOND_US && took_us < 7 * SECOND_US, "%" PRId64, took_us);
    b->type->close(b);
    a->type->close(a);
    sim_cluster_destroy(&cluster);
}

static void the_same_instance_fences(void)
{
    struct sim_cluster *cluster = cluster_with(13, NULL);
    struct log_port *old = ready(cluster, "a");
    struct log_port *new = port_of(cluster, "a", "other");
    const struct log_position position = { IN, 0, 1, BYTES_NONE };
    join(new, PARTITIONS);
    MUST(old->type->begin(old, &failure));
    MUST_BE(ST_TXN_ABORTABLE, old->type->send_offsets(old, &position, 1, &failure));
    MUST(old->type->abort(old, &failure));
    struct log_batch batch;
    enum status st = ST_OK;
    for (int i = 0; i < 20 && st == ST_OK; i++)
        st = old->type->poll(old, 100 * 1000, &batch, &failure);
    CHECK(st == ST_FENCED, "%s", status_name(st));
    old->type->close(old);
    new->type->close(new);
    sim_cluster_destroy(&cluster);
}

static void a_zombie_is_told(void)
{
    struct sim_cluster *cluster = cluster_with(14, NULL);
    struct log_port *zombie = ready(cluster, "a");
    open_transaction(zombie, 66, "zombie");
    sim_port_freeze(zombie, true);
    sim_advance(cluster, 7 * SECOND_US);
    struct log_port *heir = port_of(cluster, "b", "b");
    join(heir, PARTITIONS);
    sim_port_freeze(zombie, false);
    /* It has not heard yet: the group refuses it. */
    const struct log_position position = { IN, 0, 77, BYTES_NONE };
    MUST_BE(ST_TXN_ABORTABLE, zombie->type->send_offsets(zombie, &position, 1, &failure));
    wait_event(zombie, LOG_EVENT_LOST);
    MUST(zombie->type->abort(zombie, &failure));
    MUST(zombie->type->begin(zombie, &failure));
    MUST_BE(ST_REASSIGNED, zombie->type->send_offsets(zombie, &position, 1, &failure));
    MUST(zombie->type->abort(zombie, &failure));
    CHECK(committed(heir, NULL) == -1, "the zombie committed");
    answer(zombie);
    wait_event(heir, LOG_EVENT_REVOKED);
    answer(heir);
    CHECK(wait_event(zombie, LOG_EVENT_ASSIGNED).partition_count == 2, "it is back");
    heir->type->close(heir);
    zombie->type->close(zombie);
    sim_cluster_destroy(&cluster);
}

static void dynamic_members_leave_at_once(void)
{
    struct sim_cluster *cluster = cluster_with(15, NULL);
    struct log_port *a = port_of(cluster, NULL, "a"), *b = port_of(cluster, NULL, "b");
    const int topic = IN;
    join(a, PARTITIONS);
    MUST(b->type->subscribe(b, &topic, 1, &failure));
    wait_event(a, LOG_EVENT_REVOKED);
    answer(a);
    wait_event(a, LOG_EVENT_ASSIGNED);
    answer(a);
    wait_event(b, LOG_EVENT_ASSIGNED);
    answer(b);
    b->type->leave(b);
    wait_event(a, LOG_EVENT_REVOKED);
    answer(a);
    CHECK(wait_event(a, LOG_EVENT_ASSIGNED).partition_count == PARTITIONS, "all");
    a->type->close(a);
    b->type->close(b);
    sim_cluster_destroy(&cluster);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void positions_outside_are_told_once(void)
{
    struct sim_cluster *cluster = cluster_with(20, NULL);
    struct log_port *port = ready(cluster, "a");
    for (int i = 0; i < 10; i++)
        sim_append(cluster, IN, 0, 1000 + i, BYTES_LITERAL("k"), BYTES_LITERAL("v"));
    const struct log_position before = { IN, 0, 4, BYTES_NONE };
    const struct log_position nowhere = { MISSING, 0, 4, BYTES_NONE };
    port->type->delete_records(port, &before, 1);
    port->type->delete_records(port, &nowhere, 1);
    sim_advance(cluster, 10);
    const struct log_position position = { IN, 0, 2, BYTES_NONE };
    MUST(port->type->assign(port, &position, 1, &failure));
    struct log_batch batch;
    MUST(port->type->poll(port, 1000, &batch, &failure));
    CHECK(batch.count == 1 && batch.records[0].kind == LOG_RECORD_OUT_OF_RANGE, "told");
    MUST(port->type->poll(port, 1000, &batch, &failure));
    CHECK(batch.count == 0, "and silent");
    CHECK(read_from(port, IN, 0, 4).count == 6, "from the start");
    CHECK(read_from(port, IN, 0, -2).count == 6, "from the beginning");
    CHECK(read_from(port, IN, 0, 10).end == 10, "at the end");
    CHECK(read_from(port, IN, 0, 11).outside == 11, "behind the end");
    struct log_reader *reader = NULL;
    int64_t offset = 0;
    MUST(port->type->reader_open(port, 4 << 20, &reader, &failure));
    const struct log_partition at = { IN, 0 };
    MUST(reader->type->offset_at(reader, at, 1006, &offset, &failure));
    CHECK(offset == 6, "%" PRId64, offset);
    MUST(reader->type->offset_at(reader, at, 1, &offset, &failure));
    CHECK(offset == 4, "%" PRId64, offset);
    MUST(reader->type->offset_at(reader, at, 2000, &offset, &failure));
    CHECK(offset == 10, "%" PRId64, offset);
    reader->type->close(reader);
    sim_recreate_topic(cluster, IN);
    CHECK(read_from(port, IN, 0, 4).outside == 4, "another incarnation");
    port->type->close(port);
    sim_cluster_destroy(&cluster);
}

struct fold {
    char text[256];
};

static void add_to_fold(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count)
{
    struct fold *fold = context;
    (void)headers, (void)header_count;
    const size_t size = strlen(fold->text);
    snprintf(fold->text + size, sizeof fold->text - size, "%.*s", (int)record->value.size,
             (const char *)record->value.data);
}

static void compaction_keeps_the_newest(void)
{
    int shorter = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_cluster *cluster = cluster_with(seed, NULL);
        static const char *const keys[] = { "a", "b", "a", "c", "b", "a" };
        static const char values[][2] = { "1", "2", "3", "4", "5", "6" };
        for (int i = 0; i < 6; i++)
            sim_append(cluster, TAIL, 0, -1, bytes_of_string(keys[i]), bytes_of_string(values[i]));
        sim_append(cluster, TAIL, 0, -1, BYTES_LITERAL("c"), BYTES_NONE);
        sim_compact(cluster, TAIL, 0, true);
        struct fold fold = { "" };
        sim_read(cluster, TAIL, 0, add_to_fold, &fold);
        static const char *const right[] = { "123456", "23456", "2346", "3456", "456",
                                             "3456",   "346",   "56",   "234" };
        bool found = false;
        for (size_t i = 0; i < sizeof right / sizeof *right; i++)
            found = found || strcmp(fold.text, right[i]) == 0;
        CHECK(found, "seed %" PRIu64 ": %s", seed, fold.text);
        shorter += strlen(fold.text) < 6;
        CHECK(sim_bounds(cluster, TAIL, 0).high_watermark == 7, "the end stays");
        struct log_port *port = port_of(cluster, "a", "a");
        CHECK(read_from(port, TAIL, 0, 0).end == 7, "the end is reached across holes");
        port->type->close(port);
        sim_cluster_destroy(&cluster);
    }
    CHECK(shorter > 10, "%d", shorter);
}

/* --- the same again --------------------------------------------------------------------------- */

struct random_run {
    struct sim_cluster *cluster;
    struct prng prng;
    struct log_port *ports[3];
    uint64_t digest;
};

static void note(struct random_run *run, uint64_t value)
{
    const uint64_t both[2] = { run->digest, value };
    run->digest = hash64(bytes_of(both, sizeof both));
}

static const char *const members[] = { "x", "y", "z" };

static void reopen(struct random_run *run, size_t i)
{
    const int topic = IN;
    struct log_port *port = run->ports[i] = port_of(run->cluster, members[i], members[i]);
    note(run, port->type->subscribe(port, &topic, 1, &failure));
    note(run, port->type->producer_open(port, &failure));
}

static void poll_once(struct random_run *run, struct log_port *port)
{
    struct log_batch batch;
    const struct clock clock = sim_clock(run->cluster);
    const int64_t before_us = clock_us(&clock);
    note(run, port->type->poll(port, (int64_t)prng_below(&run->prng, 3) * 50000, &batch, &failure));
    CHECK(clock_us(&clock) > before_us, "time stands still");
    for (size_t r = 0; r < batch.count; r++)
        note(run, (uint64_t)batch.records[r].offset);
    note(run, batch.event);
    port->type->release(port, batch.records, batch.count);
    if (batch.event == LOG_EVENT_NONE)
        return;
    struct log_position positions[PARTITIONS];
    const bool assigned = batch.event == LOG_EVENT_ASSIGNED;
    for (size_t p = 0; p < batch.partition_count && assigned; p++)
        positions[p] = (struct log_position){ IN, batch.partitions[p].partition, 0, BYTES_NONE };
    note(run, port->type->assign(port, positions, assigned ? batch.partition_count : 0, &failure));
}

static void transact_once(struct random_run *run, struct log_port *port)
{
    const struct log_position position = { IN, (int32_t)prng_below(&run->prng, PARTITIONS),
                                           (int64_t)prng_below(&run->prng, 1000),
                                           BYTES_LITERAL("m") };
    if (port->type->tainted(port))
        note(run, port->type->producer_open(port, &failure));
    note(run, port->type->begin(port, &failure));
    note(run, produce(port, OUT, (int32_t)prng_below(&run->prng, PARTITIONS), "v"));
    note(run, port->type->flush(port, &failure));
    note(run, port->type->send_offsets(port, &position, 1, &failure));
    if (prng_chance(&run->prng, 1, 4))
        note(run, port->type->abort(port, &failure));
    else
        note(run, port->type->commit(port, &failure));
    note(run, port->type->tainted(port));
}

static void step(struct random_run *run)
{
    const size_t i = prng_below(&run->prng, 3);
    struct log_port *port = run->ports[i];
    switch (prng_below(&run->prng, 20)) {
    case 0:
        sim_port_kill(port);
        port->type->close(port);
        reopen(run, i);
        break;
    case 1:
        sim_port_freeze(port, true);
        break;
    case 2:
        sim_rebalance(run->cluster);
        break;
    case 3:
        sim_compact(run->cluster, OUT, (int32_t)prng_below(&run->prng, PARTITIONS), true);
        break;
    case 4:
        sim_advance(run->cluster, (int64_t)prng_below(&run->prng, 4) * SECOND_US);
        break;
    case 5:
        note(run, end_foreign(port, members[(i + 1) % 3]));
        break;
    case 6:
        note(run, (uint64_t)read_from(port, OUT, 0, 0).count);
        break;
    case 7:
        sim_append(run->cluster, IN, 0, -1, BYTES_NONE, BYTES_LITERAL("v"));
        break;
    default:
        sim_port_freeze(port, false);
        if (prng_chance(&run->prng, 1, 2))
            poll_once(run, port);
        else
            transact_once(run, port);
    }
}

static uint64_t random_digest(uint64_t seed)
{
    static const struct sim_faults all = { .request_lost = 100,
                                           .response_lost = 100,
                                           .end_txn_delayed = 100,
                                           .end_txn_unknown = 100,
                                           .abortable = 100,
                                           .fatal = 50,
                                           .busy = 0,
                                           .duplicate = 100,
                                           .marker_delay_us_max = 50 * 1000,
                                           .delay_us_max = 100 * 1000 };
    struct random_run run = { .cluster = cluster_with(seed, &all), .prng = prng_of_seed(seed) };
    for (size_t i = 0; i < 3; i++)
        reopen(&run, i);
    for (int i = 0; i < 600; i++)
        step(&run);
    sim_heal(run.cluster);
    for (size_t i = 0; i < 3; i++)
        run.ports[i]->type->close(run.ports[i]);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct sim_bounds bounds = sim_bounds(run.cluster, OUT, p);
        note(&run, (uint64_t)bounds.high_watermark);
        note(&run, (uint64_t)sim_committed(run.cluster, IN, p, NULL));
    }
    note(&run, sim_transactions_committed(run.cluster));
    sim_cluster_destroy(&run.cluster);
    return run.digest;
}

static void the_same_seed_gives_the_same_answers(void)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        void *elsewhere = mem_alloc(1000 + seed * 64); /* other addresses the second time */
        const uint64_t first = random_digest(seed);
        const uint64_t second = random_digest(seed);
        mem_free(elsewhere);
        CHECK(first == second, "seed %" PRIu64, seed);
        CHECK(first != random_digest(seed + 1000), "the seed does not matter");
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "commits_are_visible_and_aborts_are_not", commits_are_visible_and_aborts_are_not },
    { "open_transactions_hold_the_end_and_the_offsets",
      open_transactions_hold_the_end_and_the_offsets },
    { "markers_arrive_late", markers_arrive_late },
    { "transactions_time_out", transactions_time_out },
    { "a_delayed_end_hits_the_next_transaction", a_delayed_end_hits_the_next_transaction },
    { "lost_requests_taint_and_change_nothing", lost_requests_taint_and_change_nothing },
    { "unknown_outcomes_are_decided_by_a_new_producer",
      unknown_outcomes_are_decided_by_a_new_producer },
    { "misuse_is_answered_as_by_librdkafka", misuse_is_answered_as_by_librdkafka },
    { "a_rebalance_waits_for_the_answer", a_rebalance_waits_for_the_answer },
    { "the_latest_offer_counts", the_latest_offer_counts },
    { "static_members_keep_their_place", static_members_keep_their_place },
    { "the_dead_time_out", the_dead_time_out },
    { "the_same_instance_fences", the_same_instance_fences },
    { "a_zombie_is_told", a_zombie_is_told },
    { "dynamic_members_leave_at_once", dynamic_members_leave_at_once },
    { "positions_outside_are_told_once", positions_outside_are_told_once },
    { "compaction_keeps_the_newest", compaction_keeps_the_newest },
    { "the_same_seed_gives_the_same_answers", the_same_seed_gives_the_same_answers },
};

static bool is_wanted(const char *name, int count, char **names_wanted)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names_wanted[i], name) == 0)
            return true;
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!is_wanted(cases[i].name, argc - 1, argv + 1))
            continue;
        cases[i].run();
        printf("ok - %s\n", cases[i].name);
        fflush(stdout);
    }
    return 0;
}
