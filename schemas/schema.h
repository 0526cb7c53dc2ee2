/*
 * schema: an Avro schema as our own tree, parsed from its JSON text.
 *
 * All of Avro 1.11's types and names (namespaces, aliases, defaults, references to named types,
 * recursion) and the logical types decimal, timestamp-millis, timestamp-micros, date, uuid; an
 * unknown or ill-formed logical type is ignored, as the specification says. Immutable after
 * parsing, may be shared by threads.
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
    const struct json_t
        *default_value; /* checked against the type when parsed; borrowed from the document */
    bool sensitive;     /* the attribute "sensitive": true */
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
    size_t index;                /* 0-based, of the node in its document */
    int64_t binary_size;         /* of every datum in Avro's encoding, or SCHEMA_SIZE_VARIES */
};

/* A parsed document: owns every node of the tree and its text. */
struct schema_document;

/* ST_INVALID says what is wrong and in which field. */
MUST_CHECK enum status schema_parse(struct schema_document **out, const char *json, size_t size,
                                    struct error *err);
/*
 * The same for the schemas of writers, as a registry holds them: a default that does not fit its
 * field's type (older serializers let them pass) is dropped instead of refused. A writer's defaults
 * are of no use to a reader.
 */
MUST_CHECK enum status schema_parse_writer(struct schema_document **out, const char *json,
                                           size_t size, struct error *err);
void schema_document_destroy(struct schema_document **document);
const struct schema *schema_root(const struct schema_document *document);
size_t schema_node_count(const struct schema_document *document);
/* The text it was parsed from (registered as it is, so that attributes are kept). */
struct bytes schema_text(const struct schema_document *document);

/*
 * A scalar place in a schema, named by a dotted path ("amount_cents", "customer.address.country").
 */
struct schema_column {
    struct value_type type;
    bool sensitive;
};
/*
 * Finds the path. Nullable when a union with null is met on the way. ST_NOT_FOUND with the nearest
 * known names when it does not exist, ST_INVALID saying what it is when it is no scalar (union of
 * several types, array, record, a decimal whose scale is above DECIMAL_SCALE_MAX).
 */
MUST_CHECK enum status schema_find_column(const struct schema *root, const char *path,
                                          struct schema_column *out, struct error *err);
/*
 * Calls `each` for every scalar path, depth first in field order; `path` and `column` are valid
 * during the call. Recursion is cut at SCHEMA_COLUMN_DEPTH_MAX names, and a schema has at most
 * SCHEMA_COLUMNS_MAX columns.
 */
void schema_each_column(const struct schema *root,
                        void (*each)(void *context, const char *path,
                                     const struct schema_column *column),
                        void *context);

/*
 * The type of a scalar node's values; false for null, records, arrays, maps, unions and what no
 * value can hold.
 */
bool schema_scalar_type(const struct schema *schema, struct value_type *out);
/*
 * What is left of a union with null, or the node itself; NULL for a union of several types. Sets
 * *nullable, or leaves it.
 */
const struct schema *schema_without_null(const struct schema *schema, bool *nullable);
/* "record 'Payment'", "array", ...: for messages; returns `out`. */
enum { SCHEMA_KIND_TEXT_SIZE = 96 };
const char *schema_kind_text(const struct schema *schema, char out[SCHEMA_KIND_TEXT_SIZE]);

enum {
    SCHEMA_SIZE_VARIES = -1,
    SCHEMA_DEPTH_MAX = 64,
    SCHEMA_TEXT_MAX = 1 << 20,
    SCHEMA_FIXED_MAX = 1 << 30,
    SCHEMA_COLUMN_DEPTH_MAX = 8,
    SCHEMA_COLUMNS_MAX = 1 << 14,
    SCHEMA_PATH_MAX = 1024
};

#endif
