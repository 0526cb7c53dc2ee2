/*
 * arguments: a command line taken apart: operands and options (`--name VALUE`, `--name=VALUE`, flags). Every command states its
 * options in a table, from which --help is made too.
 */
#ifndef WEIR_PROCESSOR_CLI_ARGUMENTS_H
#define WEIR_PROCESSOR_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct option {
    const char *name;  /* without dashes */
    const char *value; /* what it takes ("FILE"), or NULL for a flag */
    const char *help;
};

enum { OPERANDS_MAX = 8, OPTION_VALUES_MAX = 64 };

struct arguments {
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    struct {
        const char *name;
        const char *value; /* NULL for a flag */
    } given[OPTION_VALUES_MAX];
    size_t given_count;
};

/* `argv` without the program's and the command's name; the strings are borrowed. ST_INVALID names the nearest option. */
MUST_CHECK enum status arguments_parse(struct arguments *out, int argc, char **argv, const struct option *options,
                                       const struct option *common, struct error *err);
bool arguments_has(const struct arguments *arguments, const char *name);
/* The last value given, or `otherwise`. */
const char *arguments_text(const struct arguments *arguments, const char *name, const char *otherwise);
/* The n-th value given of an option that may be repeated, or NULL. */
const char *arguments_nth(const struct arguments *arguments, const char *name, size_t n);
MUST_CHECK enum status arguments_integer(const struct arguments *arguments, const char *name, int64_t otherwise,
                                         int64_t *out, struct error *err);

#endif
