#include "quoted_schema.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"

char *quoted_text(const char *quoted)
{
    char *text = mem_copy_string(quoted);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    return text;
}

enum status quoted_schema_try(struct schema_document **out, const char *quoted, struct error *err)
{
    char *text = quoted_text(quoted);
    const enum status status = schema_parse(out, text, strlen(text), err);
    mem_free(text);
    return status;
}

struct schema_document *quoted_schema(const char *quoted)
{
    struct schema_document *document = NULL;
    struct error err;
    cr_assert_eq(quoted_schema_try(&document, quoted, &err), ST_OK, "%s: %s", quoted, err.text);
    return document;
}
