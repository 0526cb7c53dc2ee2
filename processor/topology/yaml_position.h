/*
 * yaml_position: from a place in a value's text back to the place in the file, through quotes,
 * escapes and folded lines, so that an error inside an expression points at its own character.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_YAML_POSITION_H
#define WEIR_PROCESSOR_TOPOLOGY_YAML_POSITION_H

#include "base/bytes.h"
#include "processor/topology/yaml_tree.h"

/* Columns count characters, not bytes; a CR LF is one line break. */
struct file_position file_position_of(struct bytes file, size_t offset);
/* Where byte `offset` of the scalar's text stands; its end for `offset` = size. */
struct file_position yaml_position_in(struct bytes file, const struct yaml_node *scalar,
                                      size_t offset);
/* The comment that follows a plain scalar on its last line ("#..." to the line's end), or none. */
struct bytes yaml_comment_after(struct bytes file, const struct yaml_node *scalar);

#endif
