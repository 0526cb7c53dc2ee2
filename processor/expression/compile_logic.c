/* compile_logic: and, or, not, and what chooses between values: if, ??, coalesce, is_null. */
#include "base/ensure.h"
#include "processor/expression/compiler.h"

enum status compile_not(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const size_t base = compiler->registers;
    struct compiled x;
    TRY(compile_node(compiler, &x, node->children[0]));
    TRY(require_bool(compiler, &x, node->children[0], "`not`"));
    TRY(use_register(compiler, out, base, x.type, node));
    struct instruction *in = emit(compiler, OPERATION_NOT);
    in->out = (uint16_t)base;
    in->a = x.operand;
    return ST_OK;
}

static void set_target(struct compiler *compiler, size_t jump)
{
    compiler->program->instructions[jump].target = here(compiler);
}

/* The right side is left out when the left one decides: it may hold lookups. */
enum status compile_logic(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const bool is_and = node->op == OPERATOR_AND;
    const char *word = is_and ? "`and`" : "`or`";
    const size_t base = compiler->registers;
    struct compiled left, right;
    TRY(compile_node(compiler, &left, node->children[0]));
    TRY(require_bool(compiler, &left, node->children[0], word));

    const size_t jump = here(compiler);
    struct instruction *in =
        emit(compiler, is_and ? OPERATION_JUMP_IF_FALSE : OPERATION_JUMP_IF_TRUE);
    in->out = (uint16_t)base;
    in->a = left.operand;
    TRY(compile_node(compiler, &right, node->children[1]));
    TRY(require_bool(compiler, &right, node->children[1], word));

    const bool nullable = left.type.nullable || right.type.nullable;
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, nullable), node));
    in = emit(compiler, is_and ? OPERATION_AND : OPERATION_OR);
    in->out = (uint16_t)base;
    in->a = left.operand;
    in->b = right.operand;
    set_target(compiler, jump);
    return ST_OK;
}

/* One of several values that may become the result: its type, and the MOVE that makes it so. */
struct choice {
    struct value_type type;
    size_t move;
};

static enum status compile_choice(struct compiler *compiler, struct choice *out,
                                  const struct node *node, size_t base, size_t *jump_if_null)
{
    struct compiled x;
    compiler->registers = base;
    TRY(compile_node(compiler, &x, node));
    if (jump_if_null != NULL) {
        *jump_if_null = here(compiler);
        emit(compiler, OPERATION_JUMP_IF_NULL)->a = x.operand;
    }
    *out = (struct choice){ .type = x.type, .move = here(compiler) };
    struct instruction *in = emit(compiler, OPERATION_MOVE);
    in->out = (uint16_t)base;
    in->a = x.operand;
    return ST_OK;
}

static enum status unify_choices(struct compiler *compiler, struct value_type *out,
                                 struct value_type a, struct value_type b, const struct node *node,
                                 const struct node *at)
{
    if (unify_types(out, a, b))
        return ST_OK;
    char x[VALUE_TYPE_TEXT_SIZE], y[VALUE_TYPE_TEXT_SIZE];
    return COMPILER_FAIL(compiler, at->position, "%s gives either %s or %s; make them alike",
                         node->kind == NODE_BINARY ? "`??`" : node->name, value_type_text(a, x),
                         value_type_text(b, y));
}

enum status compile_if(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const struct node *const *parts = node->children;
    const size_t base = compiler->registers;
    struct compiled condition;
    TRY(compile_node(compiler, &condition, parts[0]));
    TRY(require_bool(compiler, &condition, parts[0], "the condition of `if`"));

    const size_t branch = here(compiler);
    struct instruction *in = emit(compiler, OPERATION_BRANCH);
    in->out = (uint16_t)base;
    in->a = condition.operand;
    struct choice yes, no;
    TRY(compile_choice(compiler, &yes, parts[1], base, NULL));
    const size_t jump = here(compiler);
    emit(compiler, OPERATION_JUMP);
    set_target(compiler, branch);
    TRY(compile_choice(compiler, &no, parts[2], base, NULL));
    set_target(compiler, jump);
    compiler->program->instructions[branch].target_2 = here(compiler);

    struct value_type type;
    TRY(unify_choices(compiler, &type, yes.type, no.type, node, parts[2]));
    set_conversion(compiler, yes.move, yes.type, type);
    set_conversion(compiler, no.move, no.type, type);
    type.nullable = type.nullable || condition.type.nullable;
    return use_register(compiler, out, base, type, node);
}

/* The children of `??` or of coalesce(), at least two, the first that is not null. */
enum status compile_coalesce(struct compiler *compiler, struct compiled *out,
                             const struct node *node)
{
    struct choice choices[FUNCTION_ARGUMENTS_MAX];
    size_t jumps[FUNCTION_ARGUMENTS_MAX]; /* to the end */
    const size_t base = compiler->registers;
    const size_t count = node->child_count;
    ENSURE(count >= 2 && count <= FUNCTION_ARGUMENTS_MAX);
    struct value_type type = type_of(VALUE_NULL, false);
    bool nullable = true;
    for (size_t i = 0; i < count; i++) {
        const bool is_last = i + 1 == count;
        size_t jump_if_null = 0; /* set for each choice but the last */
        TRY(compile_choice(compiler, &choices[i], node->children[i], base,
                           is_last ? NULL : &jump_if_null));
        TRY(unify_choices(compiler, &type, type, choices[i].type, node, node->children[i]));
        nullable = nullable && choices[i].type.nullable;
        if (is_last)
            break;
        jumps[i] = here(compiler);
        emit(compiler, OPERATION_JUMP);
        set_target(compiler, jump_if_null);
    }
    for (size_t i = 0; i < count; i++)
        set_conversion(compiler, choices[i].move, choices[i].type, type);
    for (size_t i = 0; i + 1 < count; i++)
        set_target(compiler, jumps[i]);
    type.nullable = nullable;
    return use_register(compiler, out, base, type, node);
}

enum status compile_is_null(struct compiler *compiler, struct compiled *out,
                            const struct node *node)
{
    const size_t base = compiler->registers;
    struct compiled x;
    TRY(compile_node(compiler, &x, node->children[0]));
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, false), node));
    struct instruction *in = emit(compiler, OPERATION_IS_NULL);
    in->out = (uint16_t)base;
    in->a = x.operand;
    return ST_OK;
}
