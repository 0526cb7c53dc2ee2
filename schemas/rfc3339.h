/*
 * rfc3339: dates and times as text, read strictly: four-digit years, every field in its range, days
 * that exist, and a time always with its offset (a time without one means something else on every
 * machine).
 */
#ifndef WEIR_SCHEMAS_RFC3339_H
#define WEIR_SCHEMAS_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * "2026-01-31T12:00:00.25+01:00" -> microseconds since 1970 in UTC; `Z` is offset zero; up to 9
 * digits of fraction, those after the sixth are cut off. A leap second (:60) is refused. false: the
 * text is none, `us` is untouched.
 */
bool rfc3339_parse_time(int64_t *us, struct bytes text);
/* "2026-01-31" -> days since 1970-01-01. */
bool rfc3339_parse_date(int32_t *days, struct bytes text);

#endif
