/* weir status: where a topology's partitions stand. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/kafka/kafka_members.h"
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

/* --- who stands by ------------------------------------------------------------------------------------------------ */

static void print_standbys_of(const struct members *members, int32_t partition_count, int32_t partition, int standbys,
                              bool json)
{
    printf(json ? "%s{\"partition\":%" PRId32 ",\"processes\":[" : "%s%9" PRId32 "  ", json && partition > 0 ? "," : "",
           partition);
    for (int i = 0; i < standbys; i++) {
        const int member = members_standby(members, partition_count, partition, i);
        if (member == MEMBERS_NOBODY)
            break;
        const struct bytes process = members_process(&members->items[member]);
        printf(json ? "%s\"%.*s\"" : "%s%.*s", i == 0 ? "" : json ? "," : ", ", (int)process.size,
               (const char *)process.data);
    }
    fputs(json ? "]}" : "\n", stdout);
}

/* Computed from the members, as every process does for itself. How far they are is known to them alone. */
static enum status print_standbys(struct connection *connection, const struct kafka_group *group, bool json,
                                  struct error *err)
{
    const int standbys = (int)connection->config.standbys;
    int32_t partition_count = 0;
    struct members members;
    if (standbys == 0)
        return ST_OK;
    TRY(kafka_admin_count_partitions(connection->admin, connection->topics.items[0].name, &partition_count, NULL, err));
    kafka_members_of(&members, group);
    fputs(json ? "],\"standbys\":[" : "\npartition  standby\n", stdout);
    for (int32_t partition = 0; partition < partition_count; partition++)
        print_standbys_of(&members, partition_count, partition, standbys, json);
    members_fini(&members);
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
    enum status st = kafka_admin_group_offsets(connection->admin, connection->plan->name, &offsets, err);
    if (st != ST_OK) {
        kafka_group_fini(&group);
        return st;
    }
    st = kafka_reader_open(&reader, &connection->kafka, err);
    for (size_t i = 0; i < offsets.count && st == ST_OK; i++)
        st = print_partition(connection, reader, &offsets.items[i], json, i == 0, err);
    if (st == ST_OK)
        st = print_standbys(connection, &group, json, err);
    if (json)
        puts("]}");
    if (reader != NULL)
        reader->type->close(reader);
    kafka_group_offsets_fini(&offsets);
    kafka_group_fini(&group);
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
    .description = "Reads the group's offsets and what weir wrote beside them, and with `standbys` in the settings which processes\n"
                   "would take a partition over. Looks only.",
    .example = "weir status velocity.yaml",
    .options = options,
    .run = run,
};
