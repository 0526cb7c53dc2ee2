/* weir export: a past range of the input, for backtests and audits. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/offline/export.h"
#include "schemas/rfc3339.h"

static enum status parse_bound(const struct arguments *arguments, const char *option, struct export_bound *out,
                               struct error *err)
{
    const char *text = arguments_text(arguments, option, NULL);
    char *end;
    int64_t us;
    *out = (struct export_bound){ .offset = 0 };
    if (text == NULL)
        return ST_OK;
    if (rfc3339_parse_time(&us, bytes_of_string(text))) {
        out->has_time = true;
        out->time_ms = us / 1000;
        return ST_OK;
    }
    errno = 0;
    out->offset = strtoll(text, &end, 10);
    out->has_offset = errno == 0 && end != text && *end == '\0' && out->offset >= 0;
    if (out->has_offset)
        return ST_OK;
    return FAIL(err, ST_INVALID, "--%s takes a time like 2026-01-31T12:00:00Z or an offset, not '%s'", option, text);
}

static bool reads_avro(const struct plan *plan)
{
    bool avro = false;
    for (size_t i = 0; i < plan->stream_count; i++)
        avro |= plan->streams[i].format == FORMAT_AVRO;
    for (size_t i = 0; i < plan->table_count; i++)
        avro |= plan->tables[i].format == FORMAT_AVRO;
    return avro;
}

static enum status count_partitions(struct connection *connection, int32_t *counts, struct error *err)
{
    for (int i = 0; i < connection->topics.count; i++) {
        const struct topic *topic = &connection->topics.items[i];
        if (topic->role != TOPIC_STREAM && topic->role != TOPIC_TABLE)
            continue;
        TRY(kafka_admin_count_partitions(connection->admin, topic->name, &counts[i], NULL, err));
        if (counts[i] == 0)
            return FAIL(err, ST_NOT_FOUND, "topic '%s' does not exist", topic->name);
    }
    return ST_OK;
}

static enum status export_to(struct connection *connection, struct export_options *options, struct error *err)
{
    AUTO(registry_close) struct registry *registry = NULL;
    struct export_result result;
    if (reads_avro(connection->plan))
        TRY(config_open_registry(&connection->config, &registry, err));
    options->registry = registry;
    TRY(kafka_reader_open(&options->reader, &connection->kafka, err));
    const enum status st = export_run(&result, options, err);
    options->reader->type->close(options->reader);
    if (st == ST_OK)
        printf("%s: %" PRIu64 " records, %" PRIu64 " of them to warm up, %" PRIu64 " bytes, %" PRIu64 " schemas\n",
               options->path, result.records, result.warm_up, result.bytes, result.schemas);
    return st;
}

static enum status run_with(struct connection *connection, const struct arguments *arguments, struct error *err)
{
    TRY(connection_open(connection, arguments, err));
    int32_t *counts = mem_alloc_array((size_t)connection->topics.count, sizeof *counts);
    struct export_options options = {
        .plan = connection->plan,
        .topics = &connection->topics,
        .partition_counts = counts,
        .cold = arguments_has(arguments, "no-warm-up"),
        .path = arguments_text(arguments, "output", "export.avro"),
    };
    enum status st = parse_bound(arguments, "from", &options.from, err);
    if (st == ST_OK)
        st = parse_bound(arguments, "to", &options.to, err);
    if (st == ST_OK)
        st = count_partitions(connection, counts, err);
    if (st == ST_OK)
        st = export_to(connection, &options, err);
    mem_free(counts);
    return st;
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
    { "from", "TIME|OFFSET", "Where the range begins; default: the beginning." },
    { "to", "TIME|OFFSET", "Where it ends, itself not included; default: what is there now." },
    { "no-warm-up", NULL, "Leave out what lies before --from and is looked back to." },
    { "output", "FILE", "The file, .avro; default: export.avro. Schemas go to FILE.schemas/." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_export = {
    .name = "export",
    .operands = "TOPOLOGY",
    .summary = "Write a past range of the input to a file, for backtests and audits.",
    .description = "Reads streams from --from to --to (record times, or offsets of every partition) and tables up to now, and keeps\n"
                   "topic, partition, offset and timestamp of every record. Before --from comes what the range's events look back to:\n"
                   "`weir backtest` reads it silently, so that it decides as it was decided then.",
    .example = "weir export velocity.yaml --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z --output january.avro",
    .options = options,
    .run = run,
};
