/* registry: the port; each call goes to the implementation that was opened. */
#include "schemas/registry.h"

#include <string.h>

#include "base/ensure.h"
#include "schemas/registry_type.h"

void registry_close(struct registry **registry)
{
    if (*registry != NULL)
        (*registry)->type->close(*registry);
    *registry = NULL;
}

enum status registry_find(struct registry *registry, int32_t id, const struct schema **out,
                          struct error *err)
{
    const struct schema_document *document = NULL;
    TRY(registry->type->find(registry, id, &document, err));
    *out = schema_root(document);
    return ST_OK;
}

enum status registry_fetch(struct registry *registry, int32_t id, int64_t timeout_ms,
                           const struct schema **out, struct error *err)
{
    const struct schema_document *document = NULL;
    TRY(registry->type->fetch(registry, id, timeout_ms, &document, err));
    *out = schema_root(document);
    return ST_OK;
}

enum status registry_fetch_text(struct registry *registry, int32_t id, int64_t timeout_ms,
                                struct bytes *out, struct error *err)
{
    const struct schema_document *document = NULL;
    TRY(registry->type->fetch(registry, id, timeout_ms, &document, err));
    *out = schema_text(document);
    return ST_OK;
}

enum status registry_register(struct registry *registry, const char *subject, struct bytes text,
                              int64_t timeout_ms, int32_t *id, struct error *err)
{
    ENSURE(text.data != NULL);
    return registry->type->register_text(registry, subject, text, timeout_ms, id, err);
}

void registry_health(struct registry *registry, struct registry_health *out)
{
    memset(out, 0, sizeof *out);
    registry->type->health(registry, out);
}
