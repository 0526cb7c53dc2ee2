/*
 * avro_step: the instructions that avro_program compiles to and avro_machine executes. Private to
 * the two.
 *
 * Steps lie in one array; a jump names the index of a step. The datum is read from left to right
 * and never twice. Sub-programs (what is skipped more than once, items of arrays and maps) end with
 * STEP_RETURN, as does the main program.
 */
#ifndef WEIR_SCHEMAS_AVRO_STEP_H
#define WEIR_SCHEMAS_AVRO_STEP_H

#include <stdint.h>

#include "base/arena.h"
#include "schemas/value.h"

enum avro_op {
    STEP_RETURN,
    STEP_JUMP,   /* to target */
    STEP_CALL,   /* the sub-program at target */
    STEP_REFUSE, /* a union's branch that the reader has no place for */

    /* what is not wanted */
    STEP_SKIP,        /* size bytes */
    STEP_SKIP_LONGS,  /* size varints: int, long, enum */
    STEP_SKIP_BYTES,  /* length and bytes: bytes, string */
    STEP_SKIP_ITEMS,  /* an array whose items have size bytes each */
    STEP_SKIP_BLOCKS, /* an array or map whose item is skipped by the sub-program at target */

    /* without reading */
    STEP_SET,  /* slot = constants[size] */
    STEP_COPY, /* slot = slots[size] */

    /* unions: a varint says which branch */
    STEP_OPTION,      /* null and another: null, branch `detail`, goes to target, the other on */
    STEP_OPTION_SLOT, /* the same, and null sets slot to null */
    STEP_UNION,       /* branch i goes to targets[target + i]; size branches */

    /* one value into slot; `narrow`: the writer's type is int, more than 32 bits are refused */
    STEP_BOOL,
    STEP_LONG,
    STEP_MILLIS,
    STEP_MICROS,
    STEP_DATE,
    STEP_LONG_TO_FLOAT,
    STEP_LONG_TO_DOUBLE,
    STEP_FLOAT,
    STEP_DOUBLE,
    STEP_STRING,
    STEP_BYTES,
    STEP_FIXED,         /* size bytes */
    STEP_DECIMAL,       /* of scale `detail` in bytes */
    STEP_DECIMAL_FIXED, /* the same in size bytes */
    STEP_ENUM /* index i is symbols[target + i]; size symbols; one without text is refused */
};

struct avro_step {
    uint8_t op; /* enum avro_op */
    uint8_t detail;
    bool narrow;
    uint8_t unused;
    uint32_t slot;
    uint32_t size;
    uint32_t target;
};

_Static_assert(sizeof(struct avro_step) == 16, "four steps to a cache line");

struct avro_program {
    struct avro_step *steps;
    uint32_t *targets;     /* of STEP_UNION */
    struct bytes *symbols; /* of STEP_ENUM */
    struct value *constants;
    const char **places; /* by step: the path, for messages; in the arena */
    size_t step_count, target_count, symbol_count, constant_count;
    struct arena *arena; /* what constants, symbols and places point to */
};

#endif
