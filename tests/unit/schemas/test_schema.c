#include <criterion/criterion.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "quoted_schema.h"
#include "schemas/schema_default.h"

#define RECORD(fields) "{'type':'record','name':'R','fields':[" fields "]}"

static void list_column(void *context, const char *path, const struct schema_column *column)
{
    char type[VALUE_TYPE_TEXT_SIZE];
    struct buffer *out = context;
    buffer_printf(out, "%s%s %s%s", out->size == 0 ? "" : ", ", path,
                  value_type_text(column->type, type), column->sensitive ? "!" : "");
}

Test(schema, columns_are_the_scalar_places_in_field_order)
{
    static const struct {
        const char *schema, *columns;
    } rows[] = {
        { RECORD(
              "{'name':'a','type':'boolean'},{'name':'b','type':'int'},{'name':'c','type':'long'},"
              "{'name':'d','type':'float'},{'name':'e','type':'double'},"
              "{'name':'f','type':'bytes'},{'name':'g','type':'string'}"),
          "a bool, b int, c int, d double, e double, f bytes, g string" },
        { RECORD("{'name':'a','type':['null','string']},{'name':'b','type':['int','null']},"
                 "{'name':'c','type':['int']},{'name':'d','type':['int','string']},"
                 "{'name':'e','type':'null'}"),
          "a string?, b int?, c int" },
        { RECORD("{'name':'a','type':{'type':'long','logicalType':'timestamp-millis'}},"
                 "{'name':'b','type':{'type':'long','logicalType':'timestamp-micros'}},"
                 "{'name':'c','type':{'type':'int','logicalType':'date'}},"
                 "{'name':'d','type':{'type':'string','logicalType':'uuid'}},"
                 "{'name':'e','type':{'type':'bytes','logicalType':'decimal','precision':9,'scale':"
                 "2}},"
                 "{'name':'f','type':{'type':'fixed','name':'F','size':4,'logicalType':'decimal',"
                 "'precision':9}}"),
          "a timestamp, b timestamp, c timestamp, d string, e decimal(2), f decimal(0)" },
        /* ill-formed or unknown: ignored */
        { RECORD("{'name':'a','type':{'type':'int','logicalType':'timestamp-millis'}},"
                 "{'name':'b','type':{'type':'bytes','logicalType':'decimal'}},"
                 "{'name':'c','type':{'type':'bytes','logicalType':'decimal','precision':2,'scale':"
                 "3}},"
                 "{'name':'d','type':{'type':'bytes','logicalType':'decimal','precision':0}},"
                 "{'name':'e','type':{'type':'bytes','logicalType':'decimal','precision':4,'scale':"
                 "-1}},"
                 "{'name':'f','type':{'type':'fixed','name':'F','size':4,'logicalType':'decimal',"
                 "'precision':10}},"
                 "{'name':'g','type':{'type':'long','logicalType':'time-micros'}},"
                 "{'name':'h','type':{'type':'long','logicalType':7}}"),
          "a int, b bytes, c bytes, d bytes, e bytes, f bytes, g int, h int" },
        { RECORD("{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']}},"
                 "{'name':'f','type':{'type':'fixed','name':'F','size':2}},"
                 "{'name':'l','type':{'type':'array','items':'int'}},"
                 "{'name':'m','type':{'type':'map','values':'int'}},{'name':'z','type':'F'}"),
          "e string, f bytes, z bytes" },
        { RECORD("{'name':'in','sensitive':true,'type':{'type':'record','name':'I','fields':["
                 "{'name':'x','type':'int'},{'name':'y','type':['null','int']}]}},"
                 "{'name':'maybe','type':['null','I']},"
                 "{'name':'card','type':'string','sensitive':true}"),
          "in.x int!, in.y int?!, maybe.x int?, maybe.y int?, card string!" },
        { RECORD("{'name':'v','type':'int'},{'name':'next','type':['null','R']}"),
          "v int, next.v int?, next.next.v int?, next.next.next.v int?, next.next.next.next.v "
          "int?, "
          "next.next.next.next.next.v int?, next.next.next.next.next.next.v int?, "
          "next.next.next.next.next.next.next.v int?" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema_document *document = quoted_schema(rows[i].schema);
        struct buffer out;
        buffer_init(&out);
        schema_each_column(schema_root(document), list_column, &out);
        cr_assert_str_eq(buffer_text(&out), rows[i].columns, "row %zu", i);
        buffer_fini(&out);
        schema_document_destroy(&document);
    }
}

static void find_again(void *context, const char *path, const struct schema_column *column)
{
    struct schema_column found;
    struct error err;
    cr_assert_eq(schema_find_column(context, path, &found, &err), ST_OK, "%s: %s", path, err.text);
    cr_assert(found.type.kind == column->type.kind && found.type.scale == column->type.scale &&
                  found.type.nullable == column->type.nullable &&
                  found.sensitive == column->sensitive,
              "%s", path);
}

Test(schema, every_listed_column_is_found_by_its_path)
{
    struct schema_document *document =
        quoted_schema(RECORD("{'name':'v','type':{'type':'bytes','logicalType':'decimal',"
                             "'precision':9,'scale':3}},{'name':'next','sensitive':true,"
                             "'type':['null','R']},{'name':'w','type':['string','null']}"));
    schema_each_column(schema_root(document), find_again, (void *)schema_root(document));
    schema_document_destroy(&document);
}

Test(schema, an_unknown_path_is_answered_with_the_nearest)
{
    static const struct {
        const char *path;
        enum status status;
        const char *says;
    } rows[] = {
        { "amount_cent", ST_NOT_FOUND, "did you mean 'amount_cents'" },
        { "counrty", ST_NOT_FOUND, "did you mean 'customer.country'" },
        { "customer.contry", ST_NOT_FOUND, "did you mean 'customer.country'" },
        { "velocity", ST_NOT_FOUND, "it has amount_cents, customer.country, customer.age" },
        { "", ST_NOT_FOUND, "the schema has no ''" },
        { ".", ST_NOT_FOUND, "has no '.'" },
        { "customer.", ST_NOT_FOUND, "" },
        { "amount_cents.x", ST_NOT_FOUND, "" },
        { "customer", ST_INVALID, "record 'R2' (name a field of it)" },
        { "tags", ST_INVALID, "it is array" },
        { "either", ST_INVALID, "a union of 2 types" },
        { "either.x", ST_INVALID, "a union of 2 types" },
        { "wide", ST_INVALID, "a decimal of scale 19" },
    };
    struct schema_document *document =
        quoted_schema(RECORD("{'name':'amount_cents','type':'long'},"
                             "{'name':'customer','type':{'type':'record','name':'R2','fields':["
                             "{'name':'country','type':'string'},{'name':'age','type':'int'}]}},"
                             "{'name':'tags','type':{'type':'array','items':'string'}},"
                             "{'name':'either','type':['int','string']},"
                             "{'name':'wide','type':{'type':'bytes','logicalType':'decimal','"
                             "precision':30,'scale':19}}"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema_column column;
        struct error err;
        cr_assert_eq(schema_find_column(schema_root(document), rows[i].path, &column, &err),
                     rows[i].status, "%s: %s", rows[i].path, err.text);
        cr_assert(strstr(err.text, rows[i].says) != NULL, "%s: %s", rows[i].path, err.text);
    }
    schema_document_destroy(&document);
}

Test(schema, what_is_wrong_is_said_with_its_place)
{
    static const struct {
        const char *schema, *says;
    } rows[] = {
        { "{", "not JSON: line 1" },
        { "", "not JSON" },
        { "7", "a schema is a name" },
        { "'strin'", "'strin' is not a type" },
        { "{'name':'x'}", "needs the attribute \"type\"" },
        { "[]", "a union needs a branch" },
        { "['int','int']", "the union branch 'int' is there twice" },
        { "['int',['null']]", "a union directly within a union" },
        { "[{'type':'array','items':'int'},{'type':'array','items':'long'}]", "there twice" },
        { "{'type':'array'}", "needs the attribute \"items\"" },
        { "{'type':'map'}", "needs the attribute \"values\"" },
        { "{'type':'record','fields':[]}", "needs the attribute \"name\"" },
        { "{'type':'record','name':'a-b','fields':[]}", "'a-b' is not a name" },
        { "{'type':'record','name':'.a','fields':[]}", "is not a name" },
        { "{'type':'record','name':'a.','fields':[]}", "is not a name" },
        { "{'type':'record','name':'R'}", "needs the attribute \"fields\"" },
        { RECORD("{'name':'a'}"), "field 'a': has no type" },
        { RECORD("{'name':'a.b','type':'int'}"), "'a.b' is not a name for a field" },
        { RECORD("{'type':'int'}"), "a field needs the attribute \"name\"" },
        { RECORD("7"), "a field needs" },
        { RECORD("{'name':'a','type':'int'},{'name':'a','type':'int'}"), "'a' is there twice" },
        { RECORD("{'name':'a','type':{'type':'record','name':'R','fields':[]}}"),
          "field 'a': 'R' is defined twice" },
        { RECORD("{'name':'a','type':{'type':'record','name':'S','fields':[{'name':'b','type':"
                 "'nothing'}]}}"),
          "field 'a': field 'b': 'nothing' is not a type" },
        { RECORD("{'name':'a','type':'int','aliases':['x y']}"), "alias 1 is not a name" },
        { "{'type':'enum','name':'E'}", "needs the attribute \"symbols\"" },
        { "{'type':'enum','name':'E','symbols':['A','A']}", "the symbol 'A' is there twice" },
        { "{'type':'enum','name':'E','symbols':['1']}", "symbol 1 is not a name" },
        { "{'type':'enum','name':'E','symbols':['A'],'default':'B'}", "none of its symbols" },
        { "{'type':'fixed','name':'F'}", "needs the attribute \"size\"" },
        { "{'type':'fixed','name':'F','size':-1}", "needs the attribute \"size\"" },
        { "{'type':'fixed','name':'F','size':1073741825}", "needs the attribute \"size\"" },
        { RECORD("{'name':'a','type':'int','default':'x'}"),
          "field 'a' of 'R': the default does not fit its type, int" },
        { RECORD("{'name':'a','type':'int','default':2147483648}"), "does not fit" },
        { RECORD("{'name':'a','type':'string','default':null}"), "does not fit" },
        { RECORD("{'name':'a','type':['int','null'],'default':'x'}"), "does not fit" },
        { RECORD("{'name':'a','type':'bytes','default':'\xc4\x80'}"), "does not fit" },
        { RECORD("{'name':'a','type':{'type':'fixed','name':'F','size':2},'default':'x'}"),
          "does not fit" },
        { RECORD("{'name':'a','type':{'type':'enum','name':'E','symbols':['A']},'default':'B'}"),
          "does not fit its type, enum 'E'" },
        { RECORD("{'name':'a','type':{'type':'array','items':'int'},'default':[1,'x']}"),
          "does not fit" },
        { RECORD("{'name':'a','type':{'type':'map','values':'int'},'default':{'k':'x'}}"),
          "does not fit" },
        { RECORD("{'name':'a','type':{'type':'record','name':'S','fields':[{'name':'b','type':"
                 "'int'}]},'default':{}}"),
          "does not fit" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema_document *document = NULL;
        struct error err;
        cr_assert_eq(quoted_schema_try(&document, rows[i].schema, &err), ST_INVALID, "%s",
                     rows[i].schema);
        cr_assert(strstr(err.text, rows[i].says) != NULL, "%s: %s", rows[i].schema, err.text);
        cr_assert_null(document);
        cr_assert_eq(quoted_schema_try(&document, rows[i].schema, NULL), ST_INVALID);
    }
}

Test(schema, a_writer_may_have_a_default_that_does_not_fit)
{
    char *text = quoted_text(RECORD("{'name':'a','type':['null','int'],'default':'none'},"
                                    "{'name':'b','type':'int','default':3}"));
    struct schema_document *document = NULL;
    struct error err;
    cr_assert_eq(schema_parse_writer(&document, text, strlen(text), &err), ST_OK, "%s", err.text);
    cr_assert(!schema_root(document)->fields[0].has_default);
    cr_assert(schema_root(document)->fields[1].has_default);
    schema_document_destroy(&document);
    mem_free(text);
}

Test(schema, names_follow_namespaces)
{
    struct schema_document *document = quoted_schema(
        "{'type':'record','name':'Outer','namespace':'a.b','aliases':['Old','x.Other'],'fields':["
        "{'name':'i','type':{'type':'record','name':'Inner','fields':[{'name':'o','type':['null',"
        "'Outer']}]}},"
        "{'name':'j','type':{'type':'fixed','name':'c.d.F','namespace':'ignored','size':1}},"
        "{'name':'k','type':'Inner'},{'name':'l','type':'a.b.Inner'},{'name':'m','type':'c.d.F'},"
        "{'name':'n','type':{'type':'enum','name':'E','namespace':'','symbols':[]}},"
        "{'name':'p','type':'E'},"
        "{'name':'q','type':{'type':'a.b.Inner'}}]}");
    const struct schema *root = schema_root(document);
    cr_assert_str_eq(root->name, "a.b.Outer");
    cr_assert_str_eq(root->aliases[0], "a.b.Old");
    cr_assert_str_eq(root->aliases[1], "x.Other");
    const struct schema *inner = root->fields[0].type;
    cr_assert_str_eq(inner->name, "a.b.Inner");
    cr_assert_eq(inner->fields[0].type->branches[1], root);
    cr_assert_str_eq(root->fields[1].type->name, "c.d.F");
    cr_assert_eq(root->fields[2].type, inner);
    cr_assert_eq(root->fields[3].type, inner);
    cr_assert_eq(root->fields[4].type, root->fields[1].type);
    cr_assert_str_eq(root->fields[5].type->name, "E");
    cr_assert_eq(root->fields[6].type, root->fields[5].type,
                 "the null namespace is the last resort");
    cr_assert_eq(root->fields[7].type, inner);
    schema_document_destroy(&document);
}

Test(schema, keeps_its_text)
{
    static const char text[] = " {\"type\": \"string\", \"doc\": \"kept\"} ";
    struct schema_document *document = NULL;
    cr_assert_eq(schema_parse(&document, text, strlen(text), NULL), ST_OK);
    cr_assert(bytes_equal(schema_text(document), bytes_of_string(text)));
    cr_assert_eq(schema_node_count(document), 1);
    schema_document_destroy(&document);
}

Test(schema, knows_the_size_of_what_does_not_vary)
{
    static const struct {
        const char *schema;
        int64_t size;
    } rows[] = {
        { "'null'", 0 },
        { "'boolean'", 1 },
        { "'float'", 4 },
        { "'double'", 8 },
        { "'int'", SCHEMA_SIZE_VARIES },
        { "'string'", SCHEMA_SIZE_VARIES },
        { "{'type':'fixed','name':'F','size':17}", 17 },
        { RECORD(""), 0 },
        { RECORD(
              "{'name':'a','type':'null'},{'name':'b','type':'double'},{'name':'c','type':{'type':"
              "'fixed','name':'F','size':3}}"),
          11 },
        { RECORD("{'name':'a','type':'R'}"), SCHEMA_SIZE_VARIES },
        { RECORD("{'name':'a','type':{'type':'fixed','name':'F','size':1073741824}},{'name':'b',"
                 "'type':'F'}"),
          SCHEMA_SIZE_VARIES },
        { "{'type':'array','items':'null'}", SCHEMA_SIZE_VARIES },
        { "['null']", SCHEMA_SIZE_VARIES },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema_document *document = quoted_schema(rows[i].schema);
        cr_assert_eq(schema_root(document)->binary_size, rows[i].size, "row %zu", i);
        schema_document_destroy(&document);
    }
}

Test(schema, nesting_is_bounded)
{
    struct buffer text;
    buffer_init(&text);
    for (int i = 0; i < 100; i++)
        buffer_put_string(&text, "{\"type\":\"array\",\"items\":");
    buffer_put_string(&text, "\"int\"");
    for (int i = 0; i < 100; i++)
        buffer_put_string(&text, "}");
    struct schema_document *document = NULL;
    struct error err;
    cr_assert_eq(schema_parse(&document, (char *)text.data, text.size, &err), ST_INVALID);
    cr_assert(strstr(err.text, "nested deeper") != NULL, "%s", err.text);
    buffer_fini(&text);
}

Test(schema, the_number_of_columns_is_bounded)
{
    /* 20 ways to go at each of 8 levels */
    struct buffer text;
    buffer_init(&text);
    buffer_put_string(&text, "{'type':'record','name':'R','fields':[{'name':'x','type':'int'}");
    for (int i = 0; i < 20; i++)
        buffer_printf(&text, ",{'name':'f%d','type':['null','R']}", i);
    buffer_put_string(&text, "]}");
    struct schema_document *document = quoted_schema(buffer_text(&text));
    struct buffer out;
    buffer_init(&out);
    schema_each_column(schema_root(document), list_column, &out);
    size_t columns = 1;
    for (size_t i = 0; i < out.size; i++)
        columns += out.data[i] == ',';
    cr_assert(columns > 1000 && columns <= SCHEMA_COLUMNS_MAX, "%zu", columns);
    buffer_fini(&out);
    buffer_fini(&text);
    schema_document_destroy(&document);
}

Test(schema, defaults_become_values)
{
    static const struct {
        const char *field; /* type and default */
        const char *rest;
        const char *type, *text; /* as formatted */
    } rows[] = {
        { "'type':'int','default':-7", "", "int", "-7" },
        { "'type':'boolean','default':true", "", "bool", "true" },
        { "'type':'double','default':3", "", "double", "3" },
        { "'type':'float','default':0.1", "", "double", "0.10000000149011612" },
        { "'type':'string','default':'\xc3\xa9'", "", "string", "\xc3\xa9" },
        { "'type':'bytes','default':'\\u00ff\\u0000a'", "", "bytes", "ff0061" },
        { "'type':['null','string'],'default':null", "", "null", "null" },
        { "'type':['string','null'],'default':'x'", "", "string", "x" },
        { "'type':['null','string'],'default':'x'", "", "string", "x" },
        { "'type':{'type':'long','logicalType':'timestamp-millis'},'default':1", "", "timestamp",
          "1970-01-01T00:00:00.001Z" },
        { "'type':{'type':'long','logicalType':'timestamp-micros'},'default':1", "", "timestamp",
          "1970-01-01T00:00:00.000001Z" },
        { "'type':{'type':'int','logicalType':'date'},'default':-1", "", "timestamp",
          "1969-12-31T00:00:00Z" },
        { "'type':{'type':'bytes','logicalType':'decimal','precision':6,'scale':2},"
          "'default':'\\u00ff\\u0085'",
          "", "decimal", "-1.23" },
        { "'type':{'type':'enum','name':'E','symbols':['A','B']},'default':'B'", "", "string",
          "B" },
        { "'type':{'type':'record','name':'I','fields':[{'name':'x','type':'int'}]},'default':"
          "{'x':5}",
          "x", "int", "5" },
        /* the inner field's own default where the outer one says nothing */
        { "'type':{'type':'record','name':'I','fields':[{'name':'x','type':'int','default':9}]},"
          "'default':{}",
          "x", "int", "9" },
        { "'type':['null',{'type':'record','name':'I','fields':[{'name':'x','type':'int'}]}],"
          "'default':null",
          "x", "null", "null" },
        { "'type':{'type':'record','name':'I','fields':[{'name':'j','type':{'type':'record','name':"
          "'J','fields':[{'name':'x','type':'string'}]}}]},'default':{'j':{'x':'deep'}}",
          "j.x", "string", "deep" },
    };
    struct arena *arena = NULL;
    arena_create(&arena, 1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *schema = mem_format(RECORD("{'name':'f',%s}"), rows[i].field);
        struct schema_document *document = quoted_schema(schema);
        struct value v;
        struct error err;
        struct buffer out;
        buffer_init(&out);
        cr_assert_eq(
            schema_default_value(&v, &schema_root(document)->fields[0], rows[i].rest, arena, &err),
            ST_OK, "row %zu: %s", i, err.text);
        cr_assert_str_eq(value_kind_name(v.kind), rows[i].type, "row %zu", i);
        value_format(&out, &v);
        cr_assert_str_eq(buffer_text(&out), rows[i].text, "row %zu", i);
        buffer_fini(&out);
        schema_document_destroy(&document);
        mem_free(schema);
    }
    arena_destroy(&arena);
}

Test(schema, a_default_beyond_what_a_value_holds_is_incompatible)
{
    static const char *const rows[] = {
        RECORD("{'name':'f','type':'int'}"),
        RECORD("{'name':'f','type':{'type':'long','logicalType':'timestamp-millis'},'default':"
               "9223372036854775807}"),
        RECORD("{'name':'f','type':{'type':'bytes','logicalType':'decimal','precision':60},"
               "'default':'0123456789abcdefg'}"),
    };
    struct arena *arena = NULL;
    arena_create(&arena, 1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema_document *document = quoted_schema(rows[i]);
        struct value v;
        cr_assert_eq(schema_default_value(&v, &schema_root(document)->fields[0], "", arena, NULL),
                     ST_INCOMPATIBLE_SCHEMA, "row %zu", i);
        schema_document_destroy(&document);
    }
    arena_destroy(&arena);
}
