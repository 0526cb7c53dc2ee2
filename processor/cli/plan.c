/* weir plan: what a topology will read, keep, compute and write. */
#include <stdio.h>

#include "processor/cli/command.h"
#include "processor/cli/load.h"

static int run(const struct arguments *arguments)
{
    struct error err;
    AUTO(plan_destroy) struct plan *plan = NULL;
    if (load_topology(&plan, arguments, NULL, &err) != ST_OK)
        return command_failed(&err);
    struct buffer text;
    buffer_init(&text);
    plan_describe(plan, arguments_has(arguments, "json"), &text);
    fwrite(buffer_view(&text).data, 1, text.size, stdout);
    buffer_fini(&text);
    return EXIT_CODE_OK;
}

static const struct option options[] = {
    { "json", NULL, "As JSON." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_plan = {
    .name = "plan",
    .operands = "TOPOLOGY",
    .summary = "Show what a topology will read, keep, compute and write.",
    .description = "Shows streams, tables, what is remembered and for how long, features with their types, rules with\n"
                   "the operands that may be null, and the topics that will be written.",
    .example = "weir plan topologies/card-fraud-local.yaml",
    .options = options,
    .run = run,
};
