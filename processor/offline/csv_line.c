#include "processor/offline/csv_line.h"

#include <stdbool.h>

/* A field in quotes begins at `at`; gives the byte after its closing quote. */
static enum status take_quoted(struct bytes line, size_t at, size_t *end, struct bytes *field,
                               struct arena *arena, struct error *err)
{
    size_t i = at + 1;
    bool escaped = false;
    for (;; i++) {
        if (i >= line.size)
            return FAIL(err, ST_UNDECODABLE, "a quoted field does not end on its line");
        if (line.data[i] != '"')
            continue;
        if (i + 1 >= line.size || line.data[i + 1] != '"')
            break;
        escaped = true;
        i++;
    }
    *field = bytes_of(line.data + at + 1, i - at - 1);
    *end = i + 1;
    if (!escaped)
        return ST_OK;
    uint8_t *text = arena_alloc(arena, field->size);
    size_t size = 0;
    for (size_t j = 0; j < field->size; j++) {
        text[size++] = field->data[j];
        j += field->data[j] == '"';
    }
    *field = bytes_of(text, size);
    return ST_OK;
}

enum status csv_split(struct bytes line, struct bytes *fields, size_t fields_max, size_t *count,
                      struct arena *arena, struct error *err)
{
    size_t at = 0;
    *count = 0;
    for (;;) {
        if (*count == fields_max)
            return FAIL(err, ST_UNDECODABLE, "more than %zu fields", fields_max);
        size_t end = at;
        if (at < line.size && line.data[at] == '"') {
            TRY(take_quoted(line, at, &end, &fields[*count], arena, err));
            if (end < line.size && line.data[end] != ',')
                return FAIL(err, ST_UNDECODABLE, "field %zu goes on after its closing quote",
                            *count + 1);
        } else {
            /* Fields are short: calling memchr for each costs more than looking at their bytes. */
            while (end < line.size && line.data[end] != ',')
                end++;
            fields[*count] = bytes_of(line.data + at, end - at);
        }
        (*count)++;
        if (end >= line.size)
            return ST_OK;
        at = end + 1;
    }
}
