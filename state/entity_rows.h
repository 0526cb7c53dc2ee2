/*
 * entity_rows: an entity's rows in the overlay, to which it is loaded from and written when it has changed. Private to the
 * entity log.
 */
#ifndef WEIR_STATE_ENTITY_ROWS_H
#define WEIR_STATE_ENTITY_ROWS_H

#include "base/buffer.h"
#include "base/error.h"

struct entity;
struct entity_log;

/* Into an entity that has nothing yet: what its rows say, if there are any. ST_CORRUPT, and then it may have some. */
MUST_CHECK enum status entity_read_rows(struct entity *entity, struct error *err);
/* What has changed; it is tidied before. */
MUST_CHECK enum status entity_write_rows(struct entity *entity, struct error *err);
/* All of them. */
void entity_delete_rows(struct entity *entity);
/* The key of the row that an entity is loaded by. */
void entity_put_head_key(const struct entity_log *log, struct bytes key, struct buffer *out);

#endif
