/* weir run: the topology, live, against Kafka. */
#include <stdio.h>

#include "base/log.h"
#include "processor/cli/command.h"
#include "processor/cli/interrupt.h"
#include "processor/cli/load.h"
#include "processor/cli/service.h"

static bool uses_avro(const struct plan *plan)
{
    bool avro = plan->alerts.format == FORMAT_AVRO;
    for (size_t i = 0; i < plan->stream_count; i++)
        avro |= plan->streams[i].format == FORMAT_AVRO;
    for (size_t i = 0; i < plan->table_count; i++)
        avro |= plan->tables[i].format == FORMAT_AVRO;
    return avro;
}

static enum status serve(const struct plan *plan, const struct config *config, struct registry *registry,
                         const atomic_bool *stop, struct error *err)
{
    AUTO(service_close) struct service *service = NULL;
    const struct service_options options = { .plan = plan, .config = config, .registry = registry };
    TRY(service_open(&service, &options, err));
    LOG_INFO("run.started", "topology=%s workers=%zu", plan->name, service_worker_count(service));
    return service_run(service, stop, err);
}

static enum status run_with(const struct arguments *arguments, struct config *config, struct error *err)
{
    AUTO(plan_destroy) struct plan *plan = NULL;
    AUTO(registry_close) struct registry *registry = NULL;
    const atomic_bool *stop = interrupt_flag();
    TRY(config_load(config, arguments_text(arguments, "config", NULL), err));
    TRY(load_topology(&plan, arguments, config, err));
    if (config->brokers[0] == '\0')
        return FAIL(err, ST_INVALID, "where is Kafka? set brokers in weir.yaml, or WEIR_BROKERS");
    if (uses_avro(plan))
        TRY(config_open_registry(config, &registry, err));
    return serve(plan, config, registry, stop, err);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct config config = { .brokers = NULL };
    const enum status st = run_with(arguments, &config, &err);
    config_fini(&config);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "config", "FILE", "Settings; default: ./weir.yaml if it is there. WEIR_... in the environment wins." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { NULL },
};

const struct command command_run = {
    .name = "run",
    .operands = "TOPOLOGY",
    .summary = "Run a topology, live, against Kafka.",
    .description = "Reads the topology's topics, keeps its state, evaluates its rules and writes alerts, exactly once.\n"
                   "SIGTERM commits, takes a checkpoint and leaves. docs/operations.md lists the settings.",
    .example = "WEIR_BROKERS=kafka:9092 WEIR_REGISTRY_URL=http://registry:8081 weir run card-fraud.yaml",
    .options = options,
    .run = run,
};
