#include "processor/offline/file_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/offline/csv_decoder.h"
#include "processor/offline/csv_line.h"
#include "processor/offline/datum_decoder.h"
#include "schemas/avro_input.h"
#include "schemas/avro_program.h"

static const char partitions_attribute[] = "\"partitions\":";

void export_schema_write(struct buffer *out, int32_t partitions)
{
    buffer_printf(
        out,
        "{\"type\":\"record\",\"name\":\"ExportedRecord\",\"namespace\":\"weir\",%s%" PRId32
        ",\"fields\":["
        "{\"name\":\"topic\",\"type\":\"string\"},"
        "{\"name\":\"partition\",\"type\":\"int\"},"
        "{\"name\":\"offset\",\"type\":\"long\"},"
        "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}"
        ","
        "{\"name\":\"key\",\"type\":[\"null\",\"bytes\"]},"
        "{\"name\":\"value\",\"type\":[\"null\",\"bytes\"]},"
        "{\"name\":\"warm_up\",\"type\":\"boolean\"}]}",
        partitions_attribute, partitions);
}

enum { LINE_BYTES_MAX = 16 << 20, READ_BYTES = 256 * 1024, TOPIC_MAX = 256, TOPICS_MAX = 256, RECORDS_AT_ONCE = 256 };

/* Lines of a text, packed or not; a block is read at a time. */
struct line_reader {
    gzFile file;
    uint8_t *block;
    size_t size, at, capacity;
    bool at_end;
};

struct file_source {
    enum file_format format;
    char *path;
    struct line_reader lines;
    struct avro_input *avro;
    struct buffer header;
    int64_t next_offset;
    struct file_record records[RECORDS_AT_ONCE];
    /* an export: */
    struct bytes block; /* what is left of it */
    int64_t block_count;
    char *topics[TOPICS_MAX]; /* that were named so far */
    size_t topic_count;
};

/* --- lines --------------------------------------------------------------------------------------------------------------- */

static enum status fill(struct file_source *source, struct error *err)
{
    struct line_reader *lines = &source->lines;
    memmove(lines->block, lines->block + lines->at, lines->size - lines->at);
    lines->size -= lines->at;
    lines->at = 0;
    if (lines->capacity - lines->size < READ_BYTES) {
        if (lines->size > LINE_BYTES_MAX)
            return FAIL(err, ST_CORRUPT, "%s: a line has more than %d bytes", source->path,
                        LINE_BYTES_MAX);
        lines->capacity = lines->size + 2 * READ_BYTES;
        lines->block = mem_resize_array(lines->block, lines->capacity, 1);
    }
    const int got = gzread(lines->file, lines->block + lines->size, READ_BYTES);
    if (got < 0) {
        int code;
        return FAIL(err, ST_IO_FAILED, "%s: %s", source->path, gzerror(lines->file, &code));
    }
    lines->at_end = got == 0;
    lines->size += (size_t)got;
    int code = Z_OK;
    if (lines->at_end)
        gzerror(lines->file, &code);
    if (code == Z_BUF_ERROR) /* zlib gives what there is and says so only here */
        return FAIL(err, ST_CORRUPT, "%s: the compressed file is cut short", source->path);
    return ST_OK;
}

static enum status next_line(struct file_source *source, struct bytes *line, bool *end,
                             struct error *err)
{
    struct line_reader *lines = &source->lines;
    size_t searched = 0;
    for (;;) {
        const uint8_t *from = lines->block + lines->at;
        const uint8_t *newline =
            lines->size == lines->at
                ? NULL
                : memchr(from + searched, '\n', lines->size - lines->at - searched);
        if (newline == NULL && !lines->at_end) {
            searched = lines->size - lines->at;
            TRY(fill(source, err));
            continue;
        }
        *end = newline == NULL && lines->at == lines->size;
        if (*end)
            return ST_OK;
        size_t size = newline == NULL ? lines->size - lines->at : (size_t)(newline - from);
        lines->at += size + (newline != NULL);
        if (size > 0 && from[size - 1] == '\r')
            size--;
        *line = bytes_of(from, size);
        if (size > 0)
            return ST_OK;
        searched = 0;
    }
}

static enum status open_lines(struct file_source *source, struct error *err)
{
    source->lines.file = gzopen(source->path, "rb");
    if (source->lines.file == NULL)
        return FAIL(err, ST_NOT_FOUND, "%s: %s", source->path, strerror(errno));
    gzbuffer(source->lines.file, READ_BYTES);
    source->lines.capacity = 2 * READ_BYTES;
    source->lines.block = mem_resize_array(NULL, source->lines.capacity, 1);
    if (source->format != FILE_CSV)
        return ST_OK;
    static const char byte_order_mark[] = "\xef\xbb\xbf"; /* spreadsheets write it */
    struct bytes header;
    bool end;
    TRY(next_line(source, &header, &end, err));
    if (!end && bytes_starts_with(header, BYTES_LITERAL(byte_order_mark)))
        header =
            bytes_of(header.data + strlen(byte_order_mark), header.size - strlen(byte_order_mark));
    if (end)
        return FAIL(err, ST_INVALID, "%s: an empty file; CSV begins with a header of column names",
                    source->path);
    buffer_put_bytes(&source->header, header);
    return ST_OK;
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    const size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static enum status find_format(const char *path, enum file_format *out, struct error *err)
{
    static const struct {
        const char *ending;
        enum file_format format;
    } endings[] = { { ".csv", FILE_CSV },
                    { ".jsonl", FILE_JSON_LINES },
                    { ".ndjson", FILE_JSON_LINES },
                    { ".json", FILE_JSON_LINES },
                    { ".avro", FILE_AVRO } };
    AUTO(mem_auto_free) char *name = mem_copy_string(path);
    if (ends_with(name, ".gz"))
        name[strlen(name) - 3] = '\0';
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(name, endings[i].ending)) {
            *out = endings[i].format;
            return ST_OK;
        }
    }
    return FAIL(err, ST_INVALID,
                "%s: the name must end in .csv, .jsonl or .avro (or these and .gz)", path);
}

enum status file_source_open(struct file_source **out, const char *path, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(file_source_close) struct file_source *source = mem_alloc(sizeof *source);
    source->path = mem_copy_string(path);
    TRY(find_format(path, &source->format, err));
    if (source->format == FILE_AVRO) {
        TRY(avro_input_open(&source->avro, path, err));
        const struct schema *root = avro_input_root(source->avro);
        if (root->kind == SCHEMA_RECORD && strcmp(root->name, "weir.ExportedRecord") == 0)
            source->format = FILE_EXPORT;
    } else {
        TRY(open_lines(source, err));
    }
    *out = TAKE(source);
    return ST_OK;
}

void file_source_close(struct file_source **source_ref)
{
    struct file_source *source = TAKE(*source_ref);
    if (source == NULL)
        return;
    if (source->lines.file != NULL)
        gzclose(source->lines.file);
    mem_free(source->lines.block);
    avro_input_close(&source->avro);
    for (size_t i = 0; i < source->topic_count; i++)
        mem_free(source->topics[i]);
    buffer_fini(&source->header);
    mem_free(source->path);
    mem_free(source);
}

enum file_format file_source_format(const struct file_source *source)
{
    return source->format;
}

static enum status make_decoder(struct file_source *source, const struct plan_stream *stream,
                                struct decoder **out, struct error *err)
{
    const struct schema *reader = schema_root(stream->schema);
    switch (source->format) {
    case FILE_EXPORT:
        return ST_OK;
    case FILE_CSV:
        return csv_decoder_create(out, buffer_view(&source->header), reader,
                                  stream->decoder_columns, stream->decoder_column_count, err);
    case FILE_JSON_LINES:
        return decoder_create_json(out, reader, stream->decoder_columns,
                                   stream->decoder_column_count, err);
    case FILE_AVRO:
        return datum_decoder_create(out, avro_input_root(source->avro), reader,
                                    stream->decoder_columns, stream->decoder_column_count, err);
    }
    UNREACHABLE();
}

enum status file_source_decoder(struct file_source *source, const struct plan_stream *stream,
                                struct decoder **out, struct error *err)
{
    const enum status st = make_decoder(source, stream, out, err);
    return st == ST_OK ? ST_OK : error_prefix(err, "%s", source->path);
}

int file_source_csv_column(const struct file_source *source, const char *name)
{
    struct bytes fields[CSV_FIELDS_MAX];
    size_t count;
    int found = -1;
    if (source->format != FILE_CSV)
        return -1;
    struct arena *arena = NULL;
    arena_create(&arena, 4096);
    if (csv_split(buffer_view(&source->header), fields, CSV_FIELDS_MAX, &count, arena, NULL) ==
        ST_OK) {
        for (size_t i = 0; i < count && found < 0; i++)
            found = bytes_equal(fields[i], bytes_of_string(name)) ? (int)i : -1;
    }
    arena_destroy(&arena);
    return found;
}

/* --- records ---------------------------------------------------------------------------------------------------------------- */

/* Avro's varint: zig-zag, least significant group first, as base/buffer.h's. */
static struct bytes read_run(struct reader *in)
{
    const int64_t size = reader_zigzag(in);
    return size < 0 ? reader_take(in, SIZE_MAX) : reader_take(in, (size_t)size);
}

static struct bytes read_optional_run(struct reader *in)
{
    return reader_zigzag(in) == 0 ? BYTES_NONE : read_run(in);
}

/* NULL: no topic has such a name, or there are too many. */
static const char *find_topic(struct file_source *source, struct bytes name)
{
    for (size_t i = 0; i < source->topic_count; i++) {
        if (bytes_equal(bytes_of_string(source->topics[i]), name))
            return source->topics[i];
    }
    if (source->topic_count == TOPICS_MAX || name.size >= TOPIC_MAX)
        return NULL;
    char *topic = mem_alloc_array(name.size + 1, 1);
    if (name.size > 0)
        memcpy(topic, name.data, name.size);
    return source->topics[source->topic_count++] = topic;
}

/* false: malformed. */
static bool read_exported(struct file_source *source, struct reader *in, struct file_record *out)
{
    const struct bytes topic = read_run(in);
    const int64_t partition = reader_zigzag(in);
    out->offset = reader_zigzag(in);
    out->timestamp_ms = reader_zigzag(in);
    out->key = read_optional_run(in);
    out->value = read_optional_run(in);
    out->warm_up = reader_u8(in) != 0;
    if (in->failed || partition < 0 || partition > INT32_MAX || out->offset < 0)
        return false;
    out->partition = (int32_t)partition;
    out->topic = find_topic(source, topic);
    return out->topic != NULL;
}

static enum status next_exported(struct file_source *source, size_t *count, bool *end, struct error *err)
{
    if (source->block_count == 0)
        TRY(avro_input_next_block(source->avro, &source->block, &source->block_count, end, err));
    struct reader in = reader_of(source->block);
    for (*count = 0; *count < RECORDS_AT_ONCE && source->block_count > 0; source->block_count--) {
        if (!read_exported(source, &in, &source->records[(*count)++])) {
            (void)FAIL(err, ST_CORRUPT, "a record is malformed");
            return avro_input_fault(source->avro, err);
        }
    }
    source->block = bytes_of(in.at, reader_left(&in));
    if (source->block_count > 0 || source->block.size == 0)
        return ST_OK;
    (void)FAIL(err, ST_CORRUPT, "%zu bytes follow the last record", source->block.size);
    return avro_input_fault(source->avro, err);
}

enum status file_source_next(struct file_source *source, const struct file_record **records, size_t *count, bool *end,
                             struct error *err)
{
    *records = source->records;
    *end = false;
    if (source->format == FILE_EXPORT)
        return next_exported(source, count, end, err);
    struct file_record *one = &source->records[0];
    *one = (struct file_record){ .timestamp_ms = -1, .offset = source->next_offset };
    if (source->avro != NULL)
        TRY(avro_input_next(source->avro, &one->value, end, err));
    else
        TRY(next_line(source, &one->value, end, err));
    *count = !*end;
    source->next_offset += !*end;
    return ST_OK;
}

bool file_source_export_partitions(const struct file_source *source, int64_t *partitions)
{
    if (source->format != FILE_EXPORT)
        return false;
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    buffer_put_bytes(&text, avro_input_schema(source->avro));
    const char *at = strstr(buffer_text(&text), partitions_attribute);
    if (at == NULL)
        return false;
    *partitions = strtoll(at + strlen(partitions_attribute), NULL, 10);
    return *partitions > 0 && *partitions <= INT32_MAX;
}
