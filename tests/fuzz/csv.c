/*
 * Any bytes as a CSV file: the first line is the header, each other one a record. A header is taken
 * or refused; a record is decoded or refused with a reason; what comes out has its column's type.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "processor/offline/csv_decoder.h"
#include "schemas/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char quoted_schema[] =
    "{'type':'record','name':'R','fields':["
    "{'name':'b','type':'boolean','default':true},{'name':'i','type':'int','default':0},"
    "{'name':'l','type':'long','aliases':['long'],'default':0},"
    "{'name':'n','type':['null','long'],'default':null},{'name':'f','type':'float','default':0},"
    "{'name':'d','type':['null','double'],'default':null},{'name':'s','type':'string'},"
    "{'name':'y','type':'bytes','default':''},"
    "{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']},'default':'A'},"
    "{'name':'x','type':{'type':'fixed','name':'F','size':2},'default':'ab'},"
    "{'name':'m','type':['null',{'type':'bytes','logicalType':'decimal','precision':20,'scale':4}],"
    "'default':null},"
    "{'name':'t','type':['null',{'type':'long','logicalType':'timestamp-millis'}],'default':null},"
    "{'name':'a','type':['null',{'type':'int','logicalType':'date'}],'default':null}]}";

enum { COLUMNS_MAX = 16 };

static struct fuzz {
    struct schema_document *document;
    struct decoder_column columns[COLUMNS_MAX];
    size_t count;
    struct arena *arena;
} fuzz;

static void add_column(void *context, const char *path, const struct schema_column *column)
{
    (void)context;
    ENSURE(fuzz.count < COLUMNS_MAX);
    fuzz.columns[fuzz.count++] =
        (struct decoder_column){ arena_copy_string(fuzz.arena, path), column->type };
}

static void start(void)
{
    char text[sizeof quoted_schema];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = quoted_schema[i] == '\'' ? '"' : quoted_schema[i];
    struct error err;
    arena_create(&fuzz.arena, 4096);
    ENSURE(schema_parse(&fuzz.document, text, sizeof text - 1, &err) == ST_OK);
    schema_each_column(schema_root(fuzz.document), add_column, NULL);
    ENSURE(fuzz.count == 13);
}

static void check_slot(const struct value *slot, struct value_type type)
{
    if (slot->kind == VALUE_NULL) {
        ENSURE(type.nullable);
        return;
    }
    ENSURE(slot->kind == type.kind && slot->scale == type.scale);
    if (slot->kind == VALUE_STRING)
        ENSURE(utf8_valid_slowly(slot->text));
    struct buffer text;
    buffer_init(&text);
    value_format(&text, slot); /* reads all of it */
    buffer_fini(&text);
}

static void try_line(struct decoder *decoder, struct bytes line)
{
    struct value slots[COLUMNS_MAX];
    struct error err = { .status = ST_OK };
    const enum status st = decoder_decode(decoder, line, slots, fuzz.arena, &err);
    ENSURE(st == ST_OK || (st == ST_UNDECODABLE && err.text[0] != '\0'));
    for (size_t i = 0; st == ST_OK && i < fuzz.count; i++)
        check_slot(&slots[i], fuzz.columns[i].type);
}

static struct bytes take_line(struct bytes *rest)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    /* A copy of its own size: a step beyond its end is seen. */
    uint8_t *copy = malloc(size + (size == 0));
    ENSURE(copy != NULL);
    memcpy(copy, rest->data, size);
    const size_t taken = size + (end != NULL);
    *rest = bytes_of(rest->data + taken, rest->size - taken);
    return bytes_of(copy, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz.arena == NULL)
        start();
    if (size == 0)
        return 0;
    const struct arena_mark mark = arena_mark(fuzz.arena);
    struct bytes rest = bytes_of(data, size);
    struct decoder *decoder = NULL;
    struct error err = { .status = ST_OK };
    const struct bytes header = take_line(&rest);
    const enum status st = csv_decoder_create(&decoder, header, schema_root(fuzz.document),
                                              fuzz.columns, fuzz.count, &err);
    ENSURE(st == ST_OK || (st == ST_INVALID && err.text[0] != '\0'));
    while (st == ST_OK && rest.size > 0) {
        const struct bytes line = take_line(&rest);
        try_line(decoder, line);
        free((void *)line.data);
    }
    decoder_destroy(&decoder);
    free((void *)header.data);
    arena_rewind(fuzz.arena, mark);
    return 0;
}
