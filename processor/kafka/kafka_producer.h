/*
 * kafka_producer: the transactional half of a log port; its thread is the port's. Private to
 * processor/kafka.
 *
 * Each open makes a new client, because destroying one and taking its id again is the ordinary way
 * out of every fatal or indefinite error.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_PRODUCER_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_PRODUCER_H

#include "processor/kafka/kafka_settings.h"

struct kafka_producer;

/* Ends what the id left open, then asks for all topics, so that the first record does not wait. */
MUST_CHECK enum status kafka_producer_open(struct kafka_producer **out,
                                           const struct kafka_settings *borrowed,
                                           const char *transactional_id, struct error *err);
void kafka_producer_close(struct kafka_producer **producer);
/* Ends what this id left open, and lets it go. */
MUST_CHECK enum status kafka_producer_end_foreign(const struct kafka_settings *settings,
                                                  const char *transactional_id, struct error *err);

/* The calls of log_port.h. */
MUST_CHECK enum status kafka_producer_begin(struct kafka_producer *producer, struct error *err);
MUST_CHECK enum status kafka_producer_produce(struct kafka_producer *producer,
                                              const struct log_produce *record, struct error *err);
MUST_CHECK enum status kafka_producer_flush(struct kafka_producer *producer, struct error *err);
int64_t kafka_producer_offset(const struct kafka_producer *producer, int topic, int32_t partition);
MUST_CHECK enum status
kafka_producer_send_offsets(struct kafka_producer *producer, const struct log_position *positions,
                            size_t count, const rd_kafka_consumer_group_metadata_t *metadata,
                            struct error *err);
MUST_CHECK enum status kafka_producer_commit(struct kafka_producer *producer, struct error *err);
MUST_CHECK enum status kafka_producer_abort(struct kafka_producer *producer, struct error *err);
/* Also after the abort of a transaction whose records were refused. */
bool kafka_producer_tainted(struct kafka_producer *producer);
/* Serves callbacks between transactions. */
void kafka_producer_serve(struct kafka_producer *producer);

#endif
