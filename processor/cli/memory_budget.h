/*
 * memory_budget: the one `memory` number, divided once, at start. Every part is a limit that what
 * it is for keeps by itself: by committing or checkpointing earlier, by forgetting, by fetching
 * less; never by growing.
 *
 * `fixed` is not given to anybody: code and libraries, stacks, the clients' own structures, RocksDB
 * without its caches. It was measured (docs/decisions.md), as was what the heap itself wastes.
 */
#ifndef WEIR_PROCESSOR_CLI_MEMORY_BUDGET_H
#define WEIR_PROCESSOR_CLI_MEMORY_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Bytes of the process; workers share them equally. */
struct memory_budget {
    uint64_t fixed;
    uint64_t entities;       /* loaded entities, and the rows of those that were let go lately */
    uint64_t uncheckpointed; /* rows that no checkpoint has yet, and those that one is writing */
    uint64_t rows;           /* cache of rows read from RocksDB */
    uint64_t blocks;         /* RocksDB's blocks, indexes and filters */
    uint64_t memtables;
    uint64_t fetched;        /* records that librdkafka fetched ahead */
    uint64_t transactions;   /* the transaction in hand, and its copy in librdkafka's queue */
};

/* ST_INVALID: too little for so many workers; the text says how much would be enough. */
MUST_CHECK enum status memory_budget_split(struct memory_budget *out, int64_t memory_bytes,
                                           int64_t workers, struct error *err);
/* name=bytes of every part, for the log. */
void memory_budget_describe(const struct memory_budget *budget, struct buffer *out);

#endif
