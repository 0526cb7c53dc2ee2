/*
 * plan_memory: everything that a plan points to, given back together: texts and arrays in an arena,
 * compiled programs, message templates, parsed schemas. What `plan.owner` is.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_PLAN_MEMORY_H
#define WEIR_PROCESSOR_TOPOLOGY_PLAN_MEMORY_H

#include "base/arena.h"
#include "processor/expression/expression.h"
#include "processor/expression/template.h"
#include "schemas/schema.h"

struct plan_memory;

void plan_memory_create(struct plan_memory **out);
void plan_memory_destroy(struct plan_memory **memory);
struct arena *plan_memory_arena(struct plan_memory *memory);
/* Each takes what it is given and returns it, borrowed. */
struct expression *plan_memory_keep_expression(struct plan_memory *memory,
                                               struct expression **expression);
struct template *plan_memory_keep_template(struct plan_memory *memory, struct template **template);
struct schema_document *plan_memory_keep_document(struct plan_memory *memory,
                                                  struct schema_document **document);

#endif
