/* csv_line: one record of RFC 4180 text taken apart: quotes, doubled quotes, separators. A field never holds a line's end. */
#ifndef WEIR_PROCESSOR_OFFLINE_CSV_LINE_H
#define WEIR_PROCESSOR_OFFLINE_CSV_LINE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum { CSV_FIELDS_MAX = 512 };

/* Fields borrow the line; unescaped ones live in the arena. Too many fields or a lone quote is ST_UNDECODABLE. */
MUST_CHECK enum status csv_split(struct bytes line, struct bytes *fields, size_t fields_max,
                                 size_t *count, struct arena *arena, struct error *err);

#endif
