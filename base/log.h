/*
 * log: one line per event on stderr, `time level event=NAME key=value ...`. Values with spaces or
 * quotes are quoted. Never a payload or a key of a record. Thread-safe. log_line.h says what a line
 * looks like.
 *
 *     LOG_INFO("task.assigned", "partition=%d offset=%" PRId64, partition, offset);
 *     LOG_WARN("registry.down", "url=%s error=%s", LOG_Q(url), LOG_Q(err->text));
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

void log_set_level(enum log_level level);
/* JSON lines instead of text. */
void log_set_json(bool json);
enum log_level log_level_current(void);
/* false when the text names no level. */
bool log_level_of_name(enum log_level *out, const char *name);

__attribute__((format(printf, 3, 4))) void log_write(enum log_level level, const char *event,
                                                     const char *format, ...);

/*
 * A quoted copy of `text` (at most about 1,000 bytes of it) in one of a few per-thread slots: valid
 * until the 8th later LOG_Q. Always quoted, so that in JSON it is always a string. NULL gives null.
 */
const char *log_quote(const char *text);

#define LOG_Q(text) log_quote(text)
#define LOG_AT(level, event, ...)                     \
    do {                                              \
        if ((level) >= log_level_current())           \
            log_write((level), (event), __VA_ARGS__); \
    } while (0)
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/*
 * Lets one in every `interval_us` through, per call site; the caller appends how many were held
 * back as `suppressed=N`.
 */
struct log_rate {
    int64_t next_us;
    int64_t suppressed;
};
/* true when the caller may log now: then `suppressed` is set. Thread-safe. */
bool log_rate_allow(struct log_rate *rate, int64_t now_us, int64_t interval_us,
                    int64_t *suppressed);

#endif
