/*
 * snappy: decompression of Snappy's block format (google/snappy, format_description.txt). Any
 * thread.
 */
#ifndef WEIR_SCHEMAS_SNAPPY_H
#define WEIR_SCHEMAS_SNAPPY_H

#include "base/buffer.h"
#include "base/error.h"

/* Appends the plain bytes. ST_CORRUPT when malformed, or more than `size_max` bytes. */
MUST_CHECK enum status snappy_decompress(struct buffer *out, struct bytes packed, size_t size_max,
                                         struct error *err);

#endif
