#include "processor/topology/frame_scope.h"

#include <string.h>

#include "base/ensure.h"
#include "processor/topology/lookback.h"

/* ---- what each kind of unit must not hold ---- */

static const struct {
    const char *tables, *aggregates;
} refused[UNIT_KIND_COUNT] = {
    [UNIT_TABLE] = { "the key and the time of a row come from the row alone, without tables",
                     "the key and the time of a row come from the row alone, without look-backs" },
    [UNIT_COLUMN] = { "key, id and time come from the record alone, without tables",
                      "key, id and time come from the record alone, without look-backs" },
    [UNIT_FIELD] = { NULL, "a field is remembered with its event and cannot look back:"
                           " make this a feature" },
    [UNIT_EVENT] = { NULL, NULL },
    [UNIT_MEASURE] = { "a look-back takes what is remembered of each event: make the lookup a"
                       " field, and use the field here",
                       "a look-back cannot stand inside another" },
};

/* ---- the columns of a table, for its own key and time ---- */

static const struct plan_field *table_column(const struct plan_table *table, const char *name)
{
    for (size_t i = 0; i < table->decoder_column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static bool find_own_column(struct unit *unit, const char *name, struct scope_name *out)
{
    const struct plan_field *column = table_column(unit->table, name);
    if (column == NULL)
        return false;
    unit->sensitive |= column->sensitive;
    *out = (struct scope_name){ .slot = column->slot, .type = column->type };
    return true;
}

/* ---- the names of a stream ---- */

/* NULL: it may stand here. */
static const char *why_not(const struct unit *unit, const struct frame_name *name)
{
    switch (unit->kind) {
    case UNIT_COLUMN:
        return name->kind == FRAME_COLUMN
                   ? NULL
                   : "key, id and time are taken from the record before anything is computed:"
                     " only columns of the schema can stand here";
    case UNIT_FIELD:
        if (name->kind == FRAME_FEATURE)
            return "fields are computed before features: make this a feature";
        if (name == unit->self)
            return "a field cannot read itself";
        return name->kind == FRAME_COLUMN || name < unit->self
                   ? NULL
                   : "fields are computed in the order in which they are written:"
                     " move that one up";
    case UNIT_MEASURE:
        return name->kind != FRAME_FEATURE ? NULL
                                           : "a look-back takes what is remembered of each event:"
                                             " columns and fields, not features";
    default:
        return NULL;
    }
}

static void note_read(struct unit *unit, struct frame_name *name)
{
    name->used = true;
    name->replayed |= unit->replayed || unit->kind == UNIT_MEASURE;
    name->identifies |= unit->identifies;
    unit->sensitive |= name->sensitive;
    if (name->poisoned && !unit->poisoned) {
        unit->poisoned = true;
        unit->diagnostic = name->diagnostic;
    }
}

static bool find_name(void *context, const char *text, struct scope_name *out)
{
    struct unit *unit = context;
    if (unit->kind == UNIT_TABLE)
        return find_own_column(unit, text, out);
    struct frame_name *name = frame_find(unit->frame, text);
    if (name == NULL)
        return false;
    const char *reason = why_not(unit, name);
    if (reason != NULL) {
        unit->refusal = arena_format(unit->loader->arena, "'%s' is %s: %s", text,
                                     frame_kind_text(name->kind), reason);
        return false;
    }
    if (name->kind == FRAME_FEATURE && name->state != FRAME_READY) {
        unit->needs = name;
        return false;
    }
    note_read(unit, name);
    out->slot = unit->kind == UNIT_MEASURE ? name->place : name->slot;
    out->type =
        name->poisoned ? (struct value_type){ .kind = VALUE_NULL, .nullable = true } : name->type;
    return true;
}

static void each_column(const struct plan_table *table,
                        void (*each)(void *each_context, const char *name), void *each_context)
{
    for (size_t i = 0; i < table->decoder_column_count; i++)
        each(each_context, table->columns[i].name);
}

static void each_name(void *context, void (*each)(void *each_context, const char *name),
                      void *each_context)
{
    const struct unit *unit = context;
    if (unit->kind == UNIT_TABLE) {
        each_column(unit->table, each, each_context);
        return;
    }
    for (size_t i = 0; i < unit->frame->count; i++)
        if (why_not(unit, &unit->frame->names[i]) == NULL)
            each(each_context, unit->frame->names[i].name);
    const struct plan *plan = unit->loader->plan;
    for (size_t i = 0; i < plan->table_count && refused[unit->kind].tables == NULL; i++)
        each(each_context, plan->tables[i].name);
}

/* ---- tables ---- */

static int find_table(void *context, const char *name)
{
    struct unit *unit = context;
    const struct plan *plan = unit->loader->plan;
    for (size_t i = 0; i < plan->table_count; i++) {
        if (strcmp(plan->tables[i].name, name) != 0)
            continue;
        if (plan->tables[i].key == NULL && !unit->poisoned) {
            unit->poisoned = true; /* the table has an error of its own */
            unit->diagnostic = DIAGNOSTICS_MAX;
        }
        return (int)i;
    }
    return -1;
}

static bool find_table_column(void *context, int table, const char *name, int *column,
                              struct value_type *type)
{
    struct unit *unit = context;
    const struct plan_field *found = table_column(&unit->loader->plan->tables[table], name);
    if (found == NULL)
        return false;
    unit->sensitive |= found->sensitive;
    *column = found->slot;
    *type = found->type;
    return true;
}

static struct value_type table_key_type(void *context, int table)
{
    const struct unit *unit = context;
    return unit->loader->plan->tables[table].key_type;
}

/* Rows of a co-partitioned table are where the entity of the same key is, and nowhere else. */
static enum status check_table_key(void *context, int table, const struct node *key,
                                   struct error *err)
{
    const struct unit *unit = context;
    const struct plan_table *looked_up = &unit->loader->plan->tables[table];
    const char *wanted = unit->frame->stream->key_text;
    if (looked_up->scope == TABLE_EVERYWHERE || wanted == NULL)
        return ST_OK;
    struct buffer text;
    buffer_init(&text);
    node_format(&text, key);
    const bool is_own = strcmp(buffer_text(&text), wanted) == 0;
    buffer_fini(&text);
    if (is_own)
        return ST_OK;
    return FAIL(err, ST_INVALID,
                "table '%s' is partitioned like the stream, so an event sees the row of its own key"
                " only: %s[%s]; to look up any row, give the table 'scope: everywhere'",
                looked_up->name, looked_up->name, wanted);
}

static void each_table_column(void *context, int table,
                              void (*each)(void *each_context, const char *name),
                              void *each_context)
{
    const struct unit *unit = context;
    each_column(&unit->loader->plan->tables[table], each, each_context);
}

static enum status plan_aggregate(void *context, const struct aggregate_call *call,
                                  struct scope_name *out, struct expression_position *position,
                                  struct error *err)
{
    return lookback_plan(context, call, out, position, err);
}

struct scope unit_scope(struct unit *unit)
{
    ENSURE((unit->kind == UNIT_TABLE) == (unit->table != NULL));
    return (struct scope){
        .context = unit,
        .find_name = find_name,
        .find_table = find_table,
        .find_table_column = find_table_column,
        .table_key_type = table_key_type,
        .check_table_key = check_table_key,
        .aggregate = refused[unit->kind].aggregates == NULL ? plan_aggregate : NULL,
        .aggregates_refused = refused[unit->kind].aggregates,
        .tables_refused = refused[unit->kind].tables,
        .each_name = each_name,
        .each_table_column = each_table_column,
    };
}
