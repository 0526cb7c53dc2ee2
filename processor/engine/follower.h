/*
 * follower: keeps the local rows of a partition that somebody else owns close behind him, so that
 * taking it over is a matter of the last few transactions.
 *
 *     START ----> TAIL <------------+       local rows that the tail connects to are kept
 *       no rows,   | does not       |
 *       other ones | connect        | its end was reached, with an end mark before it
 *                  v                |
 *              CHANGELOG -----------+       the partition is emptied first
 *
 * It reads what is committed only, and needs no offsets of the group: an end mark that can be read
 * belongs to a checkpoint that is complete, and says which seq that is. Rows from the changelog may
 * be newer than that, which is harmless: whoever takes over replays the tail to the committed seq,
 * and comes past a whole value of each row that it appends to. Why the changelog must be read to its end as well stands in
 * docs/exactly-once.md.
 *
 * Rows are collected and written sorted, together with the position (seq, nonce) of the last
 * transaction that they complete: on disk is always a prefix of the committed transactions.
 *
 * It is fed: it has no reader, no thread and no clock of its own. The store's partition is the
 * follower's alone from create to destroy: that is the right to write it.
 */
#ifndef WEIR_PROCESSOR_ENGINE_FOLLOWER_H
#define WEIR_PROCESSOR_ENGINE_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/log_port.h"
#include "state/changelog.h"
#include "state/store.h"

struct follower;

enum follower_source { FOLLOWER_READS_TAIL, FOLLOWER_READS_CHANGELOG };

struct follower_stats {
    enum follower_source source;
    bool connected;       /* rows are complete up to seq */
    uint64_t seq;         /* of the last transaction read */
    uint64_t written_seq; /* that the store has */
    uint64_t rows;        /* read, in all */
    uint64_t reloads;     /* times the changelog was begun */
};

/* Of the identity everything counts but the incarnation, which it learns. Opens the partition `name`;
 * rows that cannot be read are dropped. */
MUST_CHECK enum status follower_create(struct follower **out, struct store *borrowed,
                                       const char *name, const struct state_identity *identity,
                                       struct error *err);
/* Closes the partition; rows that were not written are forgotten. NULL-safe. */
void follower_destroy(struct follower **follower);

/* Which topic it wants to be fed with, and from where (-2: from the beginning). */
enum follower_source follower_source(const struct follower *follower);
int64_t follower_offset(const struct follower *follower);

/* A record of that topic, an end or an "out of range". Afterwards source and offset may have
 * changed: *moved says that it must be read from elsewhere. */
MUST_CHECK enum status follower_feed(struct follower *follower, const struct log_record *record,
                                     bool *moved, struct error *err);

/* Bytes of rows that wait to be written; the owner of the follower bounds them. */
uint64_t follower_waiting_bytes(const struct follower *follower);
/* Writes them. */
MUST_CHECK enum status follower_write(struct follower *follower, struct error *err);
/* What was written survives the death of the process. */
MUST_CHECK enum status follower_flush(struct follower *follower, struct error *err);
struct follower_stats follower_stats(const struct follower *follower);

#endif
