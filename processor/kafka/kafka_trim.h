/*
 * kafka_trim: deletes records that nobody needs any more, in the background. Failures are logged:
 * a later call deletes more. One thread. Private to processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_TRIM_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_TRIM_H

#include "processor/kafka/kafka_settings.h"

struct kafka_trim;

/* Both are borrowed. */
void kafka_trim_create(struct kafka_trim **out, const struct kafka_settings *settings,
                       rd_kafka_t *client);
void kafka_trim_destroy(struct kafka_trim **trim);
void kafka_trim_before(struct kafka_trim *trim, const struct log_position *positions, size_t count);
/* Takes answers that have come. */
void kafka_trim_serve(struct kafka_trim *trim);

#endif
