#include "processor/kafka/topic_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { CONFIGS_MAX = 8, REFERENCE_PARTITIONS = 1 };

/* What a role's topic must say; `checked`: data would be lost otherwise. */
struct wanted_config {
    const char *name, *value;
    bool checked;
};

static const struct wanted_config kept_for_ever[] = {
    { "cleanup.policy", "delete", true },
    { "retention.ms", "-1", true },
    { "retention.bytes", "-1", true },
    { "message.timestamp.type", "LogAppendTime", false }, /* an event's own time would make retention delete it fresh */
    { NULL, NULL, false },
};
static const struct wanted_config compacted[] = {
    { "cleanup.policy", "compact", true },
    { "message.timestamp.type", "LogAppendTime", false },
    { "min.cleanable.dirty.ratio", "0.3", false },
    { NULL, NULL, false },
};
static const struct wanted_config plain[] = { { NULL, NULL, false } };

static const struct wanted_config *wanted_of(enum topic_role role)
{
    switch (role) {
    case TOPIC_TAIL:
    case TOPIC_JOURNAL:
    case TOPIC_REFERENCE: return kept_for_ever;
    case TOPIC_CHANGELOG: return compacted;
    case TOPIC_STREAM:
    case TOPIC_TABLE:
    case TOPIC_ALERTS:
    case TOPIC_DEAD_LETTERS: return plain;
    }
    UNREACHABLE();
}

struct check {
    const struct topic_check_options *options;
    struct kafka_admin *admin;
    int32_t stream_partitions;
};

static bool is_input(enum topic_role role)
{
    return role == TOPIC_STREAM || role == TOPIC_TABLE;
}

static bool is_per_partition(const struct check *check, int number)
{
    const struct topic *topic = &check->options->topics->items[number];
    if (topic->role == TOPIC_TABLE) {
        const size_t table = (size_t)(number - check->options->topics->first_table);
        return check->options->plan->tables[table].scope == TABLE_COPARTITIONED;
    }
    return topic->role != TOPIC_REFERENCE && topic->role != TOPIC_ALERTS && topic->role != TOPIC_DEAD_LETTERS;
}

static enum status make(struct check *check, const struct topic *topic, struct topic_finding *finding,
                        struct error *err)
{
    struct kafka_property configs[CONFIGS_MAX];
    size_t count = 0;
    const bool dev = check->options->dev;
    for (const struct wanted_config *wanted = wanted_of(topic->role); wanted->name != NULL; wanted++)
        configs[count++] = (struct kafka_property){ wanted->name, wanted->value };
    if (!dev && check->options->replication >= 3)
        configs[count++] = (struct kafka_property){ "min.insync.replicas", "2" };
    int32_t partitions = check->stream_partitions;
    if (is_input(topic->role))
        partitions = check->options->input_partitions;
    if (topic->role == TOPIC_REFERENCE)
        partitions = REFERENCE_PARTITIONS;
    const struct kafka_new_topic wanted = {
        .name = topic->name,
        .partition_count = partitions,
        .replication = dev ? 1 : check->options->replication,
        .configs = { configs, count },
    };
    const enum status st = kafka_admin_create_topic(check->admin, &wanted, err);
    finding->state = TOPIC_MADE;
    finding->partition_count = partitions;
    return st == ST_REFUSED ? ST_OK : st; /* another process made it just now */
}

static enum status check_configs(struct check *check, const struct topic *topic, struct topic_finding *finding,
                                 struct error *err)
{
    const struct wanted_config *wanted = wanted_of(topic->role);
    if (wanted->name == NULL)
        return ST_OK;
    struct kafka_configs configs;
    TRY(kafka_admin_describe_configs(check->admin, topic->name, &configs, err));
    for (; wanted->name != NULL; wanted++) {
        const char *value = kafka_configs_find(&configs, wanted->name);
        if (!wanted->checked || value == NULL || strcmp(value, wanted->value) == 0)
            continue;
        finding->state = TOPIC_WRONG;
        snprintf(finding->text, sizeof finding->text, "%s is %s; it must be %s, or state is lost", wanted->name, value,
                 wanted->value);
        break;
    }
    kafka_configs_fini(&configs);
    return ST_OK;
}

static enum status check_topic(struct check *check, int number, struct topic_finding *finding, struct error *err)
{
    const struct topic *topic = &check->options->topics->items[number];
    finding->topic = topic->name;
    finding->role = topic->role;
    TRY(kafka_admin_count_partitions(check->admin, topic->name, &finding->partition_count, NULL, err));
    if (finding->partition_count == 0) {
        const bool may_make =
            is_input(topic->role) ? check->options->input_partitions > 0 : check->options->create && check->stream_partitions > 0;
        if (may_make)
            return make(check, topic, finding, err);
        finding->state = TOPIC_MISSING;
        snprintf(finding->text, sizeof finding->text, "does not exist%s",
                 is_input(topic->role) ? "; its producers must make it (or give --partitions)" : "; --create makes it");
        return ST_OK;
    }
    if (is_per_partition(check, number) && check->stream_partitions > 0 &&
        finding->partition_count != check->stream_partitions) {
        finding->state = TOPIC_WRONG;
        snprintf(finding->text, sizeof finding->text, "has %" PRId32 " partitions; it must have %" PRId32
                 " as the stream", finding->partition_count, check->stream_partitions);
        return ST_OK;
    }
    return check_configs(check, topic, finding, err);
}

enum status topic_check_run(struct topic_findings *out, struct kafka_admin *admin,
                            const struct topic_check_options *options, struct error *err)
{
    struct check check = { options, admin, 0 };
    *out = (struct topic_findings){ .count = 0 };
    for (int i = 0; i < options->topics->count; i++) {
        if (options->topics->items[i].role == TOPIC_REFERENCE && !topics_have_everywhere(options->plan))
            continue;
        if (out->count == sizeof out->items / sizeof out->items[0])
            return FAIL(err, ST_INVALID, "more topics than can be checked");
        struct topic_finding *finding = &out->items[out->count++];
        TRY(check_topic(&check, i, finding, err));
        if (i == 0)
            check.stream_partitions = finding->partition_count;
        out->bad += finding->state == TOPIC_MISSING || finding->state == TOPIC_WRONG;
    }
    return ST_OK;
}
