/*
 * topics: the topics of a topology as numbers, the same for every log port of a process:
 *     streams in plan order, tables in plan order, then the outputs and the internal topics.
 */
#ifndef WEIR_PROCESSOR_ENGINE_TOPICS_H
#define WEIR_PROCESSOR_ENGINE_TOPICS_H

#include <stdbool.h>

#include "processor/topology/plan.h"

enum topic_role {
    TOPIC_STREAM,
    TOPIC_TABLE,
    TOPIC_ALERTS,
    TOPIC_DEAD_LETTERS,
    TOPIC_TAIL,
    TOPIC_CHANGELOG,
    TOPIC_JOURNAL,
    TOPIC_REFERENCE
};

struct topic {
    char *name;
    enum topic_role role;
    int source; /* of a stream or table: index as in input_record.source */
};

struct topics {
    struct topic *items;
    int count;
    int first_table;
    int alerts, dead_letters, tail, changelog, journal, reference;
};

void topics_init(struct topics *topics, const struct plan *plan);
void topics_fini(struct topics *topics);
/* Does any table need the reference topic? */
bool topics_have_everywhere(const struct plan *plan);

#endif
