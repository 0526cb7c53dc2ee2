/*
 * error: how a failure is raised, passed on and described.
 *
 * A failure is a row of status.def plus one sentence. It is raised once with FAIL where it happens,
 * passed on with TRY, and logged once where it is handled. Nothing here allocates or locks.
 */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdarg.h>

enum status {
#define STATUS(name, class, text) ST_##name,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT
};

/* What the engine does about a failure. */
enum status_class { CLASS_NONE, CLASS_SKIP, CLASS_RETRY, CLASS_ABORT, CLASS_FATAL };

enum { ERROR_TEXT_SIZE = 480 };

/* The last failure raised. `where` is a string literal "file:line". */
struct error {
    enum status status;
    const char *where;
    char text[ERROR_TEXT_SIZE];
};

/* "UNDECODABLE" */
const char *status_name(enum status status);
/* "undecodable": the dead-letter reason and the metric label. */
const char *status_reason(enum status status);
const char *status_text(enum status status);
enum status_class status_class_of(enum status status);

/* Fills `err` (NULL is allowed: the text is lost) and returns `status`. */
__attribute__((format(printf, 4, 5), cold)) enum status
error_set(struct error *err, enum status status, const char *where, const char *format, ...);

/* Puts "prefix: " in front of the text that `err` (never NULL) holds; returns its status. */
__attribute__((format(printf, 2, 3), cold)) enum status error_prefix(struct error *err,
                                                                     const char *format, ...);

#define WEIR_STR_(x) #x
#define WEIR_STR(x)  WEIR_STR_(x)

#define MUST_CHECK    __attribute__((warn_unused_result))
#define AUTO(destroy) __attribute__((cleanup(destroy)))
#define TAKE(p)                     \
    ({                              \
        __typeof__(p) taken_ = (p); \
        (p) = NULL;                 \
        taken_;                     \
    })
#define TRY(call)                       \
    do {                                \
        const enum status st_ = (call); \
        if (st_ != ST_OK)               \
            return st_;                 \
    } while (0)
#define FAIL(err, st, ...) error_set((err), (st), __FILE__ ":" WEIR_STR(__LINE__), __VA_ARGS__)

#endif
