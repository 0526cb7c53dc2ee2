/* evaluate: runs a program. Registers live on the stack; nothing here allocates. */
#include "base/ensure.h"
#include "processor/expression/operations.h"

struct evaluation {
    const struct expression *program;
    struct expression_context *context;
    const struct value *bases[BASE_COUNT];
};

static inline const struct value *operand_at(const struct evaluation *evaluation, uint32_t operand)
{
    const char *base = (const char *)evaluation->bases[operand_base(operand)];
    return (const struct value *)(base + (operand & OPERAND_OFFSET_MASK));
}

/* The constants are sorted by value_compare. */
static struct value in_constants(const struct evaluation *evaluation, const struct instruction *in)
{
    const struct value *a = operand_at(evaluation, in->a);
    const struct value *first = operand_at(evaluation, in->b);
    if (a->kind == VALUE_NULL)
        return value_null();
    size_t low = 0;
    for (size_t high = in->count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int order = value_compare(a, &first[middle]);
        if (order == 0)
            return value_bool(true);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return value_bool(false);
}

/* false: no row, or no answer. */
static bool look_up(const struct evaluation *evaluation, const struct instruction *in,
                    const struct value *key, int column, struct value *out)
{
    struct expression_context *context = evaluation->context;
    bool found = false;
    *out = value_null();
    const enum status status =
        context->lookup(context->tables, (int)in->table, key, column, out, &found, context->err);
    if (status == ST_OK)
        return found;
    if (context->failure == ST_OK)
        context->failure = status;
    return false;
}

static struct value in_table(const struct evaluation *evaluation, const struct instruction *in)
{
    const struct value *key = operand_at(evaluation, in->a);
    if (key->kind == VALUE_NULL)
        return value_null();
    struct value row;
    const bool found = look_up(evaluation, in, key, -1, &row);
    return evaluation->context->failure == ST_OK ? value_bool(found) : value_null();
}

static struct value lookup_column(const struct evaluation *evaluation, const struct instruction *in)
{
    const struct value *key = operand_at(evaluation, in->a);
    struct value out;
    if (key->kind == VALUE_NULL || !look_up(evaluation, in, key, (int)in->column, &out))
        return value_null();
    return out;
}

static struct value call(const struct evaluation *evaluation, const struct instruction *in)
{
    const struct value *arguments = operand_at(evaluation, in->a);
    const struct call_site *site = &evaluation->program->sites[in->site];
    for (uint32_t i = 0; i < in->count; i++)
        if (arguments[i].kind == VALUE_NULL)
            return value_null();
    return site->function->run(arguments, in->count, site, evaluation->context);
}

/* The instruction to go on with. */
static inline const struct instruction *jump(const struct evaluation *evaluation,
                                             const struct instruction *in,
                                             struct value *registers)
{
    const struct instruction *first = evaluation->program->instructions;
    const struct value *a = operand_at(evaluation, in->a);
    switch ((enum operation)in->operation) {
    case OPERATION_JUMP:
        return first + in->target;
    case OPERATION_JUMP_IF_NULL:
        return a->kind == VALUE_NULL ? first + in->target : in + 1;
    case OPERATION_JUMP_IF_FALSE:
    case OPERATION_JUMP_IF_TRUE:
        if (a->kind == VALUE_NULL || a->b != (in->operation == OPERATION_JUMP_IF_TRUE))
            return in + 1;
        registers[in->out] = *a;
        return first + in->target;
    case OPERATION_BRANCH:
        if (a->kind != VALUE_NULL)
            return a->b ? in + 1 : first + in->target;
        value_set_null(&registers[in->out]);
        return first + in->target_2;
    default:
        UNREACHABLE();
    }
}

static void run(const struct evaluation *evaluation, struct value *registers)
{
    struct expression_context *context = evaluation->context;
    const struct instruction *in = evaluation->program->instructions;
    const struct instruction *end = in + evaluation->program->instruction_count;
    while (in < end) {
        struct value *out = &registers[in->out];
        const struct value *a = operand_at(evaluation, in->a);
        switch ((enum operation)in->operation) {
#define OPERATION(name, function)                                        \
    case OPERATION_##name:                                               \
        function(in, out, a, operand_at(evaluation, in->b), context);    \
        in++;                                                            \
        continue;
#include "processor/expression/operations.def"
#undef OPERATION
        case OPERATION_JUMP:
        case OPERATION_JUMP_IF_NULL:
        case OPERATION_JUMP_IF_FALSE:
        case OPERATION_JUMP_IF_TRUE:
        case OPERATION_BRANCH:
            in = jump(evaluation, in, registers);
            continue;
        case OPERATION_IN_CONSTANTS:
            *out = in_constants(evaluation, in);
            break;
        case OPERATION_IN_TABLE:
            *out = in_table(evaluation, in);
            break;
        case OPERATION_LOOKUP:
            *out = lookup_column(evaluation, in);
            break;
        case OPERATION_CALL:
            *out = call(evaluation, in);
            break;
        default:
            UNREACHABLE();
        }
        in++;
    }
}

/* Keeps the registers off the stack of an evaluation that needs none. */
static __attribute__((noinline)) struct value run_program(const struct expression *program,
                                                          struct expression_context *context)
{
    struct value registers[PROGRAM_REGISTERS_MAX]; /* not set: each is written before it is read */
    const struct evaluation evaluation = {
        .program = program,
        .context = context,
        .bases = { [BASE_REGISTER] = registers,
                   [BASE_SLOT] = context->slots,
                   [BASE_CONSTANT] = program->constants },
    };
    run(&evaluation, registers);
    return *operand_at(&evaluation, program->result);
}

/* Of a slot or a constant. */
static inline const struct value *outer_operand(const struct expression *program,
                                                const struct expression_context *context, uint32_t operand)
{
    const struct value *base = operand_base(operand) == BASE_SLOT ? context->slots : program->constants;
    return (const struct value *)((const char *)base + (operand & OPERAND_OFFSET_MASK));
}

/* Most rules are one comparison: of a count, an amount, a number with a limit, or a text with another. */
static inline bool compare_once(const struct expression *program, struct expression_context *context, struct value *out)
{
    const struct instruction *in = program->instructions;
    if (program->instruction_count != 1 ||
        (in->operation != OPERATION_COMPARE_INT && in->operation != OPERATION_EQUAL_TEXT))
        return false;
    const struct value *a = outer_operand(program, context, in->a), *b = outer_operand(program, context, in->b);
    if (in->operation == OPERATION_COMPARE_INT)
        operation_compare_int(in, out, a, b, context);
    else
        operation_equal_text(in, out, a, b, context);
    return true;
}

struct value expression_evaluate(const struct expression *program,
                                 struct expression_context *context)
{
    struct value out;
    if (compare_once(program, context, &out))
        return out;
    if (program->instruction_count > 0)
        return run_program(program, context);
    const size_t index = operand_index(program->result);
    return operand_base(program->result) == BASE_SLOT ? context->slots[index]
                                                      : program->constants[index];
}

int expression_slot(const struct expression *program)
{
    const bool is_slot = program->instruction_count == 0 &&
                         operand_base(program->result) == BASE_SLOT;
    return is_slot ? (int)operand_index(program->result) : -1;
}
