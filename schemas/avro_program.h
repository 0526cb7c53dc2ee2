/*
 * avro_program: (writer schema, reader schema, wanted columns) compiled once into a straight list of steps that read
 * a datum and fill slots, skipping what is not wanted. Implements Avro's resolution rules: defaults, promotions,
 * aliases, reordered and removed fields, unions on either side, enums with defaults, nested records by dotted path,
 * arrays and maps skipped. Every length, count and depth is bounds-checked; a program never allocates more than the
 * arena asks for columns that must be converted.
 */
#ifndef WEIR_SCHEMAS_AVRO_PROGRAM_H
#define WEIR_SCHEMAS_AVRO_PROGRAM_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/decoder.h"
#include "schemas/schema.h"

struct avro_program;

MUST_CHECK enum status avro_program_compile(struct avro_program **out, const struct schema *writer,
                                            const struct schema *reader, const struct decoder_column *columns,
                                            size_t column_count, struct error *err);
void avro_program_destroy(struct avro_program **program);

/* Reads one datum without framing; the datum must end where the payload ends. ST_UNDECODABLE otherwise. */
MUST_CHECK enum status avro_program_run(const struct avro_program *program, struct bytes datum, struct value *slots,
                                        struct arena *arena, struct error *err);

#endif
