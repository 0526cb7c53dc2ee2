/* connection: a command's way to Kafka without being a worker: its topology, settings, topics and an admin client. */
#ifndef WEIR_PROCESSOR_CLI_CONNECTION_H
#define WEIR_PROCESSOR_CLI_CONNECTION_H

#include "base/error.h"
#include "processor/cli/arguments.h"
#include "processor/cli/config.h"
#include "processor/engine/topics.h"
#include "processor/kafka/kafka_admin.h"
#include "processor/kafka/kafka_port.h"
#include "processor/topology/plan.h"

struct connection {
    struct config config;
    struct plan *plan;
    struct topics topics;
    const char **names;
    struct kafka_property properties[CONFIG_PROPERTIES_MAX];
    struct kafka_port_options kafka; /* brokers, properties, topics; no group */
    struct kafka_admin *admin;
};

/* Options used: --config, --schemas; the operand is the topology. On failure connection_close still has to be called. */
MUST_CHECK enum status connection_open(struct connection *out, const struct arguments *arguments, struct error *err);
void connection_close(struct connection *connection);
/* ST_REFUSED, with the number, while processes of the topology are members of its group. */
MUST_CHECK enum status connection_check_stopped(const struct connection *connection, struct error *err);

#endif
