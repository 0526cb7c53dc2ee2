/* weir reset: forgets a topology's state, so that it starts anew. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/kafka/topic_check.h"

static bool is_state(enum topic_role role, bool with_journal)
{
    return role == TOPIC_TAIL || role == TOPIC_CHANGELOG || role == TOPIC_REFERENCE ||
           (with_journal && role == TOPIC_JOURNAL);
}

static enum status forget(struct connection *connection, const struct arguments *arguments, struct error *err)
{
    const bool with_journal = arguments_has(arguments, "journal");
    TRY(connection_check_stopped(connection, err));
    TRY(kafka_admin_delete_group(connection->admin, connection->plan->name, err));
    puts("deleted the group's offsets");
    for (int i = 0; i < connection->topics.count; i++) {
        const struct topic *topic = &connection->topics.items[i];
        if (!is_state(topic->role, with_journal))
            continue;
        TRY(kafka_admin_delete_topic(connection->admin, topic->name, err));
        printf("deleted %s\n", topic->name);
    }
    struct topic_findings findings;
    const struct topic_check_options options = {
        .plan = connection->plan,
        .topics = &connection->topics,
        .replication = (int)connection->config.replication,
        .dev = connection->config.dev || arguments_has(arguments, "dev"),
        .create = true,
    };
    TRY(topic_check_run(&findings, connection->admin, &options, err));
    for (size_t i = 0; i < findings.count; i++) {
        if (findings.items[i].state == TOPIC_MADE)
            printf("made %s\n", findings.items[i].topic);
    }
    puts("local state is replaced at the next start; reading starts where `start` says");
    return ST_OK;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct connection connection;
    enum status st = connection_open(&connection, arguments, &err);
    if (st == ST_OK && !arguments_has(arguments, "yes"))
        st = FAIL(&err, ST_INVALID, "this forgets all that '%s' knows of every customer; say --yes if you mean it",
                  connection.plan->name);
    if (st == ST_OK)
        st = forget(&connection, arguments, &err);
    connection_close(&connection);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "yes", NULL, "Do it." },
    { "journal", NULL, "Delete the journal too, the record of what was processed and decided." },
    { "dev", NULL, "One broker is enough: replication 1." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_reset = {
    .name = "reset",
    .operands = "TOPOLOGY",
    .summary = "Forget a topology's state and offsets, so that it starts anew.",
    .description = "Deletes the group's offsets and the topics tail, changelog and reference, and makes them again, empty.\n"
                   "Every process of the topology must be stopped. Inputs and alerts stay.",
    .example = "weir reset velocity.yaml --yes",
    .options = options,
    .run = run,
};
