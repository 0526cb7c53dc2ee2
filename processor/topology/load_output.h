/* load_output: `outputs:`, where alerts and dead letters go. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_OUTPUT_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_OUTPUT_H

#include "processor/topology/loader.h"

/*
 * `outputs` may be NULL: everything has a default. After streams and tables, whose topics they must
 * not be.
 */
void load_outputs(struct loader *loader, const struct yaml_node *root);

#endif
