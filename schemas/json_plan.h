/*
 * json_plan: the wanted columns of a reader schema as a tree that follows the shape of the record,
 * made once, so that decoding needs no lookup by path. Lives in the arena that it was built in;
 * borrows the reader schema.
 */
#ifndef WEIR_SCHEMAS_JSON_PLAN_H
#define WEIR_SCHEMAS_JSON_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/decoder.h"
#include "schemas/schema.h"

/* How many members of an object have a remembered place; those behind are searched for. */
enum { JSON_ORDER_MAX = 64 };

/* One name by which a record's field may come: its own, then its aliases. */
struct json_name {
    struct bytes text;
    size_t field;
};

/* A wanted place: a scalar that is a column, or a record with wanted places inside. */
struct json_node {
    const char *path;            /* for messages; "" is the record itself */
    const struct schema *schema; /* without the union around it */
    bool nullable;
    bool in_union;
    struct bytes branch; /* how Avro's JSON encoding names it in a union */

    uint32_t *slots; /* every column at or below this place */
    size_t slot_count;
    struct value *defaults; /* their values when the field is missing; NULL: it must not be */

    struct json_name
        *names; /* of a record: all fields, the unwanted too, so that these are found as quickly */
    size_t name_count;
    uint64_t name_sizes;       /* bit n: a name of n bytes; bit 63: of 63 or more */
    struct json_node **fields; /* by index in the schema; NULL: unwanted */

    /* What the decoder remembers from record to record. */
    uint16_t order[JSON_ORDER_MAX]; /* which name the n-th member had last time */
    uint64_t seen;                  /* the number of the record in which it was last met */
};

/* ST_INVALID when the schema is no record or a path leads to no scalar. */
MUST_CHECK enum status json_plan_build(struct json_node **out, const struct schema *reader,
                                       const struct decoder_column *columns, size_t column_count,
                                       struct arena *arena, struct error *err);

/*
 * The index of the field with that name, or JSON_NO_FIELD. `ordinal` is the member's place in its
 * object.
 */
#define JSON_NO_FIELD SIZE_MAX
size_t json_plan_field(struct json_node *node, struct bytes name, size_t ordinal);

#endif
