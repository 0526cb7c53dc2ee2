/*
 * log_line: what one log line looks like. Turns an event and its `key=value ...` text into one line
 * of text or JSON in fixed memory, cut when it gets too long. Never allocates. It does not write:
 * see log.h.
 */
#ifndef WEIR_BASE_LOG_LINE_H
#define WEIR_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* PIPE_BUF of Linux: a larger write to a pipe may be mixed with that of another process. */
enum { LOG_LINE_SIZE = 4096 };

struct log_line {
    size_t size; /* the newline included */
    bool full;   /* something did not fit: only the tail is still written */
    char text[LOG_LINE_SIZE];
};

struct log_event {
    int64_t wall_ms;
    enum log_level level;
    const char *name;
    const char *text; /* key=value, key="quoted value", words */
    bool truncated;   /* `text` was already cut */
};

/* "2024-05-01T12:00:00.000Z info event=task.assigned partition=3 ..."; a control byte is '?'. */
void log_line_text(struct log_line *line, const struct log_event *event);

/*
 * {"time":"...","level":"info","event":"task.assigned","partition":3,...}
 * A bare value that is a JSON number, true, false or null is one; every other value, and a quoted
 * one always, is a string. Words that are not key=value are joined in "text". A key that would
 * repeat one of the line's own gets a '_' behind it. Bytes that are not UTF-8 become U+FFFD.
 */
void log_line_json(struct log_line *line, const struct log_event *event);

/* Writes "text" in quotes, escaped as the above expects, and a NUL; cut to `size` >= 8 bytes. */
void log_line_quote(char *out, size_t size, const char *text);

const char *log_level_name(enum log_level level);

#endif
