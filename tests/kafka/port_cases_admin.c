/* What the commands ask and change: topics and groups. */
#include <string.h>

#include "port_world.h"

static void topics_are_made_as_told(struct world *world)
{
    static const struct kafka_property configs[] = { { "cleanup.policy", "compact" },
                                                     { "min.insync.replicas", "1" } };
    char name[96];
    snprintf(name, sizeof name, "%s-made", world->group);
    const struct kafka_new_topic topic = { name, 7, 0, { configs, 2 } };
    MUST(kafka_admin_create_topic(world->admin, &topic, &failure));
    MUST_BE(ST_REFUSED, kafka_admin_create_topic(world->admin, &topic, &failure));
    int32_t count;
    int replication;
    MUST(kafka_admin_count_partitions(world->admin, name, &count, &replication, &failure));
    CHECK(count == 7 && replication == 1, "%d, %d", count, replication);

    struct kafka_configs found;
    MUST(kafka_admin_describe_configs(world->admin, name, &found, &failure));
    const char *policy = kafka_configs_find(&found, "cleanup.policy");
    CHECK(policy != NULL && strcmp(policy, "compact") == 0, "%s", policy);
    CHECK(kafka_configs_find(&found, "no.such.thing") == NULL, "a setting that is none");
    bool retention_is_default = false, policy_is_default = true;
    for (size_t i = 0; i < found.count; i++) {
        if (strcmp(found.items[i].name, "retention.ms") == 0)
            retention_is_default = found.items[i].is_default;
        if (strcmp(found.items[i].name, "cleanup.policy") == 0)
            policy_is_default = found.items[i].is_default;
    }
    CHECK(retention_is_default && !policy_is_default, "who set what");
    kafka_configs_fini(&found);

    MUST(kafka_admin_delete_topic(world->admin, name, &failure));
    MUST(kafka_admin_delete_topic(world->admin, name, &failure));
    MUST(kafka_admin_count_partitions(world->admin, name, &count, NULL, &failure));
    CHECK(count == 0, "%d", count);
    MUST_BE(ST_NOT_FOUND, kafka_admin_describe_configs(world->admin, name, &found, &failure));
}

static void bad_topics_are_refused(struct world *world)
{
    static const struct kafka_property configs[] = { { "cleanup.policy", "nonsense" } };
    char name[96];
    snprintf(name, sizeof name, "%s-bad", world->group);
    const struct kafka_new_topic topic = { name, 1, 0, { configs, 1 } };
    CHECK(kafka_admin_create_topic(world->admin, &topic, &failure) == ST_KAFKA, "accepted");
    CHECK(strstr(failure.text, "cleanup.policy") != NULL, "%s", failure.text);
}

static void groups_are_described_and_deleted(struct world *world)
{
    struct kafka_group_offsets offsets;
    struct kafka_group group;
    MUST(kafka_admin_group_offsets(world->admin, world->group, &offsets, &failure));
    CHECK(offsets.count == 0, "%zu offsets of nobody", offsets.count);
    kafka_group_offsets_fini(&offsets);
    MUST(kafka_admin_delete_group(world->admin, world->group, &failure));

    const struct port_setup setup = { .instance = "i-1" };
    struct log_port *port = world_port(world, &setup);
    MUST(port->type->producer_open(port, &failure));
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    port_transaction(port, 12, "meta");
    MUST(kafka_admin_describe_group(world->admin, world->group, &group, &failure));
    CHECK(strcmp(group.state, "Stable") == 0, "%s", group.state);
    CHECK(group.member_count == 1 && group.members[0].partition_count == PARTITIONS, "%zu members",
          group.member_count);
    CHECK(strcmp(group.members[0].instance_id, "i-1") == 0, "%s", group.members[0].instance_id);
    kafka_group_fini(&group);
    MUST_BE(ST_REFUSED, kafka_admin_delete_group(world->admin, world->group, &failure));
    MUST_BE(ST_REFUSED, kafka_admin_delete_offsets(world->admin, world->group,
                                                   world->topics[TOPIC_IN], &failure));
    port->type->close(port);

    int64_t position = 0;
    for (int i = 0; i < 100 && position != 12; i++) {
        MUST(kafka_admin_group_offsets(world->admin, world->group, &offsets, &failure));
        position = offsets.count == 1 ? offsets.items[0].offset : -1;
        CHECK(position != 12 || bytes_equal(offsets.items[0].metadata, BYTES_LITERAL("meta")),
              "the metadata");
        CHECK(position != 12 || strcmp(offsets.items[0].topic, world->topics[TOPIC_IN]) == 0, "%s",
              offsets.items[0].topic);
        kafka_group_offsets_fini(&offsets);
    }
    CHECK(position == 12, "%lld", (long long)position);
}

static void offsets_are_deleted_once_nobody_reads(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    MUST(port->type->producer_open(port, &failure));
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    port_transaction(port, 12, "meta");
    port->type->leave(port);
    port->type->close(port);
    struct kafka_group_offsets offsets;
    MUST(kafka_admin_delete_offsets(world->admin, world->group, world->topics[TOPIC_IN], &failure));
    MUST(kafka_admin_group_offsets(world->admin, world->group, &offsets, &failure));
    CHECK(offsets.count == 0, "%zu", offsets.count);
    kafka_group_offsets_fini(&offsets);
    MUST(kafka_admin_delete_group(world->admin, world->group, &failure));
}

const struct conformance_case cases_admin[] = {
    { "topics_are_made_as_told", topics_are_made_as_told },
    { "bad_topics_are_refused", bad_topics_are_refused },
    { "groups_are_described_and_deleted", groups_are_described_and_deleted },
    { "offsets_are_deleted_once_nobody_reads", offsets_are_deleted_once_nobody_reads },
    { NULL, NULL },
};
