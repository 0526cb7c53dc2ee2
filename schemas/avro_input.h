/*
 * avro_input: an Avro object container file, read datum by datum in Avro's binary encoding,
 * whatever its schema. Also through gzip. Codecs: null, deflate, snappy.
 *
 * Not through avro-c: it can only decode each value and encode it again (ten times slower), forgets
 * logical types, and checks no lengths. One thread.
 *
 * The file: "Obj" and a byte 1; a map of bytes with "avro.schema" and "avro.codec"; 16 bytes, the
 * sync marker. Then blocks: the number of datums and the size of the packed bytes (longs), the
 * bytes, the sync marker again.
 */
#ifndef WEIR_SCHEMAS_AVRO_INPUT_H
#define WEIR_SCHEMAS_AVRO_INPUT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"
#include "schemas/schema.h"

struct avro_input;

/* ST_NOT_FOUND, ST_IO_FAILED, ST_CORRUPT or ST_INVALID (schema, codec); the text names the path. */
MUST_CHECK enum status avro_input_open(struct avro_input **out, const char *path,
                                       struct error *err);
void avro_input_close(struct avro_input **input);

/* The writer schema's text, and what it says; borrowed until close. */
struct bytes avro_input_schema(const struct avro_input *input);
const struct schema *avro_input_root(const struct avro_input *input);

/*
 * The next datum, valid until the next call; `end` says there is none. A file that ends within a
 * block is ST_CORRUPT.
 */
MUST_CHECK enum status avro_input_next(struct avro_input *input, struct bytes *datum, bool *end,
                                       struct error *err);
/*
 * All datums of the next block, one behind the other, for who knows where each ends; at a block's start only. Valid
 * until the next call. count > 0 unless `end`.
 */
MUST_CHECK enum status avro_input_next_block(struct avro_input *input, struct bytes *datums, int64_t *count,
                                             bool *end, struct error *err);
/* "PATH: block N: " before what was found wrong with a datum of that block. */
enum status avro_input_fault(const struct avro_input *input, struct error *err);

#endif
