#include "processor/topology/yaml_bytes.h"

#include "processor/topology/yaml_position.h"

/*
 * The size of the UTF-8 character at `at`, or 0 when it is none (overlong forms and surrogates
 * included).
 */
static size_t utf8_size(struct bytes text, size_t at)
{
    const uint8_t lead = text.data[at];
    if (lead < 0x80)
        return 1;
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size > text.size - at)
        return 0;
    const uint8_t second = text.data[at + 1];
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text.data[at + i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool yaml_check_bytes(struct bytes text, struct diagnostics *diagnostics)
{
    if (text.size > YAML_TEXT_MAX) {
        diagnose(diagnostics, (struct file_position){ 1, 1 },
                 "the file has %zu bytes; a topology has at most %d", text.size, YAML_TEXT_MAX);
        return false;
    }
    for (size_t i = 0; i < text.size;) {
        const uint8_t c = text.data[i];
        const size_t size = utf8_size(text, i);
        if (size == 0)
            diagnose(diagnostics, file_position_of(text, i),
                     "byte 0x%02x is no UTF-8: save the file as UTF-8", c);
        else if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            diagnose(diagnostics, file_position_of(text, i),
                     "control character 0x%02x: a topology is plain text", c);
        else {
            i += size;
            continue;
        }
        return false;
    }
    return true;
}
