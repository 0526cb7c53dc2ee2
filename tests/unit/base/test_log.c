#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_line.h"
#include "capture.h"

static struct capture capture;

Test(log, levels_have_names)
{
    static const char *const names[] = { "debug", "info", "warn", "error", "off" };
    for (int i = 0; i < 5; i++) {
        enum log_level level = LOG_LEVEL_OFF;
        cr_assert(log_level_of_name(&level, names[i]));
        cr_assert_eq(level, (enum log_level)i);
        cr_assert_str_eq(log_level_name(level), names[i]);
    }
    enum log_level level = LOG_LEVEL_WARN;
    cr_assert_not(log_level_of_name(&level, "INFO"));
    cr_assert_not(log_level_of_name(&level, ""));
    cr_assert_eq(level, LOG_LEVEL_WARN);
}

static void log_at_every_level(void)
{
    for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_OFF; level++) {
        log_set_level(level);
        LOG_DEBUG("at.debug", "x=%d", (int)level);
        LOG_INFO("at.info", "x=%d", (int)level);
        LOG_WARN("at.warn", "x=%d", (int)level);
        LOG_ERROR("at.error", "x=%d", (int)level);
    }
}

Test(log, what_is_below_the_level_is_not_written)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    cr_assert_eq(log_level_current(), LOG_LEVEL_INFO);
    capture_stderr(&capture, log_at_every_level);
    for (int event = 0; event < 4; event++)
        for (int level = 0; level <= 4; level++) {
            char expected[64];
            snprintf(expected, sizeof expected, "Z %s event=at.%s x=%d\n", names[event],
                     names[event], level);
            cr_assert_eq(strstr(capture.text, expected) != NULL, event >= level, "%s",
                         capture.text);
        }
    cr_assert_eq(capture.write_count, 4 + 3 + 2 + 1);
}

static int evaluated;

static void log_nothing(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    LOG_INFO("not.written", "x=%d", ++evaluated);
    if (evaluated > 0)
        LOG_ERROR("evaluated", "x=%d", evaluated);
}

Test(log, arguments_of_what_is_not_written_are_not_evaluated)
{
    capture_stderr(&capture, log_nothing);
    cr_assert_str_empty(capture.text);
}

static void log_as_json(void)
{
    log_set_json(true);
    LOG_WARN("registry.down", "url=%s tries=%d", LOG_Q("http://a b"), 3);
    log_set_json(false);
    LOG_WARN("registry.down", "url=%s tries=%d", LOG_Q("http://a b"), 3);
}

Test(log, lines_are_json_on_demand)
{
    capture_stderr(&capture, log_as_json);
    cr_assert_not_null(
        strstr(capture.text,
               ",\"level\":\"warn\",\"event\":\"registry.down\",\"url\":\"http://a b\","
               "\"tries\":3}\n"),
        "%s", capture.text);
    cr_assert_not_null(
        strstr(capture.text, " warn event=registry.down url=\"http://a b\" tries=3\n"), "%s",
        capture.text);
    cr_assert_eq(capture.write_count, 2);
}

static void log_too_much(void)
{
    static char text[100000];
    memset(text, 'x', sizeof text - 1);
    LOG_ERROR("long", "a=%s", text);
    log_set_json(true);
    LOG_ERROR("long", "a=%s", text);
}

Test(log, a_huge_text_is_cut_and_says_so)
{
    capture_stderr(&capture, log_too_much);
    cr_assert_eq(capture.write_count, 2);
    cr_assert_not_null(strstr(capture.text, "x truncated=true\n{"));
    cr_assert_not_null(strstr(capture.text, "xxxx\",\"truncated\":true}\n"));
    cr_assert_lt(strlen(capture.text), 2 * LOG_LINE_SIZE);
}

static void log_with_errno(void)
{
    errno = EDOM;
    close(STDERR_FILENO);
    LOG_ERROR("lost", "x=%d", 1);
    _exit(errno == EDOM ? 0 : 1);
}

Test(log, errno_survives_even_a_failed_write)
{
    capture_stderr(&capture, log_with_errno);
    cr_assert_eq(capture.wait_status, 0);
}

enum { THREADS = 4, LINES = 100 };

static void *log_lines(void *argument)
{
    const int thread = *(const int *)argument;
    for (int i = 0; i < LINES; i++)
        LOG_ERROR("many", "thread=%d line=%d quoted=%s", thread, i, LOG_Q("x y"));
    return NULL;
}

static void log_from_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, log_lines, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

Test(log, lines_of_threads_come_whole_and_in_order)
{
    int next[THREADS] = { 0 };
    capture_stderr(&capture, log_from_threads);
    cr_assert_eq(capture.write_count, THREADS * LINES);
    for (char *at = capture.text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        int thread = -1, number = -1, used = 0;
        *end = '\0';
        sscanf(at, "%*s error event=many thread=%d line=%d quoted=\"x y\"%n", &thread, &number,
               &used);
        cr_assert_eq(at + used, end, "%s", at);
        cr_assert_eq(number, next[thread]++);
    }
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(next[i], LINES);
}

Test(log, eight_quotes_are_valid_at_once)
{
    const char *quotes[8];
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "text %d", i);
        quotes[i % 8] = LOG_Q(text);
        for (int back = 0; back < 8 && back <= i; back++) {
            snprintf(text, sizeof text, "\"text %d\"", i - back);
            cr_assert_str_eq(quotes[(i - back) % 8], text);
        }
    }
    cr_assert_str_eq(LOG_Q(NULL), "null");
}

Test(log, a_rate_lets_one_through_per_interval_and_counts_the_rest)
{
    struct log_rate rate = { 0 };
    int64_t suppressed = -1;
    cr_assert(log_rate_allow(&rate, 0, 1000, &suppressed));
    cr_assert_eq(suppressed, 0);
    for (int64_t now_us = 0; now_us < 1000; now_us += 100)
        cr_assert_not(log_rate_allow(&rate, now_us, 1000, &suppressed), "%" PRId64, now_us);
    cr_assert(log_rate_allow(&rate, 1000, 1000, &suppressed));
    cr_assert_eq(suppressed, 10);
    cr_assert_not(log_rate_allow(&rate, 1999, 1000, &suppressed));
    cr_assert(log_rate_allow(&rate, 50000, 1000, &suppressed));
    cr_assert_eq(suppressed, 1);
    cr_assert(log_rate_allow(&rate, 51000, 1000, &suppressed));
    cr_assert_eq(suppressed, 0);
}

static struct log_rate shared_rate;
static int64_t passed, held_back;

static void *ask_the_rate(void *argument)
{
    (void)argument;
    for (int64_t now_us = 0; now_us < 50000; now_us++) {
        int64_t suppressed = 0;
        if (log_rate_allow(&shared_rate, now_us, 100, &suppressed)) {
            __atomic_fetch_add(&passed, 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(&held_back, suppressed, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

Test(log, a_rate_shared_by_threads_loses_no_count)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, ask_the_rate, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(passed + held_back + shared_rate.suppressed, THREADS * 50000);
    cr_assert_leq(passed, 500);
}
