#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/topology/signature.h"

static enum status cut_lines(struct signature *signature, struct error *err)
{
    for (char *line = signature->text; *line != '\0';) {
        char *end = strchr(line, '\n');
        char *tab = end == NULL ? NULL : memchr(line, '\t', (size_t)(end - line));
        if (tab == NULL)
            return FAIL(err, ST_CORRUPT, "the state's description of its topology is damaged");
        *tab = *end = '\0';
        const char **value =
            map_insert(signature->facts, bytes_of(line, (size_t)(tab - line)), NULL);
        *value = tab + 1;
        line = end + 1;
    }
    return ST_OK;
}

static enum status check_format(const struct signature *signature, struct error *err)
{
    const char *format = signature_fact(signature, BYTES_LITERAL("format"));
    const long number = format == NULL ? 0 : strtol(format, NULL, 10);
    if (number > SIGNATURE_FORMAT)
        return FAIL(err, ST_FORMAT_NEWER, "the state was written by a newer version of weir");
    if (number < 1 || signature_fact(signature, BYTES_LITERAL("topology")) == NULL)
        return FAIL(err, ST_CORRUPT, "the state's description of its topology is damaged");
    return ST_OK;
}

enum status signature_read(struct signature *out, struct bytes text, struct error *err)
{
    out->text = mem_copy_string_n((const char *)text.data, text.size);
    map_create(&out->facts, sizeof(const char *));
    TRY(cut_lines(out, err));
    return check_format(out, err);
}

void signature_fini(struct signature *signature)
{
    map_destroy(&signature->facts);
    mem_free(signature->text);
    signature->text = NULL;
}

const char *signature_fact(const struct signature *signature, struct bytes what)
{
    const char **value = map_find(signature->facts, what);
    return value == NULL ? NULL : *value;
}

const char *signature_fact_of(const struct signature *signature, const char *kind, const char *name,
                              const char *part)
{
    AUTO(mem_auto_free)
    char *what = mem_format("%s %s%s%s", kind, name, *part == '\0' ? "" : " ", part);
    return signature_fact(signature, bytes_of_string(what));
}
