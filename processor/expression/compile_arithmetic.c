/*
 * compile_arithmetic: + - * / % and the unary minus.
 *
 *     int op int                    int; `/` see below
 *     with a decimal                decimal: + - % take the larger scale, * adds the scales
 *     with a double                 double
 *     timestamp - timestamp         duration
 *     timestamp +- duration         timestamp (duration + timestamp too)
 *     duration +- duration          duration
 *     duration * int, int * duration  duration
 *     duration / duration           double
 *     int or decimal / literal power of ten   decimal, exact: the point moves
 *     any other number / number     double
 */
#include "base/ensure.h"
#include "processor/expression/compiler.h"
#include "processor/expression/number.h"

/* Both sides, compiled. */
struct sides {
    const struct node *node;
    struct compiled left, right;
    size_t base;
};

static bool both(const struct sides *sides, enum value_kind left, enum value_kind right)
{
    return sides->left.type.kind == left && sides->right.type.kind == right;
}

static bool any_double(const struct sides *sides)
{
    return sides->left.type.kind == VALUE_DOUBLE || sides->right.type.kind == VALUE_DOUBLE;
}

static bool both_numbers(const struct sides *sides)
{
    return is_number(sides->left.type) && is_number(sides->right.type);
}

/* Emits `operation` over both sides; the instruction is left for the caller to complete. */
static enum status emit_sides(struct compiler *compiler, struct compiled *out,
                              const struct sides *sides, enum operation operation,
                              struct value_type type, struct instruction **emitted)
{
    type.nullable = sides->left.type.nullable || sides->right.type.nullable;
    TRY(use_register(compiler, out, sides->base, type, sides->node));
    struct instruction *in = emit(compiler, operation);
    in->out = (uint16_t)sides->base;
    in->kind = (uint8_t)type.kind;
    in->scale = type.scale;
    in->a = sides->left.operand;
    in->b = sides->right.operand;
    *emitted = in;
    return ST_OK;
}

static enum status emit_kind(struct compiler *compiler, struct compiled *out,
                             const struct sides *sides, enum operation operation,
                             enum value_kind kind)
{
    struct instruction *in;
    return emit_sides(compiler, out, sides, operation, type_of(kind, false), &in);
}

/* On decimals and ints brought to the larger scale. */
static enum status emit_aligned(struct compiler *compiler, struct compiled *out,
                                const struct sides *sides, enum operation operation)
{
    const uint8_t a = sides->left.type.scale, b = sides->right.type.scale;
    const uint8_t scale = a > b ? a : b;
    struct instruction *in;
    TRY(emit_sides(compiler, out, sides, operation,
                   (struct value_type){ .kind = VALUE_DECIMAL, .scale = scale }, &in));
    in->shift_a = (uint8_t)(scale - a);
    in->shift_b = (uint8_t)(scale - b);
    return ST_OK;
}

static const char *verb_of(enum operator op)
{
    switch (op) {
    case OPERATOR_ADD:
        return "add";
    case OPERATOR_SUBTRACT:
        return "subtract";
    case OPERATOR_MULTIPLY:
        return "multiply";
    case OPERATOR_DIVIDE:
        return "divide";
    default:
        return "take the remainder of";
    }
}

static const char *hint_for(const struct sides *sides)
{
    const enum value_kind left = sides->left.type.kind, right = sides->right.type.kind;
    const enum operator op = sides->node->op;
    if (op == OPERATOR_ADD && (left == VALUE_STRING || right == VALUE_STRING))
        return "; to join texts write concat(a, b)";
    if (left == VALUE_STRING || right == VALUE_STRING)
        return "; to read a text as a number write int(x), decimal(x, 2) or double(x)";
    const bool times = left == VALUE_TIMESTAMP || right == VALUE_TIMESTAMP;
    const bool numbers = is_number(sides->left.type) || is_number(sides->right.type);
    if (times && numbers)
        return "; write a duration: event_time + 30s";
    const bool durations = left == VALUE_DURATION || right == VALUE_DURATION;
    if (durations && numbers && op == OPERATOR_MULTIPLY)
        return "; a duration is multiplied by an int; for anything else use seconds(d) or hours(d)";
    if (durations && numbers)
        return "; write a duration (30s), or make a number of one: seconds(d), hours(d)";
    if (left == VALUE_BOOL || right == VALUE_BOOL)
        return "; to count a bool write int(x), or if(x, 1, 0)";
    return "";
}

static enum status refuse(struct compiler *compiler, const struct sides *sides)
{
    static const char *const joints[OPERATOR_COUNT] = {
        [OPERATOR_ADD] = "and",   [OPERATOR_SUBTRACT] = "and",  [OPERATOR_MULTIPLY] = "and",
        [OPERATOR_DIVIDE] = "by", [OPERATOR_REMAINDER] = "and",
    };
    char left[VALUE_TYPE_TEXT_SIZE], right[VALUE_TYPE_TEXT_SIZE];
    return COMPILER_FAIL(compiler, sides->node->token, "cannot %s %s %s %s%s",
                         verb_of(sides->node->op), value_type_text(sides->left.type, left),
                         joints[sides->node->op], value_type_text(sides->right.type, right),
                         hint_for(sides));
}

static enum status compile_sum(struct compiler *compiler, struct compiled *out,
                               const struct sides *sides)
{
    const bool add = sides->node->op == OPERATOR_ADD;
    const enum operation on_ints = add ? OPERATION_ADD_INT : OPERATION_SUBTRACT_INT;
    if (both(sides, VALUE_INT, VALUE_INT))
        return emit_kind(compiler, out, sides, on_ints, VALUE_INT);
    if (both_numbers(sides) && any_double(sides))
        return emit_kind(compiler, out, sides,
                         add ? OPERATION_ADD_DOUBLE : OPERATION_SUBTRACT_DOUBLE, VALUE_DOUBLE);
    if (both_numbers(sides))
        return emit_aligned(compiler, out, sides,
                            add ? OPERATION_ADD_DECIMAL : OPERATION_SUBTRACT_DECIMAL);
    if (!add && both(sides, VALUE_TIMESTAMP, VALUE_TIMESTAMP))
        return emit_kind(compiler, out, sides, on_ints, VALUE_DURATION);
    if (both(sides, VALUE_TIMESTAMP, VALUE_DURATION) ||
        (add && both(sides, VALUE_DURATION, VALUE_TIMESTAMP)))
        return emit_kind(compiler, out, sides, on_ints, VALUE_TIMESTAMP);
    if (both(sides, VALUE_DURATION, VALUE_DURATION))
        return emit_kind(compiler, out, sides, on_ints, VALUE_DURATION);
    return refuse(compiler, sides);
}

static enum status refuse_scale(struct compiler *compiler, const struct sides *sides, int scale)
{
    return COMPILER_FAIL(compiler, sides->node->token,
                         "the result would have %d digits behind the point, at most %d are kept: "
                         "round a side first, round(x, 2), or use double(x)",
                         scale, DECIMAL_SCALE_MAX);
}

static enum status compile_product(struct compiler *compiler, struct compiled *out,
                                   const struct sides *sides)
{
    if (both(sides, VALUE_INT, VALUE_INT))
        return emit_kind(compiler, out, sides, OPERATION_MULTIPLY_INT, VALUE_INT);
    if (both(sides, VALUE_DURATION, VALUE_INT) || both(sides, VALUE_INT, VALUE_DURATION))
        return emit_kind(compiler, out, sides, OPERATION_MULTIPLY_INT, VALUE_DURATION);
    if (!both_numbers(sides))
        return refuse(compiler, sides);
    if (any_double(sides))
        return emit_kind(compiler, out, sides, OPERATION_MULTIPLY_DOUBLE, VALUE_DOUBLE);
    const int scale = sides->left.type.scale + sides->right.type.scale;
    if (scale > DECIMAL_SCALE_MAX)
        return refuse_scale(compiler, sides, scale);
    struct instruction *in;
    return emit_sides(compiler, out, sides, OPERATION_MULTIPLY_DECIMAL,
                      (struct value_type){ .kind = VALUE_DECIMAL, .scale = (uint8_t)scale }, &in);
}

/* The k of a literal that is 10^k: 100, 1, 0.01, 10.0. */
static bool power_of_ten_of(int *out, const struct value *literal)
{
    if (literal->kind != VALUE_INT && literal->kind != VALUE_DECIMAL)
        return false;
    int128 rest = number_unscaled(literal);
    int power = 0;
    for (; rest > 1 && rest % 10 == 0; rest /= 10)
        power++;
    *out = power - (literal->kind == VALUE_DECIMAL ? literal->scale : 0);
    return rest == 1;
}

/* x / 10^power, exact. */
static enum status compile_shift(struct compiler *compiler, struct compiled *out,
                                 struct sides *sides, int power)
{
    struct instruction *in;
    const int scale = sides->left.type.scale + (power > 0 ? power : 0);
    const struct value_type type = { .kind = VALUE_DECIMAL, .scale = (uint8_t)scale };
    if (power == 0) {
        *out = sides->left;
        return ST_OK;
    }
    if (scale > DECIMAL_SCALE_MAX)
        return refuse_scale(compiler, sides, scale);
    if (power > 0)
        return emit_sides(compiler, out, sides, OPERATION_DIVIDE_EXACT, type, &in);
    const struct value factor = value_decimal(int128_power_of_ten((unsigned)-power), 0);
    sides->right.operand = add_constant(compiler, &factor);
    return emit_sides(compiler, out, sides, OPERATION_MULTIPLY_DECIMAL, type, &in);
}

static bool is_zero(const struct value *literal)
{
    return literal->kind == VALUE_DOUBLE ? literal->d == 0 : number_unscaled(literal) == 0;
}

/* NULL unless the right side is one. */
static const struct value *literal_divisor(const struct sides *sides)
{
    const struct node *right = sides->node->children[1];
    return right->kind == NODE_LITERAL ? &right->literal : NULL;
}

static enum status refuse_zero(struct compiler *compiler, const struct sides *sides)
{
    const struct value *divisor = literal_divisor(sides);
    if (divisor == NULL || !is_zero(divisor))
        return ST_OK;
    return COMPILER_FAIL(compiler, sides->node->children[1]->position,
                         "a division by zero is null always");
}

static enum status compile_division(struct compiler *compiler, struct compiled *out,
                                    struct sides *sides)
{
    if (both(sides, VALUE_DURATION, VALUE_DURATION))
        return emit_kind(compiler, out, sides, OPERATION_DIVIDE_DOUBLE, VALUE_DOUBLE);
    if (!both_numbers(sides))
        return refuse(compiler, sides);
    TRY(refuse_zero(compiler, sides));
    int power;
    const struct value *divisor = literal_divisor(sides);
    if (is_exact(sides->left.type) && divisor != NULL && power_of_ten_of(&power, divisor))
        return compile_shift(compiler, out, sides, power);
    return emit_kind(compiler, out, sides, OPERATION_DIVIDE_DOUBLE, VALUE_DOUBLE);
}

static enum status compile_remainder(struct compiler *compiler, struct compiled *out,
                                     const struct sides *sides)
{
    if (!both_numbers(sides))
        return refuse(compiler, sides);
    TRY(refuse_zero(compiler, sides));
    if (both(sides, VALUE_INT, VALUE_INT))
        return emit_kind(compiler, out, sides, OPERATION_REMAINDER_INT, VALUE_INT);
    if (any_double(sides))
        return emit_kind(compiler, out, sides, OPERATION_REMAINDER_DOUBLE, VALUE_DOUBLE);
    return emit_aligned(compiler, out, sides, OPERATION_REMAINDER_DECIMAL);
}

enum status compile_arithmetic(struct compiler *compiler, struct compiled *out,
                               const struct node *node)
{
    struct sides sides = { .node = node, .base = compiler->registers };
    TRY(compile_node(compiler, &sides.left, node->children[0]));
    TRY(compile_node(compiler, &sides.right, node->children[1]));
    TRY(refuse_null(compiler, &sides.left, node->children[0]));
    TRY(refuse_null(compiler, &sides.right, node->children[1]));
    switch (node->op) {
    case OPERATOR_ADD:
    case OPERATOR_SUBTRACT:
        return compile_sum(compiler, out, &sides);
    case OPERATOR_MULTIPLY:
        return compile_product(compiler, out, &sides);
    case OPERATOR_DIVIDE:
        return compile_division(compiler, out, &sides);
    case OPERATOR_REMAINDER:
        return compile_remainder(compiler, out, &sides);
    default:
        UNREACHABLE();
    }
}

enum status compile_negate(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const size_t base = compiler->registers;
    struct compiled x;
    TRY(compile_node(compiler, &x, node->children[0]));
    TRY(refuse_null(compiler, &x, node->children[0]));
    enum operation operation = OPERATION_NEGATE_INT;
    switch (x.type.kind) {
    case VALUE_INT:
    case VALUE_DURATION:
        break;
    case VALUE_DECIMAL:
        operation = OPERATION_NEGATE_DECIMAL;
        break;
    case VALUE_DOUBLE:
        operation = OPERATION_NEGATE_DOUBLE;
        break;
    default: {
        char type[VALUE_TYPE_TEXT_SIZE];
        return COMPILER_FAIL(compiler, node->token, "cannot negate %s%s",
                             value_type_text(x.type, type),
                             x.type.kind == VALUE_BOOL ? "; write `not`" : "");
    }
    }
    TRY(use_register(compiler, out, base, x.type, node));
    struct instruction *in = emit(compiler, operation);
    in->out = (uint16_t)base;
    in->kind = (uint8_t)x.type.kind;
    in->a = x.operand;
    return ST_OK;
}
