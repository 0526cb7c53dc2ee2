/*
 * duration: lengths of time as people write them: "30s", "1h30m", "250ms", "7d".
 *
 * A run of whole numbers with units, from the largest to the smallest, each at most once. Units:
 * d h m s ms us. No sign, no spaces, no fractions.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_DURATION_H
#define WEIR_PROCESSOR_EXPRESSION_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Microseconds; false when the text is no duration, or one of more than 292,000 years. */
bool duration_parse(int64_t *out_us, const char *text);
bool duration_parse_bytes(int64_t *out_us, struct bytes text);

#endif
