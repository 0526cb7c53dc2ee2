/*
 * text: UTF-8 by code points, as the text functions need it. Bytes that are not UTF-8 (a record may
 * hold any) count as one code point each, so every function here is total.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_TEXT_H
#define WEIR_PROCESSOR_EXPRESSION_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Bytes of the first code point: 1 to 4; 1 when it is malformed, 0 when the text is empty. */
size_t text_code_point_size(struct bytes text);
bool text_is_utf8(struct bytes text);
size_t text_length(struct bytes text);
/* Where the code point `index` starts; the end when there are fewer. */
size_t text_offset_of(struct bytes text, size_t index);

#endif
