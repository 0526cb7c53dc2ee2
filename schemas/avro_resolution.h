/*
 * avro_resolution: Avro's rules for reading what one schema wrote as another schema ("Schema
 * Resolution"), as questions about two trees. It decides; avro_program acts on it.
 *
 * Where the specification of 1.11 leaves room:
 *  - names of records, enums and fixed match without their namespace, and so do aliases;
 *  - of a reader's union, the first branch that fits is taken (Avro's Java library prefers the same
 *    type to a promotion; nobody can see the difference, as columns are of unions with null only);
 *  - a reader's decimal wants a decimal of the same precision and scale, in bytes or in a fixed;
 *  - a writer's union is readable when at least one of its branches other than null is. Borrows the
 *    two trees. One thread.
 */
#ifndef WEIR_SCHEMAS_AVRO_RESOLUTION_H
#define WEIR_SCHEMAS_AVRO_RESOLUTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "schemas/schema.h"

struct avro_resolution; /* remembers answers: schemas may be recursive */

void avro_resolution_create(struct avro_resolution **out);
void avro_resolution_destroy(struct avro_resolution **resolution);

/* ST_INCOMPATIBLE_SCHEMA, with the place, when no datum of `writer` could be read as `reader`. */
MUST_CHECK enum status avro_resolution_check(struct avro_resolution *resolution,
                                             const struct schema *writer,
                                             const struct schema *reader, struct error *err);

/*
 * What reads data of `writer`, which is no union: `reader` itself or one of its branches; NULL:
 * nothing does.
 */
const struct schema *avro_resolution_branch(struct avro_resolution *resolution,
                                            const struct schema *writer,
                                            const struct schema *reader);

/*
 * The writer's field that fills field `field` of the reader's record, by name or alias; NULL: there
 * is none.
 */
const struct schema_field *avro_resolution_field(const struct schema *writer,
                                                 const struct schema *reader,
                                                 const struct schema_field *field);

#endif
