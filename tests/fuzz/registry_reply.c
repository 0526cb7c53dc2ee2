/*
 * Any bytes as the answer of a schema registry. The first byte chooses the question and the HTTP
 * status; a schema that comes out is parsed, and merged with itself as a definition.
 */
#include <stdint.h>
#include <string.h>

#include "base/ensure.h"
#include "schemas/registry_references.h"
#include "schemas/registry_reply.h"
#include "schemas/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct bytes text)
{
    struct schema_document *document = NULL;
    struct error err;
    if (schema_parse(&document, (const char *)text.data, text.size, &err) != ST_OK)
        ENSURE(document == NULL);
    schema_document_destroy(&document);
}

static void merge(struct bytes text, const char *name)
{
    const struct registry_definition definition = { .name = name, .text = text };
    struct buffer merged;
    struct error err;
    buffer_init(&merged);
    if (registry_references_merge(&merged, text, &definition, 1, &err) == ST_OK)
        parse(buffer_view(&merged));
    buffer_fini(&merged);
}

static void use_schema(const struct registry_reply *reply)
{
    ENSURE(reply->text.data != NULL && reply->schema_type.data != NULL);
    parse(reply->text);
    merge(reply->text, "R");
    for (size_t i = 0; i < reply->reference_count; i++) {
        const struct registry_reference reference = registry_reply_reference(reply, i);
        ENSURE(reference.name != NULL && reference.subject != NULL && reference.version >= 0);
        merge(reply->text, reference.name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = { 200, 200, 404, 409, 422, 500, 301, 401 };
    if (size == 0)
        return 0;
    const enum registry_question question = data[0] & 8 ? ASKED_ID : ASKED_SCHEMA;
    struct registry_reply reply;
    registry_reply_read(&reply, question, statuses[data[0] & 7], bytes_of(data + 1, size - 1));
    ENSURE(memchr(reply.message, '\0', sizeof reply.message) != NULL);
    ENSURE(reply.verdict == REPLY_FOUND || reply.message[0] != '\0');
    if (reply.verdict == REPLY_FOUND && question == ASKED_SCHEMA)
        use_schema(&reply);
    ENSURE(reply.verdict != REPLY_FOUND || question == ASKED_SCHEMA || reply.id >= 0);
    registry_reply_fini(&reply);
    return 0;
}
