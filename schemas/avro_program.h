/*
 * avro_program: (writer schema, reader schema, wanted columns) compiled once into a straight list
 * of steps that read a datum and fill slots, skipping what is not wanted. Implements Avro's
 * resolution rules (avro_resolution.h): defaults, promotions, aliases, reordered and removed
 * fields, unions on either side, enums with defaults, nested records by dotted path; arrays and
 * maps are skipped. Every length, count and depth is bounds-checked; running a program allocates
 * nothing.
 *
 * What is not wanted is skipped by its length: that the two schemas fit each other is checked for
 * all fields when compiling, but text is checked, and union branches and symbols resolved, only in
 * wanted columns.
 *
 * Times: a writer's own unit (timestamp-millis, timestamp-micros, date) goes before the reader's; a
 * plain int or long is taken in the reader's unit.
 */
#ifndef WEIR_SCHEMAS_AVRO_PROGRAM_H
#define WEIR_SCHEMAS_AVRO_PROGRAM_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/decoder.h"
#include "schemas/schema.h"

struct avro_program; /* immutable: threads may share it */

/*
 * Borrows `reader` until destroy, `writer` and `columns` during the call. ST_INCOMPATIBLE_SCHEMA
 * when the writer's data cannot be read as `reader`; ST_NOT_FOUND or ST_INVALID as
 * schema_find_column for a path that names no scalar of `reader`.
 */
MUST_CHECK enum status avro_program_compile(struct avro_program **out, const struct schema *writer,
                                            const struct schema *reader,
                                            const struct decoder_column *columns,
                                            size_t column_count, struct error *err);
void avro_program_destroy(struct avro_program **program);

/*
 * Reads one datum without framing; the datum must end where the payload ends. ST_UNDECODABLE
 * otherwise, then the slots are undefined. Text in slots borrows the datum or the program.
 */
MUST_CHECK enum status avro_program_run(const struct avro_program *program, struct bytes datum,
                                        struct value *slots, struct arena *arena,
                                        struct error *err);

/* Reads the datum at the front of *data and moves *data behind it. */
MUST_CHECK enum status avro_program_read(const struct avro_program *program, struct bytes *data,
                                         struct value *slots, struct error *err);

#endif
