/*
 * file_source: the records of a file, one after another, as a topic's partition would give them. Formats by the name: .csv,
 * .jsonl/.json/.ndjson, .avro, each also .gz. Avro files are either what `weir export` wrote (records with topic, partition, offset,
 * timestamp, key and value as they lay in Kafka) or anybody's container file, whose datums are the events.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_FILE_SOURCE_H
#define WEIR_PROCESSOR_OFFLINE_FILE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "processor/topology/plan.h"
#include "schemas/decoder.h"

enum file_format { FILE_CSV, FILE_JSON_LINES, FILE_AVRO, FILE_EXPORT };

struct file_record {
    const char *topic; /* NULL: not an export; it is the first stream's. The same name is the same pointer. */
    int32_t partition;
    int64_t offset;          /* else the number of the record in the file, from 0 */
    int64_t timestamp_ms;    /* -1: none */
    bool warm_up;            /* of an export: it lies before the range, for what looks back */
    struct bytes key, value;
};

struct file_source;
MUST_CHECK enum status file_source_open(struct file_source **out, const char *path,
                                        struct error *err);
void file_source_close(struct file_source **source);
enum file_format file_source_format(const struct file_source *source);
/* The decoder for the stream's events in this file; NULL for an export (the topology's own format). */
MUST_CHECK enum status file_source_decoder(struct file_source *source,
                                           const struct plan_stream *stream, struct decoder **out,
                                           struct error *err);
/*
 * The next ones: of an export as many as lie together in the file, within bounds, else one. At least one unless `end`.
 * Valid until the next call.
 */
MUST_CHECK enum status file_source_next(struct file_source *source, const struct file_record **records, size_t *count,
                                        bool *end, struct error *err);
/* The index of a CSV column, or -1. */
int file_source_csv_column(const struct file_source *source, const char *name);

/* How many partitions the exported stream had: the schema of an export says it ("partitions"). */
bool file_source_export_partitions(const struct file_source *source, int64_t *partitions);

/* The schema of exported records, of a stream with so many partitions. */
void export_schema_write(struct buffer *out, int32_t partitions);

#endif
