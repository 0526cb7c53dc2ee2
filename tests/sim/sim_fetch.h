/*
 * sim_fetch: read_committed reading of some partitions: what a consumer's fetcher hands out, and in
 * which order. Ends are told once per place where they are reached, a position outside of the
 * partition once until the next assignment. Records keep their payload until released.
 */
#ifndef WEIR_TESTS_SIM_FETCH_H
#define WEIR_TESTS_SIM_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "processor/engine/log_port.h"

struct sim_cluster;
struct sim_fetch;

/* `topics` maps the caller's numbers to the cluster's, -1 where there is no such topic. */
void sim_fetch_create(struct sim_fetch **out, struct sim_cluster *cluster, const int *topics,
                      size_t topic_count);
void sim_fetch_destroy(struct sim_fetch **fetch);
void sim_fetch_assign(struct sim_fetch *fetch, const struct log_position *positions, size_t count);
/* What is there now. */
void sim_fetch_poll(struct sim_fetch *fetch, struct log_batch *out);
void sim_fetch_release(const struct log_record *records, size_t count);

#endif
