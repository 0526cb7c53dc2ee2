/*
 * The Avro encoding follows schemas/fraud-alert.avsc field by field; a change there is a change here, and a test reads
 * the bytes back with that schema.
 */
#include "processor/steps/alert.h"

#include <string.h>

#include "base/hash.h"
#include "schemas/avro_writer.h"

enum { UNION_NULL = 0, UNION_VALUE = 1 };

static void put_text(struct buffer *out, const char *text)
{
    avro_write_bytes(out, bytes_of_string(text));
}

static void put_optional(struct buffer *out, struct bytes text)
{
    avro_write_long(out, text.data == NULL ? UNION_NULL : UNION_VALUE);
    if (text.data != NULL)
        avro_write_bytes(out, text);
}

void alert_compute_id(struct alert *alert)
{
    struct buffer parts;
    buffer_init(&parts);
    buffer_put_run(&parts, bytes_of_string(alert->topology));
    buffer_put_run(&parts, bytes_of_string(alert->rule->name));
    buffer_put_run(&parts, alert->event.id);
    hash128_hex(hash128(buffer_view(&parts)), alert->id);
    buffer_fini(&parts);
}

static void write_operands(struct buffer *out, const struct alert *alert)
{
    if (alert->operand_count > 0) {
        avro_write_long(out, (int64_t)alert->operand_count);
        for (size_t i = 0; i < alert->operand_count; i++) {
            const struct alert_operand *operand = &alert->operands[i];
            put_text(out, operand->operand);
            put_optional(out, operand->value);
            put_text(out, operand->comparison);
            put_optional(out, operand->limit);
        }
    }
    avro_write_long(out, 0);
}

static void write_contributors(struct buffer *out, const struct alert *alert)
{
    if (alert->contributor_count > 0) {
        avro_write_long(out, (int64_t)alert->contributor_count);
        for (size_t i = 0; i < alert->contributor_count; i++) {
            avro_write_long(out, alert->partition);
            avro_write_long(out, alert->contributors[i].offset);
            avro_write_long(out, alert->contributors[i].time_us);
        }
    }
    avro_write_long(out, 0);
    avro_write_long(out, (int64_t)alert->contributor_total);
}

static void write_cause(struct buffer *out, const struct alert *alert)
{
    avro_write_long(out, alert->has_cause ? UNION_VALUE : UNION_NULL);
    if (!alert->has_cause)
        return;
    avro_write_bytes(out, alert->cause.id);
    avro_write_long(out, alert->partition);
    avro_write_long(out, alert->cause.offset);
    avro_write_long(out, alert->cause.time_us);
}

void alert_write_avro(struct buffer *out, const struct alert *alert)
{
    put_text(out, alert->id);
    put_text(out, alert->topology);
    put_text(out, alert->rule->name);
    avro_write_long(out, alert->rule->version);
    avro_write_long(out, alert->rule->severity);
    avro_write_bytes(out, alert->entity);
    put_text(out, alert->stream);
    avro_write_bytes(out, alert->event.id);
    avro_write_long(out, alert->event.time_us);
    put_text(out, alert->topic);
    avro_write_long(out, alert->partition);
    avro_write_long(out, alert->event.offset);
    avro_write_bytes(out, alert->message);
    write_operands(out, alert);
    write_contributors(out, alert);
    write_cause(out, alert);
    avro_write_long(out, alert->mode);
}

static void json_text(struct buffer *out, struct bytes text)
{
    if (text.data == NULL) {
        buffer_put_string(out, "null");
        return;
    }
    buffer_put_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            buffer_put_u8(out, '\\');
            buffer_put_u8(out, c);
        } else if (c < 0x20) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_put_u8(out, c);
        }
    }
    buffer_put_u8(out, '"');
}

static void json_name(struct buffer *out, const char *name)
{
    buffer_put_string(out, ",\"");
    buffer_put_string(out, name);
    buffer_put_string(out, "\":");
}

static void json_member(struct buffer *out, const char *name, struct bytes text)
{
    json_name(out, name);
    json_text(out, text);
}

static void json_integer(struct buffer *out, const char *name, int64_t x)
{
    char digits[INT64_TEXT_SIZE];
    json_name(out, name);
    buffer_put(out, digits, (size_t)int64_format(digits, x));
}

static void json_time(struct buffer *out, const char *name, int64_t time_us)
{
    const struct value time = value_timestamp(time_us);
    json_name(out, name);
    buffer_put_u8(out, '"');
    value_format(out, &time);
    buffer_put_u8(out, '"');
}

static const char *mode_name(enum alert_mode mode)
{
    static const char *const names[] = { "live", "shadow", "replay" };
    return names[mode];
}

static void json_operands(struct buffer *out, const struct alert *alert)
{
    buffer_put_string(out, ",\"operands\":[");
    for (size_t i = 0; i < alert->operand_count; i++) {
        const struct alert_operand *operand = &alert->operands[i];
        buffer_put_string(out, i == 0 ? "{\"operand\":" : ",{\"operand\":");
        json_text(out, bytes_of_string(operand->operand));
        json_member(out, "value", operand->value);
        json_member(out, "comparison", bytes_of_string(operand->comparison));
        json_member(out, "limit", operand->limit);
        buffer_put_u8(out, '}');
    }
    buffer_put_u8(out, ']');
}

static void json_contributors(struct buffer *out, const struct alert *alert)
{
    char partition[INT64_TEXT_SIZE];
    const size_t partition_size = (size_t)int64_format(partition, alert->partition);
    buffer_put_string(out, ",\"events\":[");
    for (size_t i = 0; i < alert->contributor_count; i++) {
        buffer_put_string(out, i == 0 ? "{\"partition\":" : ",{\"partition\":");
        buffer_put(out, partition, partition_size);
        json_integer(out, "offset", alert->contributors[i].offset);
        json_time(out, "time", alert->contributors[i].time_us);
        buffer_put_u8(out, '}');
    }
    buffer_put_u8(out, ']');
    json_integer(out, "event_count", (int64_t)alert->contributor_total);
}

static void json_cause(struct buffer *out, const struct alert *alert)
{
    if (!alert->has_cause) {
        buffer_put_string(out, ",\"caused_by\":null");
        return;
    }
    buffer_put_string(out, ",\"caused_by\":{\"event_id\":");
    json_text(out, alert->cause.id);
    json_integer(out, "partition", alert->partition);
    json_integer(out, "offset", alert->cause.offset);
    json_time(out, "time", alert->cause.time_us);
    buffer_put_u8(out, '}');
}

void alert_write_json(struct buffer *out, const struct alert *alert)
{
    buffer_put_string(out, "{\"alert_id\":");
    json_text(out, bytes_of_string(alert->id));
    json_member(out, "topology", bytes_of_string(alert->topology));
    json_member(out, "rule", bytes_of_string(alert->rule->name));
    json_integer(out, "rule_version", alert->rule->version);
    json_member(out, "severity", bytes_of_string(severity_name(alert->rule->severity)));
    json_member(out, "entity", alert->entity);
    json_member(out, "stream", bytes_of_string(alert->stream));
    json_member(out, "event_id", alert->event.id);
    json_time(out, "event_time", alert->event.time_us);
    json_member(out, "source_topic", bytes_of_string(alert->topic));
    json_integer(out, "source_partition", alert->partition);
    json_integer(out, "source_offset", alert->event.offset);
    json_member(out, "message", alert->message);
    json_operands(out, alert);
    json_contributors(out, alert);
    json_cause(out, alert);
    json_member(out, "mode", bytes_of_string(mode_name(alert->mode)));
    buffer_put_u8(out, '}');
}
