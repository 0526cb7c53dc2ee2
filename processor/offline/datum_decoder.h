/* datum_decoder: a `decoder` whose payload is a bare Avro datum of one known writer schema, as container files hold them. */
#ifndef WEIR_PROCESSOR_OFFLINE_DATUM_DECODER_H
#define WEIR_PROCESSOR_OFFLINE_DATUM_DECODER_H

#include "schemas/decoder.h"

MUST_CHECK enum status datum_decoder_create(struct decoder **out, const struct schema *writer,
                                            const struct schema *reader, const struct decoder_column *columns,
                                            size_t column_count, struct error *err);

#endif
