/*
 * compiler: nodes + scope -> checked types -> program, in one walk. Private to the files compile*.c.
 *
 * Every compile_* function leaves its result in a slot, a constant or the register that was the
 * first free one at its begin, and at most that one register more in use than before.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_COMPILER_H
#define WEIR_PROCESSOR_EXPRESSION_COMPILER_H

#include "processor/expression/nodes.h"
#include "processor/expression/program.h"

struct compiler {
    const struct scope *scope;
    struct expression *program; /* being filled */
    size_t instruction_capacity, constant_capacity, site_capacity, slot_capacity;
    size_t registers; /* in use */
    struct expression_position *position;
    struct error *err;
};

/* Where a node's value is, and its type. */
struct compiled {
    uint32_t operand;
    struct value_type type;
};

#define COMPILER_FAIL(compiler, at, ...) \
    (*(compiler)->position = (at), FAIL((compiler)->err, ST_INVALID, __VA_ARGS__))

MUST_CHECK enum status compile_node(struct compiler *compiler, struct compiled *out,
                                    const struct node *node);

/* ---- the parts of compile_node, by file ---- */
MUST_CHECK enum status compile_name(struct compiler *compiler, struct compiled *out,
                                    const struct node *node);
MUST_CHECK enum status compile_lookup(struct compiler *compiler, struct compiled *out,
                                      const struct node *node);
MUST_CHECK enum status compile_aggregate(struct compiler *compiler, struct compiled *out,
                                         const struct node *node);
MUST_CHECK enum status compile_in(struct compiler *compiler, struct compiled *out,
                                  const struct node *node);
MUST_CHECK enum status compile_arithmetic(struct compiler *compiler, struct compiled *out,
                                          const struct node *node);
MUST_CHECK enum status compile_negate(struct compiler *compiler, struct compiled *out,
                                      const struct node *node);
MUST_CHECK enum status compile_comparison(struct compiler *compiler, struct compiled *out,
                                          const struct node *node);
MUST_CHECK enum status compile_logic(struct compiler *compiler, struct compiled *out,
                                     const struct node *node);
MUST_CHECK enum status compile_not(struct compiler *compiler, struct compiled *out,
                                   const struct node *node);
/* if, coalesce (also `??`) and is_null. */
MUST_CHECK enum status compile_if(struct compiler *compiler, struct compiled *out,
                                  const struct node *node);
MUST_CHECK enum status compile_coalesce(struct compiler *compiler, struct compiled *out,
                                        const struct node *node);
MUST_CHECK enum status compile_is_null(struct compiler *compiler, struct compiled *out,
                                       const struct node *node);
MUST_CHECK enum status compile_call(struct compiler *compiler, struct compiled *out,
                                    const struct node *node);
/* The comparison of two compiled sides; frees what they use above `base`. */
MUST_CHECK enum status compile_comparison_of(struct compiler *compiler, struct compiled *out,
                                             const struct node *node, enum operator op,
                                             struct compiled left, struct compiled right,
                                             size_t base);

/* ---- emitting ---- */

/* Valid until the next one is emitted. */
struct instruction *emit(struct compiler *compiler, enum operation operation);
/* Makes `base` the only register in use from `base` on, for a result. */
MUST_CHECK enum status use_register(struct compiler *compiler, struct compiled *out, size_t base,
                                    struct value_type type, const struct node *node);
uint32_t add_constant(struct compiler *compiler, const struct value *constant);
uint32_t add_site(struct compiler *compiler, const struct call_site *site);
void add_slot(struct compiler *compiler, int slot);
/* The value of a constant, or NULL for anything else. Valid until a constant is added. */
const struct value *constant_of(const struct compiler *compiler, const struct compiled *compiled);
static inline uint32_t here(const struct compiler *compiler)
{
    return (uint32_t)compiler->program->instruction_count;
}

/* ---- types ---- */

static inline bool is_number(struct value_type type)
{
    return type.kind == VALUE_INT || type.kind == VALUE_DECIMAL || type.kind == VALUE_DOUBLE;
}

static inline bool is_exact(struct value_type type)
{
    return type.kind == VALUE_INT || type.kind == VALUE_DECIMAL;
}

static inline struct value_type type_of(enum value_kind kind, bool nullable)
{
    return (struct value_type){ .kind = kind, .nullable = nullable };
}

/* What values of both types fit into; false when there is none. */
bool unify_types(struct value_type *out, struct value_type a, struct value_type b);
/* Makes `in`, a MOVE of a value of type `from`, convert it into what `to` says. */
void set_conversion(struct compiler *compiler, size_t at, struct value_type from,
                    struct value_type to);
/* Refuses `null` where it would make the whole result null always. */
MUST_CHECK enum status refuse_null(struct compiler *compiler, const struct compiled *compiled,
                                   const struct node *node);
MUST_CHECK enum status require_bool(struct compiler *compiler, const struct compiled *compiled,
                                    const struct node *node, const char *who);

#endif
