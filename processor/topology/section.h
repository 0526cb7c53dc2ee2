/*
 * section: checked access to the maps and plain values of a topology file. Whatever is wrong is
 * diagnosed at its place; functions then return a harmless default, so that one pass finds as much
 * as possible.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_SECTION_H
#define WEIR_PROCESSOR_TOPOLOGY_SECTION_H

#include "processor/topology/language.h"
#include "processor/topology/loader.h"

/*
 * The node is a map with known keys and the required ones. `name` is the key node it stands under
 * (or NULL).
 */
bool section_check(struct loader *loader, const struct language_section *section,
                   const struct yaml_node *name, const struct yaml_node *node);
/*
 * The node is a map of names (streams, features ...); at most `max` of them. A missing or empty one
 * is an empty map.
 */
bool section_check_names(struct loader *loader, const struct yaml_node *node, const char *what,
                         size_t max);

/* The value under a key, NULL when it is left out. A key without a value is an error, and NULL. */
const struct yaml_node *section_value(struct loader *loader, const struct yaml_node *map,
                                      const char *key);
/* A plain text, copied to the plan; NULL when left out or wrong. */
const char *section_text(struct loader *loader, const struct yaml_node *map, const char *key);
/* A topic's name, checked; NULL when left out or wrong. */
const char *section_topic(struct loader *loader, const struct yaml_node *map, const char *key);
/* Microseconds; `otherwise` when left out or wrong. */
int64_t section_duration(struct loader *loader, const struct yaml_node *map, const char *key,
                         int64_t otherwise);
/* A duration in a value of its own. */
bool section_parse_duration(struct loader *loader, const struct yaml_node *value, const char *what,
                            int64_t *out_us);
/* The index of one of the NULL-terminated words; `otherwise` when left out or wrong. */
int section_choice(struct loader *loader, const struct yaml_node *map, const char *key,
                   const char *const *words, int otherwise);
bool section_flag(struct loader *loader, const struct yaml_node *map, const char *key,
                  bool otherwise);

/* [a-z][a-z0-9_]*, not a word of the language. */
bool section_check_name(struct loader *loader, const struct yaml_node *name, const char *what);

#endif
