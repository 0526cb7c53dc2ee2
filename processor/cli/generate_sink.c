#include "processor/cli/generate_sink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/embedded.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/offline/generator_payload.h"
#include "schemas/avro_output.h"

struct generate_sink {
    enum generator_encoding encoding;
    struct traffic *traffic; /* one of these three */
    FILE *file;
    struct avro_output *avro;
    char *path;
    struct buffer line;
};

static struct generate_sink *make(const char *path)
{
    struct generate_sink *sink = mem_alloc(sizeof *sink);
    buffer_init(&sink->line);
    sink->path = mem_copy_string(path);
    return sink;
}

void generate_sink_close(struct generate_sink **sink_ref)
{
    struct generate_sink *sink = TAKE(*sink_ref);
    if (sink == NULL)
        return;
    traffic_close(&sink->traffic);
    avro_output_destroy(&sink->avro);
    if (sink->file != NULL && sink->file != stdout)
        fclose(sink->file);
    buffer_fini(&sink->line);
    mem_free(sink->path);
    mem_free(sink);
}

enum generator_encoding generate_sink_encoding(const struct generate_sink *sink)
{
    return sink->encoding;
}

enum status generate_sink_open_kafka(struct generate_sink **out,
                                     const struct traffic_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(generate_sink_close) struct generate_sink *sink = make("");
    TRY(traffic_open(&sink->traffic, options, err));
    sink->encoding = traffic_encoding(sink->traffic);
    *out = TAKE(sink);
    return ST_OK;
}

/* --- files ---------------------------------------------------------------------------------------- */

static enum status encoding_of(enum generator_encoding *out, const char *path, const char *format,
                               struct error *err)
{
    static const struct {
        const char *name;
        enum generator_encoding encoding;
    } formats[] = { { "jsonl", ENCODING_JSON_LINE },
                    { "json", ENCODING_JSON_LINE },
                    { "ndjson", ENCODING_JSON_LINE },
                    { "csv", ENCODING_CSV },
                    { "avro", ENCODING_DATUM } };
    const char *dot = strrchr(path, '.');
    if (format == NULL)
        format = dot == NULL ? "" : dot + 1;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(format, formats[i].name) == 0) {
            *out = formats[i].encoding;
            return ST_OK;
        }
    }
    return FAIL(err, ST_INVALID, "%s: name it .jsonl, .csv or .avro, or say --format json|csv|avro",
                path);
}

static enum status write_failed(const struct generate_sink *sink, struct error *err)
{
    const enum status st = errno == ENOSPC ? ST_DISK_FULL : ST_IO_FAILED;
    return FAIL(err, st, "%s: %s", sink->path, strerror(errno));
}

static enum status write_line(struct generate_sink *sink, struct error *err)
{
    buffer_put_u8(&sink->line, '\n');
    const size_t size = sink->line.size;
    if (fwrite(buffer_view(&sink->line).data, 1, size, sink->file) != size)
        return write_failed(sink, err);
    return ST_OK;
}

static enum status open_avro(struct generate_sink *sink, struct error *err)
{
    const struct embedded_file *schema = embedded_find("schemas/transaction.avsc");
    ENSURE(schema != NULL);
    if (strcmp(sink->path, "-") == 0)
        return FAIL(err, ST_INVALID, "an Avro file needs a name");
    return avro_output_create(&sink->avro, sink->path, bytes_of(schema->data, schema->size),
                              "deflate", err);
}

enum status generate_sink_open_file(struct generate_sink **out, const char *path,
                                    const char *format, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(generate_sink_close) struct generate_sink *sink = make(path);
    TRY(encoding_of(&sink->encoding, path, format, err));
    if (sink->encoding == ENCODING_DATUM) {
        TRY(open_avro(sink, err));
    } else {
        sink->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
        if (sink->file == NULL)
            return write_failed(sink, err);
    }
    if (sink->encoding == ENCODING_CSV) {
        buffer_put_string(&sink->line, generator_csv_header);
        TRY(write_line(sink, err));
    }
    *out = TAKE(sink);
    return ST_OK;
}

/* --- both ----------------------------------------------------------------------------------------- */

enum status generate_sink_write_tables(struct generate_sink *sink, struct generator *generator,
                                       struct error *err)
{
    return sink->traffic == NULL ? ST_OK : traffic_write_tables(sink->traffic, generator, err);
}

enum status generate_sink_write(struct generate_sink *sink, const struct generator_event *event,
                                struct error *err)
{
    if (sink->traffic != NULL)
        return traffic_write(sink->traffic, event, err);
    buffer_clear(&sink->line);
    if (!generator_write_value(&sink->line, event, sink->encoding, 0))
        return ST_OK; /* a file has no records without a value */
    if (sink->avro != NULL)
        return avro_output_append(sink->avro, buffer_view(&sink->line), err);
    return write_line(sink, err);
}

enum status generate_sink_finish(struct generate_sink *sink, struct error *err)
{
    if (sink->traffic != NULL)
        return traffic_flush(sink->traffic, err);
    if (sink->avro != NULL)
        return avro_output_finish(&sink->avro, err);
    return fflush(sink->file) == 0 ? ST_OK : write_failed(sink, err);
}
