/*
 * json_scalar: one scalar of JSON as a value of a column's type. Exact or refused:
 * nothing is rounded (but a double), guessed or cut.
 *
 *   boolean                   true, false
 *   int, long                 a number of digits alone, in range (1.0 and 1e3 are refused)
 *   timestamp-millis/-micros  such a number, in the schema's unit, or RFC 3339 text with an offset;
 *                             its digits beyond the schema's unit are cut off
 *   date                      such a number (days since 1970-01-01), or "YYYY-MM-DD"; its midnight
 *   decimal                   any number that scale and precision hold exactly (12.5 and 1.25e1)
 *   float, double             any number in range; a float is rounded to 32 bits, as Avro does
 *   string                    a string
 *   enum                      a string that is one of the symbols, else the schema's default symbol
 *   bytes, fixed              a string whose characters up to U+00FF are the bytes, as Avro's JSON
 */
#ifndef WEIR_SCHEMAS_JSON_SCALAR_H
#define WEIR_SCHEMAS_JSON_SCALAR_H

#include "base/arena.h"
#include "schemas/json_cursor.h"
#include "schemas/schema.h"
#include "schemas/value.h"

/*
 * `schema` is what stands there without a union around it. Text borrows the token where it can,
 * else it lives in the arena. Returns NULL, or what belongs there instead ("an integer of 32
 * bits").
 */
const char *json_scalar_read(struct value *out, struct json_token token,
                             const struct schema *schema, struct arena *arena);

#endif
