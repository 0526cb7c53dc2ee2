#include "processor/expression/calendar.h"

static const int64_t second_us = 1000000;
static const int64_t minute_us = 60 * INT64_C(1000000);
static const int64_t hour_us = 3600 * INT64_C(1000000);
static const int64_t day_us = 86400 * INT64_C(1000000);

static int64_t floor_divide(int64_t x, int64_t by)
{
    return x / by - (x % by < 0);
}

/* Proleptic Gregorian. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static void set_date(struct calendar_time *out, int64_t days)
{
    const int64_t shifted = days + 719468; /* since 0000-03-01 */
    const int64_t era = floor_divide(shifted, 146097);
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t shifted_month = (5 * day_of_year + 2) / 153;
    out->month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    out->day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    out->year = year_of_era + era * 400 + (out->month <= 2);
}

static int64_t days_of_date(int64_t year, int month, int day)
{
    const int64_t shifted_year = year - (month <= 2);
    const int64_t era = floor_divide(shifted_year, 400);
    const int64_t year_of_era = shifted_year - era * 400;
    const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct calendar_time calendar_of(int64_t timestamp_us, int64_t offset_us)
{
    /* the offset is added to the part within the day: the sum cannot overflow */
    const int64_t utc_days = floor_divide(timestamp_us, day_us);
    const int64_t in_utc_day = (timestamp_us % day_us + day_us) % day_us;
    const int64_t local = in_utc_day + offset_us;
    const int64_t carry = floor_divide(local, day_us);
    const int64_t days = utc_days + carry;
    const int64_t in_day = local - carry * day_us;

    struct calendar_time out = { .hour = (int)(in_day / hour_us),
                                 .minute = (int)(in_day % hour_us / minute_us),
                                 .second = (int)(in_day % minute_us / second_us) };
    set_date(&out, days);
    const int64_t since_monday = days + 3; /* 1970-01-01 was a Thursday */
    out.day_of_week = (int)(since_monday - floor_divide(since_monday, 7) * 7) + 1;
    return out;
}

/* Reads exactly `count` digits. */
static bool take_digits(int *out, struct bytes *text, size_t count)
{
    if (text->size < count)
        return false;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t c = text->data[i];
        if (c < '0' || c > '9')
            return false;
        *out = *out * 10 + (c - '0');
    }
    *text = bytes_of(text->data + count, text->size - count);
    return true;
}

static bool take_one_of(struct bytes *text, const char *characters)
{
    for (; *characters != '\0'; characters++)
        if (text->size > 0 && text->data[0] == (uint8_t)*characters) {
            *text = bytes_of(text->data + 1, text->size - 1);
            return true;
        }
    return false;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(int64_t *out_days, struct bytes *text)
{
    int year, month, day;
    if (!take_digits(&year, text, 4) || !take_one_of(text, "-") || !take_digits(&month, text, 2) ||
        !take_one_of(text, "-") || !take_digits(&day, text, 2))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *out_days = days_of_date(year, month, day);
    return true;
}

static bool take_fraction(int64_t *out_us, struct bytes *text)
{
    int64_t unit = second_us;
    size_t count = 0;
    for (int digit; take_digits(&digit, text, 1); count++) {
        unit /= 10; /* 0 from the seventh digit on */
        *out_us += digit * unit;
    }
    return count > 0;
}

/* 23:59:60, a leap second, is the same instant as the next day's 00:00:00. */
static bool take_time_of_day(int64_t *out_us, struct bytes *text)
{
    int hour, minute, second = 0;
    if (!take_digits(&hour, text, 2) || !take_one_of(text, ":") || !take_digits(&minute, text, 2))
        return false;
    const bool has_second = take_one_of(text, ":");
    if (has_second && !take_digits(&second, text, 2))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *out_us = hour * hour_us + minute * minute_us + second * second_us;
    return !has_second || !take_one_of(text, ".,") || take_fraction(out_us, text);
}

bool calendar_parse_zone(int64_t *out_offset_us, struct bytes text)
{
    *out_offset_us = 0;
    if (bytes_equal(text, BYTES_LITERAL("Z")) || bytes_equal(text, BYTES_LITERAL("z")) ||
        bytes_equal(text, BYTES_LITERAL("UTC")))
        return true;
    const bool negative = text.size > 0 && text.data[0] == '-';
    int hours, minutes = 0;
    if (!take_one_of(&text, "+-") || !take_digits(&hours, &text, 2))
        return false;
    const bool has_minutes = take_one_of(&text, ":") || text.size > 0;
    if (has_minutes && !take_digits(&minutes, &text, 2))
        return false;
    if (text.size > 0 || hours > 18 || minutes > 59)
        return false;
    const int64_t offset = hours * hour_us + minutes * minute_us;
    *out_offset_us = negative ? -offset : offset;
    return true;
}

bool calendar_parse(int64_t *out_us, struct bytes text)
{
    int64_t days, in_day = 0, offset = 0;
    if (!take_date(&days, &text))
        return false;
    if (text.size > 0) {
        if (!take_one_of(&text, "Tt ") || !take_time_of_day(&in_day, &text))
            return false;
        if (text.size > 0 && !calendar_parse_zone(&offset, text))
            return false;
    }
    *out_us = days * day_us + in_day - offset;
    return true;
}
