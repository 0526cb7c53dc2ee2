/*
 * loader: what the files that read one section each share while a topology is loaded. Lives for one
 * call of topology_load_*, on its stack; one thread.
 *
 *     yaml_tree        text -> positioned nodes
 *     section          checked access to a map's keys and plain values
 *     load_stream, load_table, load_rule, load_output    one section of the file each -> plan
 *     frame            what names mean: columns, fields, features, their slots
 *     frame_scope      the same, as the scopes that expressions are compiled in
 *     load_expression  one expression of the file -> program, errors at their place
 *     lookback         one aggregate call -> window, measures, group
 *
 * Expressions are compiled twice. The first time finds every error and what is read at all; only
 * then are slots laid out (columns that nobody reads are not decoded), and the second time compiles
 * what runs.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOADER_H
#define WEIR_PROCESSOR_TOPOLOGY_LOADER_H

#include "processor/topology/diagnostics.h"
#include "processor/topology/plan_memory.h"
#include "processor/topology/yaml_tree.h"

enum {
    NAME_SIZE_MAX = 64,
    STREAMS_MAX = 1,
    TABLES_MAX = 64,
    COLUMNS_MAX = 1000, /* of one stream or table */
    FIELDS_MAX = 500,
    FEATURES_MAX = 1000,
    AGGREGATES_MAX = 1000,
    RULES_MAX = 1000,
};

struct loader {
    const char *file; /* its name, for schemas beside it */
    const struct topology_options *options;
    struct diagnostics *diagnostics;
    struct bytes text;
    struct arena *arena;        /* of `memory` */
    struct plan_memory *memory; /* the plan's */
    struct plan_memory
        *programs; /* where compiled programs go: a scratch one the first time, then the plan's */
    struct plan *plan;
};

/* Counts errors: a section that added none is sound. */
static inline size_t loader_errors(const struct loader *loader)
{
    return loader->diagnostics->errors;
}

/* The normalised text of a node, in the plan's arena. */
const char *loader_node_text(const struct loader *loader, const struct node *node);

#endif
