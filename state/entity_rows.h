/*
 * entity_rows: an entity's rows in the overlay, from which it is loaded, and to which it is written when it has changed.
 * Private to the entity log.
 *
 * What is kept (entity_log.kept) says what the overlay's rows of the same keys say, in fewer bytes, and as this process can
 * take it back at once. It is either there or a part of a loaded entity, never both: so what changes or is deleted is not
 * there, and an abort, which forgets what it loaded, leaves only what is committed.
 */
#ifndef WEIR_STATE_ENTITY_ROWS_H
#define WEIR_STATE_ENTITY_ROWS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

struct entity;
struct entity_log;

/* Into an entity that has nothing yet: what its rows say, if there are any. ST_CORRUPT, and then it may have some. */
MUST_CHECK enum status entity_read_rows(struct entity *entity, struct error *err);
/* Of a key whose entity is not loaded: its newest event's time, by its head row alone. *found false: it has no row. */
MUST_CHECK enum status entity_find_newest(struct entity_log *log, struct bytes key, bool *found, int64_t *newest_us,
                                          struct error *err);
/* What has changed; it is tidied before. */
MUST_CHECK enum status entity_write_rows(struct entity *entity, struct error *err);
/* Whether only what has come at the end since is to be written of the head row, which is in the tail as it was before. */
bool entity_head_only_grew(const struct entity *entity);
/* All of them. */
void entity_delete_rows(struct entity *entity);
/*
 * For an entity that is about to be let go and has committed what it is: keeps its events, as far as they are loaded, in a
 * part of its room. Whoever loads it takes them from there.
 */
void entity_keep(struct entity *entity);
/*
 * Keeps sealed chunks that nobody has asked for since it was called last, instead of having them loaded. Before what the
 * transaction has changed is written: what is not changed is committed.
 */
void entity_unload_chunks(struct entity *entity);
/* After it: of the others, those whose rests nobody has asked for leave them to their rows, if windows can do without. */
void entity_forget_rests(struct entity *entity);
/* For looking ahead: where what is kept of this key would be, for row_cache_peek. */
uint32_t entity_expect_kept(struct entity_log *log, struct bytes key);

#endif
