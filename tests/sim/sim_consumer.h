/*
 * sim_consumer: a client's membership, as librdkafka leads it: a thread of its own sends heartbeats
 * and joins, the application is told by poll and answers with assign. One per port.
 */
#ifndef WEIR_TESTS_SIM_CONSUMER_H
#define WEIR_TESTS_SIM_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/engine/log_port.h"

struct sim_cluster;
struct sim_consumer;
struct sim_member;

/* Borrows the instance id and the map of topics (sim_fetch.h). instance NULL: dynamic. */
void sim_consumer_create(struct sim_consumer **out, struct sim_cluster *cluster,
                         const char *instance, const int *topics, size_t topic_count);
/* A static member keeps its place, and so does a dynamic one that did not leave. */
void sim_consumer_destroy(struct sim_consumer **consumer);
/* The process is gone, or stands still: no heartbeats, nothing noticed. */
void sim_consumer_kill(struct sim_consumer *consumer);
void sim_consumer_freeze(struct sim_consumer *consumer, bool frozen);
void sim_consumer_leave(struct sim_consumer *consumer);
/* An old join of its own takes its place: it will hear that it is fenced. */
void sim_consumer_displace(struct sim_consumer *consumer);
/* A new client of the same instance; it has not subscribed. */
void sim_consumer_start_again(struct sim_consumer *consumer);

void sim_consumer_subscribe(struct sim_consumer *consumer, const int *topics, size_t count);
void sim_consumer_assign(struct sim_consumer *consumer, const struct log_position *positions,
                         size_t count);
MUST_CHECK enum status sim_consumer_poll(struct sim_consumer *consumer, int64_t timeout_us,
                                         struct log_batch *out, struct error *err);

/* The member and the generation that may commit; ST_REASSIGNED when the client knows better. */
MUST_CHECK enum status sim_consumer_metadata(const struct sim_consumer *consumer, int64_t *member,
                                             int32_t *generation, struct error *err);

/* --- what the group says ---------------------------------------------------------------------- */
void sim_consumer_on_assigned(struct sim_cluster *cluster, const struct sim_member *member);
/* Something will be noticed with the next heartbeat. */
void sim_consumer_plan_heartbeat(struct sim_cluster *cluster, int64_t number);

#endif
