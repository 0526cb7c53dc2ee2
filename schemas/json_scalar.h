/*
 * json_scalar: one scalar of JSON, or of a schema's default, as a value of a column's type. Exact or refused:
 * nothing is rounded (but a double), guessed or cut.
 *
 *   boolean                   true, false
 *   int, long                 a number of digits alone, in range (1.0 and 1e3 are refused)
 *   timestamp-millis/-micros  such a number, in the schema's unit, or RFC 3339 text with an offset; its
 *                             digits beyond the schema's unit are cut off
 *   date                      such a number (days since 1970-01-01), or "YYYY-MM-DD"
 *   decimal                   any number that the scale and the precision hold exactly (12.5 and 1.25e1)
 *   float, double             any number that is not too large; a float is rounded to 32 bits, as Avro does
 *   string                    a string
 *   enum                      a string that is one of the symbols, else the schema's default symbol
 *   bytes, fixed              a string whose characters up to U+00FF are the bytes (Avro's JSON encoding)
 */
#ifndef WEIR_SCHEMAS_JSON_SCALAR_H
#define WEIR_SCHEMAS_JSON_SCALAR_H

#include "base/arena.h"
#include "base/error.h"
#include "schemas/json_cursor.h"
#include "schemas/schema.h"
#include "schemas/value.h"

/*
 * `schema` is what stands there without a union around it, `type` the column's. Text borrows the
 * token where it can, else it lives in the arena. Returns NULL, or what belongs there instead: a sentence's end
 * without the value ("an integer of 32 bits").
 */
const char *json_scalar_read(struct value *out, struct json_token token, const struct schema *schema,
                             struct value_type type, struct arena *arena);

/* The same for the default of a schema's field; its text is copied to the arena. ST_INVALID if it does not fit. */
MUST_CHECK enum status json_scalar_default(struct value *out, const struct json_t *json,
                                           const struct schema *schema, struct value_type type,
                                           struct arena *arena, struct error *err);

#endif
