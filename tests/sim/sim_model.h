/*
 * sim_model: what the parts of the simulated cluster share: the topics, the coordinators, the time,
 * the random numbers, the list of clients.
 */
#ifndef WEIR_TESTS_SIM_MODEL_H
#define WEIR_TESTS_SIM_MODEL_H

#include "sim_cluster.h"
#include "sim_group.h"
#include "sim_log.h"
#include "sim_offsets.h"
#include "sim_time.h"
#include "sim_transactions.h"

struct sim_topic_log {
    char *name;
    bool append_time;
    int32_t count;
    struct sim_partition *partitions;
    struct sim_offset *committed; /* the group's, by partition */
};

struct sim_consumer;

struct sim_cluster {
    struct sim_options options;
    struct prng prng;
    struct sim_time time;
    struct sim_topic_log topics[SIM_TOPICS_MAX];
    size_t topic_count;
    struct sim_transactions transactions;
    struct sim_offsets offsets;
    struct sim_group group;
    struct sim_consumer **consumers; /* by the port's number; NULL: closed */
    size_t consumer_count, consumer_capacity;
};

/* NULL: there is none. */
struct sim_partition *sim_model_partition(struct sim_cluster *cluster, int topic,
                                          int32_t partition);
int64_t sim_model_wall_ms(const struct sim_cluster *cluster);
/* Does a fault of this chance (in 10,000) happen? */
bool sim_model_chance(struct sim_cluster *cluster, uint32_t chance);
/* What a request costs: a microsecond, and with delays whatever they are. */
void sim_model_travel(struct sim_cluster *cluster);

#endif
