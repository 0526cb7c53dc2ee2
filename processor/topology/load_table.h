/* load_table: `tables:`, reference topics that rows are looked up in. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_TABLE_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_TABLE_H

#include "processor/topology/loader.h"

/* Fills plan->tables; before the stream, whose expressions look rows up. */
void load_tables(struct loader *loader, const struct yaml_node *tables);
/*
 * After the stream's key is known: what is looked up by the entity's key must be partitioned like
 * it.
 */
void load_tables_check_keys(struct loader *loader, const struct yaml_node *tables);

#endif
