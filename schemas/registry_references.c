/*
 * registry_references: walks a schema in the order in which Avro defines names, and puts a referred
 * definition where its name is met first. The definition may itself mention others; each is put in
 * once.
 */
#include "schemas/registry_references.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schemas/schema.h"

struct merge {
    const struct registry_definition *definitions;
    size_t definition_count;
    json_t *defined; /* an object whose keys are the full names met so far */
    struct error *err;
};

/*
 * Gives a new reference to what stands in the place of `type`; `space` is the enclosing namespace,
 * "" is none.
 */
static enum status merge_type(struct merge *merge, json_t **out, const json_t *type,
                              const char *space, int depth);

static char *full_name(const char *name, const char *space)
{
    const bool complete = strchr(name, '.') != NULL || space[0] == '\0';
    return complete ? mem_copy_string(name) : mem_format("%s.%s", space, name);
}

static const struct registry_definition *find_definition(const struct merge *merge,
                                                         const char *name)
{
    for (size_t i = 0; i < merge->definition_count; i++)
        if (strcmp(merge->definitions[i].name, name) == 0)
            return &merge->definitions[i];
    return NULL;
}

static enum status load(json_t **out, struct bytes text, struct error *err)
{
    json_error_t why;
    *out = json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                      &why);
    if (*out == NULL)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "a schema that is no JSON: %s", why.text);
    return ST_OK;
}

static enum status merge_name(struct merge *merge, json_t **out, const json_t *type,
                              const char *space, int depth)
{
    AUTO(mem_auto_free) char *name = full_name(json_string_value(type), space);
    const struct registry_definition *definition = find_definition(merge, name);
    if (definition == NULL || json_object_get(merge->defined, name) != NULL) {
        *out = json_deep_copy(type);
        return ST_OK;
    }
    json_t *loaded;
    TRY(load(&loaded, definition->text, merge->err));
    const enum status status = merge_type(merge, out, loaded, "", depth + 1);
    json_decref(loaded);
    TRY(status);
    /* It was written for no namespace; where it stands now it would inherit one. */
    if (json_is_object(*out) && json_object_get(*out, "namespace") == NULL)
        json_object_set_new(*out, "namespace", json_string(""));
    return ST_OK;
}

/* Replaces the member `key` of `holder` by what belongs there. */
static enum status merge_member(struct merge *merge, json_t *holder, const char *key,
                                const char *space, int depth)
{
    const json_t *type = json_object_get(holder, key);
    if (type == NULL)
        return ST_OK; /* schema_parse says what is missing */
    json_t *merged = NULL;
    TRY(merge_type(merge, &merged, type, space, depth + 1));
    json_object_set_new(holder, key, merged);
    return ST_OK;
}

static enum status merge_fields(struct merge *merge, json_t *record, const char *space, int depth)
{
    const json_t *fields = json_object_get(record, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++)
        if (json_is_object(json_array_get(fields, i)))
            TRY(merge_member(merge, json_array_get(fields, i), "type", space, depth));
    return ST_OK;
}

/* A record, enum or fixed: defines its name, and a namespace for what is inside. */
static enum status merge_named(struct merge *merge, json_t *copy, const char *space, int depth)
{
    const char *name = json_string_value(json_object_get(copy, "name"));
    const char *own_space = json_string_value(json_object_get(copy, "namespace"));
    if (name == NULL)
        return ST_OK;
    AUTO(mem_auto_free) char *full = full_name(name, own_space != NULL ? own_space : space);
    json_object_set_new(merge->defined, full, json_true());
    char *dot = strrchr(full, '.');
    *(dot != NULL ? dot : full) = '\0'; /* only the namespace is left */
    return merge_fields(merge, copy, full, depth);
}

static enum status merge_object(struct merge *merge, json_t *copy, const char *space, int depth)
{
    const json_t *type = json_object_get(copy, "type");
    const char *name = json_string_value(type);
    if (name == NULL)
        return merge_member(merge, copy, "type", space, depth);
    if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0 || strcmp(name, "enum") == 0 ||
        strcmp(name, "fixed") == 0)
        return merge_named(merge, copy, space, depth);
    if (strcmp(name, "array") == 0)
        return merge_member(merge, copy, "items", space, depth);
    if (strcmp(name, "map") == 0)
        return merge_member(merge, copy, "values", space, depth);
    return merge_member(merge, copy, "type", space, depth);
}

static enum status merge_union(struct merge *merge, json_t *copy, const char *space, int depth)
{
    for (size_t i = 0; i < json_array_size(copy); i++) {
        json_t *merged = NULL;
        TRY(merge_type(merge, &merged, json_array_get(copy, i), space, depth + 1));
        json_array_set_new(copy, i, merged);
    }
    return ST_OK;
}

static enum status merge_type(struct merge *merge, json_t **out, const json_t *type,
                              const char *space, int depth)
{
    if (depth > 2 * SCHEMA_DEPTH_MAX)
        return FAIL(merge->err, ST_INCOMPATIBLE_SCHEMA, "a schema is nested too deeply");
    if (json_is_string(type))
        return merge_name(merge, out, type, space, depth);
    json_t *copy = json_deep_copy(type);
    enum status status = ST_OK;
    if (json_is_object(copy))
        status = merge_object(merge, copy, space, depth);
    else if (json_is_array(copy))
        status = merge_union(merge, copy, space, depth);
    if (status != ST_OK)
        json_decref(copy);
    else
        *out = copy;
    return status;
}

static int append(const char *text, size_t size, void *context)
{
    buffer_put(context, text, size);
    return 0;
}

enum status registry_references_merge(struct buffer *out, struct bytes text,
                                      const struct registry_definition *definitions,
                                      size_t definition_count, struct error *err)
{
    struct merge merge = {
        .definitions = definitions,
        .definition_count = definition_count,
        .err = err,
    };
    json_t *root = NULL, *merged = NULL;
    TRY(load(&root, text, err));
    merge.defined = json_object();
    const enum status status = merge_type(&merge, &merged, root, "", 0);
    if (status == ST_OK)
        json_dump_callback(merged, append, out, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(merged);
    json_decref(merge.defined);
    json_decref(root);
    return status;
}
