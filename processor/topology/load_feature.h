/*
 * load_feature: features, in whatever order they are written: one that reads another is compiled
 * after it.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_FEATURE_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_FEATURE_H

#include "processor/topology/frame_scope.h"

/* Adds the names under `features:` to the frame. */
void load_feature_names(struct frame *frame, const struct yaml_node *features);
/* Compiles all of them; their slots are in the order in which they need each other. */
void load_features(struct frame *frame);

#endif
