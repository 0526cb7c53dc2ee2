/* weir acknowledge: somebody has seen that a record was given up. */
#include <stdio.h>

#include "processor/cli/command.h"
#include "processor/cli/config.h"
#include "processor/cli/crash_ledger.h"

static enum status acknowledge(const char *state, bool list_only, struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    size_t count = 0;
    enum status st = crash_notices_list(state, &text, &count, err);
    if (st == ST_OK && !list_only)
        st = crash_notices_acknowledge(state, err);
    if (st == ST_OK)
        fputs(count == 0 ? "nothing to acknowledge\n" : buffer_text(&text), stdout);
    buffer_fini(&text);
    return st;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct config config;
    enum status st = config_load(&config, arguments_text(arguments, "config", NULL), &err);
    if (st == ST_OK) {
        st = acknowledge(config.state, arguments_has(arguments, "list"), &err);
        config_fini(&config);
    }
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "list", NULL, "Show them only." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { .name = NULL },
};

const struct command command_acknowledge = {
    .name = "acknowledge",
    .operands = "",
    .summary = "Acknowledge records at which the process died again and again.",
    .description = "A record at which the process died four times becomes a dead letter with the reason `crashed`, and the process\n"
                   "says that it is not ready until somebody has seen it. This shows those records and makes it ready again.\n"
                   "Run it where the process runs, with the same settings: it works on the state directory.",
    .example = "kubectl exec card-fraud-0 -- weir acknowledge",
    .options = options,
    .run = run,
};
