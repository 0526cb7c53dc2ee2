/*
 * compile_comparison: == != < <= > >=. Numbers compare exactly whatever their kinds; most pairs of
 * kinds, and most comparisons with a literal, have an instruction that needs no look at the kinds.
 */
#include <math.h>

#include "base/ensure.h"
#include "processor/expression/compiler.h"
#include "processor/expression/number.h"

static uint8_t outcomes_of(enum operator op)
{
    switch (op) {
    case OPERATOR_EQUAL:
        return OUTCOME_EQUAL;
    case OPERATOR_NOT_EQUAL:
        return OUTCOME_LESS | OUTCOME_GREATER;
    case OPERATOR_LESS:
        return OUTCOME_LESS;
    case OPERATOR_LESS_EQUAL:
        return OUTCOME_LESS | OUTCOME_EQUAL;
    case OPERATOR_GREATER:
        return OUTCOME_GREATER;
    case OPERATOR_GREATER_EQUAL:
        return OUTCOME_GREATER | OUTCOME_EQUAL;
    default:
        break;
    }
    UNREACHABLE();
}

static enum status refuse_null_side(struct compiler *compiler, const struct node *node,
                                    const struct compiled *side, enum operator op)
{
    if (side->type.kind != VALUE_NULL)
        return ST_OK;
    if (op == OPERATOR_EQUAL)
        return COMPILER_FAIL(compiler, node->token, "nothing equals null: write is_null(x)");
    if (op == OPERATOR_NOT_EQUAL)
        return COMPILER_FAIL(compiler, node->token,
                             "nothing differs from null either: write not is_null(x)");
    return COMPILER_FAIL(compiler, node->token, "a comparison with null is null always");
}

static const char *hint_for(struct value_type a, struct value_type b)
{
    const struct value_type other = a.kind == VALUE_STRING ? b : a;
    const bool has_string = a.kind == VALUE_STRING || b.kind == VALUE_STRING;
    if (has_string && is_number(other))
        return "; write the number without quotes, or read the text: int(x), decimal(x, 2)";
    if (has_string && other.kind == VALUE_TIMESTAMP)
        return "; write parse_time('2026-01-31T12:00:00Z')";
    if (has_string && other.kind == VALUE_DURATION)
        return "; a duration is written without quotes: 30s";
    if (has_string && other.kind == VALUE_BOOL)
        return "; true and false are written without quotes";
    const bool has_duration = a.kind == VALUE_DURATION || b.kind == VALUE_DURATION;
    const bool has_time = a.kind == VALUE_TIMESTAMP || b.kind == VALUE_TIMESTAMP;
    if (has_duration && has_time)
        return "; subtract two timestamps to get a duration";
    if (has_duration)
        return "; write a duration (30s, 5m, 1h), or make a number of one: seconds(d), hours(d)";
    if (has_time)
        return "; make a timestamp of a number: from_ms(x), from_s(x)";
    return "";
}

static enum status check_types(struct compiler *compiler, const struct node *node, enum operator op,
                               struct value_type a, struct value_type b)
{
    char x[VALUE_TYPE_TEXT_SIZE], y[VALUE_TYPE_TEXT_SIZE];
    if (!value_kinds_comparable(a.kind, b.kind))
        return COMPILER_FAIL(compiler, node->token, "cannot compare %s with %s%s",
                             value_type_text(a, x), value_type_text(b, y), hint_for(a, b));
    if (a.kind == VALUE_BOOL && op != OPERATOR_EQUAL && op != OPERATOR_NOT_EQUAL)
        return COMPILER_FAIL(compiler, node->token, "true and false have no order; use == or !=");
    return ST_OK;
}

/* A literal, and how it compares with the other side. */
struct limit {
    struct value value;
    uint8_t outcomes;
};

/* `literal` as an exact number of `type`, which is INT or DECIMAL; false when it is none. */
static bool exact_limit(struct limit *limit, struct value_type type)
{
    const struct value *literal = &limit->value;
    if (literal->kind == VALUE_DOUBLE)
        return false;
    const unsigned from = literal->kind == VALUE_INT ? 0 : literal->scale;
    int128 rescaled;
    if (!decimal_rescale(&rescaled, number_unscaled(literal), from, type.scale))
        return false;
    const struct value out = value_decimal(rescaled, type.scale);
    if (value_compare(&out, literal) != 0)
        return false; /* the type has fewer digits */
    int64_t i;
    if (type.kind == VALUE_INT && !int_of_int128(&i, rescaled))
        return false;
    limit->value = type.kind == VALUE_INT ? value_int(i) : out;
    return true;
}

/*
 * The literal as a double, for a comparison of doubles. When it lies between two of them, the one
 * below takes its place, and a double that equals that one is less than the literal.
 */
static bool double_limit(struct limit *limit)
{
    if (limit->value.kind == VALUE_DOUBLE)
        return true;
    struct value below = value_double(number_to_double(&limit->value));
    if (value_compare(&below, &limit->value) > 0)
        below = value_double(nextafter(below.d, -INFINITY));
    if (value_compare(&below, &limit->value) != 0) {
        const bool less = (limit->outcomes & OUTCOME_LESS) != 0;
        limit->outcomes &= (uint8_t)~OUTCOME_EQUAL;
        limit->outcomes |= less ? OUTCOME_EQUAL : 0;
    }
    limit->value = below;
    return true;
}

/* Brings a literal on the right to the kind of the left side; false: leave it. */
static bool fit_literal(struct limit *limit, struct value_type left)
{
    if (!is_number(left))
        return false;
    return left.kind == VALUE_DOUBLE ? double_limit(limit) : exact_limit(limit, left);
}

static enum operation operation_for(struct value_type a, struct value_type b, enum operator op)
{
    if (a.kind != b.kind)
        return OPERATION_COMPARE;
    switch (a.kind) {
    case VALUE_INT:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return OPERATION_COMPARE_INT;
    case VALUE_DECIMAL:
        return a.scale == b.scale ? OPERATION_COMPARE_DECIMAL : OPERATION_COMPARE;
    case VALUE_DOUBLE:
        return OPERATION_COMPARE_DOUBLE;
    case VALUE_STRING:
    case VALUE_BYTES:
        return op == OPERATOR_EQUAL || op == OPERATOR_NOT_EQUAL ? OPERATION_EQUAL_TEXT
                                                                : OPERATION_COMPARE;
    default:
        return OPERATION_COMPARE;
    }
}

static enum operator mirrored(enum operator op)
{
    switch (op) {
    case OPERATOR_LESS:
        return OPERATOR_GREATER;
    case OPERATOR_LESS_EQUAL:
        return OPERATOR_GREATER_EQUAL;
    case OPERATOR_GREATER:
        return OPERATOR_LESS;
    case OPERATOR_GREATER_EQUAL:
        return OPERATOR_LESS_EQUAL;
    default:
        return op;
    }
}

enum status compile_comparison_of(struct compiler *compiler, struct compiled *out,
                                  const struct node *node, enum operator op, struct compiled left,
                                  struct compiled right, size_t base)
{
    TRY(refuse_null_side(compiler, node, &left, op));
    TRY(refuse_null_side(compiler, node, &right, op));
    TRY(check_types(compiler, node, op, left.type, right.type));
    if (constant_of(compiler, &left) != NULL && constant_of(compiler, &right) == NULL) {
        const struct compiled literal = left;
        left = right;
        right = literal;
        op = mirrored(op);
    }
    const struct value *literal = constant_of(compiler, &right);
    struct limit limit = { .outcomes = outcomes_of(op) };
    if (literal != NULL) {
        limit.value = *literal;
        if (fit_literal(&limit, left.type)) {
            right.type = (struct value_type){ .kind = (enum value_kind)limit.value.kind,
                                              .scale = limit.value.scale };
            right.operand = add_constant(compiler, &limit.value);
        }
    }
    const bool nullable = left.type.nullable || right.type.nullable;
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, nullable), node));
    struct instruction *in = emit(compiler, operation_for(left.type, right.type, op));
    in->out = (uint16_t)base;
    in->a = left.operand;
    in->b = right.operand;
    in->outcomes = limit.outcomes;
    return ST_OK;
}

enum status compile_comparison(struct compiler *compiler, struct compiled *out,
                               const struct node *node)
{
    const size_t base = compiler->registers;
    struct compiled left, right;
    TRY(compile_node(compiler, &left, node->children[0]));
    TRY(compile_node(compiler, &right, node->children[1]));
    return compile_comparison_of(compiler, out, node, node->op, left, right, base);
}
