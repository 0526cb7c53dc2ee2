/*
 * kafka_offsets: what the group has committed. Part of a port, on its thread. Private to
 * processor/kafka.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_OFFSETS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_OFFSETS_H

#include "processor/kafka/kafka_settings.h"

struct kafka_offsets;

/* Both are borrowed; `member` reads committed records, which is what makes its answers stable. */
void kafka_offsets_create(struct kafka_offsets **out, const struct kafka_settings *settings,
                          rd_kafka_t *member);
void kafka_offsets_destroy(struct kafka_offsets **offsets);

/* As log_port's committed and committed_unstable. */
MUST_CHECK enum status kafka_offsets_stable(struct kafka_offsets *offsets,
                                            struct log_position *positions, size_t count,
                                            int64_t timeout_us, struct error *err);
MUST_CHECK enum status kafka_offsets_unstable(struct kafka_offsets *offsets,
                                              struct log_position *positions, size_t count,
                                              int64_t timeout_us, struct error *err);

#endif
