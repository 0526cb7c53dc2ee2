/*
 * isolation: which record of a lane is it that Kafka, or the state, refuses? Decisions only, about one lane; what they need to
 * know is told, what follows from them is done by worker_isolation.c.
 *
 * A refusal is definite: the answer to these bytes, not to the state of the world (a broker that is away, a rebalance, a producer
 * that is fenced are told to nobody here, or an outage would turn good records into dead letters).
 *
 *     refused once           the same input again, as always
 *     refused twice          suspected: the lane commits alone, first all of the refused records in one transaction
 *     refused alone          half as many records at a time, down to one
 *     one record, alone      it is sentenced: a dead letter in its place; refused again, the dead letter is cut, in the end to
 *                            nothing but its headers
 *     committed              what is left of the refused records is fewer; none left: as before
 */
#ifndef WEIR_PROCESSOR_ENGINE_ISOLATION_H
#define WEIR_PROCESSOR_ENGINE_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { SENTENCE_DETAIL_SIZE = 240 };

/* What is done with a record instead of processing it. */
struct sentence {
    bool exists;
    int topic;
    int64_t offset;
    enum status reason; /* class SKIP */
    char detail[SENTENCE_DETAIL_SIZE];
    int cut;            /* how often its dead letter was refused */
    size_t value_max;   /* so much of the record's value goes along */
};

struct isolation {
    int refusals;   /* in a row, not suspected yet */
    size_t left;    /* records, of those that were refused, that are not committed; 0: not suspected */
    size_t at_once; /* at most so many in a transaction */
    struct sentence sentence;
};

static inline bool isolation_is_suspected(const struct isolation *isolation) { return isolation->left > 0; }

struct refusal {
    size_t records; /* of the lane, in the transaction; not 0 */
    int topic;      /* the last of them */
    int64_t offset;
    bool is_dead_letter; /* all that it led to was a dead letter, with this reason and detail */
    enum status reason;
    const char *detail;
};
/* The transaction of a lane was refused. false: a single record's dead letter without payload was refused, nothing can be done. */
MUST_CHECK bool isolation_refused(struct isolation *isolation, const struct refusal *refusal);
/* So many records of the lane were committed; not 0. */
void isolation_committed(struct isolation *isolation, size_t records);
/* What to do with this record instead of processing it; NULL: process it. */
const struct sentence *isolation_sentence(const struct isolation *isolation, int topic, int64_t offset);
/* The lane cannot go on for another reason: it must not hold up the others; the search begins again later. */
void isolation_end(struct isolation *isolation);

#endif
