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
    return evaluation->bases[operand_base(operand)] + operand_index(operand);
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

/* The index of the next instruction. */
static inline size_t jump(const struct evaluation *evaluation, size_t at, struct value *registers)
{
    const struct instruction *in = &evaluation->program->instructions[at];
    const struct value *a = operand_at(evaluation, in->a);
    switch ((enum operation)in->operation) {
    case OPERATION_JUMP:
        return in->target;
    case OPERATION_JUMP_IF_NULL:
        return a->kind == VALUE_NULL ? in->target : at + 1;
    case OPERATION_JUMP_IF_FALSE:
    case OPERATION_JUMP_IF_TRUE:
        if (a->kind == VALUE_NULL || a->b != (in->operation == OPERATION_JUMP_IF_TRUE))
            return at + 1;
        registers[in->out] = *a;
        return in->target;
    case OPERATION_BRANCH:
        if (a->kind != VALUE_NULL)
            return a->b ? at + 1 : in->target;
        registers[in->out] = value_null();
        return in->target_2;
    default:
        UNREACHABLE();
    }
}

static inline struct value run(const struct evaluation *evaluation, const struct instruction *in)
{
    struct expression_context *context = evaluation->context;
    const struct value *a = operand_at(evaluation, in->a);
    switch ((enum operation)in->operation) {
#define OPERATION(name, function) \
    case OPERATION_##name:        \
        return function(in, a, operand_at(evaluation, in->b), context);
#include "processor/expression/operations.def"
#undef OPERATION
    case OPERATION_IN_CONSTANTS:
        return in_constants(evaluation, in);
    case OPERATION_IN_TABLE:
        return in_table(evaluation, in);
    case OPERATION_LOOKUP:
        return lookup_column(evaluation, in);
    case OPERATION_CALL:
        return call(evaluation, in);
    default:
        UNREACHABLE();
    }
}

struct value expression_evaluate(const struct expression *program,
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
    for (size_t at = 0; at < program->instruction_count;) {
        const struct instruction *in = &program->instructions[at];
        if (in->operation >= OPERATION_JUMP && in->operation <= OPERATION_BRANCH) {
            at = jump(&evaluation, at, registers);
        } else {
            registers[in->out] = run(&evaluation, in);
            at++;
        }
    }
    return *operand_at(&evaluation, program->result);
}
