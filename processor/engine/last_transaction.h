/*
 * last_transaction: what the last committed record of a task's tail says: M, and how far each input was
 * processed. It is what the group's offsets were when they were last committed, so lost offsets can be
 * put back from it.
 */
#ifndef WEIR_PROCESSOR_ENGINE_LAST_TRANSACTION_H
#define WEIR_PROCESSOR_ENGINE_LAST_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "processor/engine/log_port.h"
#include "processor/engine/topics.h"
#include "state/commit_metadata.h"

struct last_input {
    int topic; /* -1: none of the topology's any more */
    int64_t next_offset;
};
struct last_transaction {
    struct commit_metadata metadata; /* seq 0: the tail is empty */
    struct last_input *inputs;
    size_t input_count;
};

/* Reads the whole tail of the partition, up to the last stable offset; blocks. The reader is borrowed. */
MUST_CHECK enum status last_transaction_read(struct last_transaction *out, struct log_reader *reader,
                                             const struct topics *topics, int32_t partition, struct clock clock,
                                             struct error *err);
void last_transaction_fini(struct last_transaction *transaction);

#endif
