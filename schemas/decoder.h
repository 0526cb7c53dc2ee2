/*
 * decoder: turns one record's payload into the slots that a stream or a table wants.
 *
 * Two of them behind one face: Avro with the Confluent framing (through a resolver of schema ids), and JSON.
 * Created once per worker and stream; not thread-safe. Strings in slots borrow the payload when they can, else
 * they live in the arena that the caller resets per record or per batch.
 */
#ifndef WEIR_SCHEMAS_DECODER_H
#define WEIR_SCHEMAS_DECODER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/registry.h"
#include "schemas/schema.h"
#include "schemas/value.h"

/* One wanted place: a path of the reader schema; slots[i] gets paths[i]. */
struct decoder_column {
    const char *path;
    struct value_type type; /* as schema_find_column gave it */
};

struct decoder;

/*
 * `reader` and `columns` are borrowed until destroy. `registry` (borrowed) may be NULL for JSON.
 * A writer schema that cannot be read as `reader` is ST_INCOMPATIBLE_SCHEMA for each record that uses it.
 */
MUST_CHECK enum status decoder_create_avro(struct decoder **out, const struct schema *reader,
                                           const struct decoder_column *columns, size_t column_count,
                                           struct registry *registry, struct error *err);
MUST_CHECK enum status decoder_create_json(struct decoder **out, const struct schema *reader,
                                           const struct decoder_column *columns, size_t column_count,
                                           struct error *err);
void decoder_destroy(struct decoder **decoder);

/*
 * Fills slots[0..column_count). SKIP-class status for a bad record; ST_REGISTRY_DOWN (class RETRY) when the schema id is
 * not known yet and the registry does not answer: nothing is lost, call again later.
 * JSON numbers: an int column takes an integral number only; a decimal takes digits exactly; a timestamp takes the schema's
 * unit as a number, or RFC 3339 text. Unknown fields are ignored, a missing field takes the reader's default or is refused.
 */
MUST_CHECK enum status decoder_decode(struct decoder *decoder, struct bytes payload, struct value *slots,
                                      struct arena *arena, struct error *err);

#endif
