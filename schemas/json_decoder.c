/*
 * json_decoder: JSON records as slots (decoder_create_json of decoder.h).
 *
 * The text is indexed once (json_reader), walked once (json_cursor), and each member whose place is
 * wanted (json_plan) is read exactly or refused (json_scalar). Strings without escapes stay where
 * they are, in the payload. A wanted name that comes twice is refused: which of two amounts counts
 * is nobody's to guess. In a union both JSON forms are read: "x" and, as Avro writes it, {"string":
 * "x"}.
 *
 * Messages name the field and what kind of thing was found, never the value.
 */
#include "schemas/decoder.h"

#include "base/arena.h"
#include "base/memory.h"
#include "schemas/decoder_type.h"
#include "schemas/json_cursor.h"
#include "schemas/json_plan.h"
#include "schemas/json_reader.h"
#include "schemas/json_scalar.h"

struct json_decoder {
    struct decoder base;
    struct json_reader *reader;
    struct arena *memory; /* of the plan */
    struct json_node *root;
    uint64_t record_number;
};

/* One record on its way. */
struct json_walk {
    struct json_cursor cursor;
    struct value *slots;
    struct arena *arena;
    struct error *err;
    uint64_t record_number;
};

static enum status read_record(struct json_walk *walk, struct json_node *node, int depth);

static enum status not_json(const struct json_walk *walk)
{
    return FAIL(walk->err, ST_UNDECODABLE, "not valid JSON: %s, at byte %zu", walk->cursor.fault,
                walk->cursor.fault_at);
}

static enum status unexpected(struct json_walk *walk, const struct json_node *node,
                              struct json_token found, const char *wanted)
{
    if (found.kind == TOKEN_BAD)
        return not_json(walk);
    return FAIL(walk->err, ST_UNDECODABLE, "field '%s' must be %s; found %s", node->path, wanted,
                token_kind_text(found.kind));
}

static enum status read_null(struct json_walk *walk, const struct json_node *node)
{
    if (!node->nullable)
        return FAIL(walk->err, ST_UNDECODABLE, "field '%s' is null, which its type does not allow",
                    node->path);
    for (size_t i = 0; i < node->slot_count; i++)
        walk->slots[node->slots[i]] = value_null();
    return ST_OK;
}

static enum status read_missing(struct json_walk *walk, const struct json_node *node)
{
    if (node->defaults == NULL)
        return FAIL(walk->err, ST_UNDECODABLE, "field '%s' is missing and has no default",
                    node->path);
    for (size_t i = 0; i < node->slot_count; i++)
        walk->slots[node->slots[i]] = node->defaults[i];
    return ST_OK;
}

static enum status read_scalar(struct json_walk *walk, const struct json_node *node,
                               struct json_token token)
{
    struct value value;
    const char *wanted = json_scalar_read(&value, token, node->schema, walk->arena);
    if (wanted != NULL)
        return unexpected(walk, node, token, wanted);
    for (size_t i = 0; i < node->slot_count; i++)
        walk->slots[node->slots[i]] = value;
    return ST_OK;
}

static enum status read_branch(struct json_walk *walk, struct json_node *node,
                               struct json_token token, int depth)
{
    if (node->schema->kind != SCHEMA_RECORD)
        return read_scalar(walk, node, token);
    if (token.kind != TOKEN_OBJECT)
        return unexpected(walk, node, token, "an object");
    return read_record(walk, node, depth);
}

/*
 * The cursor is behind the brace of an object in a union: is it Avro's {"branch": value}? Then
 * moves to the value. A record with a field of the branch's name is taken for the plain record.
 */
static bool enters_branch(struct json_walk *walk, struct json_node *node)
{
    struct json_cursor ahead = walk->cursor;
    struct json_token key;
    if (!json_cursor_next_key(&ahead, &key, true) ||
        !bytes_equal(json_token_string(key, walk->arena), node->branch))
        return false;
    if (node->schema->kind == SCHEMA_RECORD &&
        json_plan_field(node, node->branch, SIZE_MAX) != JSON_NO_FIELD)
        return false;
    walk->cursor = ahead;
    return true;
}

static enum status read_value(struct json_walk *walk, struct json_node *node,
                              struct json_token token, int depth)
{
    if (token.kind == TOKEN_NULL)
        return read_null(walk, node);
    if (token.kind != TOKEN_OBJECT || !node->in_union || !enters_branch(walk, node))
        return read_branch(walk, node, token, depth);
    if (depth >= JSON_DEPTH_MAX) {
        json_cursor_fault(&walk->cursor, "values nested too deeply");
        return not_json(walk);
    }
    TRY(read_branch(walk, node, json_cursor_next(&walk->cursor), depth + 1));
    if (json_cursor_next(&walk->cursor).kind == TOKEN_OBJECT_END)
        return ST_OK;
    json_cursor_fault(&walk->cursor, "a union's object with more than one member");
    return not_json(walk);
}

static enum status read_member(struct json_walk *walk, struct json_node *record,
                               struct json_token key, size_t ordinal, int depth)
{
    const size_t field = json_plan_field(record, json_token_string(key, walk->arena), ordinal);
    struct json_node *node = field == JSON_NO_FIELD ? NULL : record->fields[field];
    const struct json_token token = json_cursor_next(&walk->cursor);
    if (node == NULL)
        return json_cursor_skip(&walk->cursor, token, depth) ? ST_OK : not_json(walk);
    if (node->seen == walk->record_number)
        return FAIL(walk->err, ST_UNDECODABLE, "field '%s' comes twice", node->path);
    node->seen = walk->record_number;
    return read_value(walk, node, token, depth);
}

/* Behind the opening brace; recursion follows the plan, which is as deep as the schema. */
static enum status read_record(struct json_walk *walk, struct json_node *node, int depth)
{
    if (depth >= JSON_DEPTH_MAX) {
        json_cursor_fault(&walk->cursor, "values nested too deeply");
        return not_json(walk);
    }
    struct json_token key;
    for (size_t ordinal = 0; json_cursor_next_key(&walk->cursor, &key, ordinal == 0); ordinal++)
        TRY(read_member(walk, node, key, ordinal, depth + 1));
    if (walk->cursor.fault != NULL)
        return not_json(walk);
    for (size_t i = 0; i < node->schema->count; i++)
        if (node->fields[i] != NULL && node->fields[i]->seen != walk->record_number)
            TRY(read_missing(walk, node->fields[i]));
    return ST_OK;
}

static enum status json_decoder_decode(struct decoder *self, struct bytes payload,
                                       struct value *slots, struct arena *arena, struct error *err)
{
    struct json_decoder *decoder = (struct json_decoder *)self;
    const uint32_t *starts;
    size_t count;
    const char *fault =
        json_reader_scan(decoder->reader, &starts, &count, payload.data, payload.size);
    if (fault != NULL)
        return FAIL(err, ST_UNDECODABLE, "not valid JSON: %s", fault);
    struct json_walk walk = {
        .cursor = json_cursor_of(payload, starts, count),
        .slots = slots,
        .arena = arena,
        .err = err,
        .record_number = ++decoder->record_number,
    };
    const struct json_token first = json_cursor_next(&walk.cursor);
    if (first.kind == TOKEN_BAD)
        return not_json(&walk);
    if (first.kind != TOKEN_OBJECT)
        return FAIL(err, ST_UNDECODABLE, "the record must be an object; found %s",
                    token_kind_text(first.kind));
    TRY(read_record(&walk, decoder->root, 0));
    if (json_cursor_next(&walk.cursor).kind == TOKEN_END)
        return ST_OK;
    json_cursor_fault(&walk.cursor, "something behind the end of the record");
    return not_json(&walk);
}

static void json_decoder_destroy(struct decoder *self)
{
    struct json_decoder *decoder = (struct json_decoder *)self;
    json_reader_destroy(&decoder->reader);
    arena_destroy(&decoder->memory);
    mem_free(decoder);
}

static const struct decoder_type json_decoder_type = {
    .decode = json_decoder_decode,
    .destroy = json_decoder_destroy,
};

enum status decoder_create_json(struct decoder **out, const struct schema *reader,
                                const struct decoder_column *columns, size_t column_count,
                                struct error *err)
{
    enum { PLAN_BLOCK_BYTES = 8192 };
    struct json_decoder *decoder = mem_alloc(sizeof *decoder);
    decoder->base.type = &json_decoder_type;
    arena_create(&decoder->memory, PLAN_BLOCK_BYTES);
    json_reader_create(&decoder->reader);
    AUTO(decoder_destroy) struct decoder *made = &decoder->base; /* an early return frees it */
    TRY(json_plan_build(&decoder->root, reader, columns, column_count, decoder->memory, err));
    *out = TAKE(made);
    return ST_OK;
}
