/* weir recover: puts the group's offsets back that expired, or that somebody deleted or moved. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/engine/last_transaction.h"

struct recovery {
    struct connection *connection;
    struct log_reader *reader;
    struct kafka_group_offsets committed;
    struct kafka_group_offset *wanted; /* what has to be committed; the names are the topics' */
    size_t wanted_count;
    char (*texts)[COMMIT_METADATA_SIZE];
    int32_t partition_count;
};

static const struct kafka_group_offset *committed_of(const struct recovery *recovery, const char *topic,
                                                     int32_t partition)
{
    for (size_t i = 0; i < recovery->committed.count; i++) {
        const struct kafka_group_offset *item = &recovery->committed.items[i];
        if (item->partition == partition && strcmp(item->topic, topic) == 0)
            return item;
    }
    return NULL;
}

/* Whether this offset is the tail's. ST_REFUSED when it is newer: then the tail has lost records. */
static enum status compare(const struct kafka_group_offset *found, const struct last_transaction *last,
                           int64_t next_offset, bool *same, struct error *err)
{
    struct commit_metadata metadata;
    struct error ignored;
    *same = false;
    if (found == NULL || found->metadata.size == 0 ||
        commit_metadata_parse(&metadata, found->metadata, &ignored) != ST_OK)
        return ST_OK;
    if (metadata.seq > last->metadata.seq)
        return FAIL(err, ST_REFUSED, "topic '%s' partition %" PRId32 ": the committed offset (seq %" PRIu64 ") is newer than the"
                    " tail (seq %" PRIu64 "): the tail has lost records; `weir reset` starts with new state", found->topic,
                    found->partition, metadata.seq, last->metadata.seq);
    *same = metadata.seq == last->metadata.seq && metadata.nonce == last->metadata.nonce && found->offset == next_offset;
    return ST_OK;
}

static enum status check_reaches(struct recovery *recovery, int topic, int32_t partition, int64_t offset,
                                 struct error *err)
{
    int64_t low, high;
    const struct log_partition at = { topic, partition };
    TRY(recovery->reader->type->bounds(recovery->reader, at, true, &low, &high, err));
    if (offset < low || offset > high)
        return FAIL(err, ST_OUT_OF_RANGE, "topic '%s' partition %" PRId32 " has the offsets %" PRId64 " to %" PRId64
                    " and reading would go on at %" PRId64 ": `weir reset` starts with what is there",
                    recovery->connection->topics.items[topic].name, partition, low, high, offset);
    return ST_OK;
}

static void want(struct recovery *recovery, int topic, int32_t partition, int64_t offset, const char *text)
{
    recovery->wanted = mem_resize_array(recovery->wanted, recovery->wanted_count + 1, sizeof *recovery->wanted);
    recovery->wanted[recovery->wanted_count++] = (struct kafka_group_offset){
        .topic = recovery->connection->topics.items[topic].name, .partition = partition, .offset = offset,
        .metadata = bytes_of_string(text),
    };
}

static enum status take_input(struct recovery *recovery, const struct last_transaction *last, int32_t partition,
                              const struct last_input *input, struct error *err)
{
    if (input->topic < 0)
        return ST_OK; /* the topology does not read it any more */
    const char *name = recovery->connection->topics.items[input->topic].name;
    const struct kafka_group_offset *found = committed_of(recovery, name, partition);
    bool same;
    TRY(compare(found, last, input->next_offset, &same, err));
    if (same)
        return ST_OK;
    TRY(check_reaches(recovery, input->topic, partition, input->next_offset, err));
    printf("%s partition %" PRId32 ": ", name, partition);
    if (found == NULL)
        printf("no offset");
    else
        printf("offset %" PRId64, found->offset);
    printf(" -> %" PRId64 " (seq %" PRIu64 ")\n", input->next_offset, last->metadata.seq);
    want(recovery, input->topic, partition, input->next_offset, recovery->texts[partition]);
    return ST_OK;
}

static enum status look_at(struct recovery *recovery, int32_t partition, struct error *err)
{
    struct last_transaction last;
    enum status st = last_transaction_read(&last, recovery->reader, &recovery->connection->topics, partition,
                                           clock_real(), err);
    if (st == ST_OK && last.metadata.seq > 0)
        commit_metadata_format(recovery->texts[partition], &last.metadata);
    for (size_t i = 0; i < last.input_count && st == ST_OK; i++)
        st = take_input(recovery, &last, partition, &last.inputs[i], err);
    last_transaction_fini(&last);
    return st;
}

static enum status put_back(struct recovery *recovery, bool confirmed, struct error *err)
{
    struct connection *connection = recovery->connection;
    if (recovery->wanted_count == 0) {
        puts("the group's offsets are those of the state: there is nothing to put back");
        return ST_OK;
    }
    if (!confirmed)
        return FAIL(err, ST_INVALID, "these offsets of group '%s' would be set; say --yes if you mean it",
                    connection->plan->name);
    TRY(kafka_admin_set_offsets(connection->admin, connection->plan->name, recovery->wanted, recovery->wanted_count,
                                err));
    printf("%zu offsets are put back; `weir run` goes on where the last commit was\n", recovery->wanted_count);
    return ST_OK;
}

static enum status recover(struct recovery *recovery, const struct arguments *arguments, struct error *err)
{
    struct connection *connection = recovery->connection;
    const char *tail = connection->topics.items[connection->topics.tail].name;
    TRY(connection_check_stopped(connection, err));
    TRY(kafka_admin_group_offsets(connection->admin, connection->plan->name, &recovery->committed, err));
    TRY(kafka_admin_count_partitions(connection->admin, tail, &recovery->partition_count, NULL, err));
    if (recovery->partition_count == 0)
        return FAIL(err, ST_NOT_FOUND, "topic '%s' does not exist: there is no state", tail);
    recovery->texts = mem_alloc_array((size_t)recovery->partition_count, sizeof *recovery->texts);
    TRY(kafka_reader_open(&recovery->reader, &connection->kafka, err));
    for (int32_t p = 0; p < recovery->partition_count; p++)
        TRY(look_at(recovery, p, err));
    return put_back(recovery, arguments_has(arguments, "yes"), err);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct connection connection;
    struct recovery recovery = { .connection = &connection };
    enum status st = connection_open(&connection, arguments, &err);
    if (st == ST_OK)
        st = recover(&recovery, arguments, &err);
    if (recovery.reader != NULL)
        recovery.reader->type->close(recovery.reader);
    kafka_group_offsets_fini(&recovery.committed);
    mem_free(recovery.wanted);
    mem_free(recovery.texts);
    connection_close(&connection);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "yes", NULL, "Do it; without it, say what would be done." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_recover = {
    .name = "recover",
    .operands = "TOPOLOGY",
    .summary = "Put the group's offsets back that expired or were deleted or moved.",
    .description = "The last record of each tail partition says up to where its input was processed, and which state belongs to that.\n"
                   "Every process of the topology must be stopped. Inputs, outputs and state are not touched; `everywhere` tables are\n"
                   "read from the beginning again.",
    .example = "weir recover velocity.yaml --yes",
    .options = options,
    .run = run,
};
