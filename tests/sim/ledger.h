/*
 * ledger: what is known from outside of all processes, and the judgement over it.
 *
 * Noted while the world runs: every record appended to an input topic, every tail record that
 * some process produced (committed or not), and what a process believes its state to be at some
 * seq. Judged at the end, per partition:
 *
 *   journal   one chain: seq 1, 2, 3 ... without gap or fork, each hash that of the record before;
 *             its last entry is the committed metadata; its runs are the input, each record once
 *   outputs   another task (the reference) processes the journal's runs in the journal's cuts:
 *             what each transaction put out, and every row in its tail record, is the same; and the
 *             output topics, read committed, hold exactly that, per key in order
 *   state     what processes believed at seq N, and what changelog and tail give, is the reference's
 *   owners    the first transaction of another owner claims: it processes nothing
 *
 * The reference shares the task's code with the processes. Two more judges do not depend on what
 * the journal says: a task that reads the input straight in the order of offsets, with other
 * cuts, and (naive.h) sums made by brute force.
 *
 * The order in which a stream and its tables were merged is known from the journal alone.
 */
#ifndef WEIR_TESTS_SIM_LEDGER_H
#define WEIR_TESTS_SIM_LEDGER_H

#include "fixture.h"
#include "processor/steps/step.h"
#include "sim_cluster.h"
#include "state/commit_metadata.h"
#include "state/overlay.h"

enum { ALERT_PARTITIONS = 2 };

struct ledger_options {
    int variant;
    int32_t partitions;
    int32_t everywhere_partitions;
    enum partitioner partitioner;
    struct sim_cluster *cluster; /* borrowed */
    bool straight;               /* judge by the task that reads straight, too */
    bool naive;
};

struct ledger;
void ledger_create(struct ledger **out, const struct ledger_options *options);
void ledger_destroy(struct ledger **ledger);

/* It was appended at record->offset; borrowed. */
void ledger_note_input(struct ledger *ledger, const struct fixture_record *record);
/* A process produced this. */
void ledger_note_tail(struct ledger *ledger, int32_t partition, struct bytes record);
/* A process's rows of a partition at what it holds to be committed. */
void ledger_note_state(struct ledger *ledger, int32_t partition,
                       const struct commit_metadata *committed, uint64_t state_hash,
                       const char *who);
/* Of all rows that the overlay shows. */
enum status ledger_hash_rows(struct overlay *overlay, uint64_t *hash, struct error *err);

/* Cheap, after every commit: committed offsets and seqs go forward only. */
bool ledger_watch(struct ledger *ledger);
/* Is everything that was appended committed? */
bool ledger_is_done(struct ledger *ledger);
bool ledger_judge(struct ledger *ledger);
/* What is wrong, after a check said false. */
const char *ledger_verdict(const struct ledger *ledger);

struct ledger_counts {
    uint64_t transactions, alerts, dead_letters, deletes, states;
};
struct ledger_counts ledger_counts(const struct ledger *ledger);

#endif
