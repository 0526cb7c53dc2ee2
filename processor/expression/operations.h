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

#define OPERATION_HEAD(name)                                                              \
    static inline struct value name(__attribute__((unused)) const struct instruction *in, \
                                    const struct value *a,                                \
                                    __attribute__((unused)) const struct value *b,        \
                                    __attribute__((unused)) struct expression_context *context)

#define NULL_IF_EITHER_IS_NULL(a, b)                            \
    do {                                                        \
        if ((a)->kind == VALUE_NULL || (b)->kind == VALUE_NULL) \
            return value_null();                                \
    } while (0)

#define NULL_IF_NULL(a)              \
    do {                             \
        if ((a)->kind == VALUE_NULL) \
            return value_null();     \
    } while (0)

OPERATION_HEAD(operation_move)
{
    return *a;
}

/* Of an int or a decimal. */
OPERATION_HEAD(operation_rescale)
{
    NULL_IF_NULL(a);
    int128 out;
    if (!decimal_rescale(&out, number_unscaled(a), a->kind == VALUE_INT ? 0 : a->scale, in->scale))
        return overflow_null(context);
    return value_decimal(out, in->scale);
}

OPERATION_HEAD(operation_to_double)
{
    NULL_IF_NULL(a);
    return finite_double(number_to_double(a), context);
}

/* ---- 64-bit: int, timestamp, duration ---- */

static inline struct value checked_int(const struct instruction *in, bool overflow, int64_t i,
                                       struct expression_context *context)
{
    return overflow ? overflow_null(context) : (struct value){ .kind = in->kind, .i = i };
}

OPERATION_HEAD(operation_add_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_add_overflow(a->i, b->i, &i);
    return checked_int(in, overflow, i, context);
}

OPERATION_HEAD(operation_subtract_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_sub_overflow(a->i, b->i, &i);
    return checked_int(in, overflow, i, context);
}

OPERATION_HEAD(operation_multiply_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int64_t i;
    const bool overflow = __builtin_mul_overflow(a->i, b->i, &i);
    return checked_int(in, overflow, i, context);
}

static inline struct value division_by_zero(struct expression_context *context)
{
    context->divisions_by_zero++;
    return value_null();
}

/* The sign is the dividend's. */
OPERATION_HEAD(operation_remainder_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    if (b->i == 0)
        return division_by_zero(context);
    return (struct value){ .kind = in->kind, .i = b->i == -1 ? 0 : a->i % b->i };
}

OPERATION_HEAD(operation_negate_int)
{
    NULL_IF_NULL(a);
    int64_t i;
    const bool overflow = __builtin_sub_overflow(0, a->i, &i);
    return checked_int(in, overflow, i, context);
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
        return overflow_null(context);
    return value_decimal(sum, in->scale);
}

OPERATION_HEAD(operation_subtract_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    struct aligned x;
    int128 difference;
    if (!align(&x, in, a, b) || !int128_subtract(&difference, x.a, x.b))
        return overflow_null(context);
    return value_decimal(difference, in->scale);
}

OPERATION_HEAD(operation_multiply_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    int128 product;
    if (!int128_multiply(&product, number_unscaled(a), number_unscaled(b)))
        return overflow_null(context);
    return value_decimal(product, in->scale);
}

/* By a power of ten: the same digits with the point further left. */
OPERATION_HEAD(operation_divide_exact)
{
    NULL_IF_NULL(a);
    return value_decimal(number_unscaled(a), in->scale);
}

OPERATION_HEAD(operation_remainder_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    struct aligned x;
    if (number_unscaled(b) == 0)
        return division_by_zero(context);
    if (!align(&x, in, a, b))
        return overflow_null(context);
    return value_decimal(x.b == -1 ? 0 : x.a % x.b, in->scale);
}

OPERATION_HEAD(operation_negate_decimal)
{
    NULL_IF_NULL(a);
    int128 negated;
    if (!int128_subtract(&negated, 0, a->decimal))
        return overflow_null(context);
    return value_decimal(negated, a->scale);
}

/* ---- double; operands may be of any number's kind, or durations ---- */

OPERATION_HEAD(operation_add_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return finite_double(number_to_double(a) + number_to_double(b), context);
}

OPERATION_HEAD(operation_subtract_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return finite_double(number_to_double(a) - number_to_double(b), context);
}

OPERATION_HEAD(operation_multiply_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return finite_double(number_to_double(a) * number_to_double(b), context);
}

OPERATION_HEAD(operation_divide_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const double divisor = number_to_double(b);
    if (divisor == 0)
        return division_by_zero(context);
    return finite_double(number_to_double(a) / divisor, context);
}

OPERATION_HEAD(operation_remainder_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const double divisor = number_to_double(b);
    if (divisor == 0)
        return division_by_zero(context);
    return finite_double(fmod(number_to_double(a), divisor), context);
}

OPERATION_HEAD(operation_negate_double)
{
    NULL_IF_NULL(a);
    return finite_double(-a->d, context);
}

/* ---- comparisons ---- */

static inline struct value outcome(const struct instruction *in, bool less, bool greater)
{
    const unsigned bit = less ? OUTCOME_LESS : greater ? OUTCOME_GREATER : OUTCOME_EQUAL;
    return value_bool((in->outcomes & bit) != 0);
}

OPERATION_HEAD(operation_compare)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const int order = value_compare(a, b);
    return outcome(in, order<0, order> 0);
}

OPERATION_HEAD(operation_compare_int)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return outcome(in, a->i<b->i, a->i> b->i);
}

/* Of one scale. */
OPERATION_HEAD(operation_compare_decimal)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return outcome(in, a->decimal<b->decimal, a->decimal> b->decimal);
}

OPERATION_HEAD(operation_compare_double)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    return outcome(in, a->d<b->d, a->d> b->d);
}

/* == and != only: texts of different size need no look at their bytes. */
OPERATION_HEAD(operation_equal_text)
{
    NULL_IF_EITHER_IS_NULL(a, b);
    const bool equal = a->text.size == b->text.size &&
                       (a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0);
    return value_bool(((in->outcomes & OUTCOME_EQUAL) != 0) == equal);
}

/* ---- three-valued logic ---- */

OPERATION_HEAD(operation_and)
{
    const bool a_null = a->kind == VALUE_NULL, b_null = b->kind == VALUE_NULL;
    if ((!a_null && !a->b) || (!b_null && !b->b))
        return value_bool(false);
    return a_null || b_null ? value_null() : value_bool(true);
}

OPERATION_HEAD(operation_or)
{
    const bool a_null = a->kind == VALUE_NULL, b_null = b->kind == VALUE_NULL;
    if ((!a_null && a->b) || (!b_null && b->b))
        return value_bool(true);
    return a_null || b_null ? value_null() : value_bool(false);
}

OPERATION_HEAD(operation_not)
{
    NULL_IF_NULL(a);
    return value_bool(!a->b);
}

OPERATION_HEAD(operation_is_null)
{
    return value_bool(a->kind == VALUE_NULL);
}

#endif
