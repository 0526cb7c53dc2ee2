/* load_rule: `rules:`, what raises alerts. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_RULE_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_RULE_H

#include "processor/topology/frame.h"

/* Names, severities, repeats: what needs no names of the stream. Fills plan->rules. */
void load_rule_options(struct loader *loader, const struct yaml_node *rules);
/* Conditions and messages; called twice like all expressions. */
void load_rule_programs(struct frame *frame, const struct yaml_node *rules);
/*
 * What explains an alert: operands, and the aggregates that a condition depends on. After
 * frame_finish.
 */
void load_rule_explanations(struct frame *frame);

/* plan_stream's conditions, when the programs are the ones that run. */
void load_rule_conditions(struct loader *loader, struct plan_stream *stream);

#endif
