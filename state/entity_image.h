/*
 * entity_image: what a loaded entity's windows hold, in few bytes, for an entity that is let go and may come back: it need not
 * pass its events again, and chunks that no window is about to pass need not be read. It never leaves the process and is only
 * good for the events that it was made of, so it is kept beside their row (entity_rows.c), not in it.
 * Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_IMAGE_H
#define WEIR_STATE_ENTITY_IMAGE_H

#include "base/buffer.h"

struct entity;

/* Nothing, when events must be passed again: there are few, or something is held that has memory of its own. */
void entity_image_write(const struct entity *entity, struct buffer *out);
/* Into an entity that has the same events, and whose windows are empty. */
void entity_image_read(struct entity *entity, struct bytes image);

#endif
