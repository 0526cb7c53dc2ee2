/*
 * tampering: what somebody does to the group's offsets and to the inputs while no process lives:
 * offsets that expire, are reset, or go back with the coordinator's log; an input that is deleted
 * and made again. Whoever opens such a partition must give it up, for the reason that is known
 * here, and leave everything as it is. Then offsets can be put back from the tail's last record,
 * as `weir recover` does.
 */
#ifndef WEIR_TESTS_SIM_TAMPERING_H
#define WEIR_TESTS_SIM_TAMPERING_H

#include "base/arena.h"
#include "disk.h"
#include "fixture.h"
#include "sim_cluster.h"

enum tampering_kind {
    TAMPER_OFFSETS_GONE,
    TAMPER_OFFSETS_WITHOUT_M, /* as a tool of Kafka resets them */
    TAMPER_OFFSETS_OLDER,     /* with the M of then, where the disk knows better */
    TAMPER_OFFSET_GONE,       /* of the stream, not of its table */
    TAMPER_INPUT_REPLACED,    /* at least as many records, others */
    TAMPER_INPUT_SHORTER,
    TAMPERING_KINDS
};

struct tampering_options {
    int variant;
    int32_t partitions;
    struct sim_cluster *cluster; /* borrowed */
    uint64_t seed;
};

struct tampering;
void tampering_create(struct tampering **out, const struct tampering_options *options);
void tampering_destroy(struct tampering **tampering);
/* While the world runs, after a commit: what may be the older offsets. */
void tampering_remember(struct tampering *tampering);
/* Returns to how many partitions something was done. */
int tampering_do(struct tampering *tampering, enum tampering_kind kind, const struct disk *disk);
/* Why whoever opens the partition must give it up; ST_OK: nothing was done to it. */
enum status tampering_expects(const struct tampering *tampering, int32_t partition);
/* Are the offsets those that were put there? */
bool tampering_is_as_left(const struct tampering *tampering);
/* Puts the offsets back; an input that was made again stays. False: the tail says something else
 * than what was committed. */
bool tampering_undo(struct tampering *tampering);

#endif
