/* compile_name: what names mean: slots, tables and their columns, aggregates. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"
#include "processor/expression/compiler.h"

static void offer(void *context, const char *name)
{
    nearest_name_offer(context, name);
}

static int find_table(const struct compiler *compiler, const char *name)
{
    const struct scope *scope = compiler->scope;
    return scope->find_table == NULL ? -1 : scope->find_table(scope->context, name);
}

/* "profiles.country": a table's name and its column without a key. */
static bool starts_with_table(const struct compiler *compiler, const char *name)
{
    enum { TABLE_NAME_MAX = 255 };
    char table[TABLE_NAME_MAX + 1];
    const char *dot = strchr(name, '.');
    if (dot == NULL || dot - name > TABLE_NAME_MAX)
        return false;
    memcpy(table, name, (size_t)(dot - name));
    table[dot - name] = '\0';
    return find_table(compiler, table) >= 0;
}

static enum status refuse_name(struct compiler *compiler, const struct node *node)
{
    const char *name = node->name;
    if (find_table(compiler, name) >= 0)
        return COMPILER_FAIL(compiler, node->position,
                             "'%s' is a table: write x in %s, or %s[key].column", name, name, name);
    if (starts_with_table(compiler, name))
        return COMPILER_FAIL(compiler, node->position, "a table is looked up by a key: %.*s[key]%s",
                             (int)(strchr(name, '.') - name), name, strchr(name, '.'));
    if (is_aggregate_name(name))
        return COMPILER_FAIL(compiler, node->position,
                             "'%s' is an aggregate: write %s(%sover 1m), for example", name, name,
                             strcmp(name, "count") == 0 ? "" : "amount ");
    if (function_find(name) != NULL)
        return COMPILER_FAIL(compiler, node->position, "'%s' is a function: write %s", name,
                             function_find(name)->usage);
    struct nearest_name nearest = { .wanted = name };
    offer(&nearest, "true");
    offer(&nearest, "false");
    offer(&nearest, "null");
    if (nearest.best != NULL && strcasecmp(nearest.best, name) == 0)
        return COMPILER_FAIL(compiler, node->position, "unknown name '%s'; write `%s`", name,
                             nearest.best);
    if (compiler->scope->each_name != NULL)
        compiler->scope->each_name(compiler->scope->context, offer, &nearest);
    if (nearest.best != NULL)
        return COMPILER_FAIL(compiler, node->position, "unknown name '%s'; did you mean '%s'?",
                             name, nearest.best);
    return COMPILER_FAIL(compiler, node->position,
                         "unknown name '%s'; a text is written in quotes: '%s'", name, name);
}

static void use_slot(struct compiler *compiler, struct compiled *out,
                     const struct scope_name *found)
{
    ENSURE(found->slot >= 0 && (size_t)found->slot <= OPERAND_OFFSET_MASK / sizeof(struct value));
    add_slot(compiler, found->slot);
    *out = (struct compiled){ .operand = operand_of(BASE_SLOT, (size_t)found->slot),
                              .type = found->type };
}

enum status compile_name(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const struct scope *scope = compiler->scope;
    struct scope_name found = { .slot = -1 };
    if (scope->find_name == NULL || !scope->find_name(scope->context, node->name, &found))
        return refuse_name(compiler, node);
    use_slot(compiler, out, &found);
    return ST_OK;
}

enum status compile_aggregate(struct compiler *compiler, struct compiled *out,
                              const struct node *node)
{
    const struct scope *scope = compiler->scope;
    const struct aggregate_call *call = node->aggregate;
    if (scope->aggregate == NULL)
        return COMPILER_FAIL(compiler, node->token, "`%s` cannot stand here: %s", call->function,
                             scope->aggregates_refused != NULL ? scope->aggregates_refused
                                                               : "aggregates belong into features");
    if (!call->has_over && !scope->over_optional)
        return COMPILER_FAIL(compiler, node->position,
                             "`%s` needs to know how far to look back: add `over 1m`, or "
                             "`over previous 30d` to leave the current event out",
                             call->function);
    struct scope_name found = { .slot = -1 };
    *compiler->position = node->position;
    TRY(scope->aggregate(scope->context, call, &found, compiler->position, compiler->err));
    use_slot(compiler, out, &found);
    return ST_OK;
}

/* ---- tables ---- */

static enum status require_table(struct compiler *compiler, int *table, const char *name,
                                 struct expression_position at)
{
    const struct scope *scope = compiler->scope;
    *table = find_table(compiler, name);
    if (*table >= 0 && scope->tables_refused == NULL)
        return ST_OK;
    if (*table >= 0)
        return COMPILER_FAIL(compiler, at, "the table '%s' cannot be used here: %s", name,
                             scope->tables_refused);
    struct scope_name found;
    if (scope->find_name != NULL && scope->find_name(scope->context, name, &found)) {
        char type[VALUE_TYPE_TEXT_SIZE];
        return COMPILER_FAIL(compiler, at,
                             "'%s' is no table (it is %s); a list is written in brackets: "
                             "x in [a, b]",
                             name, value_type_text(found.type, type));
    }
    struct nearest_name nearest = { .wanted = name };
    if (scope->each_name != NULL)
        scope->each_name(scope->context, offer, &nearest);
    if (nearest.best != NULL && find_table(compiler, nearest.best) >= 0)
        return COMPILER_FAIL(compiler, at, "unknown table '%s'; did you mean '%s'?", name,
                             nearest.best);
    return COMPILER_FAIL(compiler, at, "unknown table '%s'", name);
}

/* Compiles the key; it must be of the table's key type. */
static enum status compile_key(struct compiler *compiler, struct compiled *out,
                               const struct node *node, int table, const char *name)
{
    const struct scope *scope = compiler->scope;
    struct value_type wanted = scope->table_key_type(scope->context, table);
    wanted.nullable = false;
    TRY(compile_node(compiler, out, node));
    TRY(refuse_null(compiler, out, node));
    if (out->type.kind == wanted.kind && out->type.scale == wanted.scale) {
        *compiler->position = node->position;
        return scope->check_table_key == NULL
                   ? ST_OK
                   : scope->check_table_key(scope->context, table, node, compiler->err);
    }
    char is[VALUE_TYPE_TEXT_SIZE], wants[VALUE_TYPE_TEXT_SIZE];
    const char *hint = wanted.kind == VALUE_STRING ? "; write string(x)"
                       : wanted.kind == VALUE_INT  ? "; write int(x)"
                                                   : "";
    return COMPILER_FAIL(compiler, node->position, "the key of table '%s' is %s, this is %s%s",
                         name, value_type_text(wanted, wants), value_type_text(out->type, is),
                         hint);
}

enum status compile_lookup(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const struct scope *scope = compiler->scope;
    const size_t base = compiler->registers;
    const struct expression_position name_at = { node->position.offset, strlen(node->name) };
    int table, column = -1;
    TRY(require_table(compiler, &table, node->name, name_at));
    struct compiled key;
    TRY(compile_key(compiler, &key, node->children[0], table, node->name));
    struct value_type type = { .kind = VALUE_NULL };
    if (!scope->find_table_column(scope->context, table, node->column, &column, &type)) {
        struct nearest_name nearest = { .wanted = node->column };
        if (scope->each_table_column != NULL)
            scope->each_table_column(scope->context, table, offer, &nearest);
        if (nearest.best != NULL)
            return COMPILER_FAIL(compiler, node->token,
                                 "table '%s' has no column '%s'; did you mean '%s'?", node->name,
                                 node->column, nearest.best);
        return COMPILER_FAIL(compiler, node->token, "table '%s' has no column '%s'", node->name,
                             node->column);
    }
    type.nullable = true; /* there may be no row */
    TRY(use_register(compiler, out, base, type, node));
    struct instruction *in = emit(compiler, OPERATION_LOOKUP);
    in->out = (uint16_t)base;
    in->a = key.operand;
    in->table = (uint32_t)table;
    in->column = (uint32_t)column;
    compiler->program->uses_tables = true;
    return ST_OK;
}

/* ---- in ---- */

static enum status compile_in_table(struct compiler *compiler, struct compiled *out,
                                    const struct node *node)
{
    const struct node *name = node->children[1];
    const size_t base = compiler->registers;
    int table;
    struct compiled key;
    TRY(require_table(compiler, &table, name->name, name->position));
    TRY(compile_key(compiler, &key, node->children[0], table, name->name));
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, key.type.nullable), node));
    struct instruction *in = emit(compiler, OPERATION_IN_TABLE);
    in->out = (uint16_t)base;
    in->a = key.operand;
    in->table = (uint32_t)table;
    compiler->program->uses_tables = true;
    return ST_OK;
}

static bool all_literals(const struct node *list)
{
    for (size_t i = 0; i < list->child_count; i++)
        if (list->children[i]->kind != NODE_LITERAL)
            return false;
    return true;
}

static enum status check_element(struct compiler *compiler, struct value_type wanted,
                                 struct value_type type, const struct node *element)
{
    if (type.kind == VALUE_NULL)
        return COMPILER_FAIL(compiler, element->position,
                             "nothing equals null: write is_null(x) or x in [...]");
    if (value_kinds_comparable(wanted.kind, type.kind))
        return ST_OK;
    char x[VALUE_TYPE_TEXT_SIZE], y[VALUE_TYPE_TEXT_SIZE];
    return COMPILER_FAIL(compiler, element->position, "cannot compare %s with %s in this list",
                         value_type_text(wanted, x), value_type_text(type, y));
}

static int compare_constants(const void *a, const void *b)
{
    return value_compare(a, b);
}

static enum status compile_in_literals(struct compiler *compiler, struct compiled *out,
                                       const struct node *node, struct compiled x, size_t base)
{
    const struct node *list = node->children[1];
    const size_t first = compiler->program->constant_count;
    for (size_t i = 0; i < list->child_count; i++) {
        struct compiled element;
        TRY(compile_node(compiler, &element, list->children[i]));
        TRY(check_element(compiler, x.type, element.type, list->children[i]));
    }
    qsort(compiler->program->constants + first, list->child_count, sizeof(struct value),
          compare_constants);
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, x.type.nullable), node));
    struct instruction *in = emit(compiler, OPERATION_IN_CONSTANTS);
    in->out = (uint16_t)base;
    in->a = x.operand;
    in->b = operand_of(BASE_CONSTANT, first);
    in->count = (uint32_t)list->child_count;
    return ST_OK;
}

/* x == a or x == b or ...: x stays where it is, the result so far comes behind it. */
static enum status compile_in_list(struct compiler *compiler, struct compiled *out,
                                   const struct node *node, struct compiled x, size_t base)
{
    const struct node *list = node->children[1];
    const size_t result = compiler->registers;
    bool nullable = x.type.nullable;
    for (size_t i = 0; i < list->child_count; i++) {
        const struct node *element_node = list->children[i];
        const size_t scratch = result + (i > 0);
        struct compiled element, equal;
        compiler->registers = scratch;
        TRY(compile_node(compiler, &element, element_node));
        TRY(check_element(compiler, x.type, element.type, element_node));
        nullable = nullable || element.type.nullable;
        TRY(compile_comparison_of(compiler, &equal, element_node, OPERATOR_EQUAL, x, element,
                                  scratch));
        if (i == 0)
            continue;
        struct instruction *in = emit(compiler, OPERATION_OR);
        in->out = (uint16_t)result;
        in->a = operand_of(BASE_REGISTER, result);
        in->b = equal.operand;
    }
    TRY(use_register(compiler, out, base, type_of(VALUE_BOOL, nullable), node));
    struct instruction *in = emit(compiler, OPERATION_MOVE);
    in->out = (uint16_t)base;
    in->a = operand_of(BASE_REGISTER, result);
    return ST_OK;
}

enum status compile_in(struct compiler *compiler, struct compiled *out, const struct node *node)
{
    const struct node *list = node->children[1];
    if (list->kind == NODE_NAME)
        return compile_in_table(compiler, out, node);
    const size_t base = compiler->registers;
    struct compiled x;
    TRY(compile_node(compiler, &x, node->children[0]));
    TRY(refuse_null(compiler, &x, node->children[0]));
    return all_literals(list) ? compile_in_literals(compiler, out, node, x, base)
                              : compile_in_list(compiler, out, node, x, base);
}
