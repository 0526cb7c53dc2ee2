/*
 * avro_output: writes an Avro object container file (avro_input.h has its format) from datums that
 * are encoded already. The same datums under the same schema give the same file: the sync marker is
 * a hash of the schema. One thread.
 */
#ifndef WEIR_SCHEMAS_AVRO_OUTPUT_H
#define WEIR_SCHEMAS_AVRO_OUTPUT_H

#include "base/bytes.h"
#include "base/error.h"

struct avro_output;

/*
 * `codec`: "null" (or NULL) or "deflate". A file of that name is replaced. ST_INVALID when the
 * schema or the codec is, ST_IO_FAILED.
 */
MUST_CHECK enum status avro_output_create(struct avro_output **out, const char *path,
                                          struct bytes schema, const char *codec,
                                          struct error *err);
/* Gives up: the file may be incomplete. */
void avro_output_destroy(struct avro_output **output);

/* The datum is not checked against the schema. ST_IO_FAILED, ST_DISK_FULL, ST_TOO_LARGE. */
MUST_CHECK enum status avro_output_append(struct avro_output *output, struct bytes datum,
                                          struct error *err);
/* Flushes, syncs and closes; sets *output to NULL also on failure. */
MUST_CHECK enum status avro_output_finish(struct avro_output **output, struct error *err);

#endif
