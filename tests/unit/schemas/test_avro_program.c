#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "program_case.h"
#include "quoted_schema.h"

/* A row that says nothing of a status wants ST_OK. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define RECORD(fields)                 "{'type':'record','name':'R','fields':[" fields "]}"
#define FIELD(name, type)              "{'name':'" name "','type':" type "}"
#define OPTIONAL(name, type, default_) "{'name':'" name "','type':" type ",'default':" default_ "}"
#define OF(type)                       RECORD(FIELD("a", type))
#define NESTED(name, fields)           "{'type':'record','name':'" name "','fields':[" fields "]}"
#define MILLIS                         "{'type':'long','logicalType':'timestamp-millis'}"
#define MICROS                         "{'type':'long','logicalType':'timestamp-micros'}"
#define DATE                           "{'type':'int','logicalType':'date'}"
#define DECIMAL(p, s)                  "{'type':'bytes','logicalType':'decimal','precision':" p ",'scale':" s "}"
#define DECIMAL_FIXED(n, p, s)                                                            \
    "{'type':'fixed','name':'F" n "','size':" n ",'logicalType':'decimal','precision':" p \
    ",'scale':" s "}"

static void check_all(const struct program_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        program_case_check(&rows[i]);
}
#define CHECK_ALL(rows) check_all((rows), sizeof(rows) / sizeof *(rows))

Test(avro_program, reads_every_type)
{
    static const struct program_case rows[] = {
        { "boolean", OF("'boolean'"), NULL, DATUM("\x01"), "a", "bool true" },
        { "int", OF("'int'"), NULL, DATUM("\x03"), "a", "int -2" },
        { "int, least", OF("'int'"), NULL, DATUM("\xff\xff\xff\xff\x0f"), "a", "int -2147483648" },
        { "long, least", OF("'long'"), NULL, DATUM("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a",
          "int -9223372036854775808" },
        { "long, greatest", OF("'long'"), NULL, DATUM("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
          "a", "int 9223372036854775807" },
        { "long, 7 bytes before 8", RECORD(FIELD("a", "'long'") "," FIELD("b", "'double'")), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x02\0\0\0\0\0\0\xe0\x3f"), "a,b",
          "int 4398046511104, double 0.5" },
        { "float", OF("'float'"), NULL, DATUM("\x00\x00\x20\xc0"), "a", "double -2.5" },
        { "float NaN", OF("'float'"), NULL, DATUM("\x00\x00\xc0\x7f"), "a", "null" },
        { "double", OF("'double'"), NULL, DATUM("\0\0\0\0\0\0\xf8\x3f"), "a", "double 1.5" },
        { "double NaN", OF("'double'"), NULL, DATUM("\0\0\0\0\0\0\xf8\x7f"), "a", "null" },
        { "double -0", OF("'double'"), NULL, DATUM("\0\0\0\0\0\0\0\x80"), "a", "double 0" },
        { "bytes", OF("'bytes'"), NULL, DATUM("\x04\xff\x00"), "a", "bytes ff00" },
        { "string", OF("'string'"), NULL, DATUM("\x06x\xc3\xa9"), "a", "string x\xc3\xa9" },
        { "string, empty", OF("'string'"), NULL, DATUM("\x00"), "a", "string " },
        { "string, long", OF("'string'"), NULL,
          DATUM("\x2a"
                "abcdefghijklmnopqrs\xc3\xa9"),
          "a", "string abcdefghijklmnopqrs\xc3\xa9" },
        { "enum", OF("{'type':'enum','name':'E','symbols':['A','B']}"), NULL, DATUM("\x02"), "a",
          "string B" },
        { "fixed", OF("{'type':'fixed','name':'F','size':2}"), NULL, DATUM("\x12\x34"), "a",
          "bytes 1234" },
        { "fixed of nothing", OF("{'type':'fixed','name':'F','size':0}"), NULL, DATUM(""), "a",
          "bytes " },
        { "null", OF("'null'"), NULL, DATUM(""), "a", "null" },
        { "uuid", OF("{'type':'string','logicalType':'uuid'}"), NULL,
          DATUM("\x04"
                "ab"),
          "a", "string ab" },
        { "timestamp-millis", OF(MILLIS), NULL, DATUM("\x01"), "a",
          "timestamp 1969-12-31T23:59:59.999Z" },
        { "timestamp-micros", OF(MICROS), NULL, DATUM("\x02"), "a",
          "timestamp 1970-01-01T00:00:00.000001Z" },
        { "date", OF(DATE), NULL, DATUM("\xcc\xbf\x02"), "a", "timestamp 2026-01-01T00:00:00Z" },
        { "decimal", OF(DECIMAL("6", "2")), NULL, DATUM("\x04\xff\x85"), "a", "decimal -1.23" },
        { "decimal, no bytes", OF(DECIMAL("6", "2")), NULL, DATUM("\x00"), "a", "decimal 0.00" },
        { "decimal, 16 bytes", OF(DECIMAL("38", "0")), NULL,
          DATUM("\x20\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "a",
          "decimal 170141183460469231731687303715884105727" },
        { "decimal in fixed", OF(DECIMAL_FIXED("4", "9", "3")), NULL, DATUM("\xff\xff\xff\xfe"),
          "a", "decimal -0.002" },
        { "option, null", OF("['null','int']"), NULL, DATUM("\x00"), "a", "null" },
        { "option, other", OF("['null','int']"), NULL, DATUM("\x02\x08"), "a", "int 4" },
        { "option, null last", OF("['int','null']"), NULL, DATUM("\x02"), "a", "null" },
        { "option, other first", OF("['int','null']"), NULL, DATUM("\x00\x08"), "a", "int 4" },
        { "union of one", OF("['int']"), NULL, DATUM("\x00\x08"), "a", "int 4" },
        { "union of null", OF("['null']"), NULL, DATUM("\x00"), "a", "null" },
    };
    CHECK_ALL(rows);
}

Test(avro_program, refuses_what_no_encoder_writes)
{
    static const struct program_case rows[] = {
        { "boolean 2", OF("'boolean'"), NULL, DATUM("\x02"), "a", "neither 0 nor 1",
          .run = ST_UNDECODABLE },
        { "int of 33 bits", OF("'int'"), NULL, DATUM("\x80\x80\x80\x80\x10"), "a", "32 bits",
          .run = ST_UNDECODABLE },
        { "int of 33 bits, negative", OF("'int'"), NULL, DATUM("\x81\x80\x80\x80\x10"), "a",
          "32 bits", .run = ST_UNDECODABLE },
        { "long of 11 bytes", OF("'long'"), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "a", "64 bits",
          .run = ST_UNDECODABLE },
        { "long of 65 bits", OF("'long'"), NULL, DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
          "a", "64 bits", .run = ST_UNDECODABLE },
        { "negative length", OF("'string'"), NULL, DATUM("\x01"), "a", "'a': a negative length",
          .run = ST_UNDECODABLE },
        { "least length", OF("'bytes'"), NULL, DATUM("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
          "a", "a negative length", .run = ST_UNDECODABLE },
        { "length of 2^62", OF("'bytes'"), NULL, DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
          "a", "ends within it", .run = ST_UNDECODABLE },
        { "not UTF-8", OF("'string'"), NULL, DATUM("\x04\xc3\x28"), "a", "not UTF-8",
          .run = ST_UNDECODABLE },
        { "a surrogate", OF("'string'"), NULL, DATUM("\x06\xed\xa0\x80"), "a", "not UTF-8",
          .run = ST_UNDECODABLE },
        { "overlong", OF("'string'"), NULL, DATUM("\x04\xc0\x80"), "a", "not UTF-8",
          .run = ST_UNDECODABLE },
        { "a sequence cut by the string's end", OF("'string'"), NULL,
          DATUM("\x12"
                "abcdefgh\xc3"),
          "a", "not UTF-8", .run = ST_UNDECODABLE },
        { "branch 2 of 2", OF("['null','int']"), NULL, DATUM("\x04\x00"), "a", "a branch that",
          .run = ST_UNDECODABLE },
        { "branch -1 of 2", OF("['null','int']"), NULL, DATUM("\x01\x00"), "a", "a branch that",
          .run = ST_UNDECODABLE },
        { "symbol 2 of 2", OF("{'type':'enum','name':'E','symbols':['A','B']}"), NULL,
          DATUM("\x04"), "a", "a symbol that the writer's", .run = ST_UNDECODABLE },
        { "symbol -1", OF("{'type':'enum','name':'E','symbols':['A','B']}"), NULL, DATUM("\x01"),
          "a", "a symbol that the writer's", .run = ST_UNDECODABLE },
        { "decimal of 17 bytes", OF(DECIMAL("38", "0")), NULL,
          DATUM("\x22\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "a", "128 bits",
          .run = ST_UNDECODABLE },
        { "millis beyond micros", OF(MILLIS), NULL,
          DATUM("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a", "64 bits of microseconds",
          .run = ST_UNDECODABLE },
        { "date beyond micros", OF(DATE), NULL, DATUM("\xfe\xff\xff\xff\x0f"), "a",
          "64 bits of microseconds", .run = ST_UNDECODABLE },
        { "bytes behind", OF("'int'"), NULL, DATUM("\x02\x00"), "a", "1 bytes follow the datum",
          .run = ST_UNDECODABLE },
    };
    CHECK_ALL(rows);
}

Test(avro_program, promotes_numbers_and_text)
{
    static const struct program_case rows[] = {
        { "int to long", OF("'int'"), OF("'long'"), DATUM("\x0a"), "a", "int 5" },
        { "int to float", OF("'int'"), OF("'float'"), DATUM("\x82\x80\x80\x10"), "a",
          "double 16777216" }, /* 2^24 + 1 is no float */
        { "int to double", OF("'int'"), OF("'double'"), DATUM("\x82\x80\x80\x10"), "a",
          "double 16777217" },
        { "long to float", OF("'long'"), OF("'float'"), DATUM("\x82\x80\x80\x10"), "a",
          "double 16777216" },
        { "long to double", OF("'long'"), OF("'double'"), DATUM("\x82\x80\x80\x80\x80\x80\x80\x20"),
          "a", "double 9007199254740992" },
        { "float to double", OF("'float'"), OF("'double'"), DATUM("\xcd\xcc\xcc\x3d"), "a",
          "double 0.10000000149011612" },
        { "string to bytes", OF("'string'"), OF("'bytes'"), DATUM("\x02x"), "a", "bytes 78" },
        { "bytes to string", OF("'bytes'"), OF("'string'"), DATUM("\x02x"), "a", "string x" },
        { "bytes to string, not text", OF("'bytes'"), OF("'string'"), DATUM("\x02\xff"), "a",
          "UTF-8", .run = ST_UNDECODABLE },
        { "int of 33 bits to double", OF("'int'"), OF("'double'"), DATUM("\x80\x80\x80\x80\x10"),
          "a", "32 bits", .run = ST_UNDECODABLE },
        { "long to int", OF("'long'"), OF("'int'"), DATUM(""), "a",
          "field 'a': long cannot be read as int", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "double to float", OF("'double'"), OF("'float'"), DATUM(""), "a", "double cannot be read",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "float to long", OF("'float'"), OF("'long'"), DATUM(""), "a", "cannot be read",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "int to string", OF("'int'"), OF("'string'"), DATUM(""), "a", "cannot be read",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "boolean to int", OF("'boolean'"), OF("'int'"), DATUM(""), "a", "cannot be read",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "unwanted fields count too", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")),
          RECORD(FIELD("a", "'int'") "," FIELD("b", "'int'")), DATUM(""), "a",
          "field 'b': string cannot be read as int", .compile = ST_INCOMPATIBLE_SCHEMA },
    };
    CHECK_ALL(rows);
}

Test(avro_program, takes_times_in_the_writers_unit)
{
    static const struct program_case rows[] = {
        { "micros as millis", OF(MICROS), OF(MILLIS), DATUM("\xa2\x1f"), "a",
          "timestamp 1970-01-01T00:00:00.002001Z" },
        { "millis as micros", OF(MILLIS), OF(MICROS), DATUM("\x02"), "a",
          "timestamp 1970-01-01T00:00:00.001Z" },
        { "long as millis", OF("'long'"), OF(MILLIS), DATUM("\x02"), "a",
          "timestamp 1970-01-01T00:00:00.001Z" },
        { "long as micros", OF("'long'"), OF(MICROS), DATUM("\x02"), "a",
          "timestamp 1970-01-01T00:00:00.000001Z" },
        { "int as millis", OF("'int'"), OF(MILLIS), DATUM("\x02"), "a",
          "timestamp 1970-01-01T00:00:00.001Z" },
        { "int as date", OF("'int'"), OF(DATE), DATUM("\x02"), "a",
          "timestamp 1970-01-02T00:00:00Z" },
        { "date as millis", OF(DATE), OF(MILLIS), DATUM("\x02"), "a",
          "timestamp 1970-01-02T00:00:00Z" },
        { "millis as long", OF(MILLIS), OF("'long'"), DATUM("\x02"), "a", "int 1" },
        { "millis as double", OF(MILLIS), OF("'double'"), DATUM("\x02"), "a", "double 1" },
        { "date as int", OF(DATE), OF("'int'"), DATUM("\x02"), "a", "int 1" },
        { "long as date", OF("'long'"), OF(DATE), DATUM(""), "a", "cannot be read",
          .compile = ST_INCOMPATIBLE_SCHEMA },
    };
    CHECK_ALL(rows);
}

Test(avro_program, decimals_match_by_precision_and_scale)
{
    static const struct program_case rows[] = {
        { "fixed as bytes", OF(DECIMAL_FIXED("4", "9", "3")), OF(DECIMAL("9", "3")),
          DATUM("\0\0\0\x07"), "a", "decimal 0.007" },
        { "bytes as fixed", OF(DECIMAL("9", "3")), OF(DECIMAL_FIXED("4", "9", "3")),
          DATUM("\x02\x07"), "a", "decimal 0.007" },
        { "fixed of another size", OF(DECIMAL_FIXED("8", "9", "3")),
          OF(DECIMAL_FIXED("4", "9", "3")), DATUM("\0\0\0\0\0\0\0\x07"), "a", "decimal 0.007" },
        { "decimal as bytes", OF(DECIMAL("9", "3")), OF("'bytes'"), DATUM("\x02\x07"), "a",
          "bytes 07" },
        { "another scale", OF(DECIMAL("9", "2")), OF(DECIMAL("9", "3")), DATUM(""), "a",
          "decimal(9, 2) cannot be read as decimal(9, 3)", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "another precision", OF(DECIMAL("8", "3")), OF(DECIMAL("9", "3")), DATUM(""), "a",
          "decimal(8, 3)", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "plain bytes", OF("'bytes'"), OF(DECIMAL("9", "3")), DATUM(""), "a",
          "bytes cannot be read as a decimal in bytes", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "string", OF("'string'"), OF(DECIMAL("9", "3")), DATUM(""), "a", "a decimal in bytes",
          .compile = ST_INCOMPATIBLE_SCHEMA },
    };
    CHECK_ALL(rows);
}

Test(avro_program, matches_fields_by_name_and_alias)
{
    static const struct program_case rows[] = {
        { "reordered", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")),
          RECORD(FIELD("b", "'string'") "," FIELD("a", "'int'")), DATUM("\x02\x02x"), "a,b",
          "int 1, string x" },
        { "removed",
          RECORD(FIELD("a", "'int'") "," FIELD("gone", "'string'") "," FIELD("b", "'int'")),
          RECORD(FIELD("b", "'int'")), DATUM("\x02\x02x\x04"), "b", "int 2" },
        { "unwanted", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")), NULL,
          DATUM("\x02\x02x"), "b", "string x" },
        { "asked for in another order", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")),
          NULL, DATUM("\x02\x02x"), "b,a", "string x, int 1" },
        { "asked for twice", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")), NULL,
          DATUM("\x02\x02x"), "b,a,b,b", "string x, int 1, string x, string x" },
        { "nothing wanted", RECORD(FIELD("a", "'int'") "," FIELD("b", "'string'")), NULL,
          DATUM("\x02\x02x"), "", "" },
        { "alias", RECORD(FIELD("old", "'int'")),
          RECORD("{'name':'new','type':'long','aliases':['older','old']}"), DATUM("\x02"), "new",
          "int 1" },
        { "name before alias", RECORD(FIELD("old", "'int'") "," FIELD("new", "'int'")),
          RECORD("{'name':'new','type':'long','aliases':['old']}"), DATUM("\x02\x04"), "new",
          "int 2" },
        { "another field's name is no alias", RECORD(FIELD("x", "'int'")),
          RECORD("{'name':'x','type':'int'},{'name':'y','type':'int','aliases':['x'],'default':9}"),
          DATUM("\x02"), "x,y", "int 1, int 9" },
        { "one field for two aliases", RECORD(FIELD("x", "'int'")),
          RECORD("{'name':'y','type':'int','aliases':['x']},"
                 "{'name':'z','type':'int','aliases':['x'],'default':9}"),
          DATUM("\x02"), "y,z", "int 1, int 9" },
        { "missing", RECORD(FIELD("a", "'int'")),
          RECORD(FIELD("a", "'int'") "," FIELD("b", "'int'")), DATUM(""), "a",
          "the writer has no field 'b'", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "missing with default", RECORD(FIELD("a", "'int'")),
          RECORD(FIELD("a", "'int'") "," OPTIONAL("b", "'string'", "'none'")), DATUM("\x02"), "a,b",
          "int 1, string none" },
        { "missing and nullable", RECORD(FIELD("a", "'int'")),
          RECORD(FIELD("a", "'int'") "," OPTIONAL("b", "['null','string']", "null")), DATUM("\x02"),
          "b,a", "null, int 1" },
        { "missing bytes", RECORD(""), RECORD(OPTIONAL("b", "'bytes'", "'\\u00ff\\u0000'")),
          DATUM(""), "b", "bytes ff00" },
        { "no such column", OF("'int'"), NULL, DATUM(""), "b", "no 'b'", .compile = ST_NOT_FOUND },
        { "no scalar", OF("{'type':'array','items':'int'}"), NULL, DATUM(""), "a", "array",
          .compile = ST_INVALID },
    };
    CHECK_ALL(rows);
}

Test(avro_program, matches_types_by_name_without_namespace)
{
    static const struct program_case rows[] = {
        { "another namespace", "{'type':'record','name':'x.R','fields':[" FIELD("a", "'int'") "]}",
          "{'type':'record','name':'y.R','fields':[" FIELD("a", "'int'") "]}", DATUM("\x02"), "a",
          "int 1" },
        { "another name", "{'type':'record','name':'x.S','fields':[" FIELD("a", "'int'") "]}",
          OF("'int'"), DATUM(""), "a", "record 'x.S' is not record 'R'",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "alias of the record",
          "{'type':'record','name':'x.S','fields':[" FIELD("a", "'int'") "]}",
          "{'type':'record','name':'R','aliases':['T','x.S'],'fields':[" FIELD("a", "'int'") "]}",
          DATUM("\x02"), "a", "int 1" },
        { "fixed of another name", OF("{'type':'fixed','name':'F','size':1}"),
          OF("{'type':'fixed','name':'G','size':1}"), DATUM(""), "a", "fixed 'F'",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "fixed of another size", OF("{'type':'fixed','name':'F','size':1}"),
          OF("{'type':'fixed','name':'F','size':2}"), DATUM(""), "a", "fixed 'F'",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "fixed by alias", OF("{'type':'fixed','name':'F','size':1}"),
          OF("{'type':'fixed','name':'G','aliases':['F'],'size':1}"), DATUM("x"), "a", "bytes 78" },
        { "enum of another name", OF("{'type':'enum','name':'E','symbols':['A']}"),
          OF("{'type':'enum','name':'D','symbols':['A']}"), DATUM(""), "a", "enum 'E'",
          .compile = ST_INCOMPATIBLE_SCHEMA },
        { "fixed as bytes", OF("{'type':'fixed','name':'F','size':1}"), OF("'bytes'"), DATUM(""),
          "a", "cannot be read", .compile = ST_INCOMPATIBLE_SCHEMA },
    };
    CHECK_ALL(rows);
}

#define ENUM(symbols) "{'type':'enum','name':'E','symbols':[" symbols "]}"

Test(avro_program, resolves_symbols)
{
    static const struct program_case rows[] = {
        { "reordered", OF(ENUM("'A','B','C'")), OF(ENUM("'C','B','A'")), DATUM("\x04"), "a",
          "string C" },
        { "unknown", OF(ENUM("'A','B'")), OF(ENUM("'A'")), DATUM("\x02"), "a",
          "the reader's enum does not have", .run = ST_UNDECODABLE },
        { "known among unknown", OF(ENUM("'A','B'")), OF(ENUM("'A'")), DATUM("\x00"), "a",
          "string A" },
        { "the reader's default", OF(ENUM("'A','B'")),
          OF("{'type':'enum','name':'E','symbols':['Z','A'],'default':'Z'}"), DATUM("\x02"), "a",
          "string Z" },
        { "known beside a default", OF(ENUM("'A','B'")),
          OF("{'type':'enum','name':'E','symbols':['Z','A'],'default':'Z'}"), DATUM("\x00"), "a",
          "string A" },
        { "unknown but not wanted", RECORD(FIELD("a", ENUM("'A','B'")) "," FIELD("b", "'int'")),
          RECORD(FIELD("a", ENUM("'A'")) "," FIELD("b", "'int'")), DATUM("\x02\x02"), "b",
          "int 1" },
    };
    CHECK_ALL(rows);
}

Test(avro_program, resolves_unions)
{
    static const struct program_case rows[] = {
        { "plain to option", OF("'int'"), OF("['null','long']"), DATUM("\x02"), "a", "int 1" },
        { "option to plain", OF("['null','int']"), OF("'long'"), DATUM("\x02\x02"), "a", "int 1" },
        { "null to plain", OF("['null','int']"), OF("'long'"), DATUM("\x00"), "a",
          "'a': a branch of the writer's union that the reader has no place for",
          .run = ST_UNDECODABLE },
        { "option turned round", OF("['null','int']"), OF("['int','null']"), DATUM("\x00"), "a",
          "null" },
        { "option turned round, value", OF("['null','int']"), OF("['int','null']"),
          DATUM("\x02\x06"), "a", "int 3" },
        { "promotion within", OF("['null','int']"), OF("['null','double']"), DATUM("\x02\x02"), "a",
          "double 1" },
        { "null to option", OF("'null'"), OF("['null','double']"), DATUM(""), "a", "null" },
        { "many to one, promoted", OF("['int','long','float','double']"), OF("'double'"),
          DATUM("\x04\x00\x00\x20\xc0"), "a", "double -2.5" },
        { "many to one, promoted otherwise", OF("['int','long','float','double']"), OF("'double'"),
          DATUM("\x02\x03"), "a", "double -2" },
        { "many to option", OF("['null','int','long']"), OF("['null','long']"), DATUM("\x04\x03"),
          "a", "int -2" },
        { "many to option, null", OF("['int','null','long']"), OF("['null','long']"), DATUM("\x02"),
          "a", "null" },
        { "many to option, no place", OF("['null','int','string']"), OF("['null','long']"),
          DATUM("\x04\x02x"), "a", "no place for", .run = ST_UNDECODABLE },
        { "many, branch beyond", OF("['null','int','string']"), OF("['null','long']"),
          DATUM("\x06\x02x"), "a", "a branch that the writer's", .run = ST_UNDECODABLE },
        { "many, branch below", OF("['null','int','string']"), OF("['null','long']"), DATUM("\x01"),
          "a", "a branch that the writer's", .run = ST_UNDECODABLE },
        { "none fits", OF("['null','string','boolean']"), OF("['null','long']"), DATUM(""), "a",
          "no branch of the writer's union", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "the other one does not fit", OF("['null','string']"), OF("['null','long']"), DATUM(""),
          "a", "field 'a': string cannot be read as long", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "null alone for plain", OF("'null'"), OF("'int'"), DATUM(""), "a",
          "null cannot be read as int", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "unwanted union, any branch",
          RECORD(FIELD("u", "['null','int','string']") "," FIELD("a", "'int'")), NULL,
          DATUM("\x04\x02x\x02"), "a", "int 1" },
        { "unwanted option, null", RECORD(FIELD("u", "['null','string']") "," FIELD("a", "'int'")),
          NULL, DATUM("\x00\x02"), "a", "int 1" },
        { "unwanted option, value", RECORD(FIELD("u", "['string','null']") "," FIELD("a", "'int'")),
          NULL, DATUM("\x00\x02x\x02"), "a", "int 1" },
        { "skips are not joined across branches",
          RECORD(
              FIELD("u", "['null','double']") "," FIELD("v", "'double'") "," FIELD("a", "'int'")),
          NULL,
          DATUM("\x00"
                "12345678\x02"),
          "a", "int 1" },
        { "nor across the branches of many",
          RECORD(FIELD("u", "['int','long','string']") "," FIELD("v", "'long'") "," FIELD("a",
                                                                                          "'int'")),
          NULL, DATUM("\x02\x04\x06\x02"), "a", "int 1" },
    };
    CHECK_ALL(rows);
}

#define INNER(fields) NESTED("I", fields)

Test(avro_program, reads_records_in_records)
{
    static const struct program_case rows[] = {
        { "by path",
          RECORD(FIELD("i", INNER(FIELD("x", "'int'") "," FIELD("y", "'string'"))) "," FIELD(
              "b", "'int'")),
          NULL, DATUM("\x02\x02y\x04"), "i.y,b,i.x", "string y, int 2, int 1" },
        { "null record",
          RECORD(FIELD("i", "['null'," INNER(FIELD("x", "'int'") "," FIELD(
                                "y", "'int'")) "]") "," FIELD("b", "'int'")),
          NULL, DATUM("\x00\x04"), "i.x,b,i.y", "null, int 2, null" },
        { "record in option",
          RECORD(FIELD("i", "['null'," INNER(FIELD("x", "'int'") "," FIELD(
                                "y", "'int'")) "]") "," FIELD("b", "'int'")),
          NULL, DATUM("\x02\x0a\x0c\x04"), "i.x,b,i.y", "int 5, int 2, int 6" },
        { "null record, one column", RECORD(FIELD("i", "['null'," INNER(FIELD("x", "'int'")) "]")),
          NULL, DATUM("\x00"), "i.x", "null" },
        { "evolved inside",
          RECORD(FIELD("i", INNER(FIELD("old", "'int'") "," FIELD("gone", "'string'")))),
          RECORD(FIELD("i", INNER("{'name':'x','type':'double','aliases':['old']}," OPTIONAL(
                                "y", "'int'", "7")))),
          DATUM("\x02\x02z"), "i.y,i.x", "int 7, double 1" },
        { "default of a whole record", RECORD(FIELD("b", "'int'")),
          RECORD(FIELD("b", "'int'") "," OPTIONAL(
              "i", INNER(FIELD("x", "'int'") "," OPTIONAL("y", "'string'", "'why'")), "{'x':4}")),
          DATUM("\x02"), "i.x,i.y,b", "int 4, string why, int 1" },
        { "null default of a whole record", RECORD(FIELD("b", "'int'")),
          RECORD(OPTIONAL("i", "['null'," INNER(FIELD("x", "'int'") "," FIELD("y", "'int'")) "]",
                          "null")),
          DATUM("\x02"), "i.x,i.y", "null, null" },
        { "missing inside", RECORD(FIELD("i", INNER(FIELD("x", "'int'")))),
          RECORD(FIELD("i", INNER(FIELD("x", "'int'") "," FIELD("y", "'int'")))), DATUM(""), "i.x",
          "field 'i': the writer has no field 'y'", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "by record name in a union",
          RECORD(FIELD("i", "['null'," NESTED("J", FIELD("x", "'string'")) "," INNER(
                                FIELD("x", "'int'")) "]")),
          RECORD(FIELD("i", "['null'," INNER(FIELD("x", "'long'")) "]")), DATUM("\x04\x02"), "i.x",
          "int 1" },
        { "error in a nested field names its path",
          RECORD(FIELD("i", INNER(FIELD("x", "'int'") "," FIELD("y", "'boolean'")))), NULL,
          DATUM("\x02\x07"), "i.y", "'i.y': a boolean", .run = ST_UNDECODABLE },
    };
    CHECK_ALL(rows);
}

#define LIST RECORD(FIELD("v", "'int'") "," FIELD("next", "['null','R']"))
#define TREE                                                                                \
    RECORD(FIELD("v", "'int'") "," FIELD("kids", "{'type':'array','items':'R'}") "," FIELD( \
        "end", "'int'"))

Test(avro_program, follows_recursive_types)
{
    static const struct program_case rows[] = {
        { "first of a list, the rest is skipped", LIST, NULL, DATUM("\x02\x02\x04\x02\x06\x00"),
          "v", "int 1" },
        { "into the list", LIST, NULL, DATUM("\x02\x02\x04\x02\x06\x00"), "next.next.v,v,next.v",
          "int 3, int 1, int 2" },
        { "beyond the end", LIST, NULL, DATUM("\x02\x02\x04\x00"),
          "next.next.v,next.next.next.v,next.v", "null, null, int 2" },
        { "a tree", TREE, NULL, DATUM("\x02\x04\x04\x00\x06\x08\x02\x0a\x00\x0c\x00\x0e\x00\x10"),
          "end", "int 8" },
        { "recursive on both sides, evolved", LIST,
          RECORD(FIELD("v", "'double'") "," OPTIONAL("w", "'int'", "5") "," FIELD("next",
                                                                                  "['null','R']")),
          DATUM("\x02\x02\x04\x00"), "next.v,next.w,next.next.w", "double 2, int 5, null" },
    };
    CHECK_ALL(rows);
}

#define ARRAY(type)  "{'type':'array','items':" type "}"
#define MAP(type)    "{'type':'map','values':" type "}"
#define BEHIND(type) RECORD(FIELD("l", type) "," FIELD("a", "'int'"))

Test(avro_program, skips_arrays_and_maps)
{
    static const struct program_case rows[] = {
        { "empty", BEHIND(ARRAY("'int'")), NULL, DATUM("\x00\x02"), "a", "int 1" },
        { "items", BEHIND(ARRAY("'int'")), NULL, DATUM("\x04\x02\x80\x02\x00\x02"), "a", "int 1" },
        { "two blocks", BEHIND(ARRAY("'string'")), NULL, DATUM("\x02\x02x\x02\x04xy\x00\x02"), "a",
          "int 1" },
        { "block with its size", BEHIND(ARRAY("'string'")), NULL,
          DATUM("\x03\x08\x02x\x02y\x00\x02"), "a", "int 1" },
        { "of doubles", BEHIND(ARRAY("'double'")), NULL,
          DATUM("\x04"
                "1234567812345678"
                "\x00\x02"),
          "a", "int 1" },
        { "of records",
          BEHIND(ARRAY(INNER(FIELD("x", "'int'") "," FIELD("y", "['null','string']")))), NULL,
          DATUM("\x04\x02\x00\x04\x02\x02z\x00\x02"), "a", "int 1" },
        { "of arrays", BEHIND(ARRAY(ARRAY("'int'"))), NULL, DATUM("\x04\x02\x02\x00\x00\x00\x02"),
          "a", "int 1" },
        { "map", BEHIND(MAP("'int'")), NULL, DATUM("\x04\x02k\x02\x04kk\x04\x00\x02"), "a",
          "int 1" },
        { "map of maps", BEHIND(MAP(MAP("'null'"))), NULL, DATUM("\x02\x02k\x02\x02k\x00\x00\x02"),
          "a", "int 1" },
        { "array of maps", BEHIND(ARRAY(MAP("'bytes'"))), NULL,
          DATUM("\x04\x02\x02k\x02v\x00\x00\x00\x02"), "a", "int 1" },
        { "2^60 nulls", BEHIND(ARRAY("'null'")), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x20\x00\x02"), "a", "int 1" },
        { "2^60 records of nothing", BEHIND(ARRAY(INNER(FIELD("n", "'null'")))), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x20\x00\x02"), "a", "int 1" },
        { "reader has another item type that fits", BEHIND(ARRAY("'int'")), BEHIND(ARRAY("'long'")),
          DATUM("\x02\x02\x00\x02"), "a", "int 1" },
        { "2^60 ints", BEHIND(ARRAY("'int'")), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x20\x02\x00"), "a", "ends within",
          .run = ST_UNDECODABLE },
        { "2^61 doubles", BEHIND(ARRAY("'double'")), NULL,
          DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x40\x02\x00"), "a", "more items than",
          .run = ST_UNDECODABLE },
        { "block size beyond the end", BEHIND(ARRAY("'int'")), NULL, DATUM("\x03\x7e\x02\x00\x02"),
          "a", "ends within", .run = ST_UNDECODABLE },
        { "negative block size", BEHIND(ARRAY("'int'")), NULL, DATUM("\x03\x01\x02\x00\x02"), "a",
          "negative length", .run = ST_UNDECODABLE },
        { "least count", BEHIND(ARRAY("'int'")), NULL,
          DATUM("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x02"), "a", "int 1" },
        { "items do not fit", BEHIND(ARRAY("'string'")), BEHIND(ARRAY("'int'")), DATUM(""), "a",
          "field 'l': string cannot", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "values do not fit", BEHIND(MAP("'string'")), BEHIND(MAP("'int'")), DATUM(""), "a",
          "field 'l': string cannot", .compile = ST_INCOMPATIBLE_SCHEMA },
        { "array as map", BEHIND(ARRAY("'int'")), BEHIND(MAP("'int'")), DATUM(""), "a",
          "array cannot be read as map", .compile = ST_INCOMPATIBLE_SCHEMA },
    };
    CHECK_ALL(rows);
}

Test(avro_program, skips_shared_types_by_one_program)
{
    static const struct program_case rows[] = {
        { "the same record three times",
          RECORD(FIELD("x", INNER(FIELD("s", "'string'") "," FIELD("d", "'double'"))) "," FIELD(
              "y", "'I'") "," FIELD("z", "['null','I']") "," FIELD("a", "'int'")),
          NULL,
          DATUM("\x02x12345678\x00"
                "12345678\x02\x04xy12345678\x02"),
          "a", "int 1" },
        { "wanted here, skipped there",
          RECORD(FIELD("x", INNER(FIELD("s", "'string'") "," FIELD("n", "'int'"))) "," FIELD(
              "y", "'I'") "," FIELD("a", "'int'")),
          NULL, DATUM("\x02x\x02\x02y\x04\x06"), "x.s,a,y.n", "string x, int 3, int 2" },
    };
    CHECK_ALL(rows);
}

Test(avro_program, depth_is_bounded)
{
    struct schema_document *list = quoted_schema(LIST), *endless = quoted_schema(OF("'R'"));
    const struct decoder_column column = { .path = "v" };
    struct avro_program *program = NULL;
    struct error err;
    cr_assert_eq(
        avro_program_compile(&program, schema_root(list), schema_root(list), &column, 1, &err),
        ST_OK, "%s", err.text);
    struct buffer datum;
    buffer_init(&datum);
    for (int i = 0; i < 100000; i++)
        buffer_put(&datum, "\x02\x02", 2);
    buffer_put(&datum, "\x02\x00", 2);
    struct value slot;
    cr_assert_eq(avro_program_run(program, buffer_view(&datum), &slot, NULL, &err), ST_UNDECODABLE);
    cr_assert(strstr(err.text, "nested too deep") != NULL, "%s", err.text);
    avro_program_destroy(&program);

    cr_assert_eq(
        avro_program_compile(&program, schema_root(endless), schema_root(endless), NULL, 0, &err),
        ST_OK, "%s", err.text);
    cr_assert_eq(avro_program_run(program, BYTES_NONE, NULL, NULL, &err), ST_UNDECODABLE);
    avro_program_destroy(&program);
    buffer_fini(&datum);
    schema_document_destroy(&list);
    schema_document_destroy(&endless);
}

/* A schema of n records, each with two fields of the next one: 2^n places, but few of them wanted. */
Test(avro_program, schemas_that_unfold_endlessly_end)
{
    enum { LEVELS = 40 };
    struct buffer text;
    buffer_init(&text);
    buffer_put_string(&text, "[");
    for (int i = LEVELS; i > 0; i--) {
        const char *leaf = "'int'";
        char next[16];
        snprintf(next, sizeof next, "'L%d'", i + 1);
        buffer_printf(&text,
                      "{'type':'record','name':'L%d','fields':[{'name':'l','type':%s},"
                      "{'name':'r','type':%s}]},",
                      i, i == LEVELS ? leaf : next, i == LEVELS ? leaf : next);
    }
    buffer_put_string(&text, "{'type':'record','name':'R','fields':[{'name':'l','type':'L1'},"
                             "{'name':'a','type':'int'}]}]");
    struct schema_document *document = quoted_schema(buffer_text(&text));
    const struct schema *root = schema_root(document)->branches[LEVELS];
    const struct decoder_column column = { .path = "a" };
    struct avro_program *program = NULL;
    struct error err;
    cr_assert_eq(avro_program_compile(&program, root, root, &column, 1, &err), ST_OK, "%s",
                 err.text);
    struct value slot;
    cr_assert_eq(avro_program_run(program, BYTES_LITERAL("\x02\x04"), &slot, NULL, &err),
                 ST_UNDECODABLE);
    avro_program_destroy(&program);
    buffer_fini(&text);
    schema_document_destroy(&document);
}

Test(avro_program, reads_datum_after_datum)
{
    struct schema_document *document = quoted_schema(OF("'string'"));
    const struct decoder_column column = { .path = "a" };
    struct avro_program *program = NULL;
    struct error err;
    cr_assert_eq(avro_program_compile(&program, schema_root(document), schema_root(document),
                                      &column, 1, &err),
                 ST_OK);
    struct bytes data = BYTES_LITERAL("\x02x\x04yz\x00");
    static const char *const expected[] = { "x", "yz", "" };
    for (int i = 0; i < 3; i++) {
        struct value slot;
        cr_assert_eq(avro_program_read(program, &data, &slot, &err), ST_OK, "%s", err.text);
        cr_assert(bytes_equal(slot.text, bytes_of_string(expected[i])));
    }
    cr_assert_eq(data.size, 0);
    avro_program_destroy(&program);
    schema_document_destroy(&document);
}

Test(avro_program, text_is_not_copied)
{
    struct schema_document *document = quoted_schema(OF("'string'"));
    const struct decoder_column column = { .path = "a" };
    struct avro_program *program = NULL;
    cr_assert_eq(avro_program_compile(&program, schema_root(document), schema_root(document),
                                      &column, 1, NULL),
                 ST_OK);
    const struct bytes datum = BYTES_LITERAL("\x02x");
    struct value slot;
    cr_assert_eq(avro_program_run(program, datum, &slot, NULL, NULL), ST_OK);
    cr_assert_eq(slot.text.data, datum.data + 1);
    avro_program_destroy(&program);
    schema_document_destroy(&document);
}
