/*
 * ledger_parts: what the parts of the ledger share: what was noted (ledger.c), the books of
 * outputs (ledger_outputs.c), the journal beside the reference task (ledger_journal.c), what
 * changelog and tail give (ledger_fold.c), the judges that do not trust the journal
 * (ledger_others.c), and the copies of everywhere tables (ledger_copies.c). Private to them.
 */
#ifndef WEIR_TESTS_SIM_LEDGER_PARTS_H
#define WEIR_TESTS_SIM_LEDGER_PARTS_H

#include "base/hash.h"
#include "base/map.h"
#include "ledger.h"
#include "processor/engine/last_seen.h"
#include "reference_task.h"

enum { LEDGER_ARENA_BLOCK = 64 * 1024, LEDGER_VERDICT_SIZE = 600, LEDGER_TOPICS_MAX = 12 };

struct state_note {
    uint64_t seq, nonce, hash;
    const char *who;
};

struct input_log {
    const struct fixture_record **items; /* by offset */
    size_t count, capacity;
    int64_t watched;
    uint64_t watched_hash; /* of M */
};

/* One partition of the co-partitioned topics. */
struct partition_ledger {
    struct map *tails; /* nonce -> struct bytes */
    struct state_note *notes;
    size_t note_count, note_capacity;
    uint64_t watched_seq;
};

struct ledger {
    struct ledger_options options;
    const struct plan *plan;
    const struct topics *topics;
    struct arena *arena;                         /* what was noted */
    struct input_log *inputs[LEDGER_TOPICS_MAX]; /* per input topic, per partition */
    struct partition_ledger *partitions;
    struct ledger_counts counts;
    char verdict[LEDGER_VERDICT_SIZE];
};

/* Always false. The first verdict is the one that stays. */
__attribute__((format(printf, 2, 3))) bool ledger_wrong(struct ledger *ledger, const char *format,
                                                        ...);
size_t ledger_input_count(const struct ledger *ledger);
bool ledger_is_everywhere(const struct ledger *ledger, int topic);
int32_t ledger_partitions_of(const struct ledger *ledger, int topic);
/* A set of rows is the sum of their hashes: what changes is taken off and put on. */
uint64_t ledger_hash_row(struct bytes key, struct bytes value);
/* -1: it is no input. */
int ledger_find_topic(const struct ledger *ledger, struct bytes name);

/* --- ledger_outputs.c --- */

/* Counts of equal records, and per key the chain of the alerts. */
struct output_book {
    struct map *counts; /* hash128 -> int64_t */
    struct map *chains; /* key -> uint64_t */
    struct buffer scratch;
    uint64_t total;
};

void output_book_init(struct output_book *book);
void output_book_fini(struct output_book *book);
void output_book_add(struct ledger *ledger, struct output_book *book,
                     const struct outputs *outputs);
/* A hash over all outputs so far, in order. */
uint64_t output_book_chain(uint64_t chain, const struct outputs *outputs);
/* What the topics hold is what is expected. */
bool ledger_judge_outputs(struct ledger *ledger, struct output_book *expected,
                          int32_t alert_partitions);

/* --- ledger_journal.c --- */

struct journal_input {
    struct bytes topic;
    int64_t first, last, count;
};

struct journal_record {
    uint64_t seq, nonce, incarnation;
    struct journal_input runs[512];
    size_t run_count;
    int64_t poll_ms, reference_offset;
    int64_t output_count;
    struct hash128 output_hash, previous;
};

/* The reference topic as committed. */
struct reference_log {
    struct arena *arena;
    struct bytes *items; /* by place; offsets may have holes */
    int64_t *offsets;
    size_t count, capacity;
};

struct journal_check {
    struct ledger *ledger;
    int32_t partition;
    struct reference_task reference;
    struct journal_record entry;
    uint64_t seq;
    struct hash128 chain;
    int64_t next_offset[LEDGER_TOPICS_MAX];
    struct last_seen seen[LEDGER_TOPICS_MAX];
    char owner[COMMIT_OWNER_ID_SIZE];
    struct map *row_hashes; /* key -> uint64_t */
    uint64_t state_hash;
    uint64_t *hashes, *nonces; /* by seq */
    size_t hash_capacity;
    const struct reference_log *reference_log;
    size_t adopted;
    struct output_book *expected;
    uint64_t output_chain;        /* of all outputs, in order */
    struct map *velocity, *burst; /* ids of alerts -> int */
    bool bad;
};

/* Of each record of the journal, in order (sim_record_fn). */
void journal_check_take(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count);
/* After the last: what is committed is where the journal ends; *out is M. */
bool journal_check_metadata(struct journal_check *check, struct commit_metadata *out);
/* What processes took for committed, and for their state. */
bool journal_check_notes(struct journal_check *check);

/* --- ledger_fold.c, ledger_others.c, ledger_copies.c --- */

bool ledger_judge_fold(struct journal_check *check, const struct commit_metadata *metadata);
bool ledger_judge_straight(struct journal_check *check);
bool ledger_judge_naive(struct journal_check *check);
/* Of each record of the reference topic (sim_record_fn). */
void reference_log_take(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count);
bool ledger_judge_copies(struct ledger *ledger, const struct reference_log *log,
                         struct output_book *expected);

#endif
