/* program_case: a writer's schema, a datum, a reader's schema, and what its columns must be. */
#ifndef WEIR_TESTS_UNIT_SCHEMAS_PROGRAM_CASE_H
#define WEIR_TESTS_UNIT_SCHEMAS_PROGRAM_CASE_H

#include "base/buffer.h"
#include "schemas/avro_program.h"

enum { CASE_COLUMNS_MAX = 64 };

struct program_case {
    const char *name;
    const char *writer, *reader; /* quoted; NULL reader: the writer's */
    const char *datum;
    size_t datum_size;
    const char *columns;  /* paths, with commas between them */
    const char *expected; /* "int 5, string x"; or words of the error */
    enum status compile;  /* what it must give; not ST_OK: nothing is run */
    enum status run;
};

#define DATUM(s) (s), sizeof(s) - 1

void program_case_check(const struct program_case *row);

/* "int 5, string x" of all slots, for comparison and messages; returns the buffer's text. */
const char *slots_text(struct buffer *out, const struct value *slots, size_t count);

/* Runs on a copy that ends where its memory ends, so that AddressSanitizer sees every step too far. */
enum status run_exactly(const struct avro_program *program, const void *datum, size_t size,
                        struct value *slots, struct error *err);

#endif
