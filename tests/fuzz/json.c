/*
 * Any bytes as a JSON record: decoded or refused, never read beyond their end; what comes out has
 * the type of its column; and what a decoder of all columns takes, one of none takes too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "schemas/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char quoted_schema[] =
    "{'type':'record','name':'n.R','fields':["
    "{'name':'b','type':'boolean','default':true},{'name':'i','type':'int','default':0},"
    "{'name':'l','type':['null','long'],'default':null},{'name':'f','type':'float','default':0},"
    "{'name':'d','type':['null','double'],'default':null},"
    "{'name':'s','type':['null','string'],'default':null,'aliases':['text']},"
    "{'name':'y','type':'bytes','default':''},"
    "{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']},'default':'A'},"
    "{'name':'x','type':{'type':'fixed','name':'F','size':2},'default':'ab'},"
    "{'name':'m','type':['null',{'type':'bytes','logicalType':'decimal','precision':20,'scale':4}],"
    "'default':null},"
    "{'name':'t','type':['null',{'type':'long','logicalType':'timestamp-millis'}],'default':null},"
    "{'name':'u','type':['null',{'type':'long','logicalType':'timestamp-micros'}],'default':null},"
    "{'name':'a','type':['null',{'type':'int','logicalType':'date'}],'default':null},"
    "{'name':'r','type':['null',{'type':'record','name':'In','fields':["
    "{'name':'s','type':'string'},{'name':'q','type':['null','int'],'default':null}]}],"
    "'default':null}]}";

enum { COLUMNS_MAX = 32 };

static struct fuzz {
    struct schema_document *document;
    struct decoder_column columns[COLUMNS_MAX];
    size_t count;
    struct decoder *all, *none;
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
    const struct schema *reader = schema_root(fuzz.document);
    schema_each_column(reader, add_column, NULL);
    ENSURE(fuzz.count == 15);
    ENSURE(decoder_create_json(&fuzz.all, reader, fuzz.columns, fuzz.count, &err) == ST_OK);
    ENSURE(decoder_create_json(&fuzz.none, reader, NULL, 0, &err) == ST_OK);
}

static void check_slot(const struct value *slot, struct value_type type)
{
    if (slot->kind == VALUE_NULL) {
        ENSURE(type.nullable);
        return;
    }
    ENSURE(slot->kind == type.kind && slot->scale == type.scale);
    struct buffer text;
    buffer_init(&text);
    value_format(&text, slot); /* reads all of it */
    buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fuzz.all == NULL)
        start();
    const struct arena_mark mark = arena_mark(fuzz.arena);
    struct value slots[COLUMNS_MAX];
    struct error err;
    const struct bytes payload = bytes_of(data, size);
    const enum status status = decoder_decode(fuzz.all, payload, slots, fuzz.arena, &err);
    ENSURE(status == ST_OK || (status == ST_UNDECODABLE && err.text[0] != '\0'));
    for (size_t i = 0; status == ST_OK && i < fuzz.count; i++)
        check_slot(&slots[i], fuzz.columns[i].type);
    const enum status alone = decoder_decode(fuzz.none, payload, slots, fuzz.arena, &err);
    ENSURE(alone == ST_OK || alone == ST_UNDECODABLE);
    ENSURE(status != ST_OK || alone == ST_OK);
    arena_rewind(fuzz.arena, mark);
    return 0;
}
