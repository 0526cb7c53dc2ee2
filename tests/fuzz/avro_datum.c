/*
 * Bytes as an Avro datum: the first byte chooses a pair of schemas, the rest is read with it. Whatever
 * comes, the answer is a status, in bounded time, and text in slots lies within the datum.
 */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "schemas/avro_program.h"
#include "schemas/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 128 };

#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(name, type)    "{\"name\":\"" name "\",\"type\":" type "}"
#define TIME                 "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"
#define DECIMAL              "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":6}"
#define ENUM                 "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}"

static const struct {
    const char *writer, *reader; /* reader NULL: the writer's */
} pairs[] = {
    { RECORD(
          "R",
          FIELD("id", "\"string\"") "," FIELD("amount", "\"long\"") "," FIELD("country", "[\"null\""
                                                                                         ",\"string"
                                                                                         "\"]") "," FIELD("lat", "\"double\"") "," FIELD(
              "ok",
              "\"boolean\"") "," FIELD("time",
                                       TIME) "," FIELD("price",
                                                       DECIMAL) "," FIELD("kind",
                                                                          ENUM) "," FIELD("raw",
                                                                                          "\"bytes"
                                                                                          "\"")),
      NULL },
    { RECORD("R", FIELD("v", "\"int\"") "," FIELD("next", "[\"null\",\"R\"]") "," FIELD(
                      "kids", "{\"type\":\"array\",\"items\":\"R\"}")),
      NULL },
    { RECORD("R", FIELD("m", "{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"null\"}"
                             "}") "," FIELD("n", "{\"type\":\"array\",\"items\":{\"type\":\"map\","
                                                 "\"values\":\"string\"}}") "," FIELD(
                      "d", "{\"type\":\"array\",\"items\":\"double\"}") "," FIELD("a",
                                                                                  "\"string\"")),
      NULL },
    { RECORD("R",
             FIELD("a", "[\"null\",\"int\",\"string\",\"double\"]") "," FIELD(
                 "gone", "\"bytes\"") "," FIELD("b", "[\"int\",\"null\"]") "," FIELD("e", ENUM)),
      RECORD("R",
             FIELD("a", "[\"null\",\"double\"]") "," FIELD("b", "[\"null\",\"long\"]") "," FIELD(
                 "e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"A\"],\"default\":"
                      "\"A\"}") ",{\"name\":\"new\",\"type\":\"string\",\"default\":\"none\"}") },
};
enum { PAIR_COUNT = sizeof pairs / sizeof *pairs };

struct program {
    struct avro_program *program;
    struct decoder_column columns[COLUMNS_MAX];
    size_t count;
};

static void add_column(void *context, const char *path, const struct schema_column *column)
{
    struct program *program = context;
    if (program->count < COLUMNS_MAX)
        program->columns[program->count++] =
            (struct decoder_column){ .path = strdup(path), .type = column->type };
}

/* Lives until the process ends, and so do its schemas. */
static void compile(struct program *program, const char *writer_text, const char *reader_text)
{
    static struct schema_document *documents[2 * PAIR_COUNT];
    static size_t document_count;
    struct schema_document **writer = &documents[document_count++];
    struct schema_document **reader = writer;
    ENSURE(schema_parse(writer, writer_text, strlen(writer_text), NULL) == ST_OK);
    if (reader_text != NULL) {
        reader = &documents[document_count++];
        ENSURE(schema_parse(reader, reader_text, strlen(reader_text), NULL) == ST_OK);
    }
    schema_each_column(schema_root(*reader), add_column, program);
    ENSURE(avro_program_compile(&program->program, schema_root(*writer), schema_root(*reader),
                                program->columns, program->count, NULL) == ST_OK);
}

static void check_slot(const struct value *slot)
{
    ENSURE(slot->kind < VALUE_KIND_COUNT);
    if (slot->kind == VALUE_STRING)
        ENSURE(utf8_valid_slowly(slot->text)); /* touches every byte */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct program programs[PAIR_COUNT];
    if (size == 0)
        return 0;
    const size_t chosen = data[0] % PAIR_COUNT;
    struct program *program = &programs[chosen];
    if (program->program == NULL)
        compile(program, pairs[chosen].writer, pairs[chosen].reader);

    struct value slots[COLUMNS_MAX];
    struct error err;
    const struct bytes datum = bytes_of(data + 1, size - 1);
    const enum status status = avro_program_run(program->program, datum, slots, NULL, &err);
    ENSURE(status == ST_OK || status == ST_UNDECODABLE);
    for (size_t i = 0; status == ST_OK && i < program->count; i++)
        check_slot(&slots[i]);
    return 0;
}
