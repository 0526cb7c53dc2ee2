/*
 * floor: what the machine, the broker and librdkafka take by themselves: an empty consume-produce-commit loop that
 * processes nothing and remembers nothing, but commits as weir does and touches the same partitions.
 *
 *     floor BROKERS PAYMENTS ALERTS TAIL JOURNAL GROUP INTERVAL_MS ALERT_FLOOR_US
 *
 * A payment says itself which rules must alert (job_event.h). A transaction is committed INTERVAL_MS after its first
 * payment; or, at once, that of the partitions with alerts, when an alert waits and the last commit was ALERT_FLOOR_US
 * ago. It holds its alerts, and for each partition of the payments that is in it one record in that partition of TAIL
 * and JOURNAL. Two producers take turns, of which one has no markers pending. Ends on SIGTERM, and prints how many
 * transactions it committed, and how many requests to add partitions to them it sent: more than one each when the
 * first left before everything was produced, or was refused because the last transaction's markers were not written
 * yet: then the client waits 20 ms.
 *
 * On librdkafka itself, not on weir's port: what the port delays must not be in the floor.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "job_event.h"

enum {
    PARTITIONS_MAX = 64,
    BATCH_MAX = 10000,
    PRODUCERS = 2,
    BEHIND_RECORDS = 1000, /* weir's: that one poll brings; then alerts wait for the interval */
    IDLE_US = 100 * 1000,
    METADATA_MS = 10 * 1000,
    OWN_RECORD_SIZE = 64,
    NONE = -1,
    ADD_PARTITIONS_TO_TXN = 24,
};

enum { ALERTS, TAIL, JOURNAL, OUTPUTS };

struct alert {
    int32_t partition;
    char text[32];
};

struct sender {
    rd_kafka_t *client;
    rd_kafka_topic_t *outputs[OUTPUTS];
};

struct loop {
    struct clock clock;
    const char *payments;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct sender senders[PRODUCERS];
    int32_t alert_partitions;
    int64_t next[PARTITIONS_MAX]; /* offset, of those in hand, or NONE */
    bool alerting[PARTITIONS_MAX];
    struct alert *alerts;
    size_t alert_count, alert_capacity;
    int64_t first_us, last_commit_us, interval_us, alert_floor_us; /* first_us 0: nothing is in hand */
    size_t polled;
    uint64_t commits;
};

static atomic_bool stopped;
static atomic_ullong requests; /* to add partitions */

static void stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&stopped, true);
}

static void must(bool fine, const char *what, const char *why)
{
    if (fine)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static void must_do(rd_kafka_error_t *error, const char *what)
{
    must(error == NULL, what, error == NULL ? "" : rd_kafka_error_string(error));
}

static void must_have(rd_kafka_resp_err_t code, const char *what)
{
    must(code == RD_KAFKA_RESP_ERR_NO_ERROR, what, rd_kafka_err2str(code));
}

/* --- clients ----------------------------------------------------------------------------------------------------- */

static rd_kafka_conf_t *conf_of(const char *const *settings)
{
    char text[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; settings[i] != NULL; i += 2)
        must(rd_kafka_conf_set(conf, settings[i], settings[i + 1], text, sizeof text) == RD_KAFKA_CONF_OK, settings[i],
             text);
    return conf;
}

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client, (void)opaque;
    must_have(message->err, "a record");
}

static rd_kafka_resp_err_t on_request(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                      int16_t api_key, int16_t api_version, int32_t correlation_id, size_t size,
                                      void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version, (void)correlation_id, (void)size;
    (void)opaque;
    if (api_key == ADD_PARTITIONS_TO_TXN)
        atomic_fetch_add(&requests, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t text_size)
{
    (void)conf, (void)opaque, (void)text, (void)text_size;
    return rd_kafka_interceptor_add_on_request_sent(client, "floor", on_request, NULL);
}

static void open_sender(struct loop *loop, struct sender *sender, const char *brokers, const char *id,
                        const char *const *topics)
{
    char text[256] = "";
    rd_kafka_conf_t *conf =
        conf_of((const char *[]){ "bootstrap.servers", brokers, "transactional.id", id, "socket.nagle.disable", "true",
                                  "retry.backoff.ms", "5", "linger.ms", "5", NULL });
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered); /* without it flush goes in steps of 10 ms */
    must_have(rd_kafka_conf_interceptor_add_on_new(conf, "floor", on_new, NULL), "interceptor");
    sender->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    must(sender->client != NULL, "the producer", text);
    must_do(rd_kafka_init_transactions(sender->client, -1), "init_transactions");
    for (int i = 0; i < OUTPUTS; i++) {
        const struct rd_kafka_metadata *metadata = NULL;
        sender->outputs[i] = rd_kafka_topic_new(sender->client, topics[i], NULL);
        must_have(rd_kafka_metadata(sender->client, 0, sender->outputs[i], &metadata, METADATA_MS), topics[i]);
        if (i == ALERTS)
            loop->alert_partitions = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
}

static void open_consumer(struct loop *loop, const char *brokers, const char *group)
{
    char text[256] = "";
    rd_kafka_conf_t *conf =
        conf_of((const char *[]){ "bootstrap.servers", brokers, "group.id", group, "enable.auto.commit", "false",
                                  "isolation.level", "read_committed", "auto.offset.reset", "earliest",
                                  "socket.nagle.disable", "true", "fetch.wait.max.ms", "50", NULL });
    loop->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    must(loop->consumer != NULL, "the consumer", text);
    rd_kafka_poll_set_consumer(loop->consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, loop->payments, RD_KAFKA_PARTITION_UA);
    must_have(rd_kafka_subscribe(loop->consumer, list), "subscribe");
    rd_kafka_topic_partition_list_destroy(list);
    loop->queue = rd_kafka_queue_get_consumer(loop->consumer);
}

/* --- what is in hand --------------------------------------------------------------------------------------------- */

static void take_alert(struct loop *loop, const rd_kafka_message_t *message, int rule)
{
    const struct bytes key = bytes_of(message->key, message->key_len);
    if (loop->alert_count == loop->alert_capacity) {
        loop->alert_capacity = loop->alert_capacity == 0 ? 1024 : 2 * loop->alert_capacity;
        loop->alerts = mem_resize_array(loop->alerts, loop->alert_capacity, sizeof *loop->alerts);
    }
    struct alert *alert = &loop->alerts[loop->alert_count++];
    alert->partition = hash_partition_murmur2(key, loop->alert_partitions);
    snprintf(alert->text, sizeof alert->text, "R%d:%.*s", rule + 1, JOB_ID_SIZE,
             (const char *)message->payload + JOB_ID_AT);
}

static void take(struct loop *loop, const rd_kafka_message_t *message)
{
    must_have(message->err, "reading");
    must(message->partition < PARTITIONS_MAX, loop->payments, "has too many partitions");
    const uint32_t alerts = job_mark_of(bytes_of(message->payload, message->len));
    loop->next[message->partition] = message->offset + 1;
    loop->alerting[message->partition] |= alerts != 0;
    for (int rule = 0; rule < JOB_RULES; rule++) {
        if ((alerts >> rule & 1) != 0)
            take_alert(loop, message, rule);
    }
}

/* Waits for one, and takes what else is there. */
static void poll(struct loop *loop, rd_kafka_message_t **messages, int64_t wait_us)
{
    ssize_t count = 0;
    loop->polled = 0;
    if (wait_us > 0) {
        count = rd_kafka_consume_batch_queue(loop->queue, (int)((wait_us + 999) / 1000), messages, 1);
        if (count <= 0)
            return;
    }
    const ssize_t more = rd_kafka_consume_batch_queue(loop->queue, 0, messages + count, BATCH_MAX - (size_t)count);
    loop->polled = (size_t)(count + (more > 0 ? more : 0));
    if (loop->polled > 0 && loop->first_us == 0)
        loop->first_us = clock_us(&loop->clock);
    for (size_t i = 0; i < loop->polled; i++) {
        take(loop, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
}

static bool interval_is_over(const struct loop *loop)
{
    return loop->first_us != 0 && clock_us(&loop->clock) - loop->first_us >= loop->interval_us;
}

static bool alert_is_due(const struct loop *loop)
{
    return loop->alert_count > 0 && loop->polled < BEHIND_RECORDS &&
           clock_us(&loop->clock) - loop->last_commit_us >= loop->alert_floor_us;
}

static int64_t wait_us(const struct loop *loop)
{
    if (loop->first_us == 0)
        return IDLE_US;
    if (loop->alert_count > 0)
        return 0;
    const int64_t left_us = loop->first_us + loop->interval_us - clock_us(&loop->clock);
    return left_us < 0 ? 0 : left_us;
}

/* --- a transaction ----------------------------------------------------------------------------------------------- */

static void produce(const struct sender *sender, int output, int32_t partition, const void *value, size_t size)
{
    const int rc = rd_kafka_produce(sender->outputs[output], partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value,
                                    size, NULL, 0, NULL);
    must(rc == 0, "produce", rd_kafka_err2str(rd_kafka_last_error()));
}

static bool takes_part(const struct loop *loop, int32_t partition, bool all)
{
    return loop->next[partition] != NONE && (all || loop->alerting[partition]);
}

static void produce_all(struct loop *loop, const struct sender *sender, bool all)
{
    static const char own[OWN_RECORD_SIZE];
    for (size_t i = 0; i < loop->alert_count; i++)
        produce(sender, ALERTS, loop->alerts[i].partition, loop->alerts[i].text, strlen(loop->alerts[i].text));
    for (int32_t i = 0; i < PARTITIONS_MAX; i++) {
        if (!takes_part(loop, i, all))
            continue;
        produce(sender, JOURNAL, i, own, sizeof own);
        produce(sender, TAIL, i, own, sizeof own);
    }
}

static void send_offsets(struct loop *loop, const struct sender *sender, bool all)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (int32_t i = 0; i < PARTITIONS_MAX; i++) {
        if (takes_part(loop, i, all))
            rd_kafka_topic_partition_list_add(list, loop->payments, i)->offset = loop->next[i];
    }
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(loop->consumer);
    must_do(rd_kafka_send_offsets_to_transaction(sender->client, list, metadata, -1), "send_offsets");
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(list);
}

/* What stays is not newer than the first record that was in hand. */
static void empty_hand(struct loop *loop, bool all)
{
    bool left = false;
    for (int i = 0; i < PARTITIONS_MAX; i++) {
        if (all || loop->alerting[i])
            loop->next[i] = NONE;
        loop->alerting[i] = false;
        left |= loop->next[i] != NONE;
    }
    loop->alert_count = 0;
    if (!left)
        loop->first_us = 0;
}

static void commit(struct loop *loop, bool all)
{
    const struct sender *sender = &loop->senders[loop->commits % PRODUCERS];
    must_do(rd_kafka_begin_transaction(sender->client), "begin_transaction");
    produce_all(loop, sender, all);
    send_offsets(loop, sender, all); /* while the records are on their way, as weir does */
    must_have(rd_kafka_flush(sender->client, -1), "flush");
    must_do(rd_kafka_commit_transaction(sender->client, -1), "commit_transaction");
    loop->last_commit_us = clock_us(&loop->clock);
    loop->commits++;
    empty_hand(loop, all);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void end(struct loop *loop)
{
    rd_kafka_queue_destroy(loop->queue);
    rd_kafka_consumer_close(loop->consumer);
    rd_kafka_destroy(loop->consumer);
    for (size_t i = 0; i < PRODUCERS; i++) {
        for (int j = 0; j < OUTPUTS; j++)
            rd_kafka_topic_destroy(loop->senders[i].outputs[j]);
        rd_kafka_destroy(loop->senders[i].client);
    }
    mem_free(loop->alerts);
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr, "floor BROKERS PAYMENTS ALERTS TAIL JOURNAL GROUP INTERVAL_MS ALERT_FLOOR_US\n");
        return 2;
    }
    struct loop loop = {
        .clock = clock_real(),
        .payments = argv[2],
        .interval_us = strtoll(argv[7], NULL, 10) * 1000,
        .alert_floor_us = strtoll(argv[8], NULL, 10),
    };
    rd_kafka_message_t **messages = mem_alloc_array(BATCH_MAX, sizeof(rd_kafka_message_t *));
    signal(SIGTERM, stop);
    empty_hand(&loop, true);
    for (int i = 0; i < PRODUCERS; i++) {
        char *id = mem_format("%s-%d", argv[6], i);
        open_sender(&loop, &loop.senders[i], argv[1], id, (const char *[OUTPUTS]){ argv[3], argv[4], argv[5] });
        mem_free(id);
    }
    open_consumer(&loop, argv[1], argv[6]);
    while (!atomic_load(&stopped)) {
        poll(&loop, messages, wait_us(&loop));
        if (interval_is_over(&loop))
            commit(&loop, true);
        else if (alert_is_due(&loop))
            commit(&loop, false);
    }
    if (loop.first_us != 0)
        commit(&loop, true);
    printf("commits %" PRIu64 " add_partitions %llu\n", loop.commits, atomic_load(&requests));
    end(&loop);
    mem_free(messages);
    return 0;
}
