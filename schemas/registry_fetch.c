/*
 * registry_fetch: GET /schemas/ids/{id}, then GET /subjects/{s}/versions/{v} for each reference,
 * and so on.
 */
#include "schemas/registry_fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schemas/registry_references.h"

enum { DEFINITIONS_MAX = 64, REFERENCE_DEPTH_MAX = 16 };

/* What has been gathered for one id. */
struct gathering {
    struct registry_client *client;
    struct registry_definition definitions[DEFINITIONS_MAX];
    size_t count;
    struct error *err;
};

static enum status gather(struct gathering *gathering, const struct registry_reply *reply,
                          int depth);

void registry_put_segment(struct buffer *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                           (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL;
        if (plain)
            buffer_put_u8(out, (uint8_t)*c);
        else
            buffer_printf(out, "%%%02X", (unsigned char)*c);
    }
}

static enum status check_schema(const struct registry_reply *reply, struct error *err)
{
    switch (reply->verdict) {
    case REPLY_FOUND:
        break;
    case REPLY_UNKNOWN:
        return FAIL(err, ST_UNKNOWN_SCHEMA, "%s", reply->message);
    case REPLY_REFUSED: /* wrong credentials, mostly: no record is to be lost until they are mended */
    case REPLY_FAILED:
        return FAIL(err, ST_REGISTRY_DOWN, "%s", reply->message);
    }
    if (!bytes_equal(reply->schema_type, BYTES_LITERAL("AVRO")))
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "it is a schema of type %.*s; only AVRO is read",
                    (int)(reply->schema_type.size < 32 ? reply->schema_type.size : 32),
                    (const char *)reply->schema_type.data);
    if (reply->text.size > SCHEMA_TEXT_MAX)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "its text is larger than %d bytes",
                    SCHEMA_TEXT_MAX);
    return ST_OK;
}

static bool has_definition(const struct gathering *gathering, const char *name)
{
    for (size_t i = 0; i < gathering->count; i++)
        if (strcmp(gathering->definitions[i].name, name) == 0)
            return true;
    return false;
}

static enum status add_definition(struct gathering *gathering,
                                  const struct registry_reference *reference,
                                  const struct registry_reply *reply, int depth)
{
    TRY(check_schema(reply, gathering->err));
    if (gathering->count == DEFINITIONS_MAX)
        return FAIL(gathering->err, ST_INCOMPATIBLE_SCHEMA, "it refers to more than %d others",
                    DEFINITIONS_MAX);
    gathering->definitions[gathering->count++] = (struct registry_definition){
        .name = mem_copy_string(reference->name),
        .text = bytes_of(mem_copy(reply->text.data, reply->text.size), reply->text.size),
    };
    return gather(gathering, reply, depth + 1);
}

static enum status follow(struct gathering *gathering, const struct registry_reference *reference,
                          int depth)
{
    AUTO(buffer_fini) struct buffer path;
    buffer_init(&path);
    buffer_put_string(&path, "/subjects/");
    registry_put_segment(&path, reference->subject);
    buffer_printf(&path, "/versions/%d?deleted=true",
                  reference->version); /* records outlive their subject */
    const struct registry_request request = { .question = ASKED_SCHEMA,
                                              .path = buffer_text(&path) };
    struct registry_reply reply;
    registry_client_ask(gathering->client, &request, &reply);
    const enum status status = add_definition(gathering, reference, &reply, depth);
    registry_reply_fini(&reply);
    return status;
}

static enum status gather(struct gathering *gathering, const struct registry_reply *reply,
                          int depth)
{
    if (depth > REFERENCE_DEPTH_MAX)
        return FAIL(gathering->err, ST_INCOMPATIBLE_SCHEMA, "its references go deeper than %d",
                    REFERENCE_DEPTH_MAX);
    for (size_t i = 0; i < reply->reference_count; i++) {
        const struct registry_reference reference = registry_reply_reference(reply, i);
        if (!has_definition(gathering, reference.name))
            TRY(follow(gathering, &reference, depth));
    }
    return ST_OK;
}

/* Parses the text, or says that it cannot be read. */
static enum status parse(struct bytes text, struct schema_document **out, struct error *err)
{
    struct error why;
    if (schema_parse(out, (const char *)text.data, text.size, &why) != ST_OK)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "%s", why.text);
    return ST_OK;
}

static enum status merge_and_parse(const struct gathering *gathering, struct bytes text,
                                   struct schema_document **out)
{
    if (gathering->count == 0)
        return parse(text, out, gathering->err);
    AUTO(buffer_fini) struct buffer merged;
    buffer_init(&merged);
    TRY(registry_references_merge(&merged, text, gathering->definitions, gathering->count,
                                  gathering->err));
    return parse(buffer_view(&merged), out, gathering->err);
}

static enum status build(struct registry_client *client, const struct registry_reply *reply,
                         struct schema_document **out, struct error *err)
{
    TRY(check_schema(reply, err));
    AUTO(mem_auto_free) struct gathering *gathering = mem_alloc(sizeof *gathering);
    gathering->client = client;
    gathering->err = err;
    enum status status = gather(gathering, reply, 0);
    if (status == ST_OK)
        status = merge_and_parse(gathering, reply->text, out);
    for (size_t i = 0; i < gathering->count; i++) {
        mem_free((char *)gathering->definitions[i].name);
        mem_free((uint8_t *)gathering->definitions[i].text.data);
    }
    return status;
}

enum status registry_fetch_schema(struct registry_client *client, int32_t id,
                                  struct schema_document **out, struct error *err)
{
    char path[40];
    snprintf(path, sizeof path, "/schemas/ids/%d", id);
    const struct registry_request request = { .question = ASKED_SCHEMA, .path = path };
    struct registry_reply reply;
    struct error why;
    registry_client_ask(client, &request, &reply);
    const enum status status = build(client, &reply, out, &why);
    registry_reply_fini(&reply);
    return status == ST_OK ? ST_OK : FAIL(err, status, "schema id %d: %s", id, why.text);
}
