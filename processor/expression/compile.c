/* compile: the walk over nodes, and what all its parts share. */
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/expression/compiler.h"
#include "processor/expression/number.h"

static enum status compile_literal(struct compiler *compiler, struct compiled *out,
                                   const struct node *node);
static enum status compile_binary(struct compiler *compiler, struct compiled *out,
                                  const struct node *node);

enum status expression_compile(struct expression **out, const struct node *node,
                               const struct scope *scope, struct expression_position *position,
                               struct error *err)
{
    ENSURE(*out == NULL);
    enum { TEXTS_BLOCK = 256 };
    AUTO(expression_destroy) struct expression *program = mem_alloc(sizeof *program);
    arena_create(&program->texts, TEXTS_BLOCK);
    struct compiler compiler = {
        .scope = scope, .program = program, .position = position, .err = err
    };
    struct compiled result;
    TRY(compile_node(&compiler, &result, node));
    program->result = result.operand;
    program->type = result.type;
    *out = TAKE(program);
    return ST_OK;
}

void expression_destroy(struct expression **expression)
{
    struct expression *program = *expression;
    if (program == NULL)
        return;
    mem_free(program->instructions);
    mem_free(program->constants);
    mem_free(program->sites);
    mem_free(program->slots);
    arena_destroy(&program->texts);
    mem_free(program);
    *expression = NULL;
}

struct value_type expression_type(const struct expression *expression)
{
    return expression->type;
}

void expression_each_slot(const struct expression *expression,
                          void (*each)(void *context, int slot), void *context)
{
    for (size_t i = 0; i < expression->slot_count; i++)
        each(context, expression->slots[i]);
}

bool expression_uses_tables(const struct expression *expression)
{
    return expression->uses_tables;
}

enum status compile_node(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_LITERAL:
        return compile_literal(compiler, out, node);
    case NODE_NAME:
        return compile_name(compiler, out, node);
    case NODE_BINARY:
        return compile_binary(compiler, out, node);
    case NODE_NOT:
        return compile_not(compiler, out, node);
    case NODE_NEGATE:
        return compile_negate(compiler, out, node);
    case NODE_LOOKUP:
        return compile_lookup(compiler, out, node);
    case NODE_CALL:
        return compile_call(compiler, out, node);
    case NODE_AGGREGATE:
        return compile_aggregate(compiler, out, node);
    case NODE_LIST:
        break; /* only right of `in`, where nobody compiles it as a value */
    }
    UNREACHABLE();
}

static enum status compile_binary(struct compiler *compiler, struct compiled *out,
                                  const struct node *node)
{
    switch (node->op) {
    case OPERATOR_OR:
    case OPERATOR_AND:
        return compile_logic(compiler, out, node);
    case OPERATOR_IN:
        return compile_in(compiler, out, node);
    case OPERATOR_COALESCE:
        return compile_coalesce(compiler, out, node);
    case OPERATOR_ADD:
    case OPERATOR_SUBTRACT:
    case OPERATOR_MULTIPLY:
    case OPERATOR_DIVIDE:
    case OPERATOR_REMAINDER:
        return compile_arithmetic(compiler, out, node);
    default:
        return compile_comparison(compiler, out, node);
    }
}

static enum status compile_literal(struct compiler *compiler, struct compiled *out,
                                   const struct node *node)
{
    const struct value *literal = &node->literal;
    *out = (struct compiled){
        .operand = add_constant(compiler, literal),
        .type = { .kind = (enum value_kind)literal->kind,
                  .scale = literal->scale,
                  .nullable = literal->kind == VALUE_NULL },
    };
    return ST_OK;
}

/* ---- emitting ---- */

static void *grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    return mem_resize_array(items, *capacity, item_size);
}

struct instruction *emit(struct compiler *compiler, enum operation operation)
{
    struct expression *program = compiler->program;
    program->instructions = grow(program->instructions, program->instruction_count,
                                 &compiler->instruction_capacity, sizeof *program->instructions);
    struct instruction *in = &program->instructions[program->instruction_count++];
    *in = (struct instruction){ .operation = (uint8_t)operation };
    return in;
}

enum status use_register(struct compiler *compiler, struct compiled *out, size_t base,
                         struct value_type type, const struct node *node)
{
    if (base >= PROGRAM_REGISTERS_MAX)
        return COMPILER_FAIL(compiler, node->position,
                             "too much at once: give parts of it names (fields, features)");
    compiler->registers = base + 1;
    *out = (struct compiled){ .operand = operand_of(BASE_REGISTER, base), .type = type };
    return ST_OK;
}

uint32_t add_constant(struct compiler *compiler, const struct value *constant)
{
    struct expression *program = compiler->program;
    program->constants = grow(program->constants, program->constant_count,
                              &compiler->constant_capacity, sizeof *program->constants);
    struct value *copy = &program->constants[program->constant_count];
    *copy = *constant;
    if (copy->kind == VALUE_STRING)
        copy->text = arena_copy(program->texts, copy->text);
    return operand_of(BASE_CONSTANT, program->constant_count++);
}

uint32_t add_site(struct compiler *compiler, const struct call_site *site)
{
    struct expression *program = compiler->program;
    program->sites =
        grow(program->sites, program->site_count, &compiler->site_capacity, sizeof *program->sites);
    program->sites[program->site_count] = *site;
    return (uint32_t)program->site_count++;
}

void add_slot(struct compiler *compiler, int slot)
{
    struct expression *program = compiler->program;
    for (size_t i = 0; i < program->slot_count; i++)
        if (program->slots[i] == slot)
            return;
    program->slots =
        grow(program->slots, program->slot_count, &compiler->slot_capacity, sizeof *program->slots);
    program->slots[program->slot_count++] = slot;
}

const struct value *constant_of(const struct compiler *compiler, const struct compiled *compiled)
{
    if (operand_base(compiled->operand) != BASE_CONSTANT)
        return NULL;
    return &compiler->program->constants[operand_index(compiled->operand)];
}

/* ---- types ---- */

bool unify_types(struct value_type *out, struct value_type a, struct value_type b)
{
    *out = a.kind == VALUE_NULL ? b : a;
    out->nullable = a.nullable || b.nullable;
    if (a.kind == b.kind || a.kind == VALUE_NULL || b.kind == VALUE_NULL) {
        out->scale = a.scale > b.scale ? a.scale : b.scale;
        return true;
    }
    if (!is_number(a) || !is_number(b))
        return false;
    const bool is_double = a.kind == VALUE_DOUBLE || b.kind == VALUE_DOUBLE;
    out->kind = is_double ? VALUE_DOUBLE : VALUE_DECIMAL;
    out->scale = is_double ? 0 : a.scale > b.scale ? a.scale : b.scale;
    return true;
}

void set_conversion(struct compiler *compiler, size_t at, struct value_type from,
                    struct value_type to)
{
    struct instruction *in = &compiler->program->instructions[at];
    ENSURE(in->operation == OPERATION_MOVE);
    if (from.kind == VALUE_NULL || (from.kind == to.kind && from.scale == to.scale))
        return;
    ENSURE(is_number(from) && (to.kind == VALUE_DOUBLE || to.kind == VALUE_DECIMAL));
    in->operation = to.kind == VALUE_DOUBLE ? OPERATION_TO_DOUBLE : OPERATION_RESCALE;
    in->scale = to.scale;
}

enum status refuse_null(struct compiler *compiler, const struct compiled *compiled,
                        const struct node *node)
{
    if (compiled->type.kind != VALUE_NULL)
        return ST_OK;
    return COMPILER_FAIL(compiler, node->position,
                         "null here makes the result null always; to ask whether x is null write "
                         "is_null(x), to replace a null write x ?? 0");
}

enum status require_bool(struct compiler *compiler, const struct compiled *compiled,
                         const struct node *node, const char *who)
{
    if (compiled->type.kind == VALUE_BOOL)
        return ST_OK;
    char type[VALUE_TYPE_TEXT_SIZE];
    return COMPILER_FAIL(compiler, node->position, "%s wants a bool, this is %s%s", who,
                         value_type_text(compiled->type, type),
                         is_number(compiled->type) ? "; compare it with something: x > 0" : "");
}
