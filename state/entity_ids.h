/*
 * entity_ids: has an event of this id come in already? (entity_find_id, entity_log.h.) The hashes of the ids lie beside the
 * events (entity_facts.h), so a few are looked at one by one. Where there are many, a table of all of them says at
 * once that an id is new, which it mostly is; it is made when it is first needed and knows more than what still counts.
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_ENTITY_IDS_H
#define WEIR_STATE_ENTITY_IDS_H

#include "state/entity.h"

/* An event has come in; `words` are its facts. */
void entity_ids_inserted(struct entity *entity, const uint64_t *words);
/* Frees the table, which is made again when it is needed. */
void entity_ids_forget(struct entity *entity);
size_t entity_ids_footprint(const struct entity *entity);

#endif
