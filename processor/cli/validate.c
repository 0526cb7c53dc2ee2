/* weir validate: is the topology sound? */
#include <stdio.h>

#include "processor/cli/command.h"
#include "processor/cli/load.h"

static int run(const struct arguments *arguments)
{
    struct error err;
    AUTO(plan_destroy) struct plan *plan = NULL;
    if (load_topology(&plan, arguments, NULL, &err) != ST_OK)
        return command_failed(&err);
    printf("%s: sound: %zu stream%s, %zu table%s, %zu rule%s\n", arguments->operands[0], plan->stream_count,
           plan->stream_count == 1 ? "" : "s", plan->table_count, plan->table_count == 1 ? "" : "s", plan->rule_count,
           plan->rule_count == 1 ? "" : "s");
    return EXIT_CODE_OK;
}

static const struct option options[] = {
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_validate = {
    .name = "validate",
    .operands = "TOPOLOGY",
    .summary = "Check a topology: every mistake with file:line:column.",
    .description = "Checks the file completely: what is wrong, where, and what would be right. Exit code 0: sound, 2: not.",
    .example = "weir validate topologies/card-fraud-local.yaml",
    .options = options,
    .run = run,
};
