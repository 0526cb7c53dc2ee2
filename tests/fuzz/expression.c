/*
 * Bytes as an expression and as a message. What parses has a normalised text that parses to the
 * same; what compiles gives a value of its type, or null; what fails says where in the text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/expression/expression.h"
#include "processor/expression/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(s)                                                              \
    {                                                                        \
        .kind = VALUE_STRING, .text = {(const uint8_t *)(s), sizeof(s) - 1 } \
    }

static const struct {
    const char *name;
    struct value_type type;
    struct value value;
} names[] = {
    { "n", { VALUE_INT, 0, false }, { .kind = VALUE_INT, .i = 7 } },
    { "small", { VALUE_INT, 0, false }, { .kind = VALUE_INT, .i = INT64_MIN } },
    { "big", { VALUE_INT, 0, true }, { .kind = VALUE_INT, .i = INT64_MAX } },
    { "none", { VALUE_INT, 0, true }, { .kind = VALUE_NULL } },
    { "amount",
      { VALUE_DECIMAL, 2, true },
      { .kind = VALUE_DECIMAL, .scale = 2, .decimal = -1250 } },
    { "x", { VALUE_DOUBLE, 0, false }, { .kind = VALUE_DOUBLE, .d = 1e308 } },
    { "yes", { VALUE_BOOL, 0, false }, { .kind = VALUE_BOOL, .b = true } },
    { "unsure", { VALUE_BOOL, 0, true }, { .kind = VALUE_NULL } },
    { "s", { VALUE_STRING, 0, false }, TEXT("Hello \xff\u20ac") },
    { "blank", { VALUE_STRING, 0, false }, { .kind = VALUE_STRING } },
    { "raw",
      { VALUE_BYTES, 0, false },
      { .kind = VALUE_BYTES, .text = { (const uint8_t *)"", 0 } } },
    { "t", { VALUE_TIMESTAMP, 0, false }, { .kind = VALUE_TIMESTAMP, .i = INT64_MIN } },
    { "gap", { VALUE_DURATION, 0, false }, { .kind = VALUE_DURATION, .i = 5400000000 } },
    { "always.null", { VALUE_NULL, 0, true }, { .kind = VALUE_NULL } },
};
enum { NAME_COUNT = sizeof names / sizeof *names, AGGREGATE_SLOT = NAME_COUNT, SLOT_COUNT };

static bool find_name(void *context, const char *name, struct scope_name *out)
{
    (void)context;
    for (int i = 0; i < NAME_COUNT; i++)
        if (strcmp(names[i].name, name) == 0) {
            *out = (struct scope_name){ .slot = i, .type = names[i].type };
            return true;
        }
    return false;
}

static int find_table(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "table") == 0 ? 0 : -1;
}

static bool find_table_column(void *context, int table, const char *name, int *column,
                              struct value_type *type)
{
    (void)context;
    (void)table;
    *column = 0;
    *type = (struct value_type){ .kind = VALUE_INT };
    return strcmp(name, "column") == 0;
}

static struct value_type table_key_type(void *context, int table)
{
    (void)context;
    (void)table;
    return (struct value_type){ .kind = VALUE_STRING };
}

static enum status plan_aggregate(void *context, const struct aggregate_call *call,
                                  struct scope_name *out, struct expression_position *position,
                                  struct error *err)
{
    (void)context;
    (void)position;
    (void)err;
    ENSURE(call->has_over && (call->span_us > 0) != (call->span_events > 0));
    ENSURE(call->delay_us >= 0);
    ENSURE(call->argument != NULL || strcmp(call->function, "count") == 0);
    out->slot = AGGREGATE_SLOT;
    out->type = (struct value_type){ .kind = VALUE_INT };
    return ST_OK;
}

static void each_name(void *context, void (*each)(void *, const char *), void *each_context)
{
    (void)context;
    for (int i = 0; i < NAME_COUNT; i++)
        each(each_context, names[i].name);
}

static enum status lookup(void *tables, int table, const struct value *key, int column,
                          struct value *out, bool *found, struct error *err)
{
    (void)tables;
    (void)err;
    ENSURE(table == 0 && key->kind == VALUE_STRING);
    *found = key->text.size % 2 == 0;
    if (*found && column == 0)
        *out = value_int(1);
    return ST_OK;
}

static const struct scope scope = { .find_name = find_name,
                                    .find_table = find_table,
                                    .find_table_column = find_table_column,
                                    .table_key_type = table_key_type,
                                    .aggregate = plan_aggregate,
                                    .each_name = each_name };

static void check_failure(enum status status, const char *text, struct expression_position position,
                          const struct error *err)
{
    ENSURE(status == ST_INVALID && err->status == ST_INVALID && err->text[0] != '\0');
    ENSURE(position.offset + position.size <= strlen(text));
}

static char *normalised(const struct node *node)
{
    struct buffer text;
    buffer_init(&text);
    node_format(&text, node);
    char *copy = mem_copy_string(buffer_text(&text));
    buffer_fini(&text);
    return copy;
}

static void check_normalised(const struct node *root)
{
    AUTO(mem_auto_free) char *text = normalised(root);
    AUTO(nodes_destroy) struct nodes *nodes = NULL;
    struct expression_position position;
    struct error err;
    if (strlen(text) > EXPRESSION_TEXT_MAX)
        return; /* 1e300 is written in fewer bytes than its digits */
    ENSURE(expression_parse(&nodes, text, &position, &err) == ST_OK);
    AUTO(mem_auto_free) char *again = normalised(nodes_root(nodes));
    ENSURE(strcmp(text, again) == 0);
}

static struct expression_context context_in(struct arena *arena, struct value slots[SLOT_COUNT])
{
    for (int i = 0; i < NAME_COUNT; i++)
        slots[i] = names[i].value;
    slots[AGGREGATE_SLOT] = value_int(3);
    return (struct expression_context){ .slots = slots, .arena = arena, .lookup = lookup };
}

static void check_program(const struct expression *program)
{
    struct arena *arena = NULL;
    struct value slots[SLOT_COUNT];
    arena_create(&arena, 4096);
    struct expression_context context = context_in(arena, slots);
    const struct value_type type = expression_type(program);
    const struct value v = expression_evaluate(program, &context);
    if (value_is_null(&v))
        ENSURE(type.nullable || context.overflows + context.divisions_by_zero > 0);
    else
        ENSURE(v.kind == type.kind && v.scale == type.scale);
    struct buffer text;
    buffer_init(&text);
    value_format(&text, &v);
    buffer_fini(&text);
    arena_destroy(&arena);
}

static void check_expression(const char *text)
{
    AUTO(nodes_destroy) struct nodes *nodes = NULL;
    AUTO(expression_destroy) struct expression *program = NULL;
    struct expression_position position;
    struct error err;
    enum status status = expression_parse(&nodes, text, &position, &err);
    if (status == ST_OK) {
        struct operand operands[4];
        check_normalised(nodes_root(nodes));
        ENSURE(expression_operands(nodes_root(nodes), operands, 4) > 0);
        status = expression_compile(&program, nodes_root(nodes), &scope, &position, &err);
    }
    if (status == ST_OK)
        check_program(program);
    else
        check_failure(status, text, position, &err);
}

static void check_message(const char *text)
{
    AUTO(template_destroy) struct template *template = NULL;
    struct expression_position position;
    struct error err;
    const enum status status = template_compile(&template, text, &scope, &position, &err);
    if (status != ST_OK) {
        check_failure(status, text, position, &err);
        return;
    }
    struct arena *arena = NULL;
    struct value slots[SLOT_COUNT];
    struct buffer out;
    arena_create(&arena, 4096);
    buffer_init(&out);
    struct expression_context context = context_in(arena, slots);
    template_render(template, &out, &context);
    buffer_fini(&out);
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_auto_free) char *text = mem_copy_string_n((const char *)data, size);
    int64_t us;
    check_expression(text);
    check_message(text);
    ENSURE(!duration_parse(&us, text) || us >= 0);
    return 0;
}
