#include "schemas/avro_resolution.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"

enum { RESOLUTION_DEPTH_MAX = 200 };

/* A pair is readable until the contrary is found: that is what makes recursive schemas end. */
enum answer { ANSWER_READABLE = 1, ANSWER_UNREADABLE };

struct pair {
    const struct schema *writer, *reader;
};

struct avro_resolution {
    struct map *answers; /* struct pair -> enum answer; of records and unions */
    int depth;
};

static enum status check_pair(struct avro_resolution *resolution, const struct schema *writer,
                              const struct schema *reader, struct error *err);

void avro_resolution_create(struct avro_resolution **out)
{
    struct avro_resolution *resolution = mem_alloc(sizeof *resolution);
    map_create(&resolution->answers, sizeof(enum answer));
    *out = resolution;
}

void avro_resolution_destroy(struct avro_resolution **resolution)
{
    if (*resolution == NULL)
        return;
    map_destroy(&(*resolution)->answers);
    mem_free(*resolution);
    *resolution = NULL;
}

/* ---- names ---- */

static const char *simple_name(const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot == NULL ? full : dot + 1;
}

static bool names_match(const struct schema *writer, const struct schema *reader)
{
    const char *name = simple_name(writer->name);
    if (strcmp(name, simple_name(reader->name)) == 0)
        return true;
    for (size_t i = 0; i < reader->alias_count; i++)
        if (strcmp(name, simple_name(reader->aliases[i])) == 0)
            return true;
    return false;
}

static const struct schema_field *field_named(const struct schema *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    return NULL;
}

/* Whether `field` is the first of the reader's fields with this alias. */
static bool first_with_alias(const struct schema *reader, const struct schema_field *field,
                             const char *alias)
{
    for (size_t i = 0; i < reader->count; i++)
        for (size_t a = 0; a < reader->fields[i].alias_count; a++)
            if (strcmp(reader->fields[i].aliases[a], alias) == 0)
                return &reader->fields[i] == field;
    return false;
}

/*
 * One writer's field never fills two of the reader's: a name goes before an alias, the first alias
 * before a later one.
 */
const struct schema_field *avro_resolution_field(const struct schema *writer,
                                                 const struct schema *reader,
                                                 const struct schema_field *field)
{
    const struct schema_field *by_name = field_named(writer, field->name);
    if (by_name != NULL)
        return by_name;
    for (size_t i = 0; i < field->alias_count; i++) {
        const char *alias = field->aliases[i];
        const struct schema_field *by_alias = field_named(writer, alias);
        if (by_alias != NULL && field_named(reader, alias) == NULL &&
            first_with_alias(reader, field, alias))
            return by_alias;
    }
    return NULL;
}

/* ---- single values ---- */

static bool is_promotion(enum schema_kind writer, enum schema_kind reader)
{
    switch (writer) {
    case SCHEMA_INT:
        return reader == SCHEMA_LONG || reader == SCHEMA_FLOAT || reader == SCHEMA_DOUBLE;
    case SCHEMA_LONG:
        return reader == SCHEMA_FLOAT || reader == SCHEMA_DOUBLE;
    case SCHEMA_FLOAT:
        return reader == SCHEMA_DOUBLE;
    case SCHEMA_STRING:
        return reader == SCHEMA_BYTES;
    case SCHEMA_BYTES:
        return reader == SCHEMA_STRING;
    default:
        return false;
    }
}

static bool decimals_match(const struct schema *writer, const struct schema *reader)
{
    return writer->logical == LOGICAL_DECIMAL && writer->precision == reader->precision &&
           writer->scale == reader->scale;
}

static bool scalar_readable(const struct schema *writer, const struct schema *reader)
{
    if (reader->logical == LOGICAL_DECIMAL && !decimals_match(writer, reader))
        return false;
    if (writer->kind != reader->kind)
        return is_promotion(writer->kind, reader->kind) || reader->logical == LOGICAL_DECIMAL;
    if (writer->kind == SCHEMA_FIXED && reader->logical != LOGICAL_DECIMAL)
        return writer->fixed_size == reader->fixed_size && names_match(writer, reader);
    return writer->kind != SCHEMA_ENUM || names_match(writer, reader);
}

static enum status check_scalar(const struct schema *writer, const struct schema *reader,
                                struct error *err)
{
    if (scalar_readable(writer, reader))
        return ST_OK;
    char from[SCHEMA_KIND_TEXT_SIZE], to[SCHEMA_KIND_TEXT_SIZE];
    if (reader->logical == LOGICAL_DECIMAL && writer->logical == LOGICAL_DECIMAL)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA,
                    "decimal(%u, %u) cannot be read as decimal(%u, %u)", writer->precision,
                    writer->scale, reader->precision, reader->scale);
    return FAIL(
        err, ST_INCOMPATIBLE_SCHEMA, "%s cannot be read as %s%s", schema_kind_text(writer, from),
        reader->logical == LOGICAL_DECIMAL ? "a decimal in " : "", schema_kind_text(reader, to));
}

/* ---- records and unions ---- */

static enum status check_record(struct avro_resolution *resolution, const struct schema *writer,
                                const struct schema *reader, struct error *err)
{
    if (!names_match(writer, reader))
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA,
                    "record '%.80s' is not record '%.80s' (the reader may name it as an alias)",
                    writer->name, reader->name);
    for (size_t i = 0; i < reader->count; i++) {
        const struct schema_field *field = &reader->fields[i];
        const struct schema_field *from = avro_resolution_field(writer, reader, field);
        if (from == NULL && !field->has_default)
            return FAIL(err, ST_INCOMPATIBLE_SCHEMA,
                        "the writer has no field '%.80s', and the reader has no default for it",
                        field->name);
        if (from != NULL && check_pair(resolution, from->type, field->type, err) != ST_OK)
            return err == NULL ? ST_INCOMPATIBLE_SCHEMA
                               : error_prefix(err, "field '%.80s'", field->name);
    }
    return ST_OK;
}

/* A union with null is judged by what it is besides null, which also gives the better reason. */
static enum status check_writer_union(struct avro_resolution *resolution,
                                      const struct schema *writer, const struct schema *reader,
                                      struct error *err)
{
    bool nullable = false;
    const struct schema *single = schema_without_null(writer, &nullable);
    if (single != NULL)
        return check_pair(resolution, single, reader, err);
    for (size_t i = 0; i < writer->count; i++)
        if (writer->branches[i]->kind != SCHEMA_NULL &&
            check_pair(resolution, writer->branches[i], reader, NULL) == ST_OK)
            return ST_OK;
    char to[SCHEMA_KIND_TEXT_SIZE];
    return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "no branch of the writer's union can be read as %s",
                schema_kind_text(reader, to));
}

static enum status check_reader_union(struct avro_resolution *resolution,
                                      const struct schema *writer, const struct schema *reader,
                                      struct error *err)
{
    bool nullable = false;
    const struct schema *single = schema_without_null(reader, &nullable);
    if (writer->kind == SCHEMA_NULL ? nullable : single != NULL)
        return writer->kind == SCHEMA_NULL ? ST_OK : check_pair(resolution, writer, single, err);
    if (avro_resolution_branch(resolution, writer, reader) != NULL)
        return ST_OK;
    char from[SCHEMA_KIND_TEXT_SIZE];
    return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "no branch of the reader's union takes %s",
                schema_kind_text(writer, from));
}

const struct schema *avro_resolution_branch(struct avro_resolution *resolution,
                                            const struct schema *writer,
                                            const struct schema *reader)
{
    ENSURE(writer->kind != SCHEMA_UNION);
    if (reader->kind != SCHEMA_UNION)
        return check_pair(resolution, writer, reader, NULL) == ST_OK ? reader : NULL;
    for (size_t i = 0; i < reader->count; i++)
        if (check_pair(resolution, writer, reader->branches[i], NULL) == ST_OK)
            return reader->branches[i];
    return NULL;
}

/* ---- any pair ---- */

static bool is_composite(const struct schema *schema)
{
    return schema->kind == SCHEMA_RECORD || schema->kind == SCHEMA_UNION ||
           schema->kind == SCHEMA_ARRAY || schema->kind == SCHEMA_MAP;
}

static enum status check_composite(struct avro_resolution *resolution, const struct schema *writer,
                                   const struct schema *reader, struct error *err)
{
    if (writer->kind == SCHEMA_UNION)
        return check_writer_union(resolution, writer, reader, err);
    if (reader->kind == SCHEMA_UNION)
        return check_reader_union(resolution, writer, reader, err);
    if (writer->kind != reader->kind)
        return check_scalar(writer, reader, err);
    if (writer->kind == SCHEMA_RECORD)
        return check_record(resolution, writer, reader, err);
    return check_pair(resolution, writer->branches[0], reader->branches[0], err);
}

static enum status check_pair(struct avro_resolution *resolution, const struct schema *writer,
                              const struct schema *reader, struct error *err)
{
    if (!is_composite(writer) && !is_composite(reader))
        return check_scalar(writer, reader, err);

    char from[SCHEMA_KIND_TEXT_SIZE], to[SCHEMA_KIND_TEXT_SIZE];
    const struct pair pair = { writer, reader };
    bool is_new;
    enum answer *answer = map_insert(resolution->answers, bytes_of(&pair, sizeof pair), &is_new);
    if (!is_new && *answer == ANSWER_READABLE)
        return ST_OK;
    if (!is_new && err == NULL)
        return ST_INCOMPATIBLE_SCHEMA;
    if (resolution->depth >= RESOLUTION_DEPTH_MAX)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the schemas are nested deeper than %d",
                    RESOLUTION_DEPTH_MAX);
    if (!is_new) /* asked again only to be told why; by one more level, not by all of them */
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "%s cannot be read as %s",
                    schema_kind_text(writer, from), schema_kind_text(reader, to));

    *answer = ANSWER_READABLE;
    resolution->depth++;
    const enum status status = check_composite(resolution, writer, reader, err);
    resolution->depth--;
    if (status != ST_OK)
        *answer = ANSWER_UNREADABLE;
    return status;
}

enum status avro_resolution_check(struct avro_resolution *resolution, const struct schema *writer,
                                  const struct schema *reader, struct error *err)
{
    return check_pair(resolution, writer, reader, err);
}
