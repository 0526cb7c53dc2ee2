#include "processor/kafka/kafka_consumer.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"
#include "processor/kafka/kafka_fetch.h"

enum {
    EVENTS_MAX = 8,
    LEAVE_TIMEOUT_US = 10 * 1000 * 1000,
    LEAVE_TURN_MS = 50,
    UNSUBSCRIBE_TIMEOUT_US = 1000 * 1000,
    NO_GENERATION = -1
};

struct event {
    enum log_event_kind kind;
    struct log_partition *partitions;
    size_t count;
};

struct kafka_consumer {
    const struct kafka_settings *settings;
    rd_kafka_t *client;
    struct kafka_fetch *fetch;
    struct event events[EVENTS_MAX]; /* told by the client, not yet by us */
    size_t event_count;
    struct event told; /* the last one handed out: it owns the batch's partitions */
    bool holds;        /* the last event that the client told was an assignment */
    bool unanswered;   /* it waits for rd_kafka_assign */
    bool leaving;
    int32_t generation; /* the one that gave us our partitions */
};

/* --- the group's generation ----------------------------------------------------------------------- */

/* 2.0.2 has no function for it; every version writes "CGMDv2:" and the generation as it is in memory. */
static int32_t generation_of(const rd_kafka_consumer_group_metadata_t *metadata)
{
    static const char magic[] = "CGMDv2:";
    const size_t magic_size = sizeof magic - 1;
    void *bytes = NULL;
    size_t size = 0;
    int32_t generation = NO_GENERATION;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
        return NO_GENERATION;
    }
    if (size >= magic_size + sizeof generation && memcmp(bytes, magic, magic_size) == 0)
        memcpy(&generation, (const char *)bytes + magic_size, sizeof generation);
    rd_kafka_mem_free(NULL, bytes);
    return generation;
}

static int32_t current_generation(rd_kafka_t *client)
{
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(client);
    if (metadata == NULL)
        return NO_GENERATION;
    const int32_t generation = generation_of(metadata);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return generation;
}

enum status kafka_consumer_metadata(struct kafka_consumer *consumer,
                                    rd_kafka_consumer_group_metadata_t **out, struct error *err)
{
    rd_kafka_consumer_group_metadata_t *metadata =
        rd_kafka_consumer_group_metadata(consumer->client);
    const int32_t generation = metadata == NULL ? NO_GENERATION : generation_of(metadata);
    if (generation >= 0 && generation == consumer->generation) {
        *out = metadata;
        return ST_OK;
    }
    if (metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(metadata);
    return FAIL(err, ST_REASSIGNED,
                "the group is in generation %" PRId32 ", our partitions are of generation %" PRId32,
                generation, consumer->generation);
}

/* --- events ----------------------------------------------------------------------------------------- */

static void push_event(struct kafka_consumer *consumer, enum log_event_kind kind,
                       const rd_kafka_topic_partition_list_t *list)
{
    ENSURE(consumer->event_count < EVENTS_MAX);
    struct event *event = &consumer->events[consumer->event_count++];
    const size_t count = list == NULL ? 0 : (size_t)list->cnt;
    *event = (struct event){ .kind = kind };
    event->partitions = mem_alloc_array(count + 1, sizeof *event->partitions);
    for (size_t i = 0; i < count; i++) {
        const int topic = kafka_settings_topic(consumer->settings, list->elems[i].topic);
        if (topic >= 0)
            event->partitions[event->count++] =
                (struct log_partition){ topic, list->elems[i].partition };
    }
}

static void pop_event(struct kafka_consumer *consumer, struct log_batch *out)
{
    if (consumer->event_count == 0)
        return;
    mem_free(consumer->told.partitions);
    consumer->told = consumer->events[0];
    consumer->event_count--;
    memmove(consumer->events, consumer->events + 1,
            consumer->event_count * sizeof *consumer->events);
    out->event = consumer->told.kind;
    out->partitions = consumer->told.partitions;
    out->partition_count = consumer->told.count;
}

static void on_assigned(struct kafka_consumer *consumer, rd_kafka_t *client,
                        const rd_kafka_topic_partition_list_t *list)
{
    /* A session that timed out before we answered leads here without a revocation between. */
    if (consumer->holds)
        push_event(consumer, LOG_EVENT_LOST, NULL);
    push_event(consumer, LOG_EVENT_ASSIGNED, list);
    consumer->holds = true;
    consumer->generation = current_generation(client);
}

static void on_revoked(struct kafka_consumer *consumer, rd_kafka_t *client,
                       const rd_kafka_topic_partition_list_t *list)
{
    const bool lost = rd_kafka_assignment_lost(client) != 0;
    push_event(consumer, lost ? LOG_EVENT_LOST : LOG_EVENT_REVOKED, list);
    consumer->holds = false;
}

/* Called within poll (and within leave), on the port's thread. */
static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = opaque;
    const bool assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (consumer->leaving || (!assigned && code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)) {
        rd_kafka_assign(client, NULL);
        return;
    }
    consumer->unanswered = true;
    if (assigned)
        on_assigned(consumer, client, list);
    else
        on_revoked(consumer, client, list);
    kafka_fetch_interrupt(consumer->fetch);
}

/* --- open and close ---------------------------------------------------------------------------------- */

enum status kafka_consumer_open(struct kafka_consumer **out, const struct kafka_settings *borrowed,
                                struct error *err)
{
    ENSURE(*out == NULL);
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, borrowed, KAFKA_MEMBER, err));
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    AUTO(kafka_consumer_close) struct kafka_consumer *consumer = mem_alloc(sizeof *consumer);
    consumer->settings = borrowed;
    consumer->generation = NO_GENERATION;
    TRY(kafka_client_create(&consumer->client, conf, RD_KAFKA_CONSUMER, consumer, err));
    kafka_fetch_create(&consumer->fetch, consumer->client, borrowed);
    *out = TAKE(consumer);
    return ST_OK;
}

void kafka_consumer_close(struct kafka_consumer **consumer_ref)
{
    struct kafka_consumer *consumer = TAKE(*consumer_ref);
    if (consumer == NULL)
        return;
    kafka_fetch_destroy(&consumer->fetch);
    if (consumer->client != NULL)
        rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    for (size_t i = 0; i < consumer->event_count; i++)
        mem_free(consumer->events[i].partitions);
    mem_free(consumer->told.partitions);
    mem_free(consumer);
}

/* The client's close may hang on a partition that is gone (fixed in 2.6.1), so it has a deadline. */
static void close_in_time(struct kafka_consumer *consumer)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->client);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->client, queue);
    const struct clock clock = clock_real();
    const int64_t deadline_us = clock_us(&clock) + LEAVE_TIMEOUT_US;
    while (error == NULL && !rd_kafka_consumer_closed(consumer->client) &&
           clock_us(&clock) < deadline_us)
        rd_kafka_queue_poll_callback(queue, LEAVE_TURN_MS);
    if (error != NULL || !rd_kafka_consumer_closed(consumer->client))
        LOG_WARN("kafka.leave_failed", "error=%s",
                 LOG_Q(error == NULL ? "no answer in time" : rd_kafka_error_string(error)));
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

/*
 * Closing keeps a static member's place until its session times out (KIP-345). Unsubscribing does
 * tell the group, but only if the client gets to it before it is closed: then it has no generation.
 */
static void give_place_up(struct kafka_consumer *consumer)
{
    const struct clock clock = clock_real();
    const int64_t deadline_us = clock_us(&clock) + UNSUBSCRIBE_TIMEOUT_US;
    if (rd_kafka_unsubscribe(consumer->client) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    while (current_generation(consumer->client) >= 0 && clock_us(&clock) < deadline_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->client, LEAVE_TURN_MS);
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
}

void kafka_consumer_leave(struct kafka_consumer *consumer)
{
    if (consumer->leaving)
        return;
    struct error err;
    if (consumer->unanswered && kafka_consumer_assign(consumer, NULL, 0, &err) != ST_OK)
        LOG_DEBUG("kafka.leave", "error=%s", LOG_Q(err.text));
    consumer->leaving = true;
    /* A static member keeps its place: closing would tell the group nothing. */
    const struct kafka_port_options *options = &consumer->settings->options;
    if (options->group_instance_id != NULL && options->gives_place_up)
        give_place_up(consumer);
    if (options->group_instance_id == NULL || options->gives_place_up)
        close_in_time(consumer);
}

rd_kafka_t *kafka_consumer_handle(struct kafka_consumer *consumer)
{
    return consumer->client;
}

/* --- reading ------------------------------------------------------------------------------------------- */

enum status kafka_consumer_subscribe(struct kafka_consumer *consumer, const int *topics,
                                     size_t count, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(
            list, kafka_settings_topic_name(consumer->settings, topics[i]), RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "subscribing to %zu topics", count);
    return ST_OK;
}

/*
 * A revocation is answered with "unassign". Everything else, an empty assignment included, with
 * "assign": the client takes only that for the answer to an assignment.
 */
enum status kafka_consumer_assign(struct kafka_consumer *consumer,
                                  const struct log_position *positions, size_t count,
                                  struct error *err)
{
    const bool revoked =
        consumer->told.kind == LOG_EVENT_REVOKED || consumer->told.kind == LOG_EVENT_LOST;
    ENSURE(!revoked || count == 0);
    TRY(kafka_fetch_assign(consumer->fetch, positions, count, revoked, err));
    consumer->unanswered = consumer->event_count > 0;
    return ST_OK;
}

enum status kafka_consumer_poll(struct kafka_consumer *consumer, int64_t timeout_us,
                                struct log_batch *out, struct error *err)
{
    *out = (struct log_batch){ .records = NULL };
    if (consumer->event_count == 0)
        TRY(kafka_fetch_poll(consumer->fetch, timeout_us, out, err));
    if (!consumer->unanswered && out->count == 0)
        TRY(kafka_fetch_mend(consumer->fetch, err));
    pop_event(consumer, out);
    /* Its message is one of those that an assignment drops, and it is told only once. */
    if (out->count == 0 && out->event == LOG_EVENT_NONE)
        return kafka_errors_fatal(err, consumer->client, "the consumer");
    return ST_OK;
}
