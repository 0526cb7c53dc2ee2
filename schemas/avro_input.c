#include "schemas/avro_input.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "schemas/avro_codec.h"
#include "schemas/avro_program.h"

enum { METADATA_BYTES_MAX = 16 << 20, READ_AHEAD_BYTES = 1 << 18 };

struct avro_input {
    char *path;
    gzFile file; /* reads plain files as they are */
    struct schema_document *schema;
    struct avro_program *skip; /* finds where a datum ends */
    const struct avro_codec *codec;
    uint8_t sync[AVRO_FILE_SYNC_BYTES];
    struct buffer packed, plain;
    struct bytes rest; /* of the block, within packed or plain */
    int64_t datums_left;
    int64_t block; /* 1-based, for messages */
};

static enum status read_header(struct avro_input *input, struct error *err);

enum status avro_input_open(struct avro_input **out, const char *path, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(avro_input_close) struct avro_input *input = mem_alloc(sizeof *input);
    struct error unread;
    if (err == NULL)
        err = &unread;
    input->path = mem_copy_string(path);
    buffer_init(&input->packed);
    buffer_init(&input->plain);
    errno = 0;
    input->file = gzopen(path, "rbe");
    if (input->file == NULL)
        return FAIL(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO_FAILED, "%s: %s", path,
                    strerror(errno));
    gzbuffer(input->file, READ_AHEAD_BYTES);
    if (read_header(input, err) != ST_OK)
        return error_prefix(err, "%s", path);
    *out = TAKE(input);
    return ST_OK;
}

void avro_input_close(struct avro_input **input)
{
    if (*input == NULL)
        return;
    if ((*input)->file != NULL)
        gzclose((*input)->file);
    avro_program_destroy(&(*input)->skip);
    schema_document_destroy(&(*input)->schema);
    buffer_fini(&(*input)->packed);
    buffer_fini(&(*input)->plain);
    mem_free((*input)->path);
    mem_free(*input);
    *input = NULL;
}

struct bytes avro_input_schema(const struct avro_input *input)
{
    return schema_text(input->schema);
}

const struct schema *avro_input_root(const struct avro_input *input)
{
    return schema_root(input->schema);
}

/* ---- bytes of the file ---- */

static enum status read_failure(struct avro_input *input, struct error *err)
{
    int code;
    const char *text = gzerror(input->file, &code);
    if (code == Z_ERRNO)
        return FAIL(err, ST_IO_FAILED, "%s", strerror(errno));
    if (code != Z_OK && code != Z_STREAM_END)
        return FAIL(err, ST_CORRUPT, "%s", text);
    return FAIL(err, ST_CORRUPT, "the file ends too early");
}

static enum status read_exactly(struct avro_input *input, void *out, size_t size, struct error *err)
{
    ENSURE(size <= AVRO_BLOCK_BYTES_MAX);
    if (gzread(input->file, out, (unsigned)size) != (int)size)
        return read_failure(input, err);
    return ST_OK;
}

static enum status read_rest_of_long(struct avro_input *input, int first, int64_t *out,
                                     struct error *err)
{
    uint64_t x = (uint64_t)first & 0x7f;
    int byte = first;
    for (int shift = 7; byte >= 0x80; shift += 7) {
        byte = gzgetc(input->file);
        if (byte < 0)
            return read_failure(input, err);
        if (shift == 63 && byte > 1)
            return FAIL(err, ST_CORRUPT, "a number of more than 64 bits");
        x |= ((uint64_t)byte & 0x7f) << shift;
    }
    *out = (int64_t)(x >> 1) ^ -(int64_t)(x & 1);
    return ST_OK;
}

static enum status read_long(struct avro_input *input, int64_t *out, struct error *err)
{
    const int first = gzgetc(input->file);
    if (first < 0)
        return read_failure(input, err);
    return read_rest_of_long(input, first, out, err);
}

/* Length and bytes, appended to `out`. */
static enum status read_run(struct avro_input *input, struct buffer *out, struct error *err)
{
    int64_t size;
    TRY(read_long(input, &size, err));
    if (size < 0 || size > METADATA_BYTES_MAX - (int64_t)out->size)
        return FAIL(err, ST_CORRUPT, "the metadata have more than %d bytes", METADATA_BYTES_MAX);
    return read_exactly(input, buffer_extend(out, (size_t)size), (size_t)size, err);
}

/* ---- header ---- */

static enum status take_schema(struct avro_input *input, struct bytes text, struct error *err)
{
    if (input->schema != NULL)
        return FAIL(err, ST_CORRUPT, "the metadata have two schemas");
    if (schema_parse_writer(&input->schema, (const char *)text.data, text.size, err) != ST_OK)
        return error_prefix(err, "its schema");
    const struct schema *root = schema_root(input->schema);
    return avro_program_compile(&input->skip, root, root, NULL, 0, err);
}

static enum status read_entry(struct avro_input *input, struct error *err)
{
    struct buffer *entry = &input->packed;
    buffer_clear(entry);
    TRY(read_run(input, entry, err));
    const size_t key_size = entry->size;
    TRY(read_run(input, entry, err));
    const struct bytes key = bytes_of(entry->data, key_size);
    const struct bytes value = bytes_of(entry->data + key_size, entry->size - key_size);
    if (bytes_equal(key, BYTES_LITERAL("avro.schema")))
        return take_schema(input, value, err);
    if (bytes_equal(key, BYTES_LITERAL("avro.codec")))
        return avro_codec_find(&input->codec, value, err);
    return ST_OK;
}

static enum status read_metadata(struct avro_input *input, struct error *err)
{
    for (;;) {
        int64_t count, size;
        TRY(read_long(input, &count, err));
        if (count == 0)
            return ST_OK;
        if (count < 0)
            TRY(read_long(input, &size, err)); /* the entries are read one by one all the same */
        if (count == INT64_MIN)
            return FAIL(err, ST_CORRUPT, "metadata without end");
        for (int64_t left = count < 0 ? -count : count; left > 0; left--)
            TRY(read_entry(input, err));
    }
}

static enum status read_header(struct avro_input *input, struct error *err)
{
    char magic[sizeof avro_file_magic];
    const int got = gzread(input->file, magic, sizeof magic);
    if (got < 0)
        return read_failure(input, err);
    if (got != (int)sizeof magic || memcmp(magic, avro_file_magic, sizeof magic) != 0)
        return FAIL(err, ST_CORRUPT, "this is no Avro file");
    TRY(avro_codec_find(&input->codec, BYTES_LITERAL("null"), err));
    TRY(read_metadata(input, err));
    if (input->schema == NULL)
        return FAIL(err, ST_CORRUPT, "the metadata have no schema");
    return read_exactly(input, input->sync, sizeof input->sync, err);
}

/* ---- blocks ---- */

static enum status read_block_body(struct avro_input *input, struct error *err)
{
    int64_t size;
    uint8_t sync[AVRO_FILE_SYNC_BYTES];
    TRY(read_long(input, &size, err));
    if (size < 0 || size > AVRO_BLOCK_BYTES_MAX || input->datums_left < 0)
        return FAIL(err, ST_CORRUPT, "more than %d bytes", AVRO_BLOCK_BYTES_MAX);
    buffer_clear(&input->packed);
    TRY(read_exactly(input, buffer_extend(&input->packed, (size_t)size), (size_t)size, err));
    TRY(read_exactly(input, sync, sizeof sync, err));
    if (memcmp(sync, input->sync, sizeof sync) != 0)
        return FAIL(err, ST_CORRUPT, "the sync marker is missing");
    input->rest = buffer_view(&input->packed);
    if (input->codec->unpack == NULL)
        return ST_OK;
    buffer_clear(&input->plain);
    TRY(input->codec->unpack(&input->plain, input->rest, err));
    input->rest = buffer_view(&input->plain);
    return ST_OK;
}

static enum status read_block(struct avro_input *input, bool *end, struct error *err)
{
    const int first = gzgetc(input->file);
    int code;
    gzerror(input->file, &code);
    *end = first < 0 && (code == Z_OK || code == Z_STREAM_END);
    if (*end)
        return ST_OK;
    input->block++;
    if (first < 0)
        return read_failure(input, err);
    TRY(read_rest_of_long(input, first, &input->datums_left, err));
    return read_block_body(input, err);
}

static enum status read_datum(struct avro_input *input, struct bytes *datum, struct error *err)
{
    const uint8_t *start = input->rest.data;
    if (avro_program_read(input->skip, &input->rest, NULL, err) != ST_OK) {
        err->status = ST_CORRUPT; /* of a file, not of a stream that goes on */
        return ST_CORRUPT;
    }
    *datum = bytes_of(start, (size_t)(input->rest.data - start));
    input->datums_left--;
    if (input->datums_left == 0 && input->rest.size != 0)
        return FAIL(err, ST_CORRUPT, "%zu bytes follow the last datum", input->rest.size);
    return ST_OK;
}

/* To the next datum. */
static enum status reach_datum(struct avro_input *input, bool *end, struct error *err)
{
    *end = false;
    while (input->datums_left == 0 && !*end)
        TRY(read_block(input, end, err));
    return ST_OK;
}

enum status avro_input_fault(const struct avro_input *input, struct error *err)
{
    return error_prefix(err, "%s: block %lld", input->path, (long long)input->block);
}

enum status avro_input_next(struct avro_input *input, struct bytes *datum, bool *end,
                            struct error *err)
{
    struct error unread;
    if (err == NULL)
        err = &unread;
    enum status status = reach_datum(input, end, err);
    if (status == ST_OK && !*end)
        status = read_datum(input, datum, err);
    return status == ST_OK ? ST_OK : avro_input_fault(input, err);
}

enum status avro_input_next_block(struct avro_input *input, struct bytes *datums, int64_t *count, bool *end,
                                  struct error *err)
{
    ENSURE(input->datums_left == 0);
    if (reach_datum(input, end, err) != ST_OK)
        return avro_input_fault(input, err);
    *datums = *end ? BYTES_NONE : input->rest;
    *count = input->datums_left;
    input->datums_left = 0;
    return ST_OK;
}
