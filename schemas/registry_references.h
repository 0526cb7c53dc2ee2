/*
 * registry_references: makes one self-contained schema of a schema and those that it refers to (the
 * registry's "references"): the definition of a named type takes the place of the first mention of
 * its name. Pure.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_REFERENCES_H
#define WEIR_SCHEMAS_REGISTRY_REFERENCES_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

struct registry_definition {
    const char *name; /* full name of the type that the text defines */
    struct bytes text;
};

/*
 * Appends the merged text. ST_INCOMPATIBLE_SCHEMA when one of the texts is no JSON or they are
 * nested too deeply.
 */
MUST_CHECK enum status registry_references_merge(struct buffer *out, struct bytes text,
                                                 const struct registry_definition *definitions,
                                                 size_t definition_count, struct error *err);

#endif
