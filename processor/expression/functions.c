#include "processor/expression/functions.h"

#include <math.h>
#include <string.h>

#include "processor/expression/nodes.h"

static const struct function functions[] = {
#define FORM(name, parameters, rule, usage, help) \
    { #name, parameters, rule, false, NULL, usage, help },
#define FUNCTION(name, parameters, rule, partial, run, usage, help) \
    { #name, parameters, rule, partial, run, usage, help },
#include "processor/expression/functions.def"
#undef FUNCTION
#undef FORM
    { .name = NULL },
};

const struct function *functions_all(void)
{
    return functions;
}

const struct function *function_find(const char *name)
{
    for (const struct function *function = functions; function->name != NULL; function++)
        if (strcmp(function->name, name) == 0)
            return function;
    return NULL;
}

const char *function_nearest(const char *name)
{
    struct nearest_name nearest = { .wanted = name };
    for (const struct function *function = functions; function->name != NULL; function++)
        nearest_name_offer(&nearest, function->name);
    for (size_t i = 0; i < AGGREGATE_COUNT; i++)
        nearest_name_offer(&nearest, aggregate_names[i]);
    return nearest.best;
}

struct value overflow_null(struct expression_context *context)
{
    context->overflows++;
    return value_null();
}

struct value finite_double(double d, struct expression_context *context)
{
    return isfinite(d) ? value_double(d) : overflow_null(context);
}

struct value defined_double(double d, struct expression_context *context)
{
    return isnan(d) ? value_null() : finite_double(d, context);
}
