/*
 * sim_offsets: the group's committed offsets, and those that wait for their transaction's end.
 * While any wait, a stable reader is told so, not what was there before.
 */
#ifndef WEIR_TESTS_SIM_OFFSETS_H
#define WEIR_TESTS_SIM_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_log.h"

struct sim_cluster;

struct sim_offset {
    int64_t offset;               /* -1: none */
    uint64_t offered;             /* the latest offer counts, whoever commits last */
    struct sim_payload *metadata; /* in its value; NULL: none */
};

struct sim_pending {
    int64_t producer_id;
    int topic;
    int32_t partition;
    struct sim_offset offset;
};

struct sim_offsets {
    struct sim_pending *pending; /* oldest first */
    size_t count, capacity;
    uint64_t offers;
};

void sim_offsets_fini(struct sim_offsets *offsets);
/* Takes the metadata. */
void sim_offsets_offer(struct sim_cluster *cluster, const struct sim_pending *pending);
/* The marker: what the producer offered counts, or is forgotten. */
void sim_offsets_decide(struct sim_cluster *cluster, int64_t producer_id, bool commit);
bool sim_offsets_is_stable(const struct sim_cluster *cluster, int topic, int32_t partition);
/* Of this topic, or of all (-1). */
void sim_offsets_forget(struct sim_cluster *cluster, int topic);

#endif
