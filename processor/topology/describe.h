/* describe: what a plan says about itself; plan_describe (topology.h) is its face. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_DESCRIBE_H
#define WEIR_PROCESSOR_TOPOLOGY_DESCRIBE_H

#include "base/buffer.h"
#include "processor/topology/plan.h"

void describe_as_text(const struct plan *plan, struct buffer *out);
void describe_as_json(const struct plan *plan, struct buffer *out);

/* "avro", "json" */
const char *describe_format(enum payload_format format);
/*
 * Operands of a rule that may be null, in which case the rule is unknown: calls each with their
 * text.
 */
void describe_each_nullable(const struct plan_rule *rule,
                            void (*each)(void *context, const char *text), void *context);

/*
 * Topics that the engine keeps for the topology: "<topology>-" and one of these; the last is NULL.
 */
extern const char *const describe_internal_topics[];

#endif
