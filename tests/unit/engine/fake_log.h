/*
 * fake_log: the tail and the changelog of some partitions in memory, and readers of them. What a
 * reader sees ends at the partition's `stable`, which the test moves: markers arrive when they
 * arrive.
 */
#ifndef WEIR_TESTS_UNIT_ENGINE_FAKE_LOG_H
#define WEIR_TESTS_UNIT_ENGINE_FAKE_LOG_H

#include "processor/engine/log_port.h"
#include "processor/engine/topics.h"
#include "state/changelog.h"
#include "state/commit_metadata.h"
#include "state/row_change.h"

enum { FAKE_TAIL, FAKE_CHANGELOG, FAKE_TOPICS, FAKE_PARTITIONS = 3 };

struct fake_record {
    struct buffer key, value;
    bool tombstone, gone;
};
struct fake_partition {
    struct fake_record *records; /* by offset */
    int64_t end, low, stable;
};
struct fake_log {
    struct fake_partition partitions[FAKE_TOPICS][FAKE_PARTITIONS];
    struct topics topics;
    int readers_open;
    enum status poll_status; /* what every poll answers */
};

void fake_log_init(struct fake_log *log);
void fake_log_fini(struct fake_log *log);
/* value none: a tombstone. Returns the offset. */
int64_t fake_log_append(struct fake_log *log, int topic, int32_t partition, struct bytes key,
                        struct bytes value);
/* Everything can be read. */
void fake_log_settle(struct fake_log *log);
/* The older of two records of one key goes, as far as can be read. */
void fake_log_compact(struct fake_log *log, int32_t partition);
/* standby_options.open_reader; the context is the log. */
enum status fake_log_open_reader(void *log, struct log_reader **out, struct error *err);

/* One transaction's records of the tail. */
void fake_log_changes(struct fake_log *log, int32_t partition, const struct commit_metadata *metadata,
                      const struct row_change *changes, size_t count);
void fake_log_end_mark(struct fake_log *log, int32_t partition,
                       const struct state_identity *identity, uint64_t number, uint64_t seq);

#endif
