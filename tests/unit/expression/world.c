#include "world.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT(s)                                                              \
    {                                                                        \
        .kind = VALUE_STRING, .text = {(const uint8_t *)(s), sizeof(s) - 1 } \
    }
#define INT(x)                      \
    {                               \
        .kind = VALUE_INT, .i = (x) \
    }
#define DECIMAL(x, digits)                                       \
    {                                                            \
        .kind = VALUE_DECIMAL, .scale = (digits), .decimal = (x) \
    }
#define DOUBLE(x)                      \
    {                                  \
        .kind = VALUE_DOUBLE, .d = (x) \
    }
#define BOOL(x)                      \
    {                                \
        .kind = VALUE_BOOL, .b = (x) \
    }
#define NOTHING            \
    {                      \
        .kind = VALUE_NULL \
    }
#define MINUTE INT64_C(60000000)

static const int64_t noon = INT64_C(1769860800250000); /* 2026-01-31T12:00:00.250Z */

static const struct name {
    const char *name;
    struct value_type type;
    struct value value;
} names[] = {
    { "n", { VALUE_INT, 0, false }, INT(7) },
    { "m", { VALUE_INT, 0, false }, INT(-3) },
    { "zero", { VALUE_INT, 0, false }, INT(0) },
    { "big", { VALUE_INT, 0, false }, INT(INT64_MAX) },
    { "small", { VALUE_INT, 0, false }, INT(INT64_MIN) },
    { "n_null", { VALUE_INT, 0, true }, NOTHING },
    { "n_maybe", { VALUE_INT, 0, true }, INT(4) },
    { "amount", { VALUE_DECIMAL, 2, false }, DECIMAL(1250, 2) },
    { "refund", { VALUE_DECIMAL, 2, false }, DECIMAL(-1250, 2) },
    { "price", { VALUE_DECIMAL, 4, false }, DECIMAL(1999, 4) },
    { "fine", { VALUE_DECIMAL, 18, false }, DECIMAL(1, 18) },
    { "huge", { VALUE_DECIMAL, 0, false }, DECIMAL((int128)INT64_MAX *INT64_MAX, 0) },
    { "dec_null", { VALUE_DECIMAL, 2, true }, NOTHING },
    { "x", { VALUE_DOUBLE, 0, false }, DOUBLE(2.5) },
    { "y", { VALUE_DOUBLE, 0, false }, DOUBLE(-0.1) },
    { "vast", { VALUE_DOUBLE, 0, false }, DOUBLE(1e308) },
    { "x_null", { VALUE_DOUBLE, 0, true }, NOTHING },
    { "yes", { VALUE_BOOL, 0, false }, BOOL(true) },
    { "no", { VALUE_BOOL, 0, false }, BOOL(false) },
    { "unsure", { VALUE_BOOL, 0, true }, NOTHING },
    { "s", { VALUE_STRING, 0, false }, TEXT("Hello, W\u00f6rld") },
    { "empty", { VALUE_STRING, 0, false }, { .kind = VALUE_STRING } },
    { "country", { VALUE_STRING, 0, false }, TEXT("DE") },
    { "digits", { VALUE_STRING, 0, false }, TEXT(" 42 ") },
    { "user", { VALUE_STRING, 0, false }, TEXT("u1") },
    { "stranger", { VALUE_STRING, 0, false }, TEXT("u9") },
    { "s_null", { VALUE_STRING, 0, true }, NOTHING },
    { "customer.address.country", { VALUE_STRING, 0, true }, TEXT("FR") },
    { "raw",
      { VALUE_BYTES, 0, false },
      { .kind = VALUE_BYTES, .text = { (const uint8_t *)"\0\xff", 2 } } },
    { "t", { VALUE_TIMESTAMP, 0, false }, { .kind = VALUE_TIMESTAMP, .i = noon } },
    { "ago", { VALUE_TIMESTAMP, 0, false }, { .kind = VALUE_TIMESTAMP, .i = noon - 90 * MINUTE } },
    { "t_null", { VALUE_TIMESTAMP, 0, true }, NOTHING },
    { "gap", { VALUE_DURATION, 0, false }, { .kind = VALUE_DURATION, .i = 90 * MINUTE } },
    { "gap_null", { VALUE_DURATION, 0, true }, NOTHING },
    { "over", { VALUE_INT, 0, false }, INT(1) },
    { "never", { VALUE_NULL, 0, true }, NOTHING },
};
enum { NAME_COUNT = sizeof names / sizeof *names };

/* Tables. Column 0.. of each; a row is its key and the columns. */
enum { TABLE_PROFILES, TABLE_BLOCKED, TABLE_ACCOUNTS, TABLE_BROKEN, TABLE_COUNT };
static const char *const table_names[TABLE_COUNT] = { "profiles", "blocked_merchants", "accounts",
                                                      "broken" };

static const struct column {
    int table;
    const char *name;
    int column;
    struct value_type type;
} columns[] = {
    { TABLE_PROFILES, "country", 0, { VALUE_STRING, 0, false } },
    { TABLE_PROFILES, "age", 1, { VALUE_INT, 0, true } },
    { TABLE_PROFILES, "address.city", 2, { VALUE_STRING, 0, true } },
    { TABLE_ACCOUNTS, "balance", 0, { VALUE_DECIMAL, 2, false } },
    { TABLE_BROKEN, "column", 0, { VALUE_INT, 0, false } },
};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns };

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

int world_slot(const char *name)
{
    struct scope_name found = { .slot = -1 };
    cr_assert(find_name(NULL, name, &found), "no name %s", name);
    return found.slot;
}

const char *world_name(int slot, struct value_type *type)
{
    if (slot >= NAME_COUNT)
        return NULL;
    *type = names[slot].type;
    return names[slot].name;
}

static int find_table(void *context, const char *name)
{
    (void)context;
    for (int i = 0; i < TABLE_COUNT; i++)
        if (strcmp(table_names[i], name) == 0)
            return i;
    return -1;
}

static bool find_table_column(void *context, int table, const char *name, int *column,
                              struct value_type *type)
{
    (void)context;
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (columns[i].table == table && strcmp(columns[i].name, name) == 0) {
            *column = columns[i].column;
            *type = columns[i].type;
            return true;
        }
    return false;
}

static struct value_type table_key_type(void *context, int table)
{
    (void)context;
    return (struct value_type){ .kind = table == TABLE_ACCOUNTS ? VALUE_INT : VALUE_STRING };
}

static void each_name(void *context, void (*each)(void *, const char *), void *each_context)
{
    (void)context;
    for (int i = 0; i < NAME_COUNT; i++)
        each(each_context, names[i].name);
    for (int i = 0; i < TABLE_COUNT; i++)
        each(each_context, table_names[i]);
}

static void each_table_column(void *context, int table, void (*each)(void *, const char *),
                              void *each_context)
{
    (void)context;
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (columns[i].table == table)
            each(each_context, columns[i].name);
}

/* Slots behind the names; each aggregate has its number (from 1) as its value. */
static enum status plan_aggregate(void *context, const struct aggregate_call *call,
                                  struct scope_name *out, struct expression_position *position,
                                  struct error *err)
{
    struct world *world = context;
    if (call->stream != NULL && strcmp(call->stream, "nowhere") == 0) {
        *position = call->stream_position;
        return FAIL(err, ST_INVALID, "no stream 'nowhere'");
    }
    if (call->span_events == 13)
        return FAIL(err, ST_INVALID, "thirteen");
    cr_assert_lt(world->aggregate_count, WORLD_AGGREGATES_MAX);
    world->last_call = *call;
    const int number = (int)world->aggregate_count++;
    out->slot = NAME_COUNT + number;
    out->type =
        (struct value_type){ .kind = VALUE_INT, .nullable = strcmp(call->function, "last") == 0 };
    world->slots[out->slot] = value_int(number + 1);
    return ST_OK;
}

static bool find_row(int table, const struct value *key, struct value row[3])
{
    if (table == TABLE_ACCOUNTS) {
        row[0] = value_decimal(9990, 2);
        return key->i == 7;
    }
    const bool first = bytes_equal(key->text, BYTES_LITERAL("u1"));
    const bool second = bytes_equal(key->text, BYTES_LITERAL("u2"));
    row[0] = value_string(BYTES_LITERAL("DE"));
    row[1] = first ? value_int(30) : value_null();
    row[2] = first ? value_string(BYTES_LITERAL("Bremen")) : value_null();
    if (table == TABLE_BLOCKED)
        return bytes_equal(key->text, BYTES_LITERAL("DE"));
    return first || second;
}

bool world_row_of(const char *table, const struct value *key, const char *column, struct value *out)
{
    struct value row[3];
    int index = 0;
    struct value_type type;
    const int number = find_table(NULL, table);
    cr_assert(column == NULL || find_table_column(NULL, number, column, &index, &type));
    if (!find_row(number, key, row))
        return false;
    if (column != NULL)
        *out = row[index];
    return true;
}

static enum status lookup(void *tables, int table, const struct value *key, int column,
                          struct value *out, bool *found, struct error *err)
{
    struct world *world = tables;
    world->lookup_count++;
    if (table == TABLE_BROKEN)
        return FAIL(err, ST_CORRUPT, "broken");
    struct value row[3];
    *found = find_row(table, key, row);
    if (*found && column >= 0)
        *out = row[column];
    return ST_OK;
}

void world_init(struct world *world)
{
    *world = (struct world){
        .scope = { .context = world,
                   .find_name = find_name,
                   .find_table = find_table,
                   .find_table_column = find_table_column,
                   .table_key_type = table_key_type,
                   .aggregate = plan_aggregate,
                   .each_name = each_name,
                   .each_table_column = each_table_column },
    };
    cr_assert_lt(NAME_COUNT + WORLD_AGGREGATES_MAX, WORLD_SLOTS_MAX);
    for (int i = 0; i < NAME_COUNT; i++)
        world->slots[i] = names[i].value;
    arena_create(&world->arena, 4096);
}

void world_fini(struct world *world)
{
    arena_destroy(&world->arena);
}

struct expression *world_compile(struct world *world, const char *text)
{
    struct nodes *nodes = NULL;
    struct expression *expression = NULL;
    enum status status = expression_parse(&nodes, text, &world->position, &world->err);
    if (status == ST_OK)
        status = expression_compile(&expression, nodes_root(nodes), &world->scope, &world->position,
                                    &world->err);
    cr_assert_eq(status == ST_OK, expression != NULL);
    cr_assert(status == ST_OK || status == ST_INVALID, "%s: %s", text, status_name(status));
    nodes_destroy(&nodes);
    return expression;
}

struct value world_evaluate(struct world *world, const struct expression *expression)
{
    world->context = (struct expression_context){ .slots = world->slots,
                                                  .arena = world->arena,
                                                  .lookup = lookup,
                                                  .tables = world,
                                                  .err = &world->err };
    const struct value v = expression_evaluate(expression, &world->context);
    struct expression_screen screen;
    if (expression_screen(expression, &screen) && !expression_screen_passes(&screen, world->slots)) {
        cr_assert(v.kind == VALUE_BOOL && !v.b, "its screen says that it is false");
        world->screened++;
    }
    return v;
}

static void put_counters(struct buffer *out, const struct expression_context *context)
{
    for (uint64_t i = 0; i < context->divisions_by_zero; i++)
        buffer_put_string(out, ", division by zero");
    for (uint64_t i = 0; i < context->overflows; i++)
        buffer_put_string(out, ", overflow");
    if (context->failure != ST_OK)
        buffer_printf(out, ", failure %s", status_name(context->failure));
}

const char *world_run(struct world *world, const char *text)
{
    char type[VALUE_TYPE_TEXT_SIZE];
    struct buffer out;
    buffer_init(&out);
    world->aggregate_count = 0;
    struct expression *expression = world_compile(world, text);
    if (expression == NULL) {
        buffer_printf(&out, "error %zu+%zu: %s", world->position.offset, world->position.size,
                      world->err.text);
    } else {
        const struct value v = world_evaluate(world, expression);
        const struct value_type static_type = expression_type(expression);
        cr_assert(value_is_null(&v) || (v.kind == static_type.kind && v.scale == static_type.scale),
                  "%s: the value is no %s", text, value_type_text(static_type, type));
        buffer_printf(&out, "%s ", value_type_text(static_type, type));
        value_format(&out, &v);
        put_counters(&out, &world->context);
    }
    const char *copy = arena_copy_string(world->arena, buffer_text(&out));
    buffer_fini(&out);
    expression_destroy(&expression);
    return copy;
}

void world_assert_rows(const struct world_row *rows, size_t count)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < count; i++) {
        const char *outcome = world_run(&world, rows[i].text);
        cr_expect_str_eq(outcome, rows[i].outcome, "%s\n      is: %s\n  wanted: %s", rows[i].text,
                         outcome, rows[i].outcome);
    }
    world_fini(&world);
}
