/*
 * kafka_doubts: positions of which the client says that their partitions do not reach them. Mostly they do not; but it also
 * says so when it compares leader epochs after a broker has come back, and of a broker that does not know all of its log yet.
 * It reads nothing more there, nor can it seek, until all is assigned again. So the bounds are asked for. Part of
 * kafka_fetch, on its thread.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_DOUBTS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_DOUBTS_H

#include "processor/kafka/kafka_settings.h"

struct kafka_doubts;

/* Both are borrowed. */
void kafka_doubts_create(struct kafka_doubts **out, rd_kafka_t *client, const struct kafka_settings *settings);
void kafka_doubts_destroy(struct kafka_doubts **doubts);
/* Something else is read from now on. */
void kafka_doubts_forget(struct kafka_doubts *doubts);
void kafka_doubts_add(struct kafka_doubts *doubts, int topic, int32_t partition, int64_t offset, const char *why);
/*
 * Asks about those that are due. true: `out` lies outside its partition, and is no doubt any more; call again. One that lies
 * beyond the end is told only after a second.
 */
bool kafka_doubts_confirmed(struct kafka_doubts *doubts, struct log_position *out);
/* Some were within their partitions after all. */
bool kafka_doubts_found(const struct kafka_doubts *doubts);

#endif
