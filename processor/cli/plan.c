/* weir plan: what a topology will read, keep, compute and write. */
#include <stdio.h>

#include "processor/cli/command.h"
#include "processor/cli/load.h"

/* What becomes of the state that the old file made. */
static int compare(const struct plan *plan, const char *old_path, const struct arguments *arguments)
{
    struct error err;
    AUTO(plan_destroy) struct plan *old = NULL;
    if (load_topology_file(&old, old_path, arguments, NULL, &err) != ST_OK)
        return command_failed(&err);
    AUTO(buffer_fini) struct buffer signature, changes;
    buffer_init(&signature);
    buffer_init(&changes);
    plan_state_signature(old, &signature);
    if (plan_check_state_change(plan, buffer_view(&signature), &changes, &err) != ST_OK) {
        printf("refused: %s\n", err.text);
        return EXIT_CODE_DIFFERS;
    }
    printf("the state is kept\n%s", changes.size == 0 ? "nothing that it depends on changes\n" : buffer_text(&changes));
    return EXIT_CODE_OK;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    AUTO(plan_destroy) struct plan *plan = NULL;
    const char *old_path = arguments_text(arguments, "changed-from", NULL);
    if (load_topology(&plan, arguments, NULL, &err) != ST_OK)
        return command_failed(&err);
    if (old_path != NULL)
        return compare(plan, old_path, arguments);
    struct buffer text;
    buffer_init(&text);
    plan_describe(plan, arguments_has(arguments, "json"), &text);
    fwrite(buffer_view(&text).data, 1, text.size, stdout);
    buffer_fini(&text);
    return EXIT_CODE_OK;
}

static const struct option options[] = {
    { "changed-from", "OLD", "The file that ran until now: what becomes of its state? Exit code 3: refused." },
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
