/*
 * demo_traffic: the demo's payments on a thread of their own: the last six hours at once, then, when
 * the workers have caught up, payments as time goes by, and every minute one attack of each kind.
 */
#ifndef WEIR_PROCESSOR_CLI_DEMO_TRAFFIC_H
#define WEIR_PROCESSOR_CLI_DEMO_TRAFFIC_H

#include <stdatomic.h>

#include "base/error.h"
#include "processor/cli/demo_board.h"
#include "processor/cli/service.h"
#include "processor/cli/traffic.h"

struct demo_traffic;

/* All borrowed until destroy. */
struct demo_traffic_options {
    struct traffic *traffic;
    struct service *service;
    struct demo_board *board;
    const atomic_bool *interrupted;
    uint64_t seed;
    double per_second;
    double poison_share;
    int64_t seconds; /* of live payments; 0: until interrupted */
};

/* Writes the tables, too. */
MUST_CHECK enum status demo_traffic_create(struct demo_traffic **out,
                                           const struct demo_traffic_options *options,
                                           struct error *err);
void demo_traffic_destroy(struct demo_traffic **traffic);

void demo_traffic_start(struct demo_traffic *traffic);
/* Set when the last payment was sent and processed, or a payment could not be sent. */
const atomic_bool *demo_traffic_done(const struct demo_traffic *traffic);
/* Ends it early, and waits. Its first failure. */
MUST_CHECK enum status demo_traffic_join(struct demo_traffic *traffic, struct error *err);

/* Records that all workers processed together. */
struct demo_totals demo_traffic_totals(const struct service *service);

#endif
