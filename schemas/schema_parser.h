/*
 * schema_parser: from a schema's JSON to its nodes. Private to schema, which owns what comes out
 * and checks the defaults.
 */
#ifndef WEIR_SCHEMAS_SCHEMA_PARSER_H
#define WEIR_SCHEMAS_SCHEMA_PARSER_H

#include "schemas/schema.h"

/* All nodes of a document, in the order in which they were met; zeroed: none. */
struct schema_nodes {
    struct schema **list;
    size_t count, capacity;
};

/*
 * `json` must live as long as the nodes: defaults point into it. On failure, too, there may be
 * nodes.
 */
MUST_CHECK enum status schema_parse_tree(struct schema_nodes *nodes, struct schema **root,
                                         const struct json_t *json, struct error *err);
void schema_nodes_fini(struct schema_nodes *nodes);

#endif
