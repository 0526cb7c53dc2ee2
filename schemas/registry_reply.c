/*
 * registry_reply: the answers of Confluent's Schema Registry API and what others make of it.
 *
 *     200 {"schema": "...", "schemaType": "AVRO", "references": [{"name", "subject", "version"}]}
 *     200 {"id": 7}
 *     4xx and 5xx {"error_code": 40403, "message": "Schema 7 not found"}
 *
 * A 404 counts as "unknown" only with one of the registry's own error codes: a proxy, or a URL with
 * a wrong path, answers 404 too, and then good records would end as dead letters.
 */
#include "schemas/registry_reply.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
    UNKNOWN_SUBJECT = 40401,
    UNKNOWN_VERSION = 40402,
    UNKNOWN_SCHEMA = 40403,
    REFERENCES_MAX = 64
};

static void read_success(struct registry_reply *reply, enum registry_question question);
static void read_error(struct registry_reply *reply, long http_status);
__attribute__((format(printf, 2, 3))) static void put_message(struct registry_reply *reply,
                                                              const char *format, ...);

void registry_reply_read(struct registry_reply *out, enum registry_question question,
                         long http_status, struct bytes body)
{
    memset(out, 0, sizeof *out);
    json_error_t why;
    out->body = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &why);
    if (http_status >= 200 && http_status < 300)
        read_success(out, question);
    else
        read_error(out, http_status);
}

void registry_reply_fail(struct registry_reply *out, const char *why)
{
    memset(out, 0, sizeof *out);
    put_message(out, "%s", why);
}

void registry_reply_fini(struct registry_reply *reply)
{
    json_decref(reply->body);
    reply->body = NULL;
}

/* Words of a server end in logs and on pages: no control characters, and cut between characters. */
static void put_message(struct registry_reply *reply, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(reply->message, sizeof reply->message, format, arguments);
    va_end(arguments);
    size_t size = strlen(reply->message);
    if (wanted >= (int)sizeof reply->message)
        while (size > 0 && (reply->message[size - 1] & 0x80) != 0)
            size--;
    reply->message[size] = '\0';
    for (char *c = reply->message; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

static struct bytes string_of(const json_t *json)
{
    return bytes_of(json_string_value(json), json_string_length(json));
}

static bool is_id(const json_t *json)
{
    return json_is_integer(json) && json_integer_value(json) >= 0 &&
           json_integer_value(json) <= INT32_MAX;
}

static bool is_reference(const json_t *json)
{
    return json_is_string(json_object_get(json, "name")) &&
           json_is_string(json_object_get(json, "subject")) &&
           is_id(json_object_get(json, "version"));
}

static bool are_references(const json_t *references)
{
    if (references == NULL || json_is_null(references))
        return true;
    if (!json_is_array(references) || json_array_size(references) > REFERENCES_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(references); i++)
        if (!is_reference(json_array_get(references, i)))
            return false;
    return true;
}

static void read_schema(struct registry_reply *reply)
{
    const json_t *text = json_object_get(reply->body, "schema");
    const json_t *type = json_object_get(reply->body, "schemaType");
    const json_t *references = json_object_get(reply->body, "references");
    if (!json_is_string(text) || !are_references(references)) {
        put_message(reply, "its answer holds no schema");
        return;
    }
    reply->text = string_of(text);
    reply->schema_type = json_is_string(type) ? string_of(type) : BYTES_LITERAL("AVRO");
    reply->reference_count = json_array_size(references);
    reply->verdict = REPLY_FOUND;
}

static void read_success(struct registry_reply *reply, enum registry_question question)
{
    if (!json_is_object(reply->body)) {
        put_message(reply, "its answer is no JSON object");
        return;
    }
    if (question == ASKED_SCHEMA) {
        read_schema(reply);
        return;
    }
    const json_t *id = json_object_get(reply->body, "id");
    if (!is_id(id)) {
        put_message(reply, "its answer holds no id");
        return;
    }
    reply->id = (int32_t)json_integer_value(id);
    reply->verdict = REPLY_FOUND;
}

/* Asking again will not change it; `from_registry`: it has an error code, so it is no proxy's. */
static bool is_final(long http_status, bool from_registry)
{
    switch (http_status) {
    case 401:
    case 403:
    case 409:
    case 422:
        return true;
    case 408:
    case 429:
        return false;
    default:
        return from_registry && http_status >= 400 && http_status < 500;
    }
}

static void read_error(struct registry_reply *reply, long http_status)
{
    const json_t *code = json_object_get(reply->body, "error_code");
    const json_t *message = json_object_get(reply->body, "message");
    if (json_is_string(message))
        put_message(reply, "%ld: %s", http_status, json_string_value(message));
    else
        put_message(reply, "HTTP status %ld", http_status);
    const json_int_t error_code = json_integer_value(code);
    if (http_status == 404 && error_code >= UNKNOWN_SUBJECT && error_code <= UNKNOWN_SCHEMA)
        reply->verdict = REPLY_UNKNOWN;
    else if (is_final(http_status, json_is_integer(code)))
        reply->verdict = REPLY_REFUSED;
}

struct registry_reference registry_reply_reference(const struct registry_reply *reply, size_t index)
{
    const json_t *reference = json_array_get(json_object_get(reply->body, "references"), index);
    return (struct registry_reference){
        .name = json_string_value(json_object_get(reference, "name")),
        .subject = json_string_value(json_object_get(reference, "subject")),
        .version = (int32_t)json_integer_value(json_object_get(reference, "version")),
    };
}
