/* weir status: where a topology's partitions stand. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "state/commit_metadata.h"

static int find_topic(const struct topics *topics, const char *name)
{
    for (int i = 0; i < topics->count; i++) {
        if (strcmp(topics->items[i].name, name) == 0)
            return i;
    }
    return -1;
}

static enum status print_partition(struct connection *connection, struct log_reader *reader,
                                   const struct kafka_group_offset *offset, bool json, bool first, struct error *err)
{
    struct commit_metadata metadata = { .seq = 0 };
    const bool ours = commit_metadata_parse(&metadata, offset->metadata, NULL) == ST_OK;
    const int topic = find_topic(&connection->topics, offset->topic);
    int64_t low = 0, high = offset->offset;
    if (topic >= 0) {
        const struct log_partition at = { topic, offset->partition };
        TRY(reader->type->bounds(reader, at, false, &low, &high, err));
    }
    const int64_t lag = high > offset->offset ? high - offset->offset : 0;
    const char *owner = ours && metadata.owner_count > 0 ? metadata.owners[0] : "-";
    if (json)
        printf("%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"lag\":%" PRId64 ",\"seq\":%" PRIu64
               ",\"checkpoint\":%" PRIu64 ",\"owner\":\"%s\",\"released\":%s}", first ? "" : ",", offset->topic,
               offset->partition, offset->offset, lag, metadata.seq, metadata.checkpoint.seq, owner,
               metadata.released ? "true" : "false");
    else
        printf("%-28s %9" PRId32 " %12" PRId64 " %10" PRId64 " %10" PRIu64 " %10" PRIu64 "  %s%s\n", offset->topic,
               offset->partition, offset->offset, lag, metadata.seq, metadata.checkpoint.seq,
               ours ? owner : "offsets not set by weir", metadata.released ? " (released)" : "");
    return ST_OK;
}

static enum status print_all(struct connection *connection, bool json, struct error *err)
{
    struct kafka_group group;
    struct kafka_group_offsets offsets;
    struct log_reader *reader = NULL;
    TRY(kafka_admin_describe_group(connection->admin, connection->plan->name, &group, err));
    if (json)
        printf("{\"topology\":\"%s\",\"group\":\"%s\",\"members\":%zu,\"partitions\":[", connection->plan->name,
               group.state, group.member_count);
    else
        printf("%s: group is %s, %zu member%s\n\n%-28s %9s %12s %10s %10s %10s  %s\n", connection->plan->name, group.state,
               group.member_count, group.member_count == 1 ? "" : "s", "topic", "partition", "offset", "lag", "commits",
               "checkpoint", "owner");
    kafka_group_fini(&group);
    TRY(kafka_admin_group_offsets(connection->admin, connection->plan->name, &offsets, err));
    enum status st = kafka_reader_open(&reader, &connection->kafka, err);
    for (size_t i = 0; i < offsets.count && st == ST_OK; i++)
        st = print_partition(connection, reader, &offsets.items[i], json, i == 0, err);
    if (json)
        puts("]}");
    if (reader != NULL)
        reader->type->close(reader);
    kafka_group_offsets_fini(&offsets);
    return st;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct connection connection;
    enum status st = connection_open(&connection, arguments, &err);
    if (st == ST_OK)
        st = print_all(&connection, arguments_has(arguments, "json"), &err);
    connection_close(&connection);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "json", NULL, "As JSON." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_status = {
    .name = "status",
    .operands = "TOPOLOGY",
    .summary = "Show where a topology's partitions stand: offsets, lag, owners.",
    .description = "Reads the group's offsets and what weir wrote beside them. Looks only.",
    .example = "weir status velocity.yaml",
    .options = options,
    .run = run,
};
