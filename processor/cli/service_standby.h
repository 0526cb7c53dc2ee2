/*
 * service_standby: a process's standbys (processor/engine/standby.h) with what they need of Kafka
 * and of the disk: readers with small queues, the group's members, the free space.
 */
#ifndef WEIR_PROCESSOR_CLI_SERVICE_STANDBY_H
#define WEIR_PROCESSOR_CLI_SERVICE_STANDBY_H

#include "base/error.h"
#include "processor/cli/config.h"
#include "processor/engine/standby.h"
#include "processor/kafka/kafka_port.h"
#include "processor/topology/plan.h"

struct service_standby;

struct service_standby_options {
    const struct config *config; /* borrowed, as is all of this */
    const struct plan *plan;
    const struct topics *topics;
    struct store *store;
    const char *identity;    /* of the process */
    struct log_port *port;   /* asked for the cluster's id and the partitions; not kept */
    struct kafka_mock *mock; /* or NULL */
};

MUST_CHECK enum status service_standby_open(struct service_standby **out,
                                            const struct service_standby_options *options,
                                            struct error *err);
/* NULL-safe. After the workers and before the store. */
void service_standby_close(struct service_standby **standby);
/* What the workers are given; NULL for NULL. */
struct standby *service_standby_of(struct service_standby *standby);

#endif
