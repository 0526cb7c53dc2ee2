/*
 * load_expression: one expression of the file, from its YAML node to a compiled program, with every
 * error at its own place.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LOAD_EXPRESSION_H
#define WEIR_PROCESSOR_TOPOLOGY_LOAD_EXPRESSION_H

#include "processor/topology/frame_scope.h"

struct loaded_expression {
    struct expression *expression; /* kept by loader->programs */
    struct nodes *nodes;           /* freed by loaded_expression_fini */
    const char *text;              /* normalised */
};

/*
 * false when there is an error: it is in the diagnostics, or the unit is poisoned, and
 * unit->poisoned is set in both cases. `what` names the key ("when"), `name` is the node it stands
 * under.
 */
bool load_expression(struct loader *loader, struct loaded_expression *out,
                     const struct yaml_node *name, const struct yaml_node *value,
                     struct unit *unit);
/* An unpoisoned error about the value as a whole, after it was compiled. */
__attribute__((format(printf, 4, 5))) void refuse_expression(struct loader *loader,
                                                             struct unit *unit,
                                                             const struct yaml_node *value,
                                                             const char *format, ...);
void loaded_expression_fini(struct loaded_expression *loaded);

/* A message with expressions in braces. NULL: as above. */
struct template *load_message(struct loader *loader, const struct yaml_node *name,
                              const struct yaml_node *value, struct unit *unit);

#endif
