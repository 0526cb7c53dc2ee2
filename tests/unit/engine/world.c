#include "world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/memory.h"
#include "processor/topology/topology.h"

enum { START_S = 1767225600 }; /* 2026-01-01T00:00:00Z */

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Payment\",\"fields\":["
    "{\"name\":\"id\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"user\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"cents\",\"type\":\"long\",\"default\":0},"
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null}]}";

static bool find_schema(void *context, const char *name, struct bytes *content)
{
    (void)context;
    (void)name;
    *content = bytes_of_string(schema);
    return true;
}

static void make_task(struct world *world)
{
    const struct task_options options = {
        .plan = world->plan, .overlay = world->overlay, .mode = ALERT_LIVE, .cache_bytes = 1 << 20,
    };
    struct error err;
    cr_assert_eq(task_create(&world->task, &options, &err), ST_OK, "%s", err.text);
}

void world_open(struct world *world, const char *stream, const char *features, const char *rules)
{
    *world = (struct world){ .next_offset = 0 };
    AUTO(mem_auto_free) char *text = mem_format(
        "topology: test\nstreams:\n  payments:\n    topic: payments\n    format: json\n    schema: payment.avsc\n"
        "    key: user\n    id: id\n    time: at\n%s%s%srules:\n%soutputs:\n"
        "  alerts: { topic: alerts, format: avro }\n",
        stream, features[0] == '\0' ? "" : "features:\n", features, rules);
    const struct topology_options options = { .find_embedded = find_schema };
    struct diagnostics diagnostics;
    struct error err;
    struct buffer wrong;
    buffer_init(&wrong);
    diagnostics_init(&diagnostics, "test.yaml");
    const enum status st = topology_load_text(&world->plan, "test.yaml", bytes_of_string(text), &options,
                                              &diagnostics, &err);
    diagnostics_format(&diagnostics, &wrong);
    cr_assert_eq(st, ST_OK, "%s%s", buffer_text(&wrong), err.text);
    buffer_fini(&wrong);
    diagnostics_fini(&diagnostics);

    store_open_memory(&world->store);
    cr_assert_eq(world->store->type->partition_open(world->store, &world->partition, "task-00000", &err), ST_OK);
    const struct overlay_options overlay = { .cache_bytes = 1 << 20 };
    overlay_create(&world->overlay, world->partition, &overlay);
    make_task(world);
}

void world_close(struct world *world)
{
    task_destroy(&world->task);
    overlay_destroy(&world->overlay);
    world->partition->type->partition_close(world->partition);
    store_close(&world->store);
    plan_destroy(&world->plan);
    buffer_fini(&world->log);
}

void world_feed(struct world *world, const char *key, const char *json)
{
    const struct input_record input = {
        .topic = "payments",
        .offset = world->next_offset++,
        .timestamp_ms = (int64_t)START_S * 1000,
        .reference_ms = (int64_t)(START_S + 400 * 86400) * 1000,
        .key = key == NULL ? BYTES_NONE : bytes_of_string(key),
        .value = json == NULL ? BYTES_NONE : bytes_of_string(json),
    };
    struct error err = { .status = ST_OK };
    cr_assert_eq(task_process(world->task, &input, &err), ST_OK, "%s", err.text);
}

void world_pay(struct world *world, const char *id, const char *user, double at_s, int64_t cents)
{
    AUTO(mem_auto_free) char *json =
        mem_format("{\"id\":\"%s\",\"user\":\"%s\",\"at\":%lld,\"cents\":%lld}", id, user,
                   (long long)((double)START_S * 1000 + at_s * 1000), (long long)cents);
    world_feed(world, user, json);
}

static void log_output(struct world *world, const struct output *output)
{
    if (output->kind == OUTPUT_DEAD_LETTER) {
        buffer_printf(&world->log, "dead %s %.*s\n", status_reason(output->reason),
                      (int)output->headers[4].value.size, (const char *)output->headers[4].value.data);
        return;
    }
    const struct alert *alert = output->alert;
    buffer_printf(&world->log, "%s %.*s", alert->rule->name, (int)alert->event.id.size,
                  (const char *)alert->event.id.data);
    if (alert->has_cause)
        buffer_printf(&world->log, " caused by %.*s", (int)alert->cause.id.size, (const char *)alert->cause.id.data);
    buffer_put_u8(&world->log, '\n');
}

void world_commit(struct world *world)
{
    struct error err = { .status = ST_OK };
    cr_assert_eq(task_prepare_commit(world->task, &err), ST_OK, "%s", err.text);
    const struct outputs *outputs = task_outputs(world->task);
    for (size_t i = 0; i < outputs_count(outputs); i++)
        log_output(world, outputs_at(outputs, i));
    overlay_commit(world->overlay);
    task_commit(world->task);
}

void world_abort(struct world *world)
{
    overlay_abort(world->overlay);
    task_abort(world->task);
}

void world_restart(struct world *world)
{
    task_destroy(&world->task);
    overlay_abort(world->overlay);
    make_task(world);
}

const char *world_log(struct world *world)
{
    return buffer_text(&world->log);
}
