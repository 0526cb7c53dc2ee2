/* avro_machine: executes the steps of an avro_program over one datum. Private to avro_program. */
#ifndef WEIR_SCHEMAS_AVRO_MACHINE_H
#define WEIR_SCHEMAS_AVRO_MACHINE_H

#include "schemas/avro_step.h"

/* Calls within calls: bounds the stack on recursive data. */
enum { AVRO_CALL_DEPTH_MAX = 256 };

enum avro_fault {
    FAULT_NONE,
    FAULT_CUT_SHORT,
    FAULT_VARINT,
    FAULT_INT_RANGE,
    FAULT_LENGTH,
    FAULT_COUNT,
    FAULT_BRANCH,
    FAULT_BRANCH_UNREADABLE,
    FAULT_BOOL,
    FAULT_UTF8,
    FAULT_SYMBOL,
    FAULT_SYMBOL_UNKNOWN,
    FAULT_DECIMAL,
    FAULT_TIME_RANGE,
    FAULT_DEPTH,
    FAULT_COUNT_
};

struct avro_machine {
    const struct avro_program *program;
    const uint8_t *at; /* where reading starts, then where it ended */
    const uint8_t *end;
    struct value *slots;
    uint32_t failed_step; /* when there is a fault */
};

/* Runs from `step` to the STEP_RETURN of its level. */
enum avro_fault avro_machine_run(struct avro_machine *machine, uint32_t step, int depth);
const char *avro_fault_text(enum avro_fault fault);

#endif
