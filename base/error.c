#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

enum { REASON_SIZE = 32 };

static const char *const names[STATUS_COUNT] = {
#define STATUS(name, class, text) [ST_##name] = #name,
#include "base/status.def"
#undef STATUS
};

static const char *const texts[STATUS_COUNT] = {
#define STATUS(name, class, text) [ST_##name] = (text),
#include "base/status.def"
#undef STATUS
};

static const enum status_class classes[STATUS_COUNT] = {
#define STATUS(name, class, text) [ST_##name] = CLASS_##class,
#include "base/status.def"
#undef STATUS
};

#define STATUS(name, class, text) \
    _Static_assert(sizeof #name <= REASON_SIZE, "REASON_SIZE is too small for " #name);
#include "base/status.def"
#undef STATUS

/* The preprocessor cannot lower the case of a name, so this is filled once, before main. */
static char reasons[STATUS_COUNT][REASON_SIZE];

static size_t cut_to_whole_characters(const char *text, size_t size);

/* tolower would ask the locale. */
static char to_lower(char c)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                      lower[] = "abcdefghijklmnopqrstuvwxyz";
    const char *at = memchr(upper, c, sizeof upper - 1);
    if (at == NULL)
        return c;
    return lower[at - upper];
}

__attribute__((constructor)) static void fill_reasons(void)
{
    for (int i = 0; i < STATUS_COUNT; i++)
        for (int k = 0; names[i][k] != '\0'; k++)
            reasons[i][k] = to_lower(names[i][k]);
}

const char *status_name(enum status status)
{
    ENSURE((unsigned)status < STATUS_COUNT);
    return names[status];
}

const char *status_reason(enum status status)
{
    ENSURE((unsigned)status < STATUS_COUNT);
    return reasons[status];
}

const char *status_text(enum status status)
{
    ENSURE((unsigned)status < STATUS_COUNT);
    return texts[status];
}

enum status_class status_class_of(enum status status)
{
    ENSURE((unsigned)status < STATUS_COUNT);
    return classes[status];
}

/* Formats apart from `err->text` first, because the arguments often point into it. */
enum status error_set(struct error *err, enum status status, const char *where, const char *format,
                      ...)
{
    ENSURE((unsigned)status < STATUS_COUNT && status != ST_OK);
    if (err == NULL)
        return status;

    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    size_t size = wanted < 0 ? 0 : (size_t)wanted;
    if (size >= sizeof text)
        size = cut_to_whole_characters(text, sizeof text - 1);
    memcpy(err->text, text, size);
    err->text[size] = '\0';
    err->status = status;
    err->where = where;
    return status;
}

enum status error_prefix(struct error *err, const char *format, ...)
{
    ENSURE(err != NULL && err->status != ST_OK);

    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    size_t size = wanted < 0 ? 0 : (size_t)wanted;
    if (size < sizeof text)
        size += (size_t)snprintf(text + size, sizeof text - size, ": %s", err->text);
    if (size >= sizeof text)
        size = cut_to_whole_characters(text, sizeof text - 1);
    memcpy(err->text, text, size);
    err->text[size] = '\0';
    return err->status;
}

/* `text` was cut after `size` bytes: the size without the UTF-8 character that the cut split. */
static size_t cut_to_whole_characters(const char *text, size_t size)
{
    enum { CONTINUATIONS_MAX = 3 };
    for (size_t back = 1; back <= CONTINUATIONS_MAX && back <= size; back++) {
        const unsigned char c = (unsigned char)text[size - back];
        if (c < 0x80)
            return size;
        if (c < 0xc0)
            continue;
        const size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        return length > back ? size - back : size;
    }
    return size;
}
