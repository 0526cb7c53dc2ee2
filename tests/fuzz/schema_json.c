/*
 * Bytes as the text of a schema. One that is taken has columns that are found again by their paths,
 * and a program that reads its own data without harm, whatever they are (here: the text).
 */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "schemas/avro_program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 64 };

struct columns {
    struct decoder_column list[COLUMNS_MAX];
    size_t count;
};

static void add_column(void *context, const char *path, const struct schema_column *column)
{
    struct columns *columns = context;
    if (columns->count < COLUMNS_MAX)
        columns->list[columns->count++] =
            (struct decoder_column){ .path = strdup(path), .type = column->type };
}

static void check_columns(const struct schema *root, const struct columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        struct schema_column found;
        ENSURE(schema_find_column(root, columns->list[i].path, &found, NULL) == ST_OK);
        ENSURE(found.type.kind == columns->list[i].type.kind);
    }
}

static void check_program(const struct schema *root, const struct columns *columns,
                          struct bytes datum)
{
    struct avro_program *program = NULL;
    struct value slots[COLUMNS_MAX];
    struct error err;
    const enum status compiled =
        avro_program_compile(&program, root, root, columns->list, columns->count, &err);
    ENSURE(compiled == ST_OK || compiled == ST_INCOMPATIBLE_SCHEMA); /* too deep, too large */
    if (compiled == ST_OK) {
        const enum status status = avro_program_run(program, datum, slots, NULL, &err);
        ENSURE(status == ST_OK || status == ST_UNDECODABLE);
    }
    avro_program_destroy(&program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema_document *document = NULL;
    struct error err;
    const enum status strict = schema_parse(&document, (const char *)data, size, &err);
    ENSURE(strict == ST_OK || strict == ST_INVALID);
    schema_document_destroy(&document);
    if (schema_parse_writer(&document, (const char *)data, size, &err) != ST_OK) {
        ENSURE(strict != ST_OK); /* a writer is allowed more, never less */
        return 0;
    }
    const struct schema *root = schema_root(document);
    struct columns columns = { .count = 0 };
    schema_each_column(root, add_column, &columns);
    check_columns(root, &columns);
    check_program(root, &columns, bytes_of(data, size));
    check_program(root, &columns, BYTES_NONE);
    for (size_t i = 0; i < columns.count; i++)
        free((void *)columns.list[i].path);
    schema_document_destroy(&document);
    return 0;
}
