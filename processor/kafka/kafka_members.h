/*
 * kafka_members: who is in the group (processor/engine/members.h), asked with an admin client of
 * its own. One thread.
 */
#ifndef WEIR_PROCESSOR_KAFKA_KAFKA_MEMBERS_H
#define WEIR_PROCESSOR_KAFKA_KAFKA_MEMBERS_H

#include "processor/engine/members.h"
#include "processor/kafka/kafka_admin.h"

/* Of the options, brokers, the common properties and the group's id matter. */
MUST_CHECK enum status kafka_members_open(struct members_port **out,
                                          const struct kafka_port_options *options,
                                          struct error *err);
/* What a description of a group says of its members; sorted. */
void kafka_members_of(struct members *out, const struct kafka_group *group);

#endif
