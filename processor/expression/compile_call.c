/*
 * compile_call: functions: their arity and the types of their arguments after functions.def.
 * Arguments go into registers side by side; literal options (digits, zones) into the call site.
 */
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "processor/expression/calendar.h"
#include "processor/expression/compiler.h"

/* A call while it is compiled. */
struct call {
    const struct node *node;
    const struct function *function;
    size_t base;                                     /* register of the first argument */
    struct value_type types[FUNCTION_ARGUMENTS_MAX]; /* of the arguments in registers */
    size_t count;
    uint32_t operands[FUNCTION_ARGUMENTS_MAX]; /* where they come from */
    struct call_site site;
};

static enum status refuse_function(struct compiler *compiler, const struct node *node)
{
    static const struct {
        const char *habit, *ours;
    } other_names[] = {
        { "ifnull", "coalesce" },
        { "nvl", "coalesce" },
        { "isnull", "is_null" },
        { "iif", "if" },
        { "case", "if" },
        { "len", "length" },
        { "substr", "substring" },
        { "strlen", "length" },
        { "log", "ln" },
        { "power", "pow" },
        { "ceiling", "ceil" },
        { "average", "avg" },
        { "mean", "avg" },
        { "tolower", "lower" },
        { "toupper", "upper" },
        { "haversine", "distance_km" },
        { "distance", "distance_km" },
        { "weekday", "day_of_week" },
        { "to_timestamp", "parse_time" },
        { "count_distinct", "distinct" },
        { "std", "stddev" },
        { "str", "string" },
        { "float", "double" },
        { "number", "double" },
    };
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (strcmp(other_names[i].habit, node->name) == 0)
            return COMPILER_FAIL(compiler, node->token, "unknown function '%s'; it is called '%s'",
                                 node->name, other_names[i].ours);
    struct scope_name found;
    const struct scope *scope = compiler->scope;
    if (scope->find_name != NULL && scope->find_name(scope->context, node->name, &found))
        return COMPILER_FAIL(compiler, node->token,
                             "'%s' is no function: leave the parentheses out", node->name);
    const char *nearest = function_nearest(node->name);
    if (nearest != NULL)
        return COMPILER_FAIL(compiler, node->token, "unknown function '%s'; did you mean '%s'?",
                             node->name, nearest);
    return COMPILER_FAIL(compiler, node->token, "unknown function '%s'", node->name);
}

struct arity {
    size_t min, max;
};

static struct arity arity_of(const struct function *function)
{
    struct arity arity = { 0, 0 };
    bool optional = false;
    for (const char *p = function->parameters; *p != '\0'; p++) {
        if (*p == '|')
            optional = true;
        else if (*p == '*')
            arity.max = FUNCTION_ARGUMENTS_MAX;
        else {
            arity.max++;
            arity.min += !optional;
        }
    }
    return arity;
}

static char parameter_at(const struct function *function, size_t index)
{
    const char *p = function->parameters;
    for (size_t i = 0;; p++) {
        if (*p == '|')
            continue;
        if (i == index || p[1] == '*')
            return *p;
        i++;
    }
}

static enum status check_arity(struct compiler *compiler, const struct call *call)
{
    const struct arity arity = arity_of(call->function);
    const size_t count = call->node->child_count;
    if (count >= arity.min && count <= arity.max)
        return ST_OK;
    if (arity.max == FUNCTION_ARGUMENTS_MAX && count > arity.max)
        return COMPILER_FAIL(compiler, call->node->position, "'%s' takes at most %zu arguments",
                             call->function->name, arity.max);
    return COMPILER_FAIL(compiler, call->node->position,
                         "'%s' is called with %zu argument%s; write %s", call->function->name,
                         count, count == 1 ? "" : "s", call->function->usage);
}

static bool fits_parameter(char parameter, struct value_type type)
{
    switch (parameter) {
    case 'n':
        return is_number(type);
    case 'm':
        return is_number(type) || type.kind == VALUE_DURATION;
    case 'i':
        return type.kind == VALUE_INT;
    case 's':
        return type.kind == VALUE_STRING;
    case 't':
        return type.kind == VALUE_TIMESTAMP;
    case 'd':
        return type.kind == VALUE_DURATION;
    case 'b':
        return type.kind == VALUE_BOOL;
    case 'c':
        return type.kind != VALUE_BOOL && type.kind != VALUE_BYTES;
    case 'x':
        return is_number(type) || type.kind == VALUE_STRING || type.kind == VALUE_BOOL;
    case 'a':
        return true;
    default:
        break;
    }
    UNREACHABLE();
}

static const char *parameter_text(char parameter)
{
    switch (parameter) {
    case 'n':
        return "a number";
    case 'm':
        return "a number or a duration";
    case 'i':
        return "an int";
    case 's':
        return "a string";
    case 't':
        return "a timestamp";
    case 'd':
        return "a duration";
    case 'c':
        return "numbers, texts, timestamps or durations";
    case 'x':
        return "a number, a string or a bool";
    default:
        break;
    }
    UNREACHABLE();
}

static const char *hint_for(char parameter, struct value_type type)
{
    if (parameter == 's')
        return "; write string(x)";
    if (parameter == 'i' && is_number(type))
        return "; write int(x)";
    if (parameter == 'n' && type.kind == VALUE_DURATION)
        return "; make a number of it: seconds(d), hours(d)";
    if (parameter == 'n' && type.kind == VALUE_STRING)
        return "; read it as a number: int(x), decimal(x, 2), double(x)";
    if (parameter == 'x' && type.kind == VALUE_TIMESTAMP)
        return "; write to_ms(t)";
    if (parameter == 'x' && type.kind == VALUE_DURATION)
        return "; write seconds(d) or hours(d)";
    if (parameter == 't' && is_number(type))
        return "; write from_ms(x) or from_s(x)";
    if (parameter == 't' && type.kind == VALUE_STRING)
        return "; write parse_time(x)";
    if (parameter == 'd' && type.kind == VALUE_TIMESTAMP)
        return "; subtract two timestamps to get a duration";
    return "";
}

static enum status check_argument(struct compiler *compiler, const struct call *call,
                                  const struct compiled *argument, const struct node *node,
                                  char parameter)
{
    TRY(refuse_null(compiler, argument, node));
    if (fits_parameter(parameter, argument->type))
        return ST_OK;
    char type[VALUE_TYPE_TEXT_SIZE];
    return COMPILER_FAIL(compiler, node->position, "'%s' wants %s here, not %s%s",
                         call->function->name, parameter_text(parameter),
                         value_type_text(argument->type, type),
                         hint_for(parameter, argument->type));
}

/* Compiles an argument into the next register. */
static enum status compile_argument(struct compiler *compiler, struct call *call,
                                    const struct node *node, char parameter)
{
    const size_t at = call->base + call->count;
    struct compiled x, placed;
    compiler->registers = at;
    TRY(compile_node(compiler, &x, node));
    TRY(check_argument(compiler, call, &x, node, parameter));
    TRY(use_register(compiler, &placed, at, x.type, node));
    if (x.operand != placed.operand) {
        struct instruction *in = emit(compiler, OPERATION_MOVE);
        in->out = (uint16_t)at;
        in->a = x.operand;
    }
    call->operands[call->count] = x.operand;
    call->types[call->count++] = x.type;
    return ST_OK;
}

static enum status take_digits(struct compiler *compiler, struct call *call,
                               const struct node *node)
{
    const bool is_int = node->kind == NODE_LITERAL && node->literal.kind == VALUE_INT;
    if (!is_int || node->literal.i < 0 || node->literal.i > DECIMAL_SCALE_MAX)
        return COMPILER_FAIL(compiler, node->position,
                             "the digits behind the point are a plain number from 0 to %d, because "
                             "they are part of the type",
                             DECIMAL_SCALE_MAX);
    call->site.has_option = true;
    call->site.option = node->literal.i;
    return ST_OK;
}

static enum status take_zone(struct compiler *compiler, struct call *call, const struct node *node)
{
    if (node->kind != NODE_LITERAL || node->literal.kind != VALUE_STRING)
        return COMPILER_FAIL(compiler, node->position,
                             "the time zone is a text in quotes: 'UTC', '+02:00'");
    call->site.has_option = true;
    if (calendar_parse_zone(&call->site.option, node->literal.text))
        return ST_OK;
    return COMPILER_FAIL(compiler, node->position,
                         "'%.*s' is no known time zone; 'UTC' and fixed offsets ('+02:00') are, "
                         "zones by name ('Europe/Berlin') are not supported yet",
                         node->literal.text.size > 60 ? 60 : (int)node->literal.text.size,
                         (const char *)node->literal.text.data);
}

/* Brings arguments that must be alike to one type. */
static enum status unify_arguments(struct compiler *compiler, struct call *call,
                                   struct value_type *out)
{
    *out = call->types[0];
    for (size_t i = 1; i < call->count; i++) {
        const struct value_type before = *out;
        char x[VALUE_TYPE_TEXT_SIZE], y[VALUE_TYPE_TEXT_SIZE];
        if (!unify_types(out, before, call->types[i]))
            return COMPILER_FAIL(compiler, call->node->children[i]->position,
                                 "'%s' cannot compare %s with %s", call->function->name,
                                 value_type_text(before, x), value_type_text(call->types[i], y));
    }
    for (size_t i = 0; i < call->count; i++) {
        if (call->types[i].kind == out->kind && call->types[i].scale == out->scale)
            continue;
        const size_t move = here(compiler);
        struct instruction *in = emit(compiler, OPERATION_MOVE);
        in->out = (uint16_t)(call->base + i);
        in->a = operand_of(BASE_REGISTER, call->base + i);
        set_conversion(compiler, move, call->types[i], *out);
    }
    return ST_OK;
}

static struct value_type rounded_type(const struct call *call)
{
    struct value_type type = call->types[0];
    if (type.kind != VALUE_DECIMAL)
        return type;
    if (!call->site.has_option)
        return type_of(VALUE_INT, false);
    if (call->site.option < type.scale)
        type.scale = (uint8_t)call->site.option;
    return type;
}

static enum status result_type(struct compiler *compiler, struct call *call, struct value_type *out)
{
    switch (call->function->rule) {
    case RULE_BOOL:
        *out = type_of(VALUE_BOOL, false);
        break;
    case RULE_INT:
        *out = type_of(VALUE_INT, false);
        break;
    case RULE_DOUBLE:
        *out = type_of(VALUE_DOUBLE, false);
        break;
    case RULE_STRING:
        *out = type_of(VALUE_STRING, false);
        break;
    case RULE_TIMESTAMP:
        *out = type_of(VALUE_TIMESTAMP, false);
        break;
    case RULE_SAME:
        *out = call->types[0];
        break;
    case RULE_UNIFIED:
        TRY(unify_arguments(compiler, call, out));
        break;
    case RULE_WHOLE:
    case RULE_ROUNDED:
        *out = rounded_type(call);
        break;
    case RULE_DECIMAL:
        *out = (struct value_type){ .kind = VALUE_DECIMAL, .scale = (uint8_t)call->site.option };
        break;
    }
    const bool reads_text =
        call->function->parameters[0] == 'x' && call->types[0].kind == VALUE_STRING;
    out->nullable = call->function->partial || reads_text;
    for (size_t i = 0; i < call->count; i++)
        out->nullable = out->nullable || call->types[i].nullable;
    return ST_OK;
}

static enum status compile_arguments(struct compiler *compiler, struct call *call)
{
    for (size_t i = 0; i < call->node->child_count; i++) {
        const struct node *child = call->node->children[i];
        const char parameter = parameter_at(call->function, i);
        if (parameter == 'k')
            TRY(take_digits(compiler, call, child));
        else if (parameter == 'z')
            TRY(take_zone(compiler, call, child));
        else
            TRY(compile_argument(compiler, call, child, parameter));
    }
    return ST_OK;
}

/* A function of literals alone is called now and not for each event, unless what it does must be
 * counted for each (an overflow), or its arguments were converted. */
static bool fold_call(struct compiler *compiler, struct compiled *out, const struct call *call,
                      size_t arguments_at)
{
    struct value arguments[FUNCTION_ARGUMENTS_MAX];
    for (size_t i = 0; i < call->count; i++) {
        const struct compiled argument = { .operand = call->operands[i] };
        const struct value *constant = constant_of(compiler, &argument);
        if (constant == NULL || constant->kind == VALUE_NULL)
            return false;
        arguments[i] = *constant;
    }
    if (call->count == 0 || here(compiler) != arguments_at + call->count)
        return false;
    struct expression_context context = { .arena = compiler->program->texts };
    const struct value result =
        call->function->run(arguments, call->count, &call->site, &context);
    if (result.kind == VALUE_NULL || context.overflows + context.divisions_by_zero > 0)
        return false;
    compiler->program->instruction_count = arguments_at;
    compiler->registers = call->base;
    *out = (struct compiled){ add_constant(compiler, &result), call->site.result };
    return true;
}

/* The forms, which are no calls once compiled. */
static enum status compile_form(struct compiler *compiler, struct compiled *out,
                                const struct node *node)
{
    if (strcmp(node->name, "if") == 0)
        return compile_if(compiler, out, node);
    if (strcmp(node->name, "coalesce") == 0)
        return compile_coalesce(compiler, out, node);
    ENSURE(strcmp(node->name, "is_null") == 0);
    return compile_is_null(compiler, out, node);
}

enum status compile_call(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const struct function *function = function_find(node->name);
    if (function == NULL)
        return refuse_function(compiler, node);
    struct call call = { .node = node, .function = function, .base = compiler->registers };
    TRY(check_arity(compiler, &call));
    if (function->run == NULL)
        return compile_form(compiler, out, node);
    const size_t arguments_at = here(compiler);
    TRY(compile_arguments(compiler, &call));

    call.site.function = function;
    TRY(result_type(compiler, &call, &call.site.result));
    if (fold_call(compiler, out, &call, arguments_at))
        return ST_OK;
    TRY(use_register(compiler, out, call.base, call.site.result, node));
    const uint32_t site = add_site(compiler, &call.site);
    struct instruction *in = emit(compiler, OPERATION_CALL);
    in->out = (uint16_t)call.base;
    in->a = operand_of(BASE_REGISTER, call.base);
    in->site = site;
    in->count = (uint32_t)call.count;
    return ST_OK;
}
