#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"

enum { EVENT_TEXT_SIZE = 3072, QUOTE_SLOTS = 8, QUOTE_SIZE = 1024 };

static enum log_level current_level = LOG_LEVEL_INFO;
static bool json_lines = false;

static void write_line(const char *text, size_t size);

void log_set_level(enum log_level level)
{
    __atomic_store_n(&current_level, level, __ATOMIC_RELAXED);
}

void log_set_json(bool json)
{
    __atomic_store_n(&json_lines, json, __ATOMIC_RELAXED);
}

enum log_level log_level_current(void)
{
    return __atomic_load_n(&current_level, __ATOMIC_RELAXED);
}

bool log_level_of_name(enum log_level *out, const char *name)
{
    for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_OFF; level++)
        if (strcmp(name, log_level_name(level)) == 0) {
            *out = level;
            return true;
        }
    return false;
}

/* Neither allocates nor locks: ensure_failed and an exhausted heap report through it. */
void log_write(enum log_level level, const char *event, const char *format, ...)
{
    const int saved_errno = errno;
    char text[EVENT_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        text[0] = '\0';

    struct timespec now = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    const struct log_event described = {
        .wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
        .level = level,
        .name = event,
        .text = text,
        .truncated = wanted < 0 || (size_t)wanted >= sizeof text,
    };
    struct log_line line;
    if (__atomic_load_n(&json_lines, __ATOMIC_RELAXED))
        log_line_json(&line, &described);
    else
        log_line_text(&line, &described);
    write_line(line.text, line.size);
    errno = saved_errno;
}

const char *log_quote(const char *text)
{
    static _Thread_local char slots[QUOTE_SLOTS][QUOTE_SIZE];
    static _Thread_local unsigned next;
    if (text == NULL)
        return "null";
    char *slot = slots[next++ % QUOTE_SLOTS];
    log_line_quote(slot, QUOTE_SIZE, text);
    return slot;
}

bool log_rate_allow(struct log_rate *rate, int64_t now_us, int64_t interval_us, int64_t *suppressed)
{
    int64_t next_us = __atomic_load_n(&rate->next_us, __ATOMIC_RELAXED);
    const int64_t later_us = now_us + interval_us;
    /* Of threads that come at the same time, one exchanges and logs. */
    if (now_us < next_us || !__atomic_compare_exchange_n(&rate->next_us, &next_us, later_us, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&rate->suppressed, 1, __ATOMIC_RELAXED);
        return false;
    }
    *suppressed = __atomic_exchange_n(&rate->suppressed, 0, __ATOMIC_RELAXED);
    return true;
}

/* One write(2), so that lines of several writers do not mix; a second only if it came up short. */
static void write_line(const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(STDERR_FILENO, text, size);
        if (written < 0 && errno != EINTR)
            return; /* nowhere to complain */
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
}
