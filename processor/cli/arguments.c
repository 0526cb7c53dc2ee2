#include "processor/cli/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/expression/expression.h"

static const struct option *find_option(const struct option *options, const char *name, size_t size)
{
    for (const struct option *option = options; option != NULL && option->name != NULL; option++) {
        if (strlen(option->name) == size && memcmp(option->name, name, size) == 0)
            return option;
    }
    return NULL;
}

static void offer_all(struct nearest_name *nearest, const struct option *options)
{
    for (const struct option *option = options; option != NULL && option->name != NULL; option++)
        nearest_name_offer(nearest, option->name);
}

static enum status unknown_option(const char *given, size_t size, const struct option *options,
                                  const struct option *common, struct error *err)
{
    AUTO(mem_auto_free) char *name = mem_copy_string_n(given, size);
    struct nearest_name nearest = { .wanted = name };
    offer_all(&nearest, options);
    offer_all(&nearest, common);
    if (nearest.best == NULL)
        return FAIL(err, ST_INVALID, "unknown option --%s", name);
    return FAIL(err, ST_INVALID, "unknown option --%s; did you mean --%s?", name, nearest.best);
}

static enum status take_option(struct arguments *out, int argc, char **argv, int *i,
                               const struct option *options, const struct option *common,
                               struct error *err)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    const size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct option *option = find_option(options, name, size);
    if (option == NULL)
        option = find_option(common, name, size);
    if (option == NULL)
        return unknown_option(name, size, options, common, err);
    if (out->given_count == OPTION_VALUES_MAX)
        return FAIL(err, ST_INVALID, "too many options");
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option->value == NULL && value != NULL)
        return FAIL(err, ST_INVALID, "--%s takes no value", option->name);
    if (option->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return FAIL(err, ST_INVALID, "--%s needs a value: %s", option->name, option->value);
        if (strncmp(argv[*i + 1], "--", 2) == 0) /* such a value is written --name=--value */
            return FAIL(err, ST_INVALID, "--%s needs a value: %s; %s is an option", option->name,
                        option->value, argv[*i + 1]);
        value = argv[++*i];
    }
    out->given[out->given_count].name = option->name;
    out->given[out->given_count++].value = value;
    return ST_OK;
}

enum status arguments_parse(struct arguments *out, int argc, char **argv,
                            const struct option *options, const struct option *common,
                            struct error *err)
{
    *out = (struct arguments){ .operand_count = 0 };
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
            TRY(take_option(out, argc, argv, &i, options, common, err));
            continue;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0')
            return FAIL(err, ST_INVALID, "unknown option %s", argv[i]);
        if (out->operand_count == OPERANDS_MAX)
            return FAIL(err, ST_INVALID, "too many arguments");
        out->operands[out->operand_count++] = argv[i];
    }
    return ST_OK;
}

const char *arguments_nth(const struct arguments *arguments, const char *name, size_t n)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].name, name) == 0 && n-- == 0)
            return arguments->given[i].value == NULL ? "" : arguments->given[i].value;
    }
    return NULL;
}

bool arguments_has(const struct arguments *arguments, const char *name)
{
    return arguments_nth(arguments, name, 0) != NULL;
}

const char *arguments_text(const struct arguments *arguments, const char *name,
                           const char *otherwise)
{
    const char *last = otherwise;
    const char *value;
    for (size_t n = 0; (value = arguments_nth(arguments, name, n)) != NULL; n++)
        last = value;
    return last;
}

enum status arguments_integer(const struct arguments *arguments, const char *name,
                              int64_t otherwise, int64_t *out, struct error *err)
{
    const char *text = arguments_text(arguments, name, NULL);
    *out = otherwise;
    if (text == NULL)
        return ST_OK;
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0')
        return FAIL(err, ST_INVALID, "--%s takes a whole number, not '%s'", name, text);
    *out = value;
    return ST_OK;
}
