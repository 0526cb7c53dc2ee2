/*
 * registry_lookups: the ids that were asked for and are not known: which wait, when each is to be
 * tried next, and what the registry has said "no" to. Pure bookkeeping over a time that is passed
 * in; not thread-safe.
 *
 * Waiting ids are tried again with growing pauses for as long as somebody asks for them. A "no" is
 * remembered for a while, so that a bad producer does not become a storm of requests. Before it is
 * believed it is asked for once more, because a replica may lag behind a schema registered a moment
 * ago; a budget keeps garbage ids from using that to slow a partition down.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_LOOKUPS_H
#define WEIR_SCHEMAS_REGISTRY_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    LOOKUPS_MAX = 4096,        /* further ids wait in their partition and ask again */
    LOOKUP_PAUSE_MIN_MS = 100, /* after the first failure, then doubled */
    LOOKUP_PAUSE_MAX_MS = 5000,
    LOOKUP_FORGET_MS = 60000,     /* a waiting id for which nobody asked in so long */
    LOOKUP_CONFIRM_MS = 300,      /* until a "no" is asked for again */
    LOOKUP_CONFIRMATIONS_MAX = 8, /* at once; one more is allowed every second */
};

struct registry_lookups;

void registry_lookups_create(struct registry_lookups **out, int64_t negative_ms);
void registry_lookups_destroy(struct registry_lookups **lookups);

/*
 * Somebody wants this id: the remembered "no" (status and text into err), else ST_REGISTRY_DOWN
 * without a text, and the id waits; `is_new` says that it did not before.
 */
MUST_CHECK enum status registry_lookups_ask(struct registry_lookups *lookups, int32_t id,
                                            int64_t now_ms, bool *is_new, struct error *err);

/*
 * The waiting id that is due first, and when; false when none waits. Forgets those that nobody
 * wants any more.
 */
bool registry_lookups_next(struct registry_lookups *lookups, int64_t now_ms, int32_t *id,
                           int64_t *due_ms);

/* What came of trying an id. Forgotten ids are passed over. */
void registry_lookups_found(struct registry_lookups *lookups, int32_t id);
void registry_lookups_failed(struct registry_lookups *lookups, int32_t id, int64_t now_ms);
/* The "no" with its reason; true when it is believed, false when it will be asked for once more. */
bool registry_lookups_denied(struct registry_lookups *lookups, int32_t id, int64_t now_ms,
                             const struct error *why);

size_t registry_lookups_waiting(const struct registry_lookups *lookups);

#endif
