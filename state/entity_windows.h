/*
 * entity_windows: where an entity's windows stand. A window follows the event that is evaluated: what its edges pass is
 * added to its aggregates (window_aggregates.h) or taken away.
 * Private to the entity log.
 */
#ifndef WEIR_STATE_ENTITY_WINDOWS_H
#define WEIR_STATE_ENTITY_WINDOWS_H

#include "state/entity.h"

/* Where an entity of this log has its windows: rooms that are zeroed, of alignment 16. */
void entity_windows_lay_out(const struct entity_log *log, struct entity_rooms *out);
/* Of an entity that starts again, its indexes too. */
void entity_windows_clear(struct entity *entity);

/* An event went in at this index: a window that reaches over it must count it, one that lies behind
 * it moves up. */
MUST_CHECK enum status entity_windows_inserted(struct entity *entity, uint64_t index,
                                               int64_t time_us, struct error *err);
/* The events before `end` are gone, and so many chunks: a window that reached there is rebuilt when it is needed. */
void entity_windows_forgot(struct entity *entity, uint64_t end, size_t chunks);
/* Every index is less by so much now; none of a window was less. */
void entity_windows_renumbered(struct entity *entity, uint32_t by);

/* The events at which the windows begin, and what their aggregates hold, on their way into the processor's cache: those of
 * the open chunk, and then, when they are in a sealed one, those. */
void entity_windows_prefetch(const struct entity *entity);
void entity_windows_prefetch_sealed(const struct entity *entity);

/* Moves the window to where it stands for the event at this index. */
MUST_CHECK enum status entity_window_move(struct entity *entity, int window, uint64_t index,
                                          struct error *err);

#endif
