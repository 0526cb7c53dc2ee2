/* weir plan: what a topology will read, keep, compute and write; and need, under a load. */
#include <inttypes.h>
#include <stdio.h>

#include "processor/cli/capacity.h"
#include "processor/cli/command.h"
#include "processor/cli/config.h"
#include "processor/cli/load.h"

enum { PERCENT = 100 };

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

/* ---- under a load ---- */

static enum status number_option(const struct arguments *arguments, const char *name, const char *otherwise, bool rate,
                                 double *out, struct error *err)
{
    const char *text = arguments_text(arguments, name, otherwise);
    if (text == NULL)
        return FAIL(err, ST_INVALID, "--load and --keys go together: --load 50000/s --keys 5000000");
    return capacity_number(text, name, rate, out, err);
}

/* Of a pod, as it will be configured. */
static enum status read_settings(struct capacity_load *out, const struct arguments *arguments, struct error *err)
{
    struct config config = { 0 };
    const enum status st = config_load(&config, arguments_text(arguments, "config", NULL), err);
    out->memory_bytes = config.memory_bytes;
    out->workers = config.workers;
    out->commit_interval_us = config.commit_interval_us;
    out->alert_floor_us = config.alert_floor_us;
    out->checkpoint_interval_us = config.checkpoint_interval_us;
    out->replication = config.dev ? 1 : config.replication;
    config_fini(&config);
    return st;
}

static enum status read_load(struct capacity_load *out, const struct arguments *arguments, struct error *err)
{
    const char *load = arguments_text(arguments, "load", NULL);
    double percent;
    int64_t pods;
    TRY(number_option(arguments, "load", NULL, true, &out->events_per_s, err));
    TRY(number_option(arguments, "average", load, true, &out->average_per_s, err));
    TRY(number_option(arguments, "keys", NULL, false, &out->keys, err));
    TRY(number_option(arguments, "text-bytes", "12", false, &out->text_bytes, err));
    TRY(number_option(arguments, "alerts", "0.1", false, &percent, err));
    TRY(arguments_integer(arguments, "pods", 0, &pods, err));
    if (pods < 0 || pods > INT32_MAX)
        return FAIL(err, ST_INVALID, "--pods %" PRId64 " is no number of pods", pods);
    if (percent > PERCENT)
        return FAIL(err, ST_INVALID, "--alerts %g: more than all events cannot alert; it is in percent", percent);
    out->alert_share = percent / PERCENT;
    out->pods = (int)pods;
    return read_settings(out, arguments, err);
}

static enum status estimate(const struct plan *plan, const struct arguments *arguments, struct buffer *out, struct error *err)
{
    struct capacity_load load = { 0 };
    struct capacity capacity;
    TRY(read_load(&load, arguments, err));
    TRY(capacity_estimate(plan, &load, &capacity, err));
    capacity_describe(plan, &load, &capacity, arguments_has(arguments, "json"), out);
    return ST_OK;
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
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    if (!arguments_has(arguments, "load") && !arguments_has(arguments, "keys"))
        plan_describe(plan, arguments_has(arguments, "json"), &text);
    else if (estimate(plan, arguments, &text, &err) != ST_OK)
        return command_failed(&err);
    fwrite(buffer_view(&text).data, 1, text.size, stdout);
    return EXIT_CODE_OK;
}

static const struct option options[] = {
    { "load", "RATE", "With --keys: estimate what so many events a second need, at the busiest: 50000/s, 50k/s." },
    { "keys", "N", "How many keys come up within the time that is remembered: 5000000, 5M." },
    { "average", "RATE", "For the estimate: over the time that is remembered; default: as --load." },
    { "pods", "N", "For the estimate; default: as many as keep each half busy." },
    { "alerts", "PERCENT", "For the estimate: of the events, how many alert; default 0.1." },
    { "text-bytes", "N", "For the estimate: how long a remembered text is; default 12." },
    { "config", "FILE", "For the estimate: the settings of a pod; default: ./weir.yaml." },
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
                   "the operands that may be null, and the topics that will be written. With --load and --keys: the\n"
                   "processors, memory, disk, partitions and pods that a load needs.",
    .example = "weir plan topologies/card-fraud-local.yaml",
    .options = options,
    .run = run,
};
