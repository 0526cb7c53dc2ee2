/*
 * yaml_tree: YAML text as a tree of nodes that know where they stand, and nothing that YAML would
 * swallow.
 *
 * A topology is data for people, so what YAML reads as something else than it looks like is refused
 * here, with the quoting that helps: tags, anchors, aliases and merge keys, keys that occur twice
 * or are no plain text, a comma that cuts a value inside { }, several documents, bytes that are no
 * UTF-8.
 *
 * The tree owns a copy of the text; nodes live as long as the tree.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_YAML_TREE_H
#define WEIR_PROCESSOR_TOPOLOGY_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "processor/topology/diagnostics.h"

enum { YAML_DEPTH_MAX = 32 };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };
enum yaml_style { YAML_PLAIN, YAML_SINGLE_QUOTED, YAML_DOUBLE_QUOTED, YAML_BLOCK };

struct yaml_pair {
    struct yaml_node *key; /* always a scalar */
    struct yaml_node *value;
};

struct yaml_node {
    enum yaml_kind kind;
    enum yaml_style style; /* of a scalar; null is YAML_PLAIN */
    bool flow;             /* a { } or [ ] */
    bool broken;           /* an error was reported: nothing more about it */
    struct file_position position;
    size_t start, end; /* bytes of the file that the content stands in, without quotes */
    const char *text;  /* of a scalar; NUL-terminated and without a NUL inside; "" otherwise */
    size_t size;
    size_t count;
    struct yaml_pair *pairs;  /* of a map */
    struct yaml_node **items; /* of a list */
};

struct yaml_tree;

/* NULL root when there is nothing to go on with; the diagnostics then hold an error. */
void yaml_tree_parse(struct yaml_tree **out, struct bytes text, struct diagnostics *diagnostics);
void yaml_tree_destroy(struct yaml_tree **tree);
struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);
struct bytes yaml_tree_text(const struct yaml_tree *tree);

/* A key and its value, or NULL. */
const struct yaml_pair *yaml_map_find_pair(const struct yaml_node *map, const char *key);
/* The value of a key, or NULL. */
struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *key);

#endif
