/* weir topics: the topics of a topology, checked and made. */
#include <stdio.h>

#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/kafka/topic_check.h"

static const char *state_name(enum topic_state state)
{
    static const char *const names[] = { "fine", "made", "MISSING", "WRONG" };
    return names[state];
}

static const char *role_name(enum topic_role role)
{
    static const char *const names[] = { "stream", "table", "alerts", "dead letters", "tail", "changelog", "journal",
                                         "reference" };
    return names[role];
}

static enum status check(const struct connection *connection, const struct arguments *arguments,
                         struct topic_findings *findings, struct error *err)
{
    int64_t partitions;
    TRY(arguments_integer(arguments, "partitions", 0, &partitions, err));
    const struct topic_check_options options = {
        .plan = connection->plan,
        .topics = &connection->topics,
        .replication = (int)connection->config.replication,
        .dev = connection->config.dev || arguments_has(arguments, "dev"),
        .create = arguments_has(arguments, "create"),
        .input_partitions = (int32_t)partitions,
    };
    return topic_check_run(findings, connection->admin, &options, err);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct connection connection;
    struct topic_findings findings = { .count = 0 };
    enum status st = connection_open(&connection, arguments, &err);
    if (st == ST_OK)
        st = check(&connection, arguments, &findings, &err);
    for (size_t i = 0; st == ST_OK && i < findings.count; i++)
        printf("%-40s %-12s %4d  %-7s %s\n", findings.items[i].topic, role_name(findings.items[i].role),
               (int)findings.items[i].partition_count, state_name(findings.items[i].state), findings.items[i].text);
    connection_close(&connection);
    if (st != ST_OK)
        return command_failed(&err);
    return findings.bad == 0 ? EXIT_CODE_OK : EXIT_CODE_DIFFERS;
}

static const struct option options[] = {
    { "create", NULL, "Make the outputs and internal topics that are missing." },
    { "partitions", "N", "Make missing inputs too, with so many partitions." },
    { "dev", NULL, "One broker is enough: replication 1." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_topics = {
    .name = "topics",
    .operands = "TOPOLOGY",
    .summary = "Check or make the topics that a topology needs.",
    .description = "Lists inputs, outputs and internal topics, with what is missing or set so that state could be lost.\n"
                   "Exit code 0: all fine, 3: something is not.",
    .example = "weir topics velocity.yaml --create",
    .options = options,
    .run = run,
};
