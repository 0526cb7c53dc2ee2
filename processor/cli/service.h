/*
 * service: everything that runs in one process: store, registry, workers on their threads, the HTTP port. `weir run` and `weir
 * demo` differ only in where its parts come from.
 */
#ifndef WEIR_PROCESSOR_CLI_SERVICE_H
#define WEIR_PROCESSOR_CLI_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "processor/cli/config.h"
#include "processor/engine/worker.h"
#include "processor/kafka/kafka_mock.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"

struct service;

struct service_options {
    const struct plan *plan;
    const struct config *config;
    struct registry *registry; /* borrowed; NULL when nothing is Avro */
    struct kafka_mock *mock;   /* the demo's cluster, or NULL */
    /* On a worker's thread, after the output's transaction committed; or NULL. */
    void (*on_output)(void *context, const struct output *output);
    void *on_output_context;
};

/* Opens store, ports and workers, registers the outputs' schemas; nothing is processed yet. */
MUST_CHECK enum status service_open(struct service **out, const struct service_options *options, struct error *err);
/* Processes until *stop is set or a worker fails; then lets every worker finish cleanly. The first failure is the result. */
MUST_CHECK enum status service_run(struct service *service, const atomic_bool *stop, struct error *err);
/* Summed over workers; for the demo's summary. Free with worker_stats_fini each. */
size_t service_worker_count(const struct service *service);
void service_stats(struct service *service, size_t worker, struct worker_stats *out);
void service_close(struct service **service);

#endif
