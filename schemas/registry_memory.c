/*
 * registry_memory: a registry that begins empty and gives out ids from 1; for the demo, backtests
 * and tests.
 */
#include <pthread.h>

#include "base/memory.h"
#include "schemas/registry_ids.h"
#include "schemas/registry_type.h"

struct registry_memory {
    struct registry base;
    pthread_mutex_t lock;
    struct registry_ids *ids;
};

static struct registry_memory *of(struct registry *self)
{
    return (struct registry_memory *)self;
}

static enum status memory_find(struct registry *self, int32_t id, const struct schema_document **out,
                               struct error *err)
{
    struct registry_memory *memory = of(self);
    pthread_mutex_lock(&memory->lock);
    const struct schema_document *document = registry_ids_find(memory->ids, id);
    pthread_mutex_unlock(&memory->lock);
    if (document == NULL)
        return FAIL(err, ST_UNKNOWN_SCHEMA, "no schema was registered with id %d", id);
    *out = document;
    return ST_OK;
}

static enum status memory_fetch(struct registry *self, int32_t id, int64_t timeout_ms,
                                const struct schema_document **out, struct error *err)
{
    (void)timeout_ms;
    return memory_find(self, id, out, err);
}

static enum status add_text(struct registry_memory *memory, struct bytes text, int32_t *id,
                            struct error *err)
{
    if (registry_ids_find_text(memory->ids, text, id))
        return ST_OK;
    struct schema_document *document = NULL;
    TRY(schema_parse(&document, (const char *)text.data, text.size, err));
    *id = registry_ids_next(memory->ids);
    registry_ids_add(memory->ids, *id, &document);
    return ST_OK;
}

static enum status memory_register(struct registry *self, const char *subject, struct bytes text,
                                   int64_t timeout_ms, int32_t *id, struct error *err)
{
    struct registry_memory *memory = of(self);
    (void)timeout_ms;
    struct error why;
    pthread_mutex_lock(&memory->lock);
    const enum status status = add_text(memory, text, id, &why);
    pthread_mutex_unlock(&memory->lock);
    return status == ST_OK ? ST_OK : FAIL(err, status, "schema of '%s': %s", subject, why.text);
}

static void memory_health(struct registry *self, struct registry_health *out)
{
    struct registry_memory *memory = of(self);
    pthread_mutex_lock(&memory->lock);
    out->schemas_known = (int64_t)registry_ids_count(memory->ids);
    pthread_mutex_unlock(&memory->lock);
}

static void memory_close(struct registry *self)
{
    struct registry_memory *memory = of(self);
    registry_ids_destroy(&memory->ids);
    pthread_mutex_destroy(&memory->lock);
    mem_free(memory);
}

static const struct registry_type registry_memory = {
    .find = memory_find,
    .fetch = memory_fetch,
    .register_text = memory_register,
    .health = memory_health,
    .close = memory_close,
};

void registry_open_memory(struct registry **out)
{
    struct registry_memory *memory = mem_alloc(sizeof *memory);
    memory->base.type = &registry_memory;
    pthread_mutex_init(&memory->lock, NULL);
    registry_ids_create(&memory->ids);
    *out = &memory->base;
}
