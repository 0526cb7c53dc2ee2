/*
 * load_feature: features, in whatever order they are written: one that reads another is compiled after it.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_FEATURE_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_FEATURE_H

#include "processor/topology/frame_scope.h"

/* Adds the names under `features:` to the frame. */
void load_feature_names(struct frame *frame, const struct yaml_node *features);
/* Compiles all that were not yet. */
void load_features(struct frame *frame);
/* Compiles one that `reader` needs, unless it was already; a circle is diagnosed, and poisons the reader. */
void load_feature(struct frame *frame, struct frame_name *feature, struct unit *reader);

#endif
