#include "processor/topology/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

void diagnostics_init(struct diagnostics *diagnostics, const char *file)
{
    *diagnostics = (struct diagnostics){ .file = file };
}

void diagnostics_fini(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        mem_free(diagnostics->items[i].text);
    *diagnostics = (struct diagnostics){ .file = diagnostics->file };
}

void diagnostics_format(const struct diagnostics *diagnostics, struct buffer *out)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        buffer_printf(out, "%s:%d:%d: %s: %s\n", diagnostics->file, item->line, item->column,
                      item->warning ? "warning" : "error", item->text);
    }
    if (diagnostics->truncated)
        buffer_printf(out, "%s: there are more; these are the first %zu\n", diagnostics->file,
                      diagnostics->count);
}

__attribute__((format(printf, 1, 0))) static char *text_of(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = mem_alloc(size < 0 ? 1 : (size_t)size + 1);
    if (size > 0)
        vsnprintf(text, (size_t)size + 1, format, arguments);
    return text;
}

static size_t add(struct diagnostics *diagnostics, struct file_position position, bool warning,
                  char *text)
{
    if (!warning)
        diagnostics->errors++;
    if (diagnostics->count == DIAGNOSTICS_MAX) {
        diagnostics->truncated = true;
        mem_free(text);
        return DIAGNOSTICS_MAX;
    }
    diagnostics->items[diagnostics->count] = (struct diagnostic){
        .line = position.line, .column = position.column, .warning = warning, .text = text
    };
    return diagnostics->count++;
}

size_t diagnose(struct diagnostics *diagnostics, struct file_position position, const char *format,
                ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_of(format, arguments);
    va_end(arguments);
    return add(diagnostics, position, false, text);
}

void diagnose_warning(struct diagnostics *diagnostics, struct file_position position,
                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_of(format, arguments);
    va_end(arguments);
    (void)add(diagnostics, position, true, text);
}

void diagnose_more(struct diagnostics *diagnostics, size_t index, const char *format, ...)
{
    if (index >= diagnostics->count)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *more = text_of(format, arguments);
    va_end(arguments);
    struct diagnostic *item = &diagnostics->items[index];
    char *joined = mem_format("%s%s", item->text, more);
    mem_free(item->text);
    mem_free(more);
    item->text = joined;
}

static bool is_before(const struct diagnostic *a, const struct diagnostic *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Insertion sort: it is stable, and there are at most DIAGNOSTICS_MAX. */
void diagnostics_sort(struct diagnostics *diagnostics)
{
    for (size_t i = 1; i < diagnostics->count; i++) {
        const struct diagnostic item = diagnostics->items[i];
        size_t at = i;
        for (; at > 0 && is_before(&item, &diagnostics->items[at - 1]); at--)
            diagnostics->items[at] = diagnostics->items[at - 1];
        diagnostics->items[at] = item;
    }
}
