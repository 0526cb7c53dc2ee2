#include "processor/topology/load_table.h"

#include <string.h>

#include "base/hash.h"
#include "processor/topology/load_expression.h"
#include "processor/topology/schema_file.h"
#include "processor/topology/section.h"

/*
 * Rows in the state carry the table's number, so it must stay the same when other tables come and
 * go: it is taken from the name. Two names that get the same number cannot be in one topology.
 */
static int number_of(const char *name)
{
    return (int)(hash64(bytes_of_string(name)) % 256);
}

static void check_number(struct loader *loader, const struct plan_table *table,
                         const struct yaml_node *name)
{
    const struct plan *plan = loader->plan;
    for (size_t i = 0; i < plan->table_count; i++)
        if (plan->tables[i].number == table->number)
            diagnose(loader->diagnostics, name->position,
                     "the names '%s' and '%s' get the same number in the state: rename one of the"
                     " tables",
                     plan->tables[i].name, table->name);
}

static void load_columns(struct loader *loader, struct plan_table *table,
                         const struct yaml_node *node)
{
    const struct schema_file_columns found = schema_file_columns(loader, node, table->schema);
    const size_t slots = found.count + 1;
    table->decoder_columns =
        arena_alloc_zeroed(loader->arena, slots * sizeof table->decoder_columns[0]);
    table->columns = arena_alloc_zeroed(loader->arena, slots * sizeof table->columns[0]);
    struct layout_column *layout = arena_alloc_zeroed(loader->arena, slots * sizeof layout[0]);
    for (size_t i = 0; i < found.count; i++) {
        const struct schema_column *column = &found.columns[i];
        table->decoder_columns[i] =
            (struct decoder_column){ .path = found.paths[i], .type = column->type };
        table->columns[i] = (struct plan_field){ .name = found.paths[i],
                                                 .slot = (int)i,
                                                 .type = column->type,
                                                 .sensitive = column->sensitive };
        layout[i] = (struct layout_column){ .name = found.paths[i], .type = column->type };
    }
    table->decoder_column_count = found.count;
    table->spec = (struct table_spec){ .number = (uint8_t)table->number,
                                       .columns = layout,
                                       .column_count = found.count };
}

/* Key or time; NULL when left out, or wrong. */
static struct expression *load_program(struct loader *loader, const struct plan_table *table,
                                       const struct yaml_node *node, const char *key,
                                       const char **text)
{
    const struct yaml_pair *pair = yaml_map_find_pair(node, key);
    if (pair == NULL || table->decoder_column_count == 0)
        return NULL;
    struct unit unit = { .kind = UNIT_TABLE, .loader = loader, .table = table };
    struct loaded_expression loaded;
    struct expression *expression = NULL;
    if (load_expression(loader, &loaded, pair->key, pair->value, &unit)) {
        const struct value_type type = expression_type(loaded.expression);
        char type_text[VALUE_TYPE_TEXT_SIZE];
        const bool is_time = strcmp(key, "time") == 0;
        if (is_time && type.kind != VALUE_TIMESTAMP)
            refuse_expression(loader, &unit, pair->value,
                              "'time' is a timestamp; this is %s: use"
                              " from_ms(x), from_s(x) or parse_time(text)",
                              value_type_text(type, type_text));
        else if (!is_time && type.kind != VALUE_STRING && type.kind != VALUE_INT)
            refuse_expression(loader, &unit, pair->value,
                              "a key is a string or an integer; this is %s",
                              value_type_text(type, type_text));
        else
            expression = loaded.expression;
        *text = loaded.text;
    }
    loaded_expression_fini(&loaded);
    return expression;
}

static void load_table(struct loader *loader, struct plan_table *table,
                       const struct yaml_node *name, const struct yaml_node *node)
{
    static const char *const formats[] = { "avro", "json", NULL };
    static const char *const scopes[] = { "copartitioned", "everywhere", NULL };
    table->topic = section_topic(loader, node, "topic");
    table->format =
        (enum payload_format)section_choice(loader, node, "format", formats, FORMAT_AVRO);
    table->scope =
        (enum table_scope)section_choice(loader, node, "scope", scopes, TABLE_COPARTITIONED);
    table->schema = schema_file_load(loader, node, &table->schema_file);
    load_columns(loader, table, node);
    table->spec.versions_us = section_duration(loader, node, "versions", 0);
    table->key = load_program(loader, table, node, "key", &table->key_text);
    table->time = load_program(loader, table, node, "time", &table->time_text);
    if (table->key != NULL)
        table->key_type = expression_type(table->key);
    check_number(loader, table, name);
}

void load_tables(struct loader *loader, const struct yaml_node *tables)
{
    if (!section_check_names(loader, tables, "'tables'", TABLES_MAX))
        return;
    struct plan *plan = loader->plan;
    plan->tables = arena_alloc_zeroed(loader->arena, (tables->count + 1) * sizeof plan->tables[0]);
    for (size_t i = 0; i < tables->count; i++) {
        const struct yaml_pair *pair = &tables->pairs[i];
        struct plan_table *table = &plan->tables[plan->table_count];
        table->name = arena_copy_string(loader->arena, pair->key->text);
        table->number = number_of(table->name);
        if (section_check_name(loader, pair->key, "a table") &&
            section_check(loader, &section_table, pair->key, pair->value))
            load_table(loader, table, pair->key, pair->value);
        plan->table_count++; /* one with errors too: it is not unknown */
    }
}

void load_tables_check_keys(struct loader *loader, const struct yaml_node *tables)
{
    const struct plan *plan = loader->plan;
    if (plan->stream_count == 0 || plan->streams[0].key == NULL)
        return;
    const enum value_kind wanted = expression_type(plan->streams[0].key).kind;
    for (size_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->scope == TABLE_EVERYWHERE || table->key == NULL ||
            table->key_type.kind == wanted)
            continue;
        const struct yaml_node *key = yaml_map_find(yaml_map_find(tables, table->name), "key");
        diagnose(loader->diagnostics, key->position,
                 "the table is partitioned like the stream, so its key is %s like the stream's;"
                 " or say 'scope: everywhere'",
                 value_kind_name(wanted));
    }
}
