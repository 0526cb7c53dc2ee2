/* load_stream: `streams:`, the topic of events that everything else is about. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_STREAM_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_STREAM_H

#include "processor/topology/frame.h"

/* The one stream's own key and map; false when there is none to go on with. */
bool load_stream_find(struct loader *loader, const struct yaml_node *streams,
                      const struct yaml_pair **stream);
/* Topic, durations and the like. */
void load_stream_options(struct loader *loader, struct plan_stream *stream,
                         const struct yaml_node *name, const struct yaml_node *node);
/* How many names the frame must hold: columns and fields. */
/* Columns and fields into the frame. */
void load_stream_names(struct frame *frame, const struct yaml_node *node);
/* Key, id, time and fields. */
void load_stream_programs(struct frame *frame, const struct yaml_node *node);

/* What `remember:` says. */
struct remember {
    bool anything; /* it is there */
    bool all;      /* columns: all */
};
struct remember load_stream_remember(struct frame *frame, const struct yaml_node *node);

#endif
