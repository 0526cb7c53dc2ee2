#include "processor/offline/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/memory.h"
#include "processor/offline/export_cursor.h"
#include "processor/offline/file_source.h"
#include "schemas/avro_output.h"
#include "schemas/avro_writer.h"

enum { SCHEMA_TIMEOUT_MS = 30 * 1000, FRAMING_SIZE = 5 };

struct export {
    const struct export_options *options;
    struct export_result *result;
    struct avro_output *output;
    struct buffer datum;
    struct map *schema_ids; /* be32 of those already written */
};

/* --- schemas ------------------------------------------------------------------------------------------------------------ */

static enum status write_schema(struct export *export, int32_t id, const char *topic, struct error *err)
{
    struct bytes text;
    const enum status st = registry_fetch_text(export->options->registry, id, SCHEMA_TIMEOUT_MS, &text, err);
    if (status_class_of(st) == CLASS_SKIP)
        return ST_OK; /* a poison record: its id is unknown in a backtest too */
    TRY(st);
    AUTO(mem_auto_free) char *directory = mem_format("%s.schemas", export->options->path);
    AUTO(mem_auto_free) char *path = mem_format("%s/%" PRId32 "-%s-value.avsc", directory, id, topic);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return FAIL(err, ST_IO_FAILED, "%s: %s", directory, strerror(errno));
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    const bool written = fwrite(text.data, 1, text.size, file) == text.size;
    if (fclose(file) != 0 || !written)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    export->result->schemas++;
    return ST_OK;
}

static enum status keep_schema(struct export *export, const struct log_record *record, struct error *err)
{
    bool is_new;
    if (export->options->registry == NULL || record->value.size < FRAMING_SIZE || record->value.data[0] != 0)
        return ST_OK;
    const struct bytes id = bytes_of(record->value.data + 1, FRAMING_SIZE - 1);
    map_insert(export->schema_ids, id, &is_new);
    if (!is_new)
        return ST_OK;
    struct reader in = reader_of(id);
    return write_schema(export, (int32_t)reader_be32(&in), export->options->topics->items[record->topic].name, err);
}

/* --- records ------------------------------------------------------------------------------------------------------------ */

static void put_optional(struct buffer *out, struct bytes bytes)
{
    avro_write_long(out, bytes.data == NULL ? 0 : 1);
    if (bytes.data != NULL)
        avro_write_bytes(out, bytes);
}

static enum status write_record(struct export *export, const struct log_record *record, bool warm_up, struct error *err)
{
    TRY(keep_schema(export, record, err));
    struct buffer *datum = &export->datum;
    buffer_clear(datum);
    avro_write_bytes(datum, bytes_of_string(export->options->topics->items[record->topic].name));
    avro_write_long(datum, record->partition);
    avro_write_long(datum, record->offset);
    avro_write_long(datum, record->timestamp_ms);
    put_optional(datum, record->key);
    put_optional(datum, record->value);
    buffer_put_u8(datum, warm_up ? 1 : 0);
    export->result->records++;
    export->result->warm_up += warm_up;
    export->result->bytes += record->key.size + record->value.size;
    return avro_output_append(export->output, buffer_view(datum), err);
}

/* --- ranges --------------------------------------------------------------------------------------------------------------- */

/* One input of a partition: its cursor, and where the range itself begins. */
struct export_input {
    struct export_cursor cursor;
    int64_t from;
};

static enum status bound_offset(struct export *export, struct log_partition at, const struct export_bound *bound,
                                int64_t otherwise, int64_t *offset, struct error *err)
{
    struct log_reader *reader = export->options->reader;
    *offset = otherwise;
    if (bound->has_offset)
        *offset = bound->offset;
    else if (bound->has_time)
        TRY(reader->type->offset_at(reader, at, bound->time_ms, offset, err));
    return ST_OK;
}

/* How far back an event of the stream, or a rule about it, remembers. A record may be older than its event. */
static int64_t memory_ms(const struct plan *plan, const struct plan_stream *stream)
{
    int64_t us = stream->retention_us;
    for (size_t i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].stream == stream->number && plan->rules[i].repeat_us > us)
            us = plan->rules[i].repeat_us;
    }
    return (us + stream->max_ahead_us) / 1000 + 1;
}

/* Where reading begins so that the range's first event finds what it remembers. By offsets: at the beginning. */
static enum status warm_offset(struct export *export, struct log_partition at, int64_t low, int64_t from,
                               int64_t *offset, struct error *err)
{
    const struct export_options *options = export->options;
    const struct topic *topic = &options->topics->items[at.topic];
    *offset = from;
    if (options->cold)
        return ST_OK;
    *offset = low;
    if (!options->from.has_time)
        return ST_OK;
    const int64_t back_ms = memory_ms(options->plan, &options->plan->streams[topic->source]);
    const struct export_bound bound = { .has_time = true, .time_ms = options->from.time_ms - back_ms };
    if (bound.time_ms <= 0)
        return ST_OK;
    return bound_offset(export, at, &bound, low, offset, err);
}

static int64_t within(int64_t offset, int64_t low, int64_t high)
{
    return offset < low ? low : offset > high ? high : offset;
}

/* A table is read as a whole: an older row may be looked up. */
static enum status open_input(struct export *export, struct log_partition at, struct export_input *out,
                              struct error *err)
{
    const struct export_options *options = export->options;
    const struct topic *topic = &options->topics->items[at.topic];
    int64_t low, high, from, to, first;
    TRY(options->reader->type->bounds(options->reader, at, false, &low, &high, err));
    from = first = low;
    to = high;
    if (topic->role == TOPIC_STREAM) {
        TRY(bound_offset(export, at, &options->from, low, &from, err));
        TRY(bound_offset(export, at, &options->to, high, &to, err));
        TRY(warm_offset(export, at, low, from, &first, err));
    }
    out->from = from;
    export_cursor_init(&out->cursor, options->reader, at, topic->name, within(first, low, high), within(to, low, high));
    return ST_OK;
}

/* --- one partition after the other ---------------------------------------------------------------------------------------- */

/* The input whose record comes next, as a worker takes them: the oldest timestamp, and tables before streams. */
static enum status next_input(struct export_input *inputs, size_t count, struct export_input **out,
                              const struct log_record **record, struct error *err)
{
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct log_record *front;
        TRY(export_cursor_front(&inputs[i].cursor, &front, err));
        if (front == NULL || (*out != NULL && front->timestamp_ms > (*record)->timestamp_ms))
            continue;
        *out = &inputs[i];
        *record = front;
    }
    return ST_OK;
}

static enum status write_merged(struct export *export, struct export_input *inputs, size_t count, struct error *err)
{
    for (;;) {
        struct export_input *input;
        const struct log_record *record = NULL;
        TRY(next_input(inputs, count, &input, &record, err));
        if (input == NULL)
            return ST_OK;
        TRY(write_record(export, record, record->offset < input->from, err));
        export_cursor_pass(&input->cursor);
    }
}

static bool is_everywhere(const struct export *export, int topic)
{
    const struct plan *plan = export->options->plan;
    const struct topic *item = &export->options->topics->items[topic];
    return item->role == TOPIC_TABLE && plan->tables[item->source - (int)plan->stream_count].scope == TABLE_EVERYWHERE;
}

/* Streams and co-partitioned tables of one partition, or (topic >= 0) one everywhere table's. */
static enum status export_partition(struct export *export, int topic, int32_t partition, struct error *err)
{
    const struct topics *topics = export->options->topics;
    struct export_input *inputs = mem_alloc_array((size_t)topics->count, sizeof *inputs);
    size_t count = 0;
    enum status st = ST_OK;
    for (int i = 0; i < topics->count && st == ST_OK; i++) {
        const bool input = topics->items[i].role == TOPIC_STREAM || topics->items[i].role == TOPIC_TABLE;
        if (topic < 0 ? !input || is_everywhere(export, i) : i != topic)
            continue;
        st = open_input(export, (struct log_partition){ i, partition }, &inputs[count], err);
        count += st == ST_OK;
    }
    if (st == ST_OK)
        st = write_merged(export, inputs, count, err);
    for (size_t i = 0; i < count; i++)
        export_cursor_fini(&inputs[i].cursor);
    mem_free(inputs);
    return st;
}

static enum status export_all(struct export *export, struct error *err)
{
    const struct export_options *options = export->options;
    AUTO(buffer_fini) struct buffer schema;
    buffer_init(&schema);
    export_schema_write(&schema, options->partition_counts[0]);
    TRY(avro_output_create(&export->output, options->path, buffer_view(&schema), "deflate", err));
    for (int i = 0; i < options->topics->count; i++) {
        for (int32_t p = 0; is_everywhere(export, i) && p < options->partition_counts[i]; p++)
            TRY(export_partition(export, i, p, err));
    }
    for (int32_t p = 0; p < options->partition_counts[0]; p++)
        TRY(export_partition(export, -1, p, err));
    return avro_output_finish(&export->output, err);
}

enum status export_run(struct export_result *out, const struct export_options *options, struct error *err)
{
    *out = (struct export_result){ .records = 0 };
    struct export export = { .options = options, .result = out };
    map_create(&export.schema_ids, 0);
    const enum status st = export_all(&export, err);
    avro_output_destroy(&export.output);
    map_destroy(&export.schema_ids);
    buffer_fini(&export.datum);
    return st;
}
