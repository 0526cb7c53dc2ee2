/* avro_skip: the steps that skip what nobody wants. Private to avro_program. */
#ifndef WEIR_SCHEMAS_AVRO_SKIP_H
#define WEIR_SCHEMAS_AVRO_SKIP_H

#include "schemas/avro_emit.h"
#include "schemas/schema.h"

/*
 * Emits what skips one datum of `node`; `depth` counts the records that are being skipped around
 * it.
 */
void avro_skip(struct avro_compiler *compiler, const struct schema *node, int depth);
/* Once, behind the main program: emits the sub-programs that avro_skip has asked for. */
void avro_skip_subprograms(struct avro_compiler *compiler);

#endif
