/*
 * avro_codec: how the blocks of an Avro file are compressed. Private to avro_input and avro_output.
 * Any thread.
 */
#ifndef WEIR_SCHEMAS_AVRO_CODEC_H
#define WEIR_SCHEMAS_AVRO_CODEC_H

#include "base/buffer.h"
#include "base/error.h"

enum { AVRO_BLOCK_BYTES_MAX = 1 << 28, AVRO_FILE_SYNC_BYTES = 16 };

extern const char avro_file_magic[4];

struct avro_codec {
    const char *name;
    /* Appends to `out`, at most AVRO_BLOCK_BYTES_MAX; ST_CORRUPT. NULL: as it is. */
    enum status (*unpack)(struct buffer *out, struct bytes packed, struct error *err);
    /* NULL with `unpack` set: cannot be written. */
    void (*pack)(struct buffer *out, struct bytes plain);
};

/* ST_INVALID with the names that are known. */
MUST_CHECK enum status avro_codec_find(const struct avro_codec **out, struct bytes name,
                                       struct error *err);

#endif
