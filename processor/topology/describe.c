#include "processor/topology/describe.h"

#include <string.h>

#include "processor/topology/topology.h"

const char *const describe_internal_topics[] = { "tail", "changelog", "journal", "reference",
                                                 NULL };

const char *describe_format(enum payload_format format)
{
    return format == FORMAT_AVRO ? "avro" : "json";
}

static bool was_named(const struct plan_rule *rule, size_t before, const char *text)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(rule->operands[i].left_text, text) == 0 ||
            (rule->operands[i].right != NULL && strcmp(rule->operands[i].right_text, text) == 0))
            return true;
    return false;
}

void describe_each_nullable(const struct plan_rule *rule,
                            void (*each)(void *context, const char *text), void *context)
{
    for (size_t i = 0; i < rule->operand_count; i++) {
        const struct plan_operand *operand = &rule->operands[i];
        if (expression_type(operand->left).nullable && !was_named(rule, i, operand->left_text))
            each(context, operand->left_text);
        if (operand->right != NULL && expression_type(operand->right).nullable &&
            !was_named(rule, i, operand->right_text))
            each(context, operand->right_text);
    }
}

void plan_describe(const struct plan *plan, bool json, struct buffer *out)
{
    if (json)
        describe_as_json(plan, out);
    else
        describe_as_text(plan, out);
}

/* ---- for people ---- */

static void put_duration(struct buffer *out, int64_t duration_us)
{
    const struct value duration = value_duration(duration_us);
    value_format(out, &duration);
}

static void put_duration_line(struct buffer *out, const char *what, int64_t duration_us,
                              const char *when_zero)
{
    buffer_printf(out, "    %-14s ", what);
    if (duration_us == 0)
        buffer_put_string(out, when_zero);
    else
        put_duration(out, duration_us);
    buffer_put_string(out, "\n");
}

struct type_name {
    char text[VALUE_TYPE_TEXT_SIZE];
};

static struct type_name type_name(struct value_type type)
{
    struct type_name name;
    (void)value_type_text(type, name.text);
    return name;
}

static int widest(const char *name, int width)
{
    const int size = (int)strlen(name);
    return size > width ? size : width;
}

static void put_stream(struct buffer *out, const struct plan_stream *stream)
{
    buffer_printf(out, "reads stream %s\n", stream->name);
    buffer_printf(out, "    %-14s %s (%s, %s)\n", "topic", stream->topic,
                  describe_format(stream->format), stream->schema_file);
    buffer_printf(out, "    %-14s %s: %s\n", "key", stream->key_text,
                  type_name(expression_type(stream->key)).text);
    buffer_printf(out, "    %-14s %s\n", "id",
                  stream->id == NULL ? "topic, partition and offset" : stream->id_text);
    buffer_printf(out, "    %-14s %s\n", "time",
                  stream->time == NULL ? "the record's timestamp" : stream->time_text);
    put_duration_line(out, "out of order", stream->out_of_order_us, "never");
    put_duration_line(out, "accepts late", stream->accept_late_us, "nothing");
    put_duration_line(out, "at most ahead", stream->max_ahead_us, "not checked");
    put_duration_line(out, "dedupe", stream->dedupe_us, "off");
    buffer_printf(out, "    %-14s %s\n", "late events",
                  stream->late_own_time ? "are evaluated at their own time"
                                        : "make newer events be evaluated again");
    buffer_printf(out, "    %-14s", "decodes");
    for (size_t i = 0; i < stream->decoder_column_count; i++)
        buffer_printf(out, " %s", stream->decoder_columns[i].path);
    buffer_put_string(out, "\n");
}

static void put_fields(struct buffer *out, const struct plan_stream *stream)
{
    int width = 0;
    for (size_t i = stream->decoder_column_count; i < stream->named_count; i++)
        width = widest(stream->slots_named[i].name, width);
    if (width > 0)
        buffer_put_string(out, "\ncomputes fields\n");
    for (size_t i = stream->decoder_column_count; i < stream->named_count; i++) {
        const struct plan_field *field = &stream->slots_named[i];
        buffer_printf(out, "    %-*s  %s: %s%s\n", width, field->name, field->text,
                      type_name(field->type).text, field->sensitive ? ", sensitive" : "");
    }
}

static void put_memory(struct buffer *out, const struct plan_stream *stream)
{
    if (stream->retention_us == 0) {
        buffer_put_string(out, "\nremembers no events: nothing looks back\n");
        return;
    }
    buffer_put_string(out, "\nremembers per key, for ");
    put_duration(out, stream->retention_us);
    buffer_put_string(out, "\n   ");
    if (stream->remembered_count == 0)
        buffer_put_string(out, " each event's time and offset");
    for (size_t i = 0; i < stream->remembered_count; i++)
        buffer_printf(out, " %s", stream->remembered_columns[i].name);
    buffer_put_string(out, "\n");
}

static void put_features(struct buffer *out, const struct plan_stream *stream)
{
    int width = 0;
    for (size_t i = 0; i < stream->feature_count; i++)
        width = widest(stream->features[i].name, width);
    if (width > 0)
        buffer_put_string(out, "\ncomputes features\n");
    for (size_t i = 0; i < stream->feature_count; i++) {
        const struct plan_feature *feature = &stream->features[i];
        buffer_printf(out, "    %-*s  %s: %s%s\n", width, feature->name, feature->text,
                      type_name(feature->type).text, feature->sensitive ? ", sensitive" : "");
    }
}

static void put_table(struct buffer *out, const struct plan_table *table)
{
    buffer_printf(out, "\nreads table %s\n", table->name);
    buffer_printf(out, "    %-14s %s (%s, %s)\n", "topic", table->topic,
                  describe_format(table->format), table->schema_file);
    buffer_printf(out, "    %-14s %s: %s\n", "key", table->key_text,
                  type_name(table->key_type).text);
    buffer_printf(out, "    %-14s %s\n", "time",
                  table->time == NULL ? "the record's timestamp" : table->time_text);
    buffer_printf(out, "    %-14s %s\n", "scope",
                  table->scope == TABLE_EVERYWHERE ? "everywhere: each task sees all rows"
                                                   : "partitioned like the stream");
    put_duration_line(out, "versions", table->spec.versions_us, "the latest row only");
}

struct list {
    struct buffer *out;
    size_t count;
};

static void put_nullable(void *context, const char *text)
{
    struct list *list = context;
    buffer_printf(list->out, "%s%s", list->count++ == 0 ? "        unknown when null: " : ", ",
                  text);
}

static void put_rule(struct buffer *out, const struct plan_rule *rule)
{
    buffer_printf(out, "    %s (%s", rule->name, severity_name(rule->severity));
    if (rule->repeat == REPEAT_ONCE_PER) {
        buffer_put_string(out, ", once per ");
        put_duration(out, rule->repeat_us);
    } else if (rule->repeat == REPEAT_ON_RISE) {
        buffer_put_string(out, ", when it becomes true");
    }
    buffer_printf(out, ")\n        %s\n", rule->when_text);
    struct list nullable = { .out = out };
    describe_each_nullable(rule, put_nullable, &nullable);
    if (nullable.count > 0)
        buffer_put_string(out, "\n");
    if (rule->message_sensitive)
        buffer_put_string(out, "        the message is masked: it reads sensitive columns\n");
}

static void put_outputs(struct buffer *out, const struct plan *plan)
{
    buffer_printf(out, "\nwrites\n    %-14s %s (%s)\n", "alerts", plan->alerts.topic,
                  describe_format(plan->alerts.format));
    buffer_printf(out, "    %-14s %s (%s)\n", "dead letters", plan->dead_letters.topic,
                  plan->dead_letters.payload_reference ? "where they came from" : "original bytes");
    buffer_printf(out, "    %-14s", "for itself");
    for (size_t i = 0; describe_internal_topics[i] != NULL; i++)
        buffer_printf(out, "%s %s-%s", i == 0 ? "" : ",", plan->name, describe_internal_topics[i]);
    buffer_put_string(out, "\n");
}

void describe_as_text(const struct plan *plan, struct buffer *out)
{
    buffer_printf(out, "topology %s (%s), version %s\n\n", plan->name, plan->file, plan->digest);
    for (size_t i = 0; i < plan->stream_count; i++) {
        put_stream(out, &plan->streams[i]);
        put_fields(out, &plan->streams[i]);
        put_memory(out, &plan->streams[i]);
        put_features(out, &plan->streams[i]);
    }
    for (size_t i = 0; i < plan->table_count; i++)
        put_table(out, &plan->tables[i]);
    if (plan->rule_count > 0)
        buffer_put_string(out, "\nalerts when\n");
    for (size_t i = 0; i < plan->rule_count; i++)
        put_rule(out, &plan->rules[i]);
    put_outputs(out, plan);
}
