/*
 * number: exact conversions between int, decimal, double and text.
 *
 * Rounding to fewer decimal places is half away from zero, as money is rounded by hand; rounding to
 * a double is to the nearest, ties to even. The same on every machine.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_NUMBER_H
#define WEIR_PROCESSOR_EXPRESSION_NUMBER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/int128.h"
#include "schemas/value.h"

/* unscaled / 10^scale, correctly rounded; scale <= DECIMAL_SCALE_MAX. */
double decimal_to_double(int128 unscaled, unsigned scale);
/* Of an INT, DECIMAL or DOUBLE, or the microseconds of a DURATION. */
double number_to_double(const struct value *v);
/* The unscaled integer of an INT or DECIMAL. */
static inline int128 number_unscaled(const struct value *v)
{
    return v->kind == VALUE_INT ? v->i : v->decimal;
}

/* Rounds when `to` is smaller; false on overflow. */
bool decimal_rescale(int128 *out, int128 unscaled, unsigned from, unsigned to);
/*
 * The decimal of that scale nearest to d as people read it, in its shortest text: 0.285 rounds to
 * 0.29, although the double is a little less. Whole numbers from 2^53 on are converted exactly.
 * false when it is not finite or does not fit.
 */
bool decimal_of_double(int128 *out, double d, unsigned scale);
/* Cuts the fraction off; false when it does not fit. */
bool int_of_double(int64_t *out, double d);
bool int_of_int128(int64_t *out, int128 x);

/*
 * Text as people and other systems write numbers: sign, digits, point, exponent, spaces around.
 * false when it is none or too large. Nothing else is accepted (no hex, no "inf", no thousands).
 */
bool int_of_text(int64_t *out, struct bytes text);
bool decimal_of_text(int128 *out, struct bytes text, unsigned scale);
bool double_of_text(double *out, struct bytes text);

#endif
