/*
 * kafka_fetch: records in batches from the partitions of one consumer handle.
 *
 * Hands out only what was asked for: a record before the position last assigned, delivered twice,
 * or of a partition that is not assigned any more is dropped here, whatever the client's queue held.
 * Private to processor/kafka; one thread.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_FETCH_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_FETCH_H

#include "processor/kafka/kafka_settings.h"

enum { KAFKA_FETCH_RECORDS_MAX = 2000 };

struct kafka_fetch;

/* Both are borrowed; the handle must outlive what was fetched. */
void kafka_fetch_create(struct kafka_fetch **out, rd_kafka_t *client,
                        const struct kafka_settings *settings);
void kafka_fetch_destroy(struct kafka_fetch **fetch);

/*
 * Replaces what is read; no positions: nothing is. Offset -2: from the beginning. `unassign` is
 * librdkafka's answer to a revocation, which differs from "nothing at the moment".
 */
MUST_CHECK enum status kafka_fetch_assign(struct kafka_fetch *fetch,
                                          const struct log_position *positions, size_t count,
                                          bool unassign, struct error *err);
/* Returns as soon as something is there. Fills the records only. */
MUST_CHECK enum status kafka_fetch_poll(struct kafka_fetch *fetch, int64_t timeout_us,
                                        struct log_batch *out, struct error *err);
/*
 * After a poll, and while no rebalance waits for its answer: a client that has stopped at a position that its partition does
 * reach is set to read on from there, as are all others, from where they are. LOG_RECORD_OUT_OF_RANGE is told only of
 * positions of which the broker says the same; beyond the end, for a second.
 */
MUST_CHECK enum status kafka_fetch_mend(struct kafka_fetch *fetch, struct error *err);
/* For a callback that runs within poll: it returns with what it has. */
void kafka_fetch_interrupt(struct kafka_fetch *fetch);

void kafka_fetch_release(const struct log_record *records, size_t count);

#endif
