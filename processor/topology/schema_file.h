/*
 * schema_file: finds and parses the schema that a stream or a table names: beside the topology
 * file, then in the directory of the options, then among what is built in.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_SCHEMA_FILE_H
#define WEIR_PROCESSOR_TOPOLOGY_SCHEMA_FILE_H

#include "processor/topology/loader.h"

/*
 * The document that `schema:` of the map names, kept by the plan; NULL when it is left out or
 * wrong.
 */
struct schema_document *schema_file_load(struct loader *loader, const struct yaml_node *map,
                                         const char **file);

/* One scalar place of a record schema, as schema_each_column gives it. */
struct schema_file_columns {
    const char **paths; /* in the plan's arena */
    struct schema_column *columns;
    size_t count;
};
/*
 * The columns of the document's root; an empty list (and an error) when there are none, or too
 * many.
 */
struct schema_file_columns schema_file_columns(struct loader *loader, const struct yaml_node *map,
                                               const struct schema_document *document);

#endif
