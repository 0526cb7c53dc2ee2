/*
 * kafka_consumer: membership in the group, what is assigned, and the offsets the group committed.
 * Half of a log port; its thread is the port's. Private to processor/kafka.
 *
 * A rebalance is only noted when the client tells it; it waits for our answer, which is the next
 * assign. (librdkafka holds the group back until rd_kafka_assign is called; whether that happens
 * inside its callback makes no difference with the eager protocol.)
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_CONSUMER_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_CONSUMER_H

#include "processor/kafka/kafka_settings.h"

struct kafka_consumer;

MUST_CHECK enum status kafka_consumer_open(struct kafka_consumer **out,
                                           const struct kafka_settings *borrowed,
                                           struct error *err);
/* Without leave the group notices after the session's timeout. */
void kafka_consumer_close(struct kafka_consumer **consumer);
/* Leaves the group if the membership is dynamic. Nothing but close may follow. */
void kafka_consumer_leave(struct kafka_consumer *consumer);

rd_kafka_t *kafka_consumer_handle(struct kafka_consumer *consumer);

MUST_CHECK enum status kafka_consumer_subscribe(struct kafka_consumer *consumer, const int *topics,
                                                size_t count, struct error *err);
MUST_CHECK enum status kafka_consumer_assign(struct kafka_consumer *consumer,
                                             const struct log_position *positions, size_t count,
                                             struct error *err);
MUST_CHECK enum status kafka_consumer_poll(struct kafka_consumer *consumer, int64_t timeout_us,
                                           struct log_batch *out, struct error *err);

/*
 * The group metadata that a transaction needs: ST_REASSIGNED when we are no member, or a member of
 * a later generation than the one that gave us our partitions. Destroy it with
 * rd_kafka_consumer_group_metadata_destroy.
 */
MUST_CHECK enum status kafka_consumer_metadata(struct kafka_consumer *consumer,
                                               rd_kafka_consumer_group_metadata_t **out,
                                               struct error *err);

#endif
