/*
 * sim_group: the group coordinator (the classic protocol, eager, range): members, generations, who
 * waits for whom, who timed out. A member is known by its number; a static one also by its instance
 * id, which keeps the place while no process holds it. It tells a client nothing by itself: what a
 * client learns it learns from a heartbeat (sim_consumer) or as the answer to its join.
 */
#ifndef WEIR_TESTS_SIM_GROUP_H
#define WEIR_TESTS_SIM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/engine/log_port.h"

struct sim_cluster;

enum { SIM_HEARTBEAT_US = 500 * 1000, SIM_NOBODY = -1 };

struct sim_member {
    int64_t number;     /* the member id; never used twice */
    char *instance;     /* NULL: dynamic */
    int64_t port;       /* whose connection it is */
    uint32_t topics;    /* subscribed: a bit each */
    bool joined;        /* in the rebalance that goes on */
    int64_t expires_us; /* no heartbeat comes any more; INT64_MAX: they come */
    struct log_partition *partitions;
    size_t count;
};

enum sim_group_state { SIM_GROUP_EMPTY, SIM_GROUP_PREPARING, SIM_GROUP_STABLE };

struct sim_group {
    enum sim_group_state state;
    int32_t generation;
    struct sim_member *members; /* in the order of the assignor */
    size_t count, capacity;
    int64_t numbers, rebalances;
};

void sim_group_fini(struct sim_group *group);
struct sim_member *sim_group_member(struct sim_group *group, int64_t number);
struct sim_member *sim_group_instance(struct sim_group *group, const char *instance);

/*
 * JoinGroup. `number` SIM_NOBODY: a new member, or the place of its instance. Returns its number,
 * or SIM_NOBODY when another process has the instance now. The assignment comes through
 * sim_consumer_on_assigned, perhaps before this returns.
 */
int64_t sim_group_join(struct sim_cluster *cluster, int64_t port, int64_t number,
                       const char *instance, uint32_t topics);
/* LeaveGroup, of a dynamic member. */
void sim_group_leave(struct sim_cluster *cluster, int64_t number);
/* No heartbeats come from now on; they come again. */
void sim_group_silence(struct sim_cluster *cluster, int64_t number);
void sim_group_resume(struct sim_cluster *cluster, int64_t number);
void sim_group_rebalance(struct sim_cluster *cluster);
/* An old join of the static member comes late and takes its place, for nobody. */
void sim_group_displace(struct sim_cluster *cluster, int64_t number);
/* What TxnOffsetCommit checks. */
bool sim_group_accepts(struct sim_cluster *cluster, int64_t number, int32_t generation);

#endif
