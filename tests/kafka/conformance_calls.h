/*
 * conformance_calls: random sequences of calls of the log port by three clients, one per seed. A
 * call is drawn with a rough idea of what is open, so that most make sense and some do not; it does
 * not depend on what the cluster answered.
 */
#ifndef WEIR_TESTS_KAFKA_CONFORMANCE_CALLS_H
#define WEIR_TESTS_KAFKA_CONFORMANCE_CALLS_H

#include "base/random.h"
#include "conformance_side.h"

enum { CALLS_MAX = 18 };

enum call_kind {
    CALL_BEGIN,
    CALL_PRODUCE, /* and flush */
    CALL_SEND_OFFSETS,
    CALL_COMMIT,
    CALL_ABORT,
    CALL_PRODUCER_OPEN,
    CALL_END_FOREIGN,
    CALL_TAINTED,
    CALL_COMMITTED,
    CALL_COMMITTED_UNSTABLE,
    CALL_BOUNDS,
    CALL_READ, /* by a reader */
    CALL_POLL, /* by the client */
    CALL_OFFSET_AT,
    CALL_DELETE_RECORDS,
    CALL_KINDS
};

struct call {
    enum call_kind kind;
    int number; /* in the sequence: what is written is named after it */
    int client;
    int32_t partition;
    int count;               /* of records */
    int64_t offset;          /* to commit, to delete before, counted from the base */
    int64_t offsets[PLACES]; /* to read from */
    bool flag;               /* metadata; the other client's id; a time in the future */
};

/* Returns how many. */
int calls_draw(uint64_t seed, struct call calls[CALLS_MAX]);
void call_describe(const struct call *call, struct text *out);
/* Nobody trims what is not committed: a real broker tells no end until the transaction ends. */
void call_moderate(struct call *call, struct side *simulated);
/* Does nothing to the cluster, so it may be asked again until the answer is right. */
bool call_is_question(const struct call *call);
bool call_writes_markers(const struct call *call);
/* `patience_ms` of questions: how long the answer is waited for. */
void call_make(const struct call *call, struct side *side, const struct world *names,
               int64_t patience_ms, struct text *out);

#endif
