/*
 * generator_payload: an event of the generator as bytes, broken where it is poison. Stateless.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_GENERATOR_PAYLOAD_H
#define WEIR_PROCESSOR_OFFLINE_GENERATOR_PAYLOAD_H

#include "base/buffer.h"
#include "processor/offline/generator.h"

enum { GENERATOR_UNKNOWN_SCHEMA_ID = 2000000001 };

/*
 * Appends the value: with ENCODING_AVRO framed with the schema's id, the others without a line's
 * end. true; or false for a record without a value.
 */
bool generator_write_value(struct buffer *out, const struct generator_event *event,
                           enum generator_encoding encoding, int32_t schema_id);
/* The first line of a CSV file. */
extern const char generator_csv_header[];
/* What is known of it but does not stand in it, as one line of JSON without its end. */
void generator_write_truth(struct buffer *out, const struct generator_event *event,
                           enum generator_encoding encoding);

/* Rows of the tables, after schemas/user-profile.avsc and schemas/blocked-merchant.avsc. */
void generator_write_profile(struct buffer *out, const struct generator_profile *profile,
                             enum generator_encoding encoding, int32_t schema_id);
void generator_write_blocked_merchant(struct buffer *out,
                                      const struct generator_blocked_merchant *merchant,
                                      enum generator_encoding encoding, int32_t schema_id);

#endif
