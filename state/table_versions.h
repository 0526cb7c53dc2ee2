/*
 * table_versions: the rule of which version of a row is current, shared by the two kinds of table.
 * Versions are kept newest first; of two with one time the later arrival is the newer.
 */
#ifndef WEIR_STATE_TABLE_VERSIONS_H
#define WEIR_STATE_TABLE_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_VERSIONS_MAX = 10000 };

/* Where a new version of this time goes among `times`, newest first. */
static inline size_t table_versions_place(const int64_t *times, size_t count, int64_t time_us)
{
    size_t i = 0;
    while (i < count && times[i] > time_us)
        i++;
    return i;
}

/* The version that is current as of a time; count when there is none. Without versions the
 * latest counts, whatever the time. */
static inline size_t table_versions_as_of(const int64_t *times, size_t count, int64_t versions_us,
                                          int64_t as_of_us)
{
    if (versions_us == 0)
        return 0;
    size_t i = 0;
    while (i < count && times[i] > as_of_us)
        i++;
    return i;
}

/* How many of the versions, newest first, are kept: those younger than the newest by less than
 * versions_us, and the one that was current at that border; never more than the maximum. */
static inline size_t table_versions_keep(const int64_t *times, size_t count, int64_t versions_us)
{
    if (versions_us == 0 || count == 0)
        return count == 0 ? 0 : 1;
    if (count > TABLE_VERSIONS_MAX)
        count = TABLE_VERSIONS_MAX;
    int64_t border_us;
    if (__builtin_sub_overflow(times[0], versions_us, &border_us))
        return count;
    size_t i = 0;
    while (i < count && times[i] > border_us)
        i++;
    return i < count ? i + 1 : count;
}

#endif
