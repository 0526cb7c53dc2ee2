/*
 * registry_ids: the schemas known by id. Only grows: what was found under an id is borrowed by
 * decoders until the registry closes. Not thread-safe; a registry keeps it under its own lock.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_IDS_H
#define WEIR_SCHEMAS_REGISTRY_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "schemas/schema.h"

struct registry_ids;

void registry_ids_create(struct registry_ids **out);
void registry_ids_destroy(struct registry_ids **ids);

/* NULL: not known. */
const struct schema_document *registry_ids_find(const struct registry_ids *ids, int32_t id);
/* Takes the document. An id that is known keeps the schema that it has: ids are immutable. */
void registry_ids_add(struct registry_ids *ids, int32_t id, struct schema_document **document);
/* The id first added with exactly this text. */
bool registry_ids_find_text(const struct registry_ids *ids, struct bytes text, int32_t *id);
size_t registry_ids_count(const struct registry_ids *ids);
/* One more than the largest id, at least 1; 0 when there is none left. */
int32_t registry_ids_next(const struct registry_ids *ids);

#endif
