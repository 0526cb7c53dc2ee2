#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture.h"

Test(error, every_status_has_a_name_a_reason_and_a_text)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        const enum status status = (enum status)i;
        const char *name = status_name(status);
        const char *reason = status_reason(status);
        cr_assert_gt(strlen(status_text(status)), 0, "%s", name);
        cr_assert_eq(strlen(reason), strlen(name));
        for (size_t k = 0; name[k] != '\0'; k++)
            cr_assert_eq(reason[k], tolower((unsigned char)name[k]), "%s: %s", name, reason);
        for (int other = 0; other < i; other++)
            cr_assert_str_neq(reason, status_reason((enum status)other));
    }
    cr_assert_str_eq(status_name(ST_WRONG_PARTITION), "WRONG_PARTITION");
    cr_assert_str_eq(status_reason(ST_WRONG_PARTITION), "wrong_partition");
}

Test(error, classes_are_those_of_the_table)
{
    cr_assert_eq(status_class_of(ST_OK), CLASS_NONE);
    cr_assert_eq(status_class_of(ST_LATE), CLASS_SKIP);
    cr_assert_eq(status_class_of(ST_TIMED_OUT), CLASS_RETRY);
    cr_assert_eq(status_class_of(ST_FENCED), CLASS_ABORT);
    cr_assert_eq(status_class_of(ST_CORRUPT), CLASS_FATAL);
    for (int i = 1; i < STATUS_COUNT; i++)
        cr_assert_neq(status_class_of((enum status)i), CLASS_NONE, "%s",
                      status_name((enum status)i));
}

Test(error, fail_fills_status_text_and_place)
{
    struct error err = { 0 };
    const enum status status = FAIL(&err, ST_INVALID, "field '%s' is %d", "amount", 7);
    cr_assert_eq(status, ST_INVALID);
    cr_assert_eq(err.status, ST_INVALID);
    cr_assert_str_eq(err.text, "field 'amount' is 7");
    const char *colon = strrchr(err.where, ':');
    cr_assert_not_null(colon);
    cr_assert_eq(atoi(colon + 1), __LINE__ - 6);
    cr_assert_eq(memcmp(colon - strlen("test_error.c"), "test_error.c", 12), 0);
}

Test(error, fail_without_an_error_gives_the_status)
{
    cr_assert_eq(FAIL(NULL, ST_NOT_FOUND, "nobody reads this"), ST_NOT_FOUND);
}

Test(error, arguments_may_point_into_the_error_itself)
{
    struct error err = { 0 };
    (void)FAIL(&err, ST_INVALID, "inner");
    (void)FAIL(&err, ST_REFUSED, "outer (%s)", err.text);
    cr_assert_str_eq(err.text, "outer (inner)");
    cr_assert_eq(error_prefix(&err, "after %s", err.text), ST_REFUSED);
    cr_assert_str_eq(err.text, "after outer (inner): outer (inner)");
}

Test(error, prefix_keeps_status_and_place)
{
    struct error err = { 0 };
    (void)FAIL(&err, ST_IO_FAILED, "no such file");
    const char *where = err.where;
    cr_assert_eq(error_prefix(&err, "line %d", 12), ST_IO_FAILED);
    cr_assert_str_eq(err.text, "line 12: no such file");
    cr_assert_eq(err.where, where);
}

/* The text is cut to 479 bytes; a cut must not leave half a character behind. */
Test(error, long_texts_are_cut_between_characters)
{
    static const struct {
        const char *name, *character;
    } rows[] = {
        { "ascii", "x" },
        { "two bytes", "é" },
        { "three bytes", "€" },
        { "four bytes", "😀" },
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const size_t size = strlen(rows[row].character);
        for (size_t shift = 0; shift < 4; shift++) {
            char text[2 * ERROR_TEXT_SIZE] = { 0 };
            memset(text, '-', shift);
            for (size_t at = shift; at + size < sizeof text; at += size)
                memcpy(text + at, rows[row].character, size);

            const size_t whole = (ERROR_TEXT_SIZE - 1 - shift) / size * size + shift;
            struct error err = { 0 };
            (void)FAIL(&err, ST_INVALID, "%s", text);
            cr_assert_eq(strlen(err.text), whole, "%s, shift %zu", rows[row].name, shift);
            cr_assert_eq(memcmp(err.text, text, whole), 0);

            (void)FAIL(&err, ST_INVALID, "%s", text + shift);
            (void)error_prefix(&err, "%.*s", (int)shift, "----");
            cr_assert_eq(strlen(err.text),
                         (ERROR_TEXT_SIZE - 1 - shift - 2) / size * size + shift + 2,
                         "%s, prefix %zu", rows[row].name, shift);
        }
    }
}

Test(error, a_prefix_longer_than_the_text_is_cut_too)
{
    struct error err = { 0 };
    (void)FAIL(&err, ST_INVALID, "lost");
    (void)error_prefix(&err, "%0600d", 0);
    cr_assert_eq(strlen(err.text), ERROR_TEXT_SIZE - 1);
    cr_assert_eq(strspn(err.text, "0"), ERROR_TEXT_SIZE - 1);
}

static int destroyed;

static void count_destroy(char **p)
{
    destroyed += *p != NULL;
    mem_free(*p);
    *p = NULL;
}

static enum status make(char **out, enum status fail_with)
{
    AUTO(count_destroy) char *made = mem_copy_string("made");
    TRY(fail_with);
    *out = TAKE(made);
    return ST_OK;
}

Test(error, try_destroys_what_is_half_made_and_take_hands_it_over)
{
    char *out = NULL;
    cr_assert_eq(make(&out, ST_DISK_FULL), ST_DISK_FULL);
    cr_assert_null(out);
    cr_assert_eq(destroyed, 1);
    cr_assert_eq(make(&out, ST_OK), ST_OK);
    cr_assert_str_eq(out, "made");
    cr_assert_eq(destroyed, 1);
    mem_free(out);
}

static void prefix_nothing(void)
{
    struct error err = { 0 };
    (void)error_prefix(&err, "prefix");
}

static void fail_with_ok(void)
{
    (void)FAIL(NULL, ST_OK, "fine");
}

static void name_no_status(void)
{
    volatile int none = STATUS_COUNT;
    (void)status_name((enum status)none);
}

Test(error, misuse_aborts)
{
    static struct capture capture;
    capture_abort(&capture, prefix_nothing);
    capture_abort(&capture, fail_with_ok);
    capture_abort(&capture, name_no_status);
}
