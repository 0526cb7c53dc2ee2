/*
 * schema: an Avro schema as our own tree, parsed from its JSON text.
 *
 * All of Avro 1.11's types and names (namespaces, aliases, defaults, references to named types, recursion) and
 * the logical types decimal, timestamp-millis, timestamp-micros, date, uuid; an unknown or ill-formed logical type is
 * ignored, as the specification says. Immutable after parsing, may be shared by threads.
 */
#ifndef WEIR_SCHEMAS_SCHEMA_H
#define WEIR_SCHEMAS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "schemas/value.h"

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_RECORD,
    SCHEMA_ENUM,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_FIXED,
    SCHEMA_UNION
};

enum schema_logical {
    LOGICAL_NONE,
    LOGICAL_DECIMAL,
    LOGICAL_TIMESTAMP_MILLIS,
    LOGICAL_TIMESTAMP_MICROS,
    LOGICAL_DATE,
    LOGICAL_UUID
};

struct json_t; /* jansson */

struct schema_field {
    char *name;
    char **aliases;
    size_t alias_count;
    struct schema *type; /* borrowed from the tree */
    bool has_default;
    struct json_t *default_value; /* checked against the type when parsed */
    bool sensitive;               /* the attribute "sensitive": true */
};

struct schema {
    enum schema_kind kind;
    enum schema_logical logical;
    uint8_t precision, scale; /* LOGICAL_DECIMAL */
    char *name;               /* full name of record, enum, fixed */
    char **aliases;           /* full names */
    size_t alias_count;
    struct schema_field *fields; /* RECORD */
    struct schema **branches;    /* UNION; [0] is the item of ARRAY and the value of MAP */
    char **symbols;              /* ENUM */
    size_t count;                /* of fields, branches or symbols */
    int enum_default;            /* index of the enum's default symbol, -1 */
    size_t fixed_size;           /* FIXED */
};

/* A parsed document: owns every node of the tree and its text. */
struct schema_document;

MUST_CHECK enum status schema_parse(struct schema_document **out, const char *json, size_t size, struct error *err);
void schema_document_destroy(struct schema_document **document);
const struct schema *schema_root(const struct schema_document *document);
/* The text it was parsed from (registered as it is, so that attributes are kept). */
struct bytes schema_text(const struct schema_document *document);

/* A scalar place in a schema, named by a dotted path ("amount_cents", "customer.address.country"). */
struct schema_column {
    struct value_type type;
    bool sensitive;
};
/*
 * Finds the path. Nullable when a union with null is met on the way. FAILs with the nearest known names when
 * it does not exist, and says what it is when it is no scalar (union of several types, array, record).
 */
MUST_CHECK enum status schema_find_column(const struct schema *root, const char *path, struct schema_column *out,
                                          struct error *err);
/* Calls `each` for every scalar path, depth first in field order; recursion is cut at depth 8. */
void schema_each_column(const struct schema *root,
                        void (*each)(void *context, const char *path, const struct schema_column *column),
                        void *context);

enum { SCHEMA_DEPTH_MAX = 64, SCHEMA_TEXT_MAX = 1 << 20 };

#endif
