/*
 * The state signature: one line per fact, "what<TAB>value", in the order of the plan.
 *
 *     format                      1
 *     topology                    card-fraud
 *     stream payments             0                    its number
 *     stream payments topic       transactions         also: key, key type, id, time,
 *                                                      dedupe and kept (us)
 *     column payments.amount      decimal(2)?          what the entity log remembers
 *     field payments.amount       amount_cents / 100
 *     table profiles              201                  also: topic, key, key type, scope, versions
 *     feature tx_1m               count(over 1m)
 *     rule velocity               tx_1m > 5
 *
 * To change the format: a line that old versions do not know is harmless, they skip it; anything
 * else raises `format`, and a plan reads the formats before it too.
 */
#include "processor/topology/signature.h"

#include <inttypes.h>

#include "processor/topology/topology.h"

/*
 * Normalised expressions hold no line breaks but inside texts; one there must not look like a new
 * line.
 */
static void put_value(struct buffer *out, const char *value)
{
    for (const char *c = value == NULL ? "" : value; *c != '\0'; c++)
        buffer_put_u8(out, *c == '\n' || *c == '\t' ? ' ' : (uint8_t)*c);
    buffer_put_u8(out, '\n');
}

static void put_type(struct buffer *out, struct value_type type)
{
    char text[VALUE_TYPE_TEXT_SIZE];
    put_value(out, value_type_text(type, text));
}

static void put_stream(struct buffer *out, const struct plan_stream *stream)
{
    const char *name = stream->name;
    buffer_printf(out, "stream %s\t%d\n", name, stream->number);
    buffer_printf(out, "stream %s topic\t", name);
    put_value(out, stream->topic);
    buffer_printf(out, "stream %s key\t", name);
    put_value(out, stream->key_text);
    buffer_printf(out, "stream %s key type\t", name);
    put_type(out, expression_type(stream->key));
    buffer_printf(out, "stream %s id\t", name);
    put_value(out, stream->id_text);
    buffer_printf(out, "stream %s time\t", name);
    put_value(out, stream->time_text);
    buffer_printf(out, "stream %s dedupe\t%" PRId64 "\n", name, stream->dedupe_us);
    buffer_printf(out, "stream %s kept\t%" PRId64 "\n", name, stream->retention_us);
    for (size_t i = 0; i < stream->remembered_count; i++) {
        buffer_printf(out, "column %s.%s\t", name, stream->remembered_columns[i].name);
        put_type(out, stream->remembered_columns[i].type);
    }
    for (size_t i = 0; i < stream->named_count; i++)
        if (stream->slots_named[i].program != NULL) {
            buffer_printf(out, "field %s.%s\t", name, stream->slots_named[i].name);
            put_value(out, stream->slots_named[i].text);
        }
    for (size_t i = 0; i < stream->feature_count; i++) {
        buffer_printf(out, "feature %s\t", stream->features[i].name);
        put_value(out, stream->features[i].text);
    }
}

static void put_table(struct buffer *out, const struct plan_table *table)
{
    const char *name = table->name;
    buffer_printf(out, "table %s\t%d\n", name, table->number);
    buffer_printf(out, "table %s topic\t", name);
    put_value(out, table->topic);
    buffer_printf(out, "table %s key\t", name);
    put_value(out, table->key_text);
    buffer_printf(out, "table %s key type\t", name);
    put_type(out, table->key_type);
    buffer_printf(out, "table %s time\t", name);
    put_value(out, table->time_text);
    buffer_printf(out, "table %s scope\t%s\n", name,
                  table->scope == TABLE_EVERYWHERE ? "everywhere" : "copartitioned");
    buffer_printf(out, "table %s versions\t%" PRId64 "\n", name, table->spec.versions_us);
}

void plan_state_signature(const struct plan *plan, struct buffer *out)
{
    buffer_printf(out, "format\t%d\n", SIGNATURE_FORMAT);
    buffer_printf(out, "topology\t%s\n", plan->name);
    for (size_t i = 0; i < plan->stream_count; i++)
        put_stream(out, &plan->streams[i]);
    for (size_t i = 0; i < plan->table_count; i++)
        put_table(out, &plan->tables[i]);
    for (size_t i = 0; i < plan->rule_count; i++) {
        buffer_printf(out, "rule %s\t", plan->rules[i].name);
        put_value(out, plan->rules[i].when_text);
    }
}
