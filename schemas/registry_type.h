/*
 * registry_type: what stands behind `struct registry`; included by the files that implement one, by
 * nobody else. An implementation begins its own struct with `struct registry base;`. All calls may
 * come from any thread.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_TYPE_H
#define WEIR_SCHEMAS_REGISTRY_TYPE_H

#include "schemas/registry.h"

/* Each as the function of registry.h of that name; find and fetch give the whole document. */
struct registry_type {
    enum status (*find)(struct registry *self, int32_t id, const struct schema_document **out,
                        struct error *err);
    enum status (*fetch)(struct registry *self, int32_t id, int64_t timeout_ms,
                         const struct schema_document **out, struct error *err);
    enum status (*register_text)(struct registry *self, const char *subject, struct bytes text,
                                 int64_t timeout_ms, int32_t *id, struct error *err);
    void (*health)(struct registry *self, struct registry_health *out); /* `out` is zeroed */
    void (*close)(struct registry *self);
};

struct registry {
    const struct registry_type *type;
};

#endif
