/*
 * kafka_admin: topics and the group's offsets, for the commands `topics`, `status`, `recover` and `reset`.
 *
 * Every call waits for the cluster's answer, KAFKA_ADMIN_TIMEOUT_MS at most, then it is
 * ST_BROKER_BUSY. One thread. With a mock cluster only topics can be made and counted.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_ADMIN_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "processor/kafka/kafka_port.h"

enum { KAFKA_ADMIN_TIMEOUT_MS = 30000 };

struct kafka_admin;

/* Of the options, brokers, client id and the common properties matter. */
MUST_CHECK enum status kafka_admin_open(struct kafka_admin **out,
                                        const struct kafka_port_options *options,
                                        struct error *err);
void kafka_admin_close(struct kafka_admin **admin);

/* --- topics ------------------------------------------------------------------------------------ */

struct kafka_new_topic {
    const char *name;
    int32_t partition_count;
    int replication; /* 0: the broker's default */
    struct kafka_properties configs;
};

/* Returns when the topic can be used. ST_REFUSED: it exists already. */
MUST_CHECK enum status kafka_admin_create_topic(struct kafka_admin *admin,
                                                const struct kafka_new_topic *topic,
                                                struct error *err);
/* Returns when it is gone; one that did not exist is gone. */
MUST_CHECK enum status kafka_admin_delete_topic(struct kafka_admin *admin, const char *name,
                                                struct error *err);
/* 0: there is no such topic. `replication` may be NULL. */
MUST_CHECK enum status kafka_admin_count_partitions(struct kafka_admin *admin, const char *name,
                                                    int32_t *partition_count, int *replication,
                                                    struct error *err);

struct kafka_config {
    const char *name;
    const char *value; /* NULL: secret, or none */
    bool is_default;   /* nobody set it for this topic */
};
struct kafka_configs {
    struct kafka_config *items;
    size_t count;
};
/* ST_NOT_FOUND when there is no such topic. */
MUST_CHECK enum status kafka_admin_describe_configs(struct kafka_admin *admin, const char *topic,
                                                    struct kafka_configs *out, struct error *err);
/* NULL when there is none of that name, or it has no value. */
const char *kafka_configs_find(const struct kafka_configs *configs, const char *name);
void kafka_configs_fini(struct kafka_configs *configs);

/* Deletes what lies before the offset; -1: everything. */
MUST_CHECK enum status kafka_admin_delete_records(struct kafka_admin *admin, const char *topic,
                                                  int32_t partition, int64_t offset,
                                                  struct error *err);

/* --- a group ------------------------------------------------------------------------------------- */

struct kafka_group_offset {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct bytes metadata;
};
struct kafka_group_offsets {
    struct kafka_group_offset *items;
    size_t count;
};
/* All that the group committed, stable or not; empty for a group that nobody knows. */
MUST_CHECK enum status kafka_admin_group_offsets(struct kafka_admin *admin, const char *group,
                                                 struct kafka_group_offsets *out,
                                                 struct error *err);
void kafka_group_offsets_fini(struct kafka_group_offsets *offsets);

/* Sets offsets and metadata of a group that has no members; ST_REFUSED while it has. */
MUST_CHECK enum status kafka_admin_set_offsets(struct kafka_admin *admin, const char *group,
                                               const struct kafka_group_offset *offsets,
                                               size_t count, struct error *err);

/* Deletes the group and all its offsets. ST_REFUSED while it has members; no group is no failure. */
MUST_CHECK enum status kafka_admin_delete_group(struct kafka_admin *admin, const char *group,
                                                struct error *err);
/* Deletes the group's offsets of one topic. ST_REFUSED while a member reads it. */
MUST_CHECK enum status kafka_admin_delete_offsets(struct kafka_admin *admin, const char *group,
                                                  const char *topic, struct error *err);

struct kafka_group_member {
    const char *id;          /* the broker's */
    const char *instance_id; /* NULL: a dynamic member */
    const char *client_id;
    const char *host;
    size_t partition_count;
};
struct kafka_group {
    const char *state; /* "Stable", "Empty", ... */
    struct kafka_group_member *members;
    size_t member_count;
};
MUST_CHECK enum status kafka_admin_describe_group(struct kafka_admin *admin, const char *group,
                                                  struct kafka_group *out, struct error *err);
void kafka_group_fini(struct kafka_group *group);

#endif
