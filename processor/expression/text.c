#include "processor/expression/text.h"

#include "base/ensure.h"

/* 0 for a malformed start. Source: Unicode 15, table 3-7 (well-formed UTF-8 byte sequences). */
static size_t well_formed_size(struct bytes text)
{
    const uint8_t first = text.data[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size < size)
        return 0;
    const uint8_t second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (text.data[1] < second_min || text.data[1] > second_max)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (text.data[i] < 0x80 || text.data[i] > 0xbf)
            return 0;
    return size;
}

size_t text_code_point_size(struct bytes text)
{
    if (text.size == 0)
        return 0;
    const size_t size = well_formed_size(text);
    return size == 0 ? 1 : size;
}

static struct bytes rest_of(struct bytes text, size_t offset)
{
    ENSURE(offset <= text.size);
    return bytes_of(text.data + offset, text.size - offset);
}

bool text_is_utf8(struct bytes text)
{
    for (size_t at = 0, size; at < text.size; at += size)
        if ((size = well_formed_size(rest_of(text, at))) == 0)
            return false;
    return true;
}

size_t text_length(struct bytes text)
{
    size_t length = 0;
    for (size_t at = 0; at < text.size; length++)
        at += text_code_point_size(rest_of(text, at));
    return length;
}

size_t text_offset_of(struct bytes text, size_t index)
{
    size_t at = 0;
    for (; index > 0 && at < text.size; index--)
        at += text_code_point_size(rest_of(text, at));
    return at;
}
