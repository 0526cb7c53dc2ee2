#include "processor/topology/describe.h"

#include <jansson.h>

#include "processor/topology/topology.h"

/* Durations are in microseconds, and say so in their names. */

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *type_of(struct value_type type)
{
    char text[VALUE_TYPE_TEXT_SIZE];
    return json_string(value_type_text(type, text));
}

static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static json_t *column_list(const struct layout_column *columns, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *column = json_object();
        put(column, "name", json_string(columns[i].name));
        put(column, "type", type_of(columns[i].type));
        (void)json_array_append_new(list, column);
    }
    return list;
}

static json_t *computed(const char *name, const char *text, struct value_type type, bool sensitive)
{
    json_t *object = json_object();
    put(object, "name", json_string(name));
    put(object, "expression", text_or_null(text));
    put(object, "type", type_of(type));
    put(object, "sensitive", json_boolean(sensitive));
    return object;
}

static json_t *field_list(const struct plan_stream *stream)
{
    json_t *list = json_array();
    for (size_t i = stream->decoder_column_count; i < stream->named_count; i++) {
        const struct plan_field *field = &stream->slots_named[i];
        (void)json_array_append_new(
            list, computed(field->name, field->text, field->type, field->sensitive));
    }
    return list;
}

static json_t *feature_list(const struct plan_stream *stream)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stream->feature_count; i++) {
        const struct plan_feature *feature = &stream->features[i];
        (void)json_array_append_new(
            list, computed(feature->name, feature->text, feature->type, feature->sensitive));
    }
    return list;
}

static json_t *aggregate_list(const struct plan_stream *stream)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stream->aggregate_count; i++)
        (void)json_array_append_new(list, json_string(stream->aggregates[i].text));
    return list;
}

static json_t *decoded_list(const struct plan_stream *stream)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stream->decoder_column_count; i++)
        (void)json_array_append_new(list, json_string(stream->decoder_columns[i].path));
    return list;
}

static json_t *stream_object(const struct plan_stream *stream)
{
    json_t *object = json_object();
    put(object, "name", json_string(stream->name));
    put(object, "topic", json_string(stream->topic));
    put(object, "format", json_string(describe_format(stream->format)));
    put(object, "schema", json_string(stream->schema_file));
    put(object, "key", json_string(stream->key_text));
    put(object, "key_type", type_of(expression_type(stream->key)));
    put(object, "id", text_or_null(stream->id_text));
    put(object, "time", text_or_null(stream->time_text));
    put(object, "out_of_order_us", json_integer(stream->out_of_order_us));
    put(object, "accept_late_us", json_integer(stream->accept_late_us));
    put(object, "max_ahead_us", json_integer(stream->max_ahead_us));
    put(object, "dedupe_us", json_integer(stream->dedupe_us));
    put(object, "late_events", json_string(stream->late_own_time ? "own_time" : "re_evaluate"));
    put(object, "retention_us", json_integer(stream->retention_us));
    put(object, "decoded", decoded_list(stream));
    put(object, "remembered", column_list(stream->remembered_columns, stream->remembered_count));
    put(object, "fields", field_list(stream));
    put(object, "look_backs", aggregate_list(stream));
    put(object, "features", feature_list(stream));
    return object;
}

static json_t *table_object(const struct plan_table *table)
{
    json_t *object = json_object();
    put(object, "name", json_string(table->name));
    put(object, "topic", json_string(table->topic));
    put(object, "format", json_string(describe_format(table->format)));
    put(object, "schema", json_string(table->schema_file));
    put(object, "key", json_string(table->key_text));
    put(object, "key_type", type_of(table->key_type));
    put(object, "time", text_or_null(table->time_text));
    put(object, "scope",
        json_string(table->scope == TABLE_EVERYWHERE ? "everywhere" : "copartitioned"));
    put(object, "versions_us", json_integer(table->spec.versions_us));
    put(object, "columns", column_list(table->spec.columns, table->spec.column_count));
    return object;
}

static void append_text(void *context, const char *text)
{
    (void)json_array_append_new(context, json_string(text));
}

static json_t *rule_object(const struct plan *plan, const struct plan_rule *rule)
{
    static const char *const repeats[] = { "every", "once per", "on rise" };
    const struct plan_stream *stream = &plan->streams[rule->stream];
    json_t *object = json_object();
    put(object, "name", json_string(rule->name));
    put(object, "severity", json_string(severity_name(rule->severity)));
    put(object, "when", json_string(rule->when_text));
    put(object, "message", text_or_null(rule->message_text));
    put(object, "message_sensitive", json_boolean(rule->message_sensitive));
    put(object, "repeat", json_string(repeats[rule->repeat]));
    put(object, "repeat_us", json_integer(rule->repeat_us));
    put(object, "version", json_integer(rule->version));
    json_t *nullable = json_array();
    describe_each_nullable(rule, append_text, nullable);
    put(object, "nullable_operands", nullable);
    json_t *look_backs = json_array();
    for (size_t i = 0; i < rule->aggregate_count; i++)
        append_text(look_backs, stream->aggregates[rule->aggregates[i]].text);
    put(object, "look_backs", look_backs);
    return object;
}

static json_t *outputs_object(const struct plan *plan)
{
    json_t *alerts = json_object();
    put(alerts, "topic", json_string(plan->alerts.topic));
    put(alerts, "format", json_string(describe_format(plan->alerts.format)));
    json_t *dead = json_object();
    put(dead, "topic", json_string(plan->dead_letters.topic));
    put(dead, "payload",
        json_string(plan->dead_letters.payload_reference ? "reference" : "original"));
    json_t *internal = json_array();
    for (size_t i = 0; describe_internal_topics[i] != NULL; i++)
        (void)json_array_append_new(internal,
                                    json_sprintf("%s-%s", plan->name, describe_internal_topics[i]));
    json_t *object = json_object();
    put(object, "alerts", alerts);
    put(object, "dead_letters", dead);
    put(object, "internal", internal);
    return object;
}

void describe_as_json(const struct plan *plan, struct buffer *out)
{
    json_t *root = json_object();
    put(root, "topology", json_string(plan->name));
    put(root, "file", json_string(plan->file));
    put(root, "version", json_string(plan->digest));
    json_t *streams = json_array();
    for (size_t i = 0; i < plan->stream_count; i++)
        (void)json_array_append_new(streams, stream_object(&plan->streams[i]));
    put(root, "streams", streams);
    json_t *tables = json_array();
    for (size_t i = 0; i < plan->table_count; i++)
        (void)json_array_append_new(tables, table_object(&plan->tables[i]));
    put(root, "tables", tables);
    json_t *rules = json_array();
    for (size_t i = 0; i < plan->rule_count; i++)
        (void)json_array_append_new(rules, rule_object(plan, &plan->rules[i]));
    put(root, "rules", rules);
    put(root, "outputs", outputs_object(plan));
    char *text = json_dumps(root, JSON_INDENT(2));
    buffer_put_string(out, text == NULL ? "{}" : text);
    buffer_put_string(out, "\n");
    free(text);
    json_decref(root);
}
