/* screen: what of a condition can be asked before it is evaluated. */
#include "processor/expression/program.h"

/* Where a false condition that stands in the register leads, over the `and`s that it is the left side of. */
static bool decides(const struct expression *expression, const struct instruction *jump, uint32_t reg)
{
    const struct instruction *first = expression->instructions;
    const struct instruction *end = first + expression->instruction_count;
    while (jump < end && jump->operation == OPERATION_JUMP_IF_FALSE && jump->a == reg &&
           operand_of(BASE_REGISTER, jump->out) == reg)
        jump = first + jump->target;
    return jump == end && expression->result == reg;
}

static uint8_t mirrored(uint8_t outcomes)
{
    return (uint8_t)((outcomes & OUTCOME_EQUAL) | ((outcomes & OUTCOME_LESS) != 0 ? OUTCOME_GREATER : 0) |
                     ((outcomes & OUTCOME_GREATER) != 0 ? OUTCOME_LESS : 0));
}

bool expression_screen(const struct expression *expression, struct expression_screen *out)
{
    const struct instruction *in = expression->instructions;
    if (expression->instruction_count == 0 || in->operation != OPERATION_COMPARE_INT)
        return false;
    const bool slot_first = operand_base(in->a) == BASE_SLOT && operand_base(in->b) == BASE_CONSTANT;
    const bool slot_last = operand_base(in->a) == BASE_CONSTANT && operand_base(in->b) == BASE_SLOT;
    if ((!slot_first && !slot_last) || !decides(expression, in + 1, operand_of(BASE_REGISTER, in->out)))
        return false;
    const struct value *limit = &expression->constants[operand_index(slot_first ? in->b : in->a)];
    if (limit->kind == VALUE_NULL)
        return false;
    *out = (struct expression_screen){
        .slot = operand_index(slot_first ? in->a : in->b),
        .limit = limit->i,
        .outcomes = slot_first ? in->outcomes : mirrored(in->outcomes),
    };
    return true;
}
