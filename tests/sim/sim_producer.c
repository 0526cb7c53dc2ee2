#include "sim_producer.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "sim_model.h"

enum {
    NO_OFFSET = -1,
    OFFSETS_TOPIC = -1,      /* for the coordinator's verification */
    PAUSE_US = 20 * 1000,    /* librdkafka's, when markers are on their way */
    RECONNECT_US = 5 * 1000, /* after a transport error */
    LOST_MAX = 5,            /* times that one request is lost */
    FOREVER_US = 600 * 1000 * 1000
};

enum state { READY, IN_TRANSACTION, ABORTABLE, FATAL };

struct queued {
    struct sim_payload *payload;
    int64_t timestamp_ms;
};

/* What one partition gets in this transaction; kept for the next one. */
struct lane {
    int topic; /* the caller's number */
    int32_t partition;
    uint64_t transaction; /* to which the rest belongs */
    bool registered;
    int64_t first; /* offset */
    struct queued *queue;
    size_t count, capacity;
};

struct sim_producer {
    struct sim_cluster *cluster;
    const int *topics;
    size_t topic_count;
    struct sim_txn *txn;
    int32_t epoch;
    enum state state;
    enum status fatal; /* why, when FATAL */
    bool tainted;
    bool failed; /* a record of this transaction was not delivered */
    bool asked;  /* a request of this transaction was sent: it needs an EndTxn */
    uint64_t transaction;
    int32_t any_partition;
    struct lane **lanes; /* by the caller's topic and the partition */
    size_t *first_lane;  /* of each topic, and behind the last */
};

/* --- open and close --------------------------------------------------------------------------- */

static enum status take_id(struct sim_cluster *cluster, const char *id, struct sim_txn **txn,
                           int32_t *epoch, struct error *err)
{
    const int64_t deadline_us = cluster->time.now_us + FOREVER_US;
    sim_model_travel(cluster);
    if (sim_model_chance(cluster, cluster->options.faults.busy))
        return FAIL(err, ST_BROKER_BUSY, "transactional id '%s': no answer in time", id);
    *txn = sim_txn_of(cluster, id);
    while (sim_txn_init(*txn, epoch) != SIM_OK) {
        ENSURE(cluster->time.now_us < deadline_us);
        sim_time_wait(&cluster->time, cluster->time.now_us + PAUSE_US);
    }
    return ST_OK;
}

enum status sim_producer_open(struct sim_producer **out, struct sim_cluster *cluster,
                              const char *id, const int *topics, size_t topic_count,
                              struct error *err)
{
    ENSURE(*out == NULL);
    struct sim_txn *txn = NULL;
    int32_t epoch = 0;
    TRY(take_id(cluster, id, &txn, &epoch, err));
    struct sim_producer *producer = mem_alloc(sizeof *producer);
    *producer = (struct sim_producer){
        .cluster = cluster,
        .topics = topics,
        .topic_count = topic_count,
        .txn = txn,
        .epoch = epoch,
        .first_lane = mem_alloc_array(topic_count + 1, sizeof *producer->first_lane),
    };
    for (size_t i = 0; i < topic_count; i++)
        producer->first_lane[i + 1] =
            producer->first_lane[i] +
            (topics[i] < 0 ? 0 : (size_t)cluster->topics[topics[i]].count);
    producer->lanes =
        mem_alloc_array(producer->first_lane[topic_count] + 1, sizeof *producer->lanes);
    *out = producer;
    return ST_OK;
}

static size_t lane_count(const struct sim_producer *producer)
{
    return producer->first_lane[producer->topic_count];
}

static void drop_queue(struct lane *lane)
{
    for (size_t i = 0; i < lane->count; i++)
        sim_payload_release(lane->queue[i].payload);
    lane->count = 0;
}

static void drop_queues(struct sim_producer *producer)
{
    for (size_t i = 0; i < lane_count(producer); i++) {
        if (producer->lanes[i] != NULL)
            drop_queue(producer->lanes[i]);
    }
}

void sim_producer_close(struct sim_producer **producer_ref)
{
    struct sim_producer *producer = TAKE(*producer_ref);
    if (producer == NULL)
        return;
    drop_queues(producer);
    for (size_t i = 0; i < lane_count(producer); i++) {
        if (producer->lanes[i] != NULL)
            mem_free(producer->lanes[i]->queue);
        mem_free(producer->lanes[i]);
    }
    mem_free(producer->lanes);
    mem_free(producer->first_lane);
    mem_free(producer);
}

/* --- the network ------------------------------------------------------------------------------ */

/* The connection broke: the client connects and asks again, and nobody knows what still arrives. */
static void transport_error(struct sim_producer *producer)
{
    producer->tainted = true;
    sim_time_advance(&producer->cluster->time, RECONNECT_US);
}

/* A request goes out, again and again until the broker has it. */
static void send_request(struct sim_producer *producer)
{
    struct sim_cluster *cluster = producer->cluster;
    producer->asked = true;
    sim_model_travel(cluster);
    for (int i = 0; i < LOST_MAX && sim_model_chance(cluster, cluster->options.faults.request_lost);
         i++)
        transport_error(producer);
}

/* Is the request sent again, though the broker has done it? */
static bool is_answer_lost(struct sim_producer *producer)
{
    if (!sim_model_chance(producer->cluster, producer->cluster->options.faults.response_lost))
        return false;
    transport_error(producer);
    return true;
}

static void wait_for_markers(struct sim_producer *producer)
{
    struct sim_time *time = &producer->cluster->time;
    sim_time_wait(time, time->now_us + PAUSE_US);
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static enum status die(struct sim_producer *producer, enum status why, const char *what,
                       struct error *err)
{
    producer->state = FATAL;
    producer->fatal = why;
    return FAIL(err, why, "%s: %s", what,
                why == ST_FENCED ? "the producer's epoch is over" : "the producer is dead");
}

static enum status spoil(struct sim_producer *producer, const char *what, struct error *err)
{
    producer->state = ABORTABLE;
    return FAIL(err, ST_TXN_ABORTABLE, "%s: the transaction has failed", what);
}

/* librdkafka's rule for all requests but Produce. */
static enum status judge(struct sim_producer *producer, enum sim_answer answer, const char *what,
                         struct error *err)
{
    switch (answer) {
    case SIM_OK:
        return ST_OK;
    case SIM_INVALID_EPOCH:
        return die(producer, ST_FENCED, what, err);
    case SIM_NOT_A_MEMBER:
        return spoil(producer, what, err);
    case SIM_INVALID_STATE:
        return die(producer, ST_KAFKA, what, err);
    case SIM_CONCURRENT:
        break;
    }
    UNREACHABLE();
}

/* Faults that no request explains. */
static enum status bad_luck(struct sim_producer *producer, const char *what, struct error *err)
{
    const struct sim_faults *faults = &producer->cluster->options.faults;
    if (sim_model_chance(producer->cluster, faults->abortable))
        return spoil(producer, what, err);
    if (sim_model_chance(producer->cluster, faults->fatal))
        return die(producer, ST_KAFKA, what, err);
    return ST_OK;
}

static enum status must_be_in_transaction(const struct sim_producer *producer, const char *what,
                                          struct error *err)
{
    switch (producer->state) {
    case IN_TRANSACTION:
        return ST_OK;
    case ABORTABLE:
        return FAIL(err, ST_TXN_ABORTABLE, "%s: the transaction has failed", what);
    case FATAL:
        return FAIL(err, producer->fatal, "%s: the producer is dead", what);
    case READY:
        return FAIL(err, ST_KAFKA, "%s: there is no transaction", what);
    }
    UNREACHABLE();
}

/* --- records ---------------------------------------------------------------------------------- */

static struct lane *lane_of(struct sim_producer *producer, int topic, int32_t partition)
{
    struct lane **place = &producer->lanes[producer->first_lane[topic] + (size_t)partition];
    if (*place == NULL) {
        *place = mem_alloc(sizeof **place);
        **place = (struct lane){ .topic = topic, .partition = partition };
    }
    struct lane *lane = *place;
    if (lane->transaction != producer->transaction) {
        drop_queue(lane);
        lane->transaction = producer->transaction;
        lane->registered = false;
        lane->first = NO_OFFSET;
    }
    return lane;
}

static enum sim_answer register_lane(struct sim_producer *producer, struct lane *lane)
{
    for (;;) {
        send_request(producer);
        const enum sim_answer answer = sim_txn_add_partition(
            producer->txn, producer->epoch, producer->topics[lane->topic], lane->partition);
        if (answer == SIM_CONCURRENT)
            wait_for_markers(producer);
        else if (!is_answer_lost(producer))
            return answer;
    }
}

/* What the partition's leader says to a batch before it takes it. */
static enum sim_answer check_batch(const struct sim_producer *producer, const struct lane *lane)
{
    const int topic = producer->topics[lane->topic];
    const struct sim_writer *writer = sim_partition_writer(
        sim_model_partition(producer->cluster, topic, lane->partition), producer->txn->producer_id);
    if (writer != NULL && producer->epoch < writer->epoch)
        return SIM_INVALID_EPOCH;
    if (writer != NULL && writer->open_span >= 0)
        return SIM_OK;
    return sim_txn_verify(producer->txn, producer->epoch, topic, lane->partition);
}

static void append_queue(struct sim_producer *producer, struct lane *lane)
{
    struct sim_cluster *cluster = producer->cluster;
    const int topic = producer->topics[lane->topic];
    struct sim_partition *log = sim_model_partition(cluster, topic, lane->partition);
    const bool append_time = cluster->topics[topic].append_time;
    const int64_t first = log->end;
    for (size_t i = 0; i < lane->count; i++)
        sim_partition_append_open(
            log, producer->txn->producer_id, producer->epoch, lane->queue[i].payload,
            append_time ? sim_model_wall_ms(cluster) : lane->queue[i].timestamp_ms);
    lane->count = 0;
    /* Sent again it is a duplicate, whose offset the client is not told. */
    if (!is_answer_lost(producer) && lane->first == NO_OFFSET)
        lane->first = first;
}

static enum sim_answer send_lane(struct sim_producer *producer, struct lane *lane)
{
    if (!lane->registered) {
        const enum sim_answer answer = register_lane(producer, lane);
        if (answer != SIM_OK)
            return answer;
        lane->registered = true;
    }
    for (;;) {
        send_request(producer);
        const enum sim_answer answer = check_batch(producer, lane);
        if (answer == SIM_CONCURRENT) {
            wait_for_markers(producer);
            continue;
        }
        if (answer == SIM_OK)
            append_queue(producer, lane);
        else
            drop_queue(lane);
        return answer;
    }
}

/* The client sends in the background; what comes of it is told by flush, or by the next call. */
static void send_queues(struct sim_producer *producer)
{
    for (size_t i = 0; i < lane_count(producer); i++) {
        struct lane *lane = producer->lanes[i];
        if (lane == NULL || lane->count == 0 || producer->state != IN_TRANSACTION)
            continue;
        const bool known = lane->registered;
        const enum sim_answer answer = send_lane(producer, lane);
        if (answer == SIM_OK)
            continue;
        producer->failed = true;
        if (answer == SIM_INVALID_EPOCH)
            (void)die(producer, ST_FENCED, "producing", NULL);
        else if (known || lane->registered)
            (void)spoil(producer, "producing", NULL);
        else
            (void)die(producer, ST_KAFKA, "producing", NULL);
    }
}

static bool exists(const struct sim_producer *producer, int topic, int32_t partition)
{
    return topic >= 0 && (size_t)topic < producer->topic_count && producer->topics[topic] >= 0 &&
           partition < producer->cluster->topics[producer->topics[topic]].count;
}

static int32_t choose_partition(const struct sim_producer *producer,
                                const struct log_produce *record)
{
    const int32_t count = producer->cluster->topics[producer->topics[record->topic]].count;
    if (record->partition >= 0)
        return record->partition;
    if (record->key.data == NULL)
        return producer->any_partition % count;
    return hash_partition_murmur2(record->key, count);
}

static void enqueue(struct sim_producer *producer, const struct log_produce *record)
{
    struct lane *lane = lane_of(producer, record->topic, choose_partition(producer, record));
    if (lane->count == lane->capacity) {
        lane->capacity = lane->capacity * 2 + 8;
        lane->queue = mem_resize_array(lane->queue, lane->capacity, sizeof *lane->queue);
    }
    lane->queue[lane->count++] =
        (struct queued){ sim_payload_create(record->key, record->value, record->headers,
                                            record->header_count),
                         sim_model_wall_ms(producer->cluster) };
}

enum status sim_producer_begin(struct sim_producer *producer, struct error *err)
{
    producer->failed = false;
    producer->transaction++;
    producer->any_partition = (producer->any_partition + 1) & INT32_MAX;
    switch (producer->state) {
    case READY:
        break;
    case IN_TRANSACTION:
        return FAIL(err, ST_KAFKA, "begin: a transaction is open already");
    case ABORTABLE:
        return FAIL(err, ST_TXN_ABORTABLE, "begin: the transaction has failed");
    case FATAL:
        return FAIL(err, producer->fatal, "begin: the producer is dead");
    }
    producer->state = IN_TRANSACTION;
    producer->asked = false;
    return ST_OK;
}

enum status sim_producer_produce(struct sim_producer *producer, const struct log_produce *record,
                                 struct error *err)
{
    ENSURE(record->header_count <= LOG_HEADERS_MAX);
    if (!exists(producer, record->topic, record->partition))
        return FAIL(err, ST_NOT_FOUND, "there is no such partition to produce to");
    if (producer->state == FATAL)
        return FAIL(err, producer->fatal, "producing: the producer is dead");
    if (producer->state != IN_TRANSACTION)
        return FAIL(err, ST_TXN_ABORTABLE, "producing: the transaction has failed already");
    TRY(bad_luck(producer, "producing", err));
    enqueue(producer, record);
    /* Now and then the client's thread is quicker than the next call. */
    if (prng_chance(&producer->cluster->prng, 1, 16))
        send_queues(producer);
    return ST_OK;
}

static enum status delivery_status(const struct sim_producer *producer, struct error *err)
{
    if (producer->state == FATAL)
        return FAIL(err, producer->fatal, "producing: the producer is dead");
    if (producer->failed)
        return FAIL(err, ST_TXN_ABORTABLE, "a record was not delivered");
    return ST_OK;
}

enum status sim_producer_flush(struct sim_producer *producer, struct error *err)
{
    send_queues(producer);
    TRY(delivery_status(producer, err));
    return producer->state == IN_TRANSACTION ? bad_luck(producer, "flush", err) : ST_OK;
}

int64_t sim_producer_offset(const struct sim_producer *producer, int topic, int32_t partition)
{
    if (partition < 0 || !exists(producer, topic, partition))
        return NO_OFFSET;
    const struct lane *lane = producer->lanes[producer->first_lane[topic] + (size_t)partition];
    return lane == NULL || lane->transaction != producer->transaction ? NO_OFFSET : lane->first;
}

/* --- offsets ---------------------------------------------------------------------------------- */

static void offer(struct sim_producer *producer, const struct log_position *positions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int topic = producer->topics[positions[i].topic];
        const struct bytes metadata = positions[i].metadata;
        if (topic < 0 || positions[i].partition >= producer->cluster->topics[topic].count)
            continue;
        const struct sim_pending pending = {
            .producer_id = producer->txn->producer_id,
            .topic = topic,
            .partition = positions[i].partition,
            .offset = { .offset = positions[i].offset,
                        .metadata = metadata.size == 0
                                        ? NULL
                                        : sim_payload_create(BYTES_NONE, metadata, NULL, 0) },
        };
        sim_offsets_offer(producer->cluster, &pending);
    }
}

static enum sim_answer add_offsets(struct sim_producer *producer)
{
    for (;;) {
        send_request(producer);
        const enum sim_answer answer = sim_txn_add_offsets(producer->txn, producer->epoch);
        if (answer == SIM_CONCURRENT)
            wait_for_markers(producer);
        else if (!is_answer_lost(producer))
            return answer;
    }
}

static enum sim_answer commit_offsets(struct sim_producer *producer,
                                      const struct log_position *positions, size_t count,
                                      int64_t member, int32_t generation)
{
    for (;;) {
        send_request(producer);
        if (!sim_group_accepts(producer->cluster, member, generation))
            return SIM_NOT_A_MEMBER;
        const enum sim_answer answer =
            sim_txn_verify(producer->txn, producer->epoch, OFFSETS_TOPIC, 0);
        if (answer == SIM_CONCURRENT) {
            wait_for_markers(producer);
            continue;
        }
        if (answer == SIM_OK)
            offer(producer, positions, count);
        if (answer != SIM_OK || !is_answer_lost(producer))
            return answer;
    }
}

static enum status check_positions(const struct log_position *positions, size_t count,
                                   struct error *err)
{
    ENSURE(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (positions[i].metadata.size > LOG_METADATA_SIZE_MAX)
            return FAIL(err, ST_INVALID, "the commit metadata has %zu bytes",
                        positions[i].metadata.size);
    }
    return ST_OK;
}

static enum status busy(struct sim_producer *producer, const char *what, struct error *err)
{
    if (sim_model_chance(producer->cluster, producer->cluster->options.faults.busy))
        return FAIL(err, ST_BROKER_BUSY, "%s: no answer in time", what);
    return ST_OK;
}

enum status sim_producer_send_offsets(struct sim_producer *producer,
                                      const struct log_position *positions, size_t count,
                                      int64_t member, int32_t generation, struct error *err)
{
    static const char what[] = "send_offsets";
    TRY(check_positions(positions, count, err));
    /* What was produced leaves at the same time: it is answered before, or after. */
    if (prng_chance(&producer->cluster->prng, 1, 2))
        send_queues(producer);
    TRY(must_be_in_transaction(producer, what, err));
    TRY(busy(producer, what, err));
    TRY(bad_luck(producer, what, err));
    TRY(judge(producer, add_offsets(producer), what, err));
    return judge(producer, commit_offsets(producer, positions, count, member, generation), what,
                 err);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* An EndTxn that was held back: the coordinator knows no better than to do it. */
static void on_late_end(void *self, int64_t epoch, int64_t commit)
{
    (void)sim_txn_end(self, (int32_t)epoch, commit != 0);
}

static void plan_late_end(struct sim_producer *producer, bool commit)
{
    struct sim_cluster *cluster = producer->cluster;
    const int64_t late_us = cluster->options.faults.delay_us_max;
    sim_time_plan(&cluster->time,
                  &(struct sim_event){ .at_us = cluster->time.now_us +
                                                prng_between(&cluster->prng, 1, late_us + 1),
                                       .happen = on_late_end,
                                       .self = producer->txn,
                                       .a = producer->epoch,
                                       .b = commit,
                                       .on_its_way = true });
}

static enum sim_answer end(struct sim_producer *producer, bool commit)
{
    /* A connection that breaks may deliver later what it held; the client sends it again. */
    if (sim_model_chance(producer->cluster, producer->cluster->options.faults.end_txn_delayed)) {
        plan_late_end(producer, commit);
        transport_error(producer);
    }
    for (;;) {
        send_request(producer);
        const enum sim_answer answer = sim_txn_end(producer->txn, producer->epoch, commit);
        if (answer == SIM_CONCURRENT)
            wait_for_markers(producer);
        else if (!is_answer_lost(producer))
            return answer;
    }
}

/* The client gives up without an answer: the request arrives, or not, or later. */
static enum status lose_track(struct sim_producer *producer, struct error *err)
{
    const uint64_t fate = prng_below(&producer->cluster->prng, 3);
    if (fate == 0)
        (void)sim_txn_end(producer->txn, producer->epoch, true);
    else if (fate == 1)
        plan_late_end(producer, true);
    producer->tainted = true;
    producer->state = FATAL;
    producer->fatal = ST_KAFKA;
    return FAIL(err, ST_TXN_UNKNOWN, "commit: the outcome is unknown");
}

static enum status commit_sent(struct sim_producer *producer, struct error *err)
{
    static const char what[] = "commit";
    if (sim_model_chance(producer->cluster, producer->cluster->options.faults.end_txn_unknown))
        return lose_track(producer, err);
    const enum sim_answer answer = producer->asked ? end(producer, true) : SIM_OK;
    const enum status st = judge(producer, answer, what, err);
    if (st == ST_OK)
        producer->state = READY;
    return st == ST_KAFKA ? FAIL(err, ST_TXN_UNKNOWN, "commit: the producer is dead") : st;
}

enum status sim_producer_commit(struct sim_producer *producer, struct error *err)
{
    static const char what[] = "commit";
    const enum status wrong = must_be_in_transaction(producer, what, err);
    if (wrong != ST_OK)
        return wrong == ST_KAFKA ? FAIL(err, ST_TXN_UNKNOWN, "commit: no transaction") : wrong;
    TRY(busy(producer, what, err));
    send_queues(producer); /* the client's commit flushes */
    TRY(must_be_in_transaction(producer, what, err));
    TRY(bad_luck(producer, what, err));
    return commit_sent(producer, err);
}

enum status sim_producer_abort(struct sim_producer *producer, struct error *err)
{
    static const char what[] = "abort";
    if (producer->failed)
        producer->tainted = true; /* its sequence numbers have a gap */
    if (producer->state == READY || producer->state == FATAL)
        return must_be_in_transaction(producer, what, err);
    TRY(busy(producer, what, err));
    drop_queues(producer);
    if (producer->asked)
        TRY(judge(producer, end(producer, false), what, err));
    producer->state = READY;
    return ST_OK;
}

bool sim_producer_tainted(const struct sim_producer *producer)
{
    return producer->tainted;
}
