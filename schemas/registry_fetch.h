/*
 * registry_fetch: one schema id at a server, with everything that it refers to, as one parsed
 * schema. Blocks for as long as the requests take; one thread.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_FETCH_H
#define WEIR_SCHEMAS_REGISTRY_FETCH_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "schemas/registry_client.h"
#include "schemas/schema.h"

/*
 * ST_REGISTRY_DOWN: no usable answer, try again. ST_UNKNOWN_SCHEMA: the registry does not have it.
 * ST_INCOMPATIBLE_SCHEMA: it is no Avro schema that we can read.
 */
MUST_CHECK enum status registry_fetch_schema(struct registry_client *client, int32_t id,
                                             struct schema_document **out, struct error *err);

/* "a/b" -> "a%2Fb": one segment of a path. */
void registry_put_segment(struct buffer *out, const char *text);

#endif
