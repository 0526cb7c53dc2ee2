/*
 * functions: the table of functions (functions.def) and their implementations.
 *
 * An implementation is pure and total: it gets arguments of the checked types, none null, and gives
 * a value of the call's result type or null. Texts it makes live in the context's arena and are at
 * most FUNCTION_TEXT_MAX long: longer ones are an overflow, so that no nesting of replace() can eat
 * the memory.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_FUNCTIONS_H
#define WEIR_PROCESSOR_EXPRESSION_FUNCTIONS_H

#include "processor/expression/expression.h"

enum { FUNCTION_ARGUMENTS_MAX = 64, FUNCTION_TEXT_MAX = 1 << 20 };

enum result_rule {
    RULE_BOOL,
    RULE_INT,
    RULE_DOUBLE,
    RULE_STRING,
    RULE_TIMESTAMP,
    RULE_SAME,    /* of the first argument */
    RULE_UNIFIED, /* what all arguments fit into */
    RULE_WHOLE,   /* int; of a double a double */
    RULE_ROUNDED, /* as WHOLE, or with digits: the number's kind with so many digits at most */
    RULE_DECIMAL, /* with the digits given */
};

struct function;

/* What a call site knows besides the arguments; the `k` and `z` parameters are in `option` only. */
struct call_site {
    const struct function *function;
    struct value_type result;
    bool has_option;
    int64_t option; /* digits, or the zone's offset in microseconds */
};

typedef struct value function_fn(const struct value *arguments, size_t count,
                                 const struct call_site *site, struct expression_context *context);

struct function {
    const char *name;
    const char *parameters;
    enum result_rule rule;
    bool partial;
    function_fn *run; /* NULL: the compiler makes instructions of it */
    const char *usage;
    const char *help;
};

/* NULL when there is none. */
const struct function *function_find(const char *name);
/* The function or aggregate with a name near to this one, or NULL. */
const char *function_nearest(const char *name);
/* All of them; the last has a NULL name. */
const struct function *functions_all(void);

#define FORM(name, parameters, rule, usage, help)
#define FUNCTION(name, parameters, rule, partial, run, usage, help) function_fn run;
#include "processor/expression/functions.def"
#undef FUNCTION
#undef FORM

/* The head of an implementation; most need only some of the parameters. */
#define FUNCTION_HEAD(name)                                                                \
    struct value name(const struct value *arguments, __attribute__((unused)) size_t count, \
                      __attribute__((unused)) const struct call_site *site,                \
                      __attribute__((unused)) struct expression_context *context)

/* null, counted. */
struct value overflow_null(struct expression_context *context);
/* Not finite: an overflow. */
struct value finite_double(double d, struct expression_context *context);
/* Not a number: the function has no value there; infinite: an overflow. */
struct value defined_double(double d, struct expression_context *context);

#endif
