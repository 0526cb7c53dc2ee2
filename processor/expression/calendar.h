/*
 * calendar: the parts of a timestamp in a zone, and timestamps in text.
 *
 * Zones are UTC and fixed offsets. Zones by name need the time-zone data, whose version would have
 * to be part of every replay; they are refused until it is.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_CALENDAR_H
#define WEIR_PROCESSOR_EXPRESSION_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct calendar_time {
    int64_t year;    /* 0 is 1 BC */
    int month, day;  /* from 1 */
    int day_of_week; /* 1 Monday .. 7 Sunday */
    int hour, minute, second;
};

/* offset_us: what the zone adds to UTC; at most a day. */
struct calendar_time calendar_of(int64_t timestamp_us, int64_t offset_us);

/*
 * RFC 3339, and what is commonly written instead: a space for the T, no zone (UTC), no time of day,
 * no seconds, any number of fraction digits (cut after microseconds). false for anything else.
 */
bool calendar_parse(int64_t *out_us, struct bytes text);

/* "UTC", "Z", "+02:00", "-0530", "+02". */
bool calendar_parse_zone(int64_t *out_offset_us, struct bytes text);

#endif
