/* registry_lookups: one entry per id, waiting or denied. */
#include "schemas/registry_lookups.h"

#include "base/bytes.h"
#include "base/map.h"
#include "base/memory.h"

struct lookup {
    bool denied;
    bool confirming; /* it was denied once */
    int failures;    /* in a row */
    int64_t due_ms;  /* waiting: when to try; denied: when it is forgotten */
    int64_t asked_ms;
    struct error *why; /* denied */
};

struct registry_lookups {
    struct map *by_id; /* int32_t -> struct lookup */
    size_t waiting;
    int64_t negative_ms;
    int64_t
        confirmations_spent_ms; /* a bucket that leaks: each confirmation pours a second's worth */
};

static struct bytes key_of(const int32_t *id)
{
    return bytes_of(id, sizeof *id);
}

void registry_lookups_create(struct registry_lookups **out, int64_t negative_ms)
{
    struct registry_lookups *lookups = mem_alloc(sizeof *lookups);
    map_create(&lookups->by_id, sizeof(struct lookup));
    lookups->negative_ms = negative_ms;
    *out = lookups;
}

void registry_lookups_destroy(struct registry_lookups **lookups)
{
    if (*lookups == NULL)
        return;
    struct map_iterator it = map_iterate((*lookups)->by_id);
    while (map_next(&it))
        mem_free(((struct lookup *)it.value)->why);
    map_destroy(&(*lookups)->by_id);
    mem_free(TAKE(*lookups));
}

static void forget(struct registry_lookups *lookups, int32_t id, struct lookup *lookup)
{
    lookups->waiting -= lookup->denied ? 0 : 1;
    mem_free(lookup->why);
    map_remove(lookups->by_id, key_of(&id));
}

/* Takes out what has had its time, and if that is nothing, the oldest "no". */
static void make_room(struct registry_lookups *lookups, int64_t now_ms)
{
    int32_t oldest = 0;
    struct lookup *oldest_denied = NULL;
    struct map_iterator it = map_iterate(lookups->by_id);
    while (map_next(&it)) {
        struct lookup *lookup = it.value;
        int32_t id;
        memcpy(&id, it.key.data, sizeof id);
        if (!lookup->denied)
            continue;
        if (lookup->due_ms <= now_ms) {
            forget(lookups, id, lookup);
        } else if (oldest_denied == NULL) {
            oldest = id;
            oldest_denied = lookup;
        }
    }
    if (map_count(lookups->by_id) >= LOOKUPS_MAX && oldest_denied != NULL)
        forget(lookups, oldest, oldest_denied);
}

static void start_waiting(struct registry_lookups *lookups, struct lookup *lookup, int64_t now_ms)
{
    mem_free(lookup->why);
    *lookup = (struct lookup){ .due_ms = now_ms, .asked_ms = now_ms };
    lookups->waiting++;
}

enum status registry_lookups_ask(struct registry_lookups *lookups, int32_t id, int64_t now_ms,
                                 bool *is_new, struct error *err)
{
    *is_new = false;
    struct lookup *lookup = map_find(lookups->by_id, key_of(&id));
    if (lookup != NULL && lookup->denied && now_ms < lookup->due_ms)
        return FAIL(err, lookup->why->status, "%s", lookup->why->text);
    if (lookup != NULL && !lookup->denied) {
        lookup->asked_ms = now_ms;
        return ST_REGISTRY_DOWN;
    }
    if (lookup == NULL && map_count(lookups->by_id) >= LOOKUPS_MAX)
        make_room(lookups, now_ms);
    if (lookup == NULL && map_count(lookups->by_id) >= LOOKUPS_MAX)
        return ST_REGISTRY_DOWN;
    start_waiting(lookups, map_insert(lookups->by_id, key_of(&id), NULL), now_ms);
    *is_new = true;
    return ST_REGISTRY_DOWN;
}

bool registry_lookups_next(struct registry_lookups *lookups, int64_t now_ms, int32_t *id,
                           int64_t *due_ms)
{
    bool found = false;
    struct map_iterator it = map_iterate(lookups->by_id);
    while (map_next(&it)) {
        struct lookup *lookup = it.value;
        int32_t this_id;
        memcpy(&this_id, it.key.data, sizeof this_id);
        if (lookup->denied)
            continue;
        if (now_ms - lookup->asked_ms >= LOOKUP_FORGET_MS) {
            forget(lookups, this_id, lookup);
        } else if (!found || lookup->due_ms < *due_ms) {
            found = true;
            *id = this_id;
            *due_ms = lookup->due_ms;
        }
    }
    return found;
}

static struct lookup *find_waiting(struct registry_lookups *lookups, int32_t id)
{
    struct lookup *lookup = map_find(lookups->by_id, key_of(&id));
    return lookup == NULL || lookup->denied ? NULL : lookup;
}

void registry_lookups_found(struct registry_lookups *lookups, int32_t id)
{
    struct lookup *lookup = map_find(lookups->by_id, key_of(&id));
    if (lookup != NULL)
        forget(lookups, id, lookup);
}

void registry_lookups_failed(struct registry_lookups *lookups, int32_t id, int64_t now_ms)
{
    struct lookup *lookup = find_waiting(lookups, id);
    if (lookup == NULL)
        return;
    int64_t pause_ms = LOOKUP_PAUSE_MIN_MS;
    for (int i = 0; i < lookup->failures && pause_ms < LOOKUP_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    lookup->failures++;
    lookup->due_ms = now_ms + (pause_ms < LOOKUP_PAUSE_MAX_MS ? pause_ms : LOOKUP_PAUSE_MAX_MS);
}

static bool may_confirm(struct registry_lookups *lookups, int64_t now_ms)
{
    static const int64_t worth_ms = 1000;
    if (lookups->confirmations_spent_ms < now_ms)
        lookups->confirmations_spent_ms = now_ms;
    if (lookups->confirmations_spent_ms - now_ms > (LOOKUP_CONFIRMATIONS_MAX - 1) * worth_ms)
        return false;
    lookups->confirmations_spent_ms += worth_ms;
    return true;
}

bool registry_lookups_denied(struct registry_lookups *lookups, int32_t id, int64_t now_ms,
                             const struct error *why)
{
    struct lookup *lookup = find_waiting(lookups, id);
    if (lookup == NULL)
        return true;
    if (!lookup->confirming && why->status == ST_UNKNOWN_SCHEMA && may_confirm(lookups, now_ms)) {
        lookup->confirming = true;
        lookup->due_ms = now_ms + LOOKUP_CONFIRM_MS;
        return false;
    }
    lookups->waiting--;
    lookup->denied = true;
    lookup->due_ms = now_ms + lookups->negative_ms;
    lookup->why = mem_copy(why, sizeof *why);
    return true;
}

size_t registry_lookups_waiting(const struct registry_lookups *lookups)
{
    return lookups->waiting;
}
