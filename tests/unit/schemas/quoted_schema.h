/* quoted_schema: schemas in tests, written with ' for " so that they stay readable in C. */
#ifndef WEIR_TESTS_UNIT_SCHEMAS_QUOTED_SCHEMA_H
#define WEIR_TESTS_UNIT_SCHEMAS_QUOTED_SCHEMA_H

#include "schemas/schema.h"

/* The text with quotes, as a new string. */
char *quoted_text(const char *quoted);
enum status quoted_schema_try(struct schema_document **out, const char *quoted, struct error *err);
/* Fails the test when it cannot be parsed. The caller destroys it. */
struct schema_document *quoted_schema(const char *quoted);

#endif
