/*
 * journal: one record per commit and task of what was processed, in order, and under which versions, chained by hashes.
 * The format is schemas/journal.avsc behind one byte. Nothing reads it yet but tests.
 */
#ifndef WEIR_PROCESSOR_ENGINE_JOURNAL_H
#define WEIR_PROCESSOR_ENGINE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "processor/steps/outputs.h"
#include "state/commit_metadata.h"

/* Records of one topic processed one after another. */
struct journal_run {
    const char *topic;
    int64_t first_offset, last_offset, count;
};

/* A record of the runs that was not processed, for a reason that is not in the record: it became a dead letter instead. */
struct journal_skip {
    const char *topic;
    int64_t offset;
    enum status reason;
};

struct journal_runs {
    struct journal_run *items;
    size_t count, capacity;
    struct journal_skip *skips;
    size_t skip_count, skip_capacity;
};
void journal_runs_add(struct journal_runs *runs, const char *topic, int64_t offset);
/* Besides journal_runs_add. */
void journal_runs_skip(struct journal_runs *runs, const char *topic, int64_t offset, enum status reason);
void journal_runs_clear(struct journal_runs *runs);
void journal_runs_fini(struct journal_runs *runs);

struct journal_entry {
    const struct commit_metadata *metadata;
    const struct journal_runs *runs;
    int64_t poll_ms;
    const char *topology_digest;
    const char *weir_version;
    const struct outputs *outputs;
    struct hash128 previous;
};
/* Appends the record to `out` and returns its hash. */
struct hash128 journal_write(struct buffer *out, const struct journal_entry *entry);

#endif
