#include <criterion/criterion.h>
#include <string.h>

#include "processor/expression/text.h"

Test(text, knows_utf8)
{
    static const struct {
        const char *text;
        size_t length;
        bool is_utf8;
    } rows[] = {
        { "", 0, true },
        { "abc", 3, true },
        { "\u00e9\u20ac\U0001f600", 3, true },
        { "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 6, true },
        { "\x80", 1, false },
        { "\xc3", 1, false },
        { "\xc3(", 2, false },
        { "\xc0\x80", 2, false }, /* overlong */
        { "\xc1\xbf", 2, false },
        { "\xe0\x9f\xbf", 3, false }, /* overlong */
        { "\xed\xa0\x80", 3, false }, /* surrogate */
        { "\xed\x9f\xbf", 1, true },
        { "\xf0\x8f\xbf\xbf", 4, false }, /* overlong */
        { "\xf4\x90\x80\x80", 4, false }, /* beyond U+10FFFF */
        { "\xf5\x80\x80\x80", 4, false },
        { "\xe2\x82", 2, false },
        { "a\xe2\x82z", 4, false },
        { "\xff\xfe", 2, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bytes text = bytes_of_string(rows[i].text);
        cr_expect_eq(text_is_utf8(text), rows[i].is_utf8, "row %zu", i);
        cr_expect_eq(text_length(text), rows[i].length, "row %zu", i);
        cr_expect_eq(text_offset_of(text, rows[i].length), text.size, "row %zu", i);
        cr_expect_eq(text_offset_of(text, rows[i].length + 9), text.size, "row %zu", i);
        cr_expect_eq(text_offset_of(text, 0), 0, "row %zu", i);
    }
    cr_expect_eq(text_offset_of(bytes_of_string("a\u20acb"), 1), 1);
    cr_expect_eq(text_offset_of(bytes_of_string("a\u20acb"), 2), 4);
}
