/*
 * program: what an expression is compiled into: a flat list of instructions over registers.
 *
 * An operand names a register, a slot of the frame or a constant of the program, so a comparison of
 * a slot with a constant is one instruction. Registers are used like a stack: the result of a node
 * goes into the lowest register that was free when its compilation began.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_PROGRAM_H
#define WEIR_PROCESSOR_EXPRESSION_PROGRAM_H

#include "processor/expression/functions.h"

enum {
    PROGRAM_REGISTERS_MAX = 128, /* 3 KiB of the evaluator's stack */
    OPERAND_BASE_SHIFT = 30,
    OPERAND_OFFSET_MASK = (1 << OPERAND_BASE_SHIFT) - 1, /* in bytes: no multiplication per use */
};
enum operand_base { BASE_REGISTER, BASE_SLOT, BASE_CONSTANT, BASE_COUNT };

enum operation {
#define OPERATION(name, function) OPERATION_##name,
#include "processor/expression/operations.def"
#undef OPERATION
    OPERATION_JUMP,          /* to target */
    OPERATION_JUMP_IF_NULL,  /* a null: to target */
    OPERATION_JUMP_IF_FALSE, /* a false: out = false, to target */
    OPERATION_JUMP_IF_TRUE,  /* a true: out = true, to target */
    OPERATION_BRANCH,        /* a true: go on; false: to target; null: out = null, to target_2 */
    OPERATION_IN_CONSTANTS,  /* out = a is one of the `count` sorted constants from b on */
    OPERATION_IN_TABLE,      /* out = a is a key of `table` */
    OPERATION_LOOKUP,        /* out = `column` of the row of `table` with key a */
    OPERATION_CALL,          /* out = call site `site` of the `count` registers from a on */
    OPERATION_COUNT
};

struct instruction {
    uint8_t operation; /* enum operation */
    uint8_t kind;      /* of the result of *_INT: INT, TIMESTAMP or DURATION */
    uint8_t scale;     /* of a decimal result */
    uint8_t outcomes;  /* of a comparison */
    uint8_t shift_a;   /* powers of ten that bring an operand of *_DECIMAL to a common scale */
    uint8_t shift_b;
    uint16_t out; /* register */
    uint32_t a;
    union {
        uint32_t b;
        uint32_t target;
        uint32_t table;
        uint32_t site;
    };
    union {
        uint32_t count;
        uint32_t target_2;
        uint32_t column;
    };
};
_Static_assert(sizeof(struct instruction) == 20, "instructions are read all day");

struct expression {
    struct value_type type;
    uint32_t result; /* operand */
    bool uses_tables;
    size_t instruction_count, constant_count, site_count, slot_count;
    struct instruction *instructions;
    struct value *constants; /* texts live in `texts` */
    struct call_site *sites;
    int *slots; /* read, in order of first reading */
    struct arena *texts;
};

static inline uint32_t operand_of(enum operand_base base, size_t index)
{
    return (uint32_t)base << OPERAND_BASE_SHIFT | (uint32_t)(index * sizeof(struct value));
}

static inline enum operand_base operand_base(uint32_t operand)
{
    return (enum operand_base)(operand >> OPERAND_BASE_SHIFT);
}

static inline uint32_t operand_index(uint32_t operand)
{
    return (operand & OPERAND_OFFSET_MASK) / (uint32_t)sizeof(struct value);
}

#endif
