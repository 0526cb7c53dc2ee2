/* registry_ids: two maps, by id and by text. */
#include "schemas/registry_ids.h"

#include "base/map.h"
#include "base/memory.h"

struct registry_ids {
    struct map *by_id;   /* int32_t -> struct schema_document * */
    struct map *by_text; /* -> int32_t */
    int32_t largest;
};

static struct bytes key_of(const int32_t *id)
{
    return bytes_of(id, sizeof *id);
}

void registry_ids_create(struct registry_ids **out)
{
    struct registry_ids *ids = mem_alloc(sizeof *ids);
    map_create(&ids->by_id, sizeof(struct schema_document *));
    map_create(&ids->by_text, sizeof(int32_t));
    *out = ids;
}

void registry_ids_destroy(struct registry_ids **ids)
{
    if (*ids == NULL)
        return;
    struct map_iterator it = map_iterate((*ids)->by_id);
    while (map_next(&it))
        schema_document_destroy(it.value);
    map_destroy(&(*ids)->by_id);
    map_destroy(&(*ids)->by_text);
    mem_free(TAKE(*ids));
}

const struct schema_document *registry_ids_find(const struct registry_ids *ids, int32_t id)
{
    struct schema_document *const *found = map_find(ids->by_id, key_of(&id));
    return found == NULL ? NULL : *found;
}

void registry_ids_add(struct registry_ids *ids, int32_t id, struct schema_document **document)
{
    bool is_new;
    struct schema_document **place = map_insert(ids->by_id, key_of(&id), &is_new);
    if (!is_new) {
        schema_document_destroy(document);
        return;
    }
    *place = TAKE(*document);
    if (id > ids->largest)
        ids->largest = id;
    int32_t *by_text = map_insert(ids->by_text, schema_text(*place), &is_new);
    if (is_new)
        *by_text = id;
}

bool registry_ids_find_text(const struct registry_ids *ids, struct bytes text, int32_t *id)
{
    const int32_t *found = map_find(ids->by_text, text);
    if (found != NULL)
        *id = *found;
    return found != NULL;
}

size_t registry_ids_count(const struct registry_ids *ids)
{
    return map_count(ids->by_id);
}

int32_t registry_ids_next(const struct registry_ids *ids)
{
    return ids->largest == INT32_MAX ? 0 : ids->largest + 1;
}
