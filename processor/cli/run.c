/* weir run: the topology, live, against Kafka. */
#include <stdio.h>

#include "base/log.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/cli/interrupt.h"
#include "processor/cli/load.h"
#include "processor/cli/patience.h"
#include "processor/cli/service.h"
#include "processor/kafka/topic_check.h"

static enum status serve(const struct plan *plan, const struct config *config, struct registry *registry,
                         const atomic_bool *stop, struct error *err)
{
    AUTO(service_close) struct service *service = NULL;
    const struct service_options options = { .plan = plan, .config = config, .registry = registry };
    const struct clock clock = clock_real();
    struct patience patience;
    patience_init(&patience, &clock, stop);
    while (service == NULL) {
        const enum status st = service_open(&service, &options, err);
        if (st != ST_OK && !patience_lasts(&patience, err))
            return patience_result(&patience, st);
    }
    LOG_INFO("run.started", "topology=%s workers=%zu", plan->name, service_worker_count(service));
    return service_run(service, stop, err);
}

/* Missing internal topics are made; what would lose state is refused before anything is read. */
static enum status check_topics(struct connection *connection, struct error *err)
{
    const struct topic_check_options options = {
        .plan = connection->plan,
        .topics = &connection->topics,
        .replication = (int)connection->config.replication,
        .dev = connection->config.dev,
        .create = connection->config.create_topics,
    };
    struct topic_findings findings;
    TRY(topic_check_run(&findings, connection->admin, &options, err));
    for (size_t i = 0; i < findings.count; i++) {
        const struct topic_finding *finding = &findings.items[i];
        if (finding->state == TOPIC_MADE)
            LOG_INFO("topic.made", "topic=%s partitions=%d", finding->topic, (int)finding->partition_count);
        else if (finding->state != TOPIC_FINE)
            return FAIL(err, ST_NOT_FOUND, "topic '%s' %s", finding->topic, finding->text);
    }
    return ST_OK;
}

static enum status prepare_topics(struct connection *connection, const atomic_bool *stop, struct error *err)
{
    const struct clock clock = clock_real();
    struct patience patience;
    enum status st;
    patience_init(&patience, &clock, stop);
    do
        st = check_topics(connection, err);
    while (st != ST_OK && patience_lasts(&patience, err));
    return patience_result(&patience, st);
}

static enum status run_with(struct connection *connection, const struct arguments *arguments, struct error *err)
{
    AUTO(registry_close) struct registry *registry = NULL;
    const atomic_bool *stop = interrupt_flag();
    TRY(connection_open(connection, arguments, err));
    TRY(prepare_topics(connection, stop, err));
    if (load_uses_avro(connection->plan))
        TRY(config_open_registry(&connection->config, &registry, err));
    return serve(connection->plan, &connection->config, registry, stop, err);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct connection connection;
    const enum status st = run_with(&connection, arguments, &err);
    connection_close(&connection);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "config", "FILE", "Settings; default: ./weir.yaml if it is there. WEIR_... in the environment wins." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_run = {
    .name = "run",
    .operands = "TOPOLOGY",
    .summary = "Run a topology, live, against Kafka.",
    .description = "Reads the topology's topics, keeps its state, evaluates its rules and writes alerts, exactly once.\n"
                   "SIGTERM commits, takes a checkpoint and leaves.",
    .example = "WEIR_BROKERS=kafka:9092 WEIR_REGISTRY_URL=http://registry:8081 weir run velocity.yaml",
    .options = options,
    .lists_settings = true,
    .run = run,
};
