/*
 * avro_writer: the primitives of Avro's binary encoding, appended to a buffer, and the Confluent
 * framing. Whoever encodes a record writes its fields in the schema's order; tests read them back
 * with avro-c.
 */
#ifndef WEIR_SCHEMAS_AVRO_WRITER_H
#define WEIR_SCHEMAS_AVRO_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "schemas/schema.h"
#include "schemas/value.h"

void avro_write_framing(struct buffer *out, int32_t schema_id); /* 0x00, 4-byte big-endian id */
void avro_write_null(struct buffer *out);
void avro_write_bool(struct buffer *out, bool b);
/* Also int, enum index, union branch, array block count. */
void avro_write_long(struct buffer *out, int64_t x);
void avro_write_float(struct buffer *out, float x);
void avro_write_double(struct buffer *out, double x);
void avro_write_bytes(struct buffer *out, struct bytes b); /* also string */

/*
 * Writes one datum of any schema from the flat list of its scalar columns in schema_each_column
 * order (the generator and export use it). A value that does not fit its column's type is
 * ST_INVALID, and then what was appended is taken back. What no column can say is written as empty
 * or null:
 *  - a nullable record is null when all its columns are;
 *  - arrays and maps are empty; a union of several types is null if it can be, else ST_INVALID;
 *  - a null for a float or double that is not nullable is NaN (which readers turn into null again).
 */
MUST_CHECK enum status avro_write_record(struct buffer *out, const struct schema *schema,
                                         const struct value *columns, size_t column_count,
                                         struct error *err);

#endif
