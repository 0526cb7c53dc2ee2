#include <criterion/criterion.h>
#include <string.h>

#include "base/ensure.h"
#include "base/log.h"
#include "capture.h"

static void break_a_promise(void)
{
    log_set_level(LOG_LEVEL_OFF); /* must be seen all the same */
    const char *name = "x";
    ENSURE(strcmp(name, "a \"name\"") == 0);
}

static void reach_the_unreachable(void)
{
    UNREACHABLE();
}

Test(ensure, failure_names_condition_and_place_and_aborts)
{
    static struct capture capture;
    capture_abort(&capture, break_a_promise);
    cr_assert_not_null(strstr(capture.text, " error event=ensure.failed where="), "%s",
                       capture.text);
    cr_assert_not_null(strstr(capture.text, "test_ensure.c:12 "), "%s", capture.text);
    cr_assert_not_null(
        strstr(capture.text, "condition=\"strcmp(name, \\\"a \\\\\\\"name\\\\\\\"\\\") == 0\"\n"),
        "%s", capture.text);
    cr_assert_eq(capture.write_count, 1);
}

Test(ensure, unreachable_aborts)
{
    static struct capture capture;
    capture_abort(&capture, reach_the_unreachable);
    cr_assert_not_null(strstr(capture.text, "test_ensure.c:17 condition=\"unreachable\""), "%s",
                       capture.text);
}

Test(ensure, a_true_condition_is_evaluated_once)
{
    int count = 0;
    ENSURE(++count == 1);
    cr_assert_eq(count, 1);
}
