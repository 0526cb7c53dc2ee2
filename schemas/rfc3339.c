/* rfc3339: strict dates and times; days are counted as in H. Hinnant's days_from_civil. */
#include "schemas/rfc3339.h"

enum { DATE_SIZE = 10, FRACTION_DIGITS_MAX = 9 };
static const int64_t second_us = 1000000;

/* `size` digits at `at` as a number, -1 if they are none or the text is too short. */
static int digits_at(struct bytes text, size_t at, size_t size)
{
    if (at + size > text.size)
        return -1;
    int number = 0;
    for (size_t i = at; i < at + size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

static bool is_at(struct bytes text, size_t at, char c)
{
    return at < text.size && text.data[at] == (uint8_t)c;
}

static int days_in_month(int year, int month)
{
    static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static int32_t days_of(int year, int month, int day)
{
    const int y =
        month <= 2 ? year - 1 : year; /* a year begins in March: the leap day is its last */
    const int era = (y >= 0 ? y : y - 399) / 400;
    const int year_of_era = y - era * 400;
    const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool date_at_start(int32_t *days, struct bytes text)
{
    const int year = digits_at(text, 0, 4), month = digits_at(text, 5, 2),
              day = digits_at(text, 8, 2);
    if (year < 0 || !is_at(text, 4, '-') || !is_at(text, 7, '-') || month < 1 || month > 12 ||
        day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_of(year, month, day);
    return true;
}

bool rfc3339_parse_date(int32_t *days, struct bytes text)
{
    return text.size == DATE_SIZE && date_at_start(days, text);
}

/* The fraction at *at, if there is one; moves *at behind it. */
static bool take_fraction(int64_t *us, struct bytes text, size_t *at)
{
    *us = 0;
    if (!is_at(text, *at, '.'))
        return true;
    int64_t worth = second_us / 10;
    const size_t start = ++*at;
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at) {
        *us += (text.data[*at] - '0') * worth;
        worth /= 10;
    }
    return *at > start && *at - start <= FRACTION_DIGITS_MAX;
}

/* What stands from `at` to the end must be the offset. */
static bool take_offset(int64_t *minutes, struct bytes text, size_t at)
{
    *minutes = 0;
    if (is_at(text, at, 'Z') || is_at(text, at, 'z'))
        return at + 1 == text.size;
    const bool west = is_at(text, at, '-');
    const int hour = digits_at(text, at + 1, 2), minute = digits_at(text, at + 4, 2);
    if ((!west && !is_at(text, at, '+')) || hour < 0 || hour > 23 || !is_at(text, at + 3, ':') ||
        minute < 0 || minute > 59 || at + 6 != text.size)
        return false;
    *minutes = west ? -(hour * 60 + minute) : hour * 60 + minute;
    return true;
}

bool rfc3339_parse_time(int64_t *us, struct bytes text)
{
    int32_t days;
    if (!date_at_start(&days, text) ||
        !(is_at(text, DATE_SIZE, 'T') || is_at(text, DATE_SIZE, 't')))
        return false;
    const int hour = digits_at(text, 11, 2), minute = digits_at(text, 14, 2),
              second = digits_at(text, 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
        !is_at(text, 13, ':') || !is_at(text, 16, ':'))
        return false;
    size_t at = 19;
    int64_t fraction_us, offset_minutes;
    if (!take_fraction(&fraction_us, text, &at) || !take_offset(&offset_minutes, text, at))
        return false;
    const int64_t hours = (int64_t)days * 24 + hour;
    const int64_t minutes = hours * 60 + minute - offset_minutes;
    *us = (minutes * 60 + second) * second_us + fraction_us;
    return true;
}
