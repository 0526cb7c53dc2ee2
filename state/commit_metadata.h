/*
 * commit_metadata: "M", what is committed with the input offsets of every transaction, on every
 * input partition of a task, and repeated in every tail record. It names the state that belongs to
 * the offsets:
 *
 *     v=1 seq=SEQ nonce=HEX16 tail=OFFSET ckpt=SEQ:OFFSET:NUMBER inc=HEX16 ref=OFFSET rel=0|1
 *     ids=ID[,ID]
 *
 * On one line with single spaces, printable ASCII, at most COMMIT_METADATA_SIZE - 1 bytes (the
 * broker's limit is 4096). An id has neither spaces nor commas; `ids=` alone means none. Numbers as
 * printf writes them. Fields in this order; a reader ignores fields that it does not know (a newer
 * version adds at the end) and refuses a higher v.
 */
#ifndef WEIR_STATE_COMMIT_METADATA_H
#define WEIR_STATE_COMMIT_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum { COMMIT_METADATA_SIZE = 1024, COMMIT_OWNER_ID_SIZE = 256, COMMIT_OWNER_IDS_MAX = 2 };

struct commit_checkpoint {
    uint64_t seq;        /* state up to and with this seq is in the changelog */
    int64_t tail_offset; /* a lower bound of where seq + 1 starts in the tail */
    uint64_t number;     /* counts checkpoints; the end mark carries it */
};

struct commit_metadata {
    uint64_t seq;        /* counts transactions of the task from 1; 0: none yet */
    uint64_t nonce;      /* random per transaction: seq alone is no identity */
    int64_t tail_offset; /* a lower bound of where this seq's tail record lies */
    struct commit_checkpoint checkpoint;
    uint64_t incarnation;     /* random, made with the state; changes with `weir reset` */
    int64_t reference_offset; /* everywhere tables were adopted up to here; 0: nothing */
    bool released;            /* the owner gave the partition up in this transaction */
    int owner_count;          /* transactional ids of the owner */
    char owners[COMMIT_OWNER_IDS_MAX][COMMIT_OWNER_ID_SIZE];
};

/* Writes the text and a NUL; returns its length. */
int commit_metadata_format(char out[COMMIT_METADATA_SIZE], const struct commit_metadata *metadata);
/* ST_CORRUPT when it is not ours, ST_FORMAT_NEWER when a newer version wrote it. */
MUST_CHECK enum status commit_metadata_parse(struct commit_metadata *out, struct bytes text,
                                             struct error *err);

#endif
