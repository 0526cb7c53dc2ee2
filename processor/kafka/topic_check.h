/*
 * topic_check: the topics of a topology held against the cluster: which are missing, which have settings that would lose data, and
 * making the missing ones.
 *
 * Inputs belong to their producers: they are made only when asked for with a number of partitions. Outputs and internal topics get
 * as many partitions as the first stream has (the reference topic one), replication 3 and min.insync.replicas 2 unless `dev`.
 */
#ifndef WEIR_PROCESSOR_KAFKA_TOPIC_CHECK_H
#define WEIR_PROCESSOR_KAFKA_TOPIC_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/topics.h"
#include "processor/kafka/kafka_admin.h"

struct topic_check_options {
    const struct plan *plan;
    const struct topics *topics;
    int replication;          /* of what is made */
    bool dev;                 /* one broker: replication 1 */
    bool create;              /* make missing outputs and internal topics */
    int32_t input_partitions; /* > 0: make missing inputs too */
};

enum topic_state { TOPIC_FINE, TOPIC_MADE, TOPIC_MISSING, TOPIC_WRONG };

struct topic_finding {
    const char *topic; /* borrowed from the topics */
    enum topic_role role;
    enum topic_state state;
    int32_t partition_count;
    char text[256]; /* what is wrong, and what would be right */
};

struct topic_findings {
    struct topic_finding items[64];
    size_t count;
    size_t bad; /* missing or wrong */
};

MUST_CHECK enum status topic_check_run(struct topic_findings *out, struct kafka_admin *admin,
                                       const struct topic_check_options *options, struct error *err);

#endif
