#include "schemas/schema.h"

#include <jansson.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "schemas/schema_default.h"
#include "schemas/schema_parser.h"

struct schema_document {
    char *text;
    size_t text_size;
    json_t *json; /* lives as long as the tree: defaults point into it */
    struct schema_nodes nodes;
    struct schema *root;
};

static enum status check_defaults(struct schema_document *document, bool drop_bad,
                                  struct error *err);
static enum status parse_text(struct schema_document *document, struct error *err);

static enum status parse_document(struct schema_document **out, const char *json, size_t size,
                                  bool drop_bad_defaults, struct error *err)
{
    ENSURE(*out == NULL);
    struct error unread;
    if (err == NULL)
        err = &unread; /* places are put in front of it on the way up */
    if (size > SCHEMA_TEXT_MAX)
        return FAIL(err, ST_INVALID, "the schema has %zu bytes, at most %d are allowed", size,
                    SCHEMA_TEXT_MAX);

    AUTO(schema_document_destroy) struct schema_document *document = mem_alloc(sizeof *document);
    document->text = mem_copy_string_n(json, size);
    document->text_size = size;
    TRY(parse_text(document, err));
    TRY(check_defaults(document, drop_bad_defaults, err));
    *out = TAKE(document);
    return ST_OK;
}

enum status schema_parse(struct schema_document **out, const char *json, size_t size,
                         struct error *err)
{
    return parse_document(out, json, size, false, err);
}

enum status schema_parse_writer(struct schema_document **out, const char *json, size_t size,
                                struct error *err)
{
    return parse_document(out, json, size, true, err);
}

void schema_document_destroy(struct schema_document **document)
{
    if (*document == NULL)
        return;
    schema_nodes_fini(&(*document)->nodes);
    json_decref((*document)->json);
    mem_free((*document)->text);
    mem_free(*document);
    *document = NULL;
}

const struct schema *schema_root(const struct schema_document *document)
{
    return document->root;
}

size_t schema_node_count(const struct schema_document *document)
{
    return document->nodes.count;
}

struct bytes schema_text(const struct schema_document *document)
{
    return bytes_of(document->text, document->text_size);
}

static enum status parse_text(struct schema_document *document, struct error *err)
{
    json_error_t where;
    document->json =
        json_loadb(document->text, document->text_size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    if (document->json == NULL)
        return FAIL(err, ST_INVALID, "the schema is not JSON: line %d, column %d: %s", where.line,
                    where.column, where.text);
    return schema_parse_tree(&document->nodes, &document->root, document->json, err);
}

/* After everything is parsed: a default may be of a type that was not complete yet. */
static enum status check_defaults(struct schema_document *document, bool drop_bad,
                                  struct error *err)
{
    for (size_t i = 0; i < document->nodes.count; i++) {
        const struct schema *node = document->nodes.list[i];
        for (size_t f = 0; node->kind == SCHEMA_RECORD && f < node->count; f++) {
            struct schema_field *field = &node->fields[f];
            if (!field->has_default || schema_default_fits(field->type, field->default_value))
                continue;
            char text[SCHEMA_KIND_TEXT_SIZE];
            if (!drop_bad)
                return FAIL(err, ST_INVALID,
                            "field '%.80s' of '%.80s': the default does not fit its type, %s",
                            field->name, node->name, schema_kind_text(field->type, text));
            field->has_default = false;
            field->default_value = NULL;
        }
    }
    return ST_OK;
}
