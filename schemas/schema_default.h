/*
 * schema_default: the JSON defaults of a schema's fields, checked against the type and turned into
 * values. Pure functions over an immutable schema; any thread.
 */
#ifndef WEIR_SCHEMAS_SCHEMA_DEFAULT_H
#define WEIR_SCHEMAS_SCHEMA_DEFAULT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "schemas/schema.h"
#include "schemas/value.h"

/*
 * Whether `json` may stand as the default of this type. More than the specification of 1.11 asks
 * for: a union's default may be of any branch (as from 1.12 on), and a record's default may leave
 * out fields that have a default.
 */
bool schema_default_fits(const struct schema *schema, const struct json_t *json);

/*
 * What the scalar at `rest` has when `field` takes its default; `rest` is the dotted path below the
 * field, "" for the field itself. Text borrows the schema's document or lives in the arena.
 * ST_INCOMPATIBLE_SCHEMA when there is no default.
 */
MUST_CHECK enum status schema_default_value(struct value *out, const struct schema_field *field,
                                            const char *rest, struct arena *arena,
                                            struct error *err);

#endif
