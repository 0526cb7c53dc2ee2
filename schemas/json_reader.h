/*
 * json_reader: where the tokens of a JSON text begin, found by simdjson's first stage; and the
 * exact reading of a double. The only C++ of the project stands behind this face.
 *
 * Only the first stage is used, on purpose: its result (the starts of all tokens outside strings)
 * is the same in every release and on every CPU, it needs no padding after the text, and what a
 * token is worth is decided by json_cursor for the whole text. simdjson's lazy second stage would
 * let broken values pass in fields that nobody asks for, differently from release to release, and
 * it has no exact decimals.
 *
 * One reader belongs to one thread. It keeps its memory: a steady state allocates nothing.
 */
#ifndef WEIR_SCHEMAS_JSON_READER_H
#define WEIR_SCHEMAS_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An index entry is 4 bytes per byte of text at worst; a larger text is refused. */
enum { JSON_TEXT_MAX = 16 << 20 };

struct json_reader;

void json_reader_create(struct json_reader **out);
void json_reader_destroy(struct json_reader **reader);

/*
 * The offsets at which tokens start, ascending, valid until the next scan. Returns NULL when the
 * text is valid UTF-8, its strings are closed and hold no raw control character and it is not
 * empty; else what is wrong with it.
 */
const char *json_reader_scan(struct json_reader *reader, const uint32_t **starts, size_t *count,
                             const uint8_t *text, size_t size);

/*
 * The nearest double of a number token, in no locale; too small a number gives zero. false when it
 * is too large. `text` must have the grammar of a JSON number.
 */
bool json_double(double *out, const uint8_t *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
