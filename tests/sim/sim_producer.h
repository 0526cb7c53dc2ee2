/*
 * sim_producer: a transactional producer as librdkafka drives it: records wait in a queue and are
 * sent by and by, requests are repeated until they are answered, and what goes wrong decides
 * whether the transaction has to be aborted or the producer replaced. All faults of the network act
 * here.
 */
#ifndef WEIR_TESTS_SIM_PRODUCER_H
#define WEIR_TESTS_SIM_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/engine/log_port.h"

struct sim_cluster;
struct sim_producer;

/* Takes the id. Borrows the map of topics (sim_fetch.h). */
MUST_CHECK enum status sim_producer_open(struct sim_producer **out, struct sim_cluster *cluster,
                                         const char *id, const int *topics, size_t topic_count,
                                         struct error *err);
/* What is queued is dropped. NULL-safe. */
void sim_producer_close(struct sim_producer **producer);

MUST_CHECK enum status sim_producer_begin(struct sim_producer *producer, struct error *err);
MUST_CHECK enum status sim_producer_produce(struct sim_producer *producer,
                                            const struct log_produce *record, struct error *err);
MUST_CHECK enum status sim_producer_flush(struct sim_producer *producer, struct error *err);
int64_t sim_producer_offset(const struct sim_producer *producer, int topic, int32_t partition);
MUST_CHECK enum status sim_producer_send_offsets(struct sim_producer *producer,
                                                 const struct log_position *positions, size_t count,
                                                 int64_t member, int32_t generation,
                                                 struct error *err);
MUST_CHECK enum status sim_producer_commit(struct sim_producer *producer, struct error *err);
MUST_CHECK enum status sim_producer_abort(struct sim_producer *producer, struct error *err);
bool sim_producer_tainted(const struct sim_producer *producer);

#endif
