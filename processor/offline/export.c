#include "processor/offline/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "processor/offline/file_source.h"
#include "schemas/avro_output.h"
#include "schemas/avro_writer.h"

enum { POLL_US = 200 * 1000, STALL_US = 60 * 1000 * 1000, SCHEMA_TIMEOUT_MS = 30 * 1000, FRAMING_SIZE = 5 };

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

static enum status write_record(struct export *export, const struct log_record *record, struct error *err)
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
    export->result->records++;
    export->result->bytes += record->key.size + record->value.size;
    return avro_output_append(export->output, buffer_view(datum), err);
}

/* --- one partition -------------------------------------------------------------------------------------------------------- */

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

static enum status find_range(struct export *export, struct log_partition at, bool whole, int64_t *from, int64_t *to,
                              struct error *err)
{
    static const struct export_bound none;
    struct log_reader *reader = export->options->reader;
    int64_t low, high;
    TRY(reader->type->bounds(reader, at, false, &low, &high, err));
    TRY(bound_offset(export, at, whole ? &none : &export->options->from, low, from, err));
    TRY(bound_offset(export, at, whole ? &none : &export->options->to, high, to, err));
    if (*from < low)
        *from = low;
    if (*to > high)
        *to = high;
    return ST_OK;
}

/* Writes what a poll gave; *done when the range's end was reached. */
static enum status take(struct export *export, const struct log_batch *batch, int64_t to, int64_t *next, bool *done,
                        struct error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct log_record *record = &batch->records[i];
        if (record->kind == LOG_RECORD_OUT_OF_RANGE)
            return FAIL(err, ST_OUT_OF_RANGE, "the range is no longer there: retention deleted it");
        *done |= record->kind == LOG_RECORD_EOF ? record->offset >= to : record->offset >= to;
        if (*done)
            return ST_OK;
        if (record->kind == LOG_RECORD_EOF)
            continue;
        TRY(write_record(export, record, err));
        *next = record->offset + 1;
        *done = *next >= to;
    }
    return ST_OK;
}

static enum status export_partition(struct export *export, struct log_partition at, bool whole, struct error *err)
{
    const struct clock clock = clock_real();
    struct log_reader *reader = export->options->reader;
    int64_t from, to;
    TRY(find_range(export, at, whole, &from, &to, err));
    if (from >= to)
        return ST_OK;
    const struct log_position position = { .topic = at.topic, .partition = at.partition, .offset = from };
    TRY(reader->type->assign(reader, &position, 1, err));
    int64_t next = from, progress_us = clock_us(&clock);
    for (bool done = false; !done;) {
        struct log_batch batch;
        const int64_t before = next;
        TRY(reader->type->poll(reader, POLL_US, &batch, err));
        const enum status st = take(export, &batch, to, &next, &done, err);
        reader->type->release(reader, batch.records, batch.count);
        TRY(st);
        if (next != before)
            progress_us = clock_us(&clock);
        if (clock_us(&clock) - progress_us > STALL_US)
            return FAIL(err, ST_TIMED_OUT, "%s partition %" PRId32 ": no progress at offset %" PRId64,
                        export->options->topics->items[at.topic].name, at.partition, next);
    }
    return ST_OK;
}

static enum status export_topic(struct export *export, int topic, struct error *err)
{
    const bool whole = export->options->topics->items[topic].role == TOPIC_TABLE;
    for (int32_t p = 0; p < export->options->partition_counts[topic]; p++) {
        const struct log_partition at = { topic, p };
        TRY(export_partition(export, at, whole, err));
    }
    return ST_OK;
}

static enum status export_all(struct export *export, struct error *err)
{
    const struct export_options *options = export->options;
    AUTO(buffer_fini) struct buffer schema;
    buffer_init(&schema);
    export_schema_write(&schema, options->partition_counts[0]);
    TRY(avro_output_create(&export->output, options->path, buffer_view(&schema), "deflate", err));
    for (int i = 0; i < options->topics->count; i++) {
        if (options->topics->items[i].role == TOPIC_TABLE)
            TRY(export_topic(export, i, err));
    }
    for (int i = 0; i < options->topics->count; i++) {
        if (options->topics->items[i].role == TOPIC_STREAM)
            TRY(export_topic(export, i, err));
    }
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
