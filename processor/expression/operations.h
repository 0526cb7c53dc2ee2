/*
 * operations: what one instruction does to its operands; included by evaluate.c only, so that
 * everything is inlined into its loop.
 *
 * Operands are of the kinds that the compiler chose the operation for, or null.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_OPERATIONS_H
#define WEIR_PROCESSOR_EXPRESSION_OPERATIONS_H

#include <math.h>

#include "processor/expression/number.h"
#include "processor/expression/program.h"

/* `out` may be one of the operands: it is written last. */
#define OPERATION_HEAD(name)                                                            \
    static inline void name(__attribute__((unused)) const struct instruction *in,       \
                            struct value *out, const struct value *a,                   \
                            __attribute__((unused)) const struct value *b,              \
                            __attribute__((unused)) struct expression_context *context)

#define NULL_IF_EITHER_IS_NULL(a, b)                            \
    do {                                                        \
        if ((a)->kind == VALUE_NULL || (b)->kind == VALUE_NULL) \
            return value_set_null(out);                         \
    } while (0)

#define NULL_IF_NULL(a)                 \
    do {                                \
        if ((a)->kind == VALUE_NULL)    \
            return value_set_null(out); \
    } while (0)

static inline void set_overflow(struct value *out, struct expression_context *context)
{
    context->overflows++;
    value_set_null(out);
}

static inline void set_finite(struct value *out, double d, struct expression_context *context)
{
    if (!isfinite(d))
        return set_overflow(out, context);
    value_set_double(out, d);
}

static inline double operand_double(const struct value *v)
{
    return v->kind == VALUE_DOUBLE ? v->d
           : v->kind == VALUE_INT  ? (double)v->i
                                   : number_to_double(v);
}

OPERATION_HEAD(operation_move)
{
    *out = *a;
}

/* Of an int or a decimal. */
OPERATION_HEAD(operation_rescale)
{
    NULL_IF_NULL(a);
    int128 rescaled;
    if (!decimal_rescale(&rescaled, number_unscaled(a), a->kind == VALUE_INT ? 0 : a->scale, in->scale))
        return set_overflow(out, context);
    return value_set_decimal(out, rescaled, in->scale);
}

OPERATION_HEAD(operation_to_double)
{
    NULL_IF_NULL(a);
    return set_finite(out, operand_double(a), context);
}

/* ---- 64-bit: int, timestamp, duration ---- */

static inline void set_checked(struct value *out, const struct instruction *in, bool overflow,
                               int64_t i, struct expression_context *context)
{
    if (overflow)
        return set_overflow(out, context);
    value_set_integer(out, (enum value_kind)in->kind, i);
}

OPERATION_HEAD(operation_add_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_add_overflow(a->i, b->i, &i);
    return set_checked(out, in, overflow, i, context);
}

OPERATION_HEAD(operation_subtract_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_sub_overflow(a->i, b->i, &i);
    return set_checked(out, in, overflow, i, context);
}

OPERATION_HEAD(operation_multiply_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_mul_overflow(a->i, b->i, &i);
    return set_checked(out, in, overflow, i, context);
}

static inline void set_division_by_zero(struct value *out, struct expression_context *context)
{
    context->divisions_by_zero++;
    value_set_null(out);
}

/* The sign is the dividend's. */
OPERATION_HEAD(operation_remainder_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    if (b->i == 0)
        return set_division_by_zero(out, context);
    value_set_integer(out, (enum value_kind)in->kind, b->i == -1 ? 0 : a->i % b->i);
}

OPERATION_HEAD(operation_negate_int)
{
    NULL_IF_NULL(a);
    int64_t i;
    const bool overflow = __builtin_sub_overflow(0, a->i, &i);
    return set_checked(out, in, overflow, i, context);
}

/* ---- decimal; an operand may be an int ---- */

struct aligned {
    int128 a, b;
};

static inline bool align(struct aligned *out, const struct instruction *in, const struct value *a,
                         const struct value *b)
{
    *out = (struct aligned){ number_unscaled(a), number_unscaled(b) };
    return (in->shift_a == 0 ||
            int128_multiply(&out->a, out->a, int128_power_of_ten(in->shift_a))) &&
           (in->shift_b == 0 || int128_multiply(&out->b, out->b, int128_power_of_ten(in->shift_b)));
}

OPERATION_HEAD(operation_add_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    struct aligned x;
    int128 sum;
    if (!align(&x, in, a, b) || !int128_add(&sum, x.a, x.b))
        return set_overflow(out, context);
    value_set_decimal(out, sum, in->scale);
}

OPERATION_HEAD(operation_subtract_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    struct aligned x;
    int128 difference;
    if (!align(&x, in, a, b) || !int128_subtract(&difference, x.a, x.b))
        return set_overflow(out, context);
    value_set_decimal(out, difference, in->scale);
}

OPERATION_HEAD(operation_multiply_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int128 product;
    if (!int128_multiply(&product, number_unscaled(a), number_unscaled(b)))
        return set_overflow(out, context);
    value_set_decimal(out, product, in->scale);
}

/* By a power of ten: the same digits with the point further left. */
OPERATION_HEAD(operation_divide_exact)
{
    NULL_IF_NULL(a);
    value_set_decimal(out, number_unscaled(a), in->scale);
}

OPERATION_HEAD(operation_remainder_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    struct aligned x;
    if (number_unscaled(b) == 0)
        return set_division_by_zero(out, context);
    if (!align(&x, in, a, b))
        return set_overflow(out, context);
    value_set_decimal(out, x.b == -1 ? 0 : x.a % x.b, in->scale);
}

OPERATION_HEAD(operation_negate_decimal)
{
    NULL_IF_NULL(a);
    int128 negated;
    if (!int128_subtract(&negated, 0, a->decimal))
        return set_overflow(out, context);
    value_set_decimal(out, negated, a->scale);
}

/* ---- double; operands may be of any number's kind, or durations ---- */

OPERATION_HEAD(operation_add_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return set_finite(out, operand_double(a) + operand_double(b), context);
}

OPERATION_HEAD(operation_subtract_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return set_finite(out, operand_double(a) - operand_double(b), context);
}

OPERATION_HEAD(operation_multiply_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return set_finite(out, operand_double(a) * operand_double(b), context);
}

OPERATION_HEAD(operation_divide_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const double divisor = operand_double(b);
    if (divisor == 0)
        return set_division_by_zero(out, context);
    return set_finite(out, operand_double(a) / divisor, context);
}

OPERATION_HEAD(operation_remainder_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const double divisor = operand_double(b);
    if (divisor == 0)
        return set_division_by_zero(out, context);
    return set_finite(out, fmod(operand_double(a), divisor), context);
}

OPERATION_HEAD(operation_negate_double)
{
    NULL_IF_NULL(a);
    set_finite(out, -a->d, context);
}

/* ---- comparisons ---- */

static inline void set_outcome(struct value *out, const struct instruction *in, bool less,
                               bool greater)
{
    const unsigned bit = less ? OUTCOME_LESS : greater ? OUTCOME_GREATER : OUTCOME_EQUAL;
    value_set_bool(out, (in->outcomes & bit) != 0);
}

OPERATION_HEAD(operation_compare)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const int order = value_compare(a, b);
    set_outcome(out, in, order < 0, order > 0);
}

OPERATION_HEAD(operation_compare_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    set_outcome(out, in, a->i < b->i, a->i > b->i);
}

/* Of one scale. */
OPERATION_HEAD(operation_compare_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    set_outcome(out, in, a->decimal < b->decimal, a->decimal > b->decimal);
}

OPERATION_HEAD(operation_compare_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    set_outcome(out, in, a->d < b->d, a->d > b->d);
}

/* == and != only: texts of different size need no look at their bytes. */
OPERATION_HEAD(operation_equal_text)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const bool equal = a->text.size == b->text.size &&
                       (a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0);
    value_set_bool(out, ((in->outcomes & OUTCOME_EQUAL) != 0) == equal);
}

/* ---- three-valued logic ---- */

OPERATION_HEAD(operation_and)
{
    const bool a_null = a->kind == VALUE_NULL, b_null = b->kind == VALUE_NULL;
    if ((!a_null && !a->b) || (!b_null && !b->b))
        return value_set_bool(out, false);
    if (a_null || b_null)
        return value_set_null(out);
    value_set_bool(out, true);
}

OPERATION_HEAD(operation_or)
{
    const bool a_null = a->kind == VALUE_NULL, b_null = b->kind == VALUE_NULL;
    if ((!a_null && a->b) || (!b_null && b->b))
        return value_set_bool(out, true);
    if (a_null || b_null)
        return value_set_null(out);
    value_set_bool(out, false);
}

OPERATION_HEAD(operation_not)
{
    NULL_IF_NULL(a);
    value_set_bool(out, !a->b);
}

OPERATION_HEAD(operation_is_null)
{
    value_set_bool(out, a->kind == VALUE_NULL);
}

#endif
