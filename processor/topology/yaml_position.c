#include "processor/topology/yaml_position.h"

struct file_position file_position_of(struct bytes file, size_t offset)
{
    struct file_position position = { 1, 1 };
    for (size_t i = 0; i < offset && i < file.size; i++) {
        const uint8_t c = file.data[i];
        const bool lone_cr = c == '\r' && (i + 1 == file.size || file.data[i + 1] != '\n');
        if (c == '\n' || lone_cr) {
            position.line++;
            position.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            position.column++;
        }
    }
    return position;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* How many bytes of the file an escape like \n, \x41 or \u00e9 takes. */
static size_t escape_size(struct bytes file, size_t at)
{
    if (at + 1 >= file.size)
        return 1;
    switch (file.data[at + 1]) {
    case 'x':
        return 4;
    case 'u':
        return 6;
    case 'U':
        return 10;
    default:
        return 2;
    }
}

static size_t skip_spaces(struct bytes file, size_t at, size_t end)
{
    while (at < end && is_space(file.data[at]))
        at++;
    return at;
}

static size_t character_size(const char *text, size_t size)
{
    size_t n = 1;
    while (n < size && ((uint8_t)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/*
 * The text and its source are walked side by side. They differ in white space (folded lines,
 * indentation) and escapes only, so any white space of one matches any white space of the other.
 */
struct file_position yaml_position_in(struct bytes file, const struct yaml_node *scalar,
                                      size_t offset)
{
    if (offset >= scalar->size)
        return file_position_of(file, scalar->end);
    const size_t end = scalar->end < file.size ? scalar->end : file.size;
    size_t at = scalar->start;
    for (size_t i = 0; at < end;) {
        const bool is_text_space = is_space((uint8_t)scalar->text[i]);
        if (!is_text_space)
            at = skip_spaces(file, at, end);
        if (i >= offset || at >= end)
            break;
        const bool is_escape = scalar->style == YAML_DOUBLE_QUOTED && file.data[at] == '\\';
        if (is_escape && at + 1 < end && is_space(file.data[at + 1])) {
            at = skip_spaces(file, at + 1, end); /* an escaped line break is nothing */
            continue;
        }
        const size_t text_size = character_size(scalar->text + i, scalar->size - i);
        if (is_escape)
            at += escape_size(file, at);
        else if (is_text_space)
            at = skip_spaces(file, at, end);
        else if (scalar->style == YAML_SINGLE_QUOTED && file.data[at] == '\'')
            at += 2;
        else
            at += text_size;
        i += text_size;
    }
    return file_position_of(file, at < end ? at : end);
}

struct bytes yaml_comment_after(struct bytes file, const struct yaml_node *scalar)
{
    if (scalar->kind != YAML_SCALAR || scalar->style != YAML_PLAIN)
        return BYTES_NONE;
    size_t at = scalar->end;
    while (at < file.size && (file.data[at] == ' ' || file.data[at] == '\t'))
        at++;
    if (at == scalar->end || at >= file.size || file.data[at] != '#')
        return BYTES_NONE;
    size_t end = at;
    while (end < file.size && file.data[end] != '\n' && file.data[end] != '\r')
        end++;
    return bytes_of(file.data + at, end - at);
}
