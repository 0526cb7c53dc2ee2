/*
 * csv_decoder: a `decoder` (schemas/decoder.h) whose payload is a line of CSV. The header names the columns; a wanted column
 * that it lacks takes the reader schema's default. Values are read as the schema's types: digits of a decimal are exact, a timestamp
 * is a number in the schema's unit or RFC 3339 text, an empty field of a nullable column is null.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_CSV_DECODER_H
#define WEIR_PROCESSOR_OFFLINE_CSV_DECODER_H

#include "schemas/decoder.h"

/* `reader` is borrowed until destroy. ST_INVALID when a wanted column is neither in the header nor has a default. */
MUST_CHECK enum status csv_decoder_create(struct decoder **out, struct bytes header,
                                          const struct schema *reader,
                                          const struct decoder_column *columns, size_t column_count,
                                          struct error *err);
/* Field `index` of the line that was decoded last, wanted by the decoder or not; none when it has no such field. Valid as long
 * as that line and its arena. */
struct bytes csv_decoder_field(const struct decoder *decoder, size_t index);

#endif
