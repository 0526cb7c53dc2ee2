#include "schemas/avro_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "schemas/avro_codec.h"
#include "schemas/avro_writer.h"

enum { BLOCK_BYTES = 1 << 16 };

struct avro_output {
    char *path;
    FILE *file;
    const struct avro_codec *codec;
    uint8_t sync[AVRO_FILE_SYNC_BYTES];
    struct buffer block;  /* datums that are not written yet */
    struct buffer packed; /* what goes to the file */
    int64_t datums;       /* in the block */
};

static void put_header(struct avro_output *output, struct bytes schema);
static enum status write_packed(struct avro_output *output, struct error *err);

static enum status write_failure(const struct avro_output *output, struct error *err)
{
    return FAIL(err, errno == ENOSPC ? ST_DISK_FULL : ST_IO_FAILED, "%s: %s", output->path,
                strerror(errno));
}

enum status avro_output_create(struct avro_output **out, const char *path, struct bytes schema,
                               const char *codec, struct error *err)
{
    ENSURE(*out == NULL);
    struct schema_document *document = NULL;
    TRY(schema_parse_writer(&document, (const char *)schema.data, schema.size, err));
    schema_document_destroy(&document); /* only to be sure that somebody can read the file */

    AUTO(avro_output_destroy) struct avro_output *output = mem_alloc(sizeof *output);
    output->path = mem_copy_string(path);
    buffer_init(&output->block);
    buffer_init(&output->packed);
    TRY(avro_codec_find(&output->codec, bytes_of_string(codec != NULL ? codec : "null"), err));
    if (output->codec->unpack != NULL && output->codec->pack == NULL)
        return FAIL(err, ST_INVALID, "the codec '%s' is for reading only", codec);
    output->file = fopen(path, "wbe");
    if (output->file == NULL)
        return write_failure(output, err);
    put_header(output, schema);
    TRY(write_packed(output, err));
    *out = TAKE(output);
    return ST_OK;
}

void avro_output_destroy(struct avro_output **output)
{
    if (*output == NULL)
        return;
    if ((*output)->file != NULL)
        fclose((*output)->file);
    buffer_fini(&(*output)->block);
    buffer_fini(&(*output)->packed);
    mem_free((*output)->path);
    mem_free(*output);
    *output = NULL;
}

static void put_header(struct avro_output *output, struct bytes schema)
{
    const struct hash128 hash = hash128(schema);
    struct buffer *out = &output->packed;
    buffer_put(out, avro_file_magic, sizeof avro_file_magic);
    avro_write_long(out, 2);
    avro_write_bytes(out, BYTES_LITERAL("avro.schema"));
    avro_write_bytes(out, schema);
    avro_write_bytes(out, BYTES_LITERAL("avro.codec"));
    avro_write_bytes(out, bytes_of_string(output->codec->name));
    avro_write_long(out, 0);
    const size_t sync = out->size;
    buffer_put_be64(out, hash.high);
    buffer_put_be64(out, hash.low);
    memcpy(output->sync, out->data + sync, sizeof output->sync);
}

static enum status write_packed(struct avro_output *output, struct error *err)
{
    const struct bytes bytes = buffer_view(&output->packed);
    if (fwrite(bytes.data, 1, bytes.size, output->file) != bytes.size)
        return write_failure(output, err);
    buffer_clear(&output->packed);
    return ST_OK;
}

static enum status write_block(struct avro_output *output, struct error *err)
{
    struct buffer *out = &output->packed;
    if (output->datums == 0)
        return ST_OK;
    struct buffer body;
    buffer_init(&body);
    if (output->codec->pack != NULL)
        output->codec->pack(&body, buffer_view(&output->block));
    avro_write_long(out, output->datums);
    avro_write_bytes(out, buffer_view(output->codec->pack != NULL ? &body : &output->block));
    buffer_put(out, output->sync, sizeof output->sync);
    buffer_fini(&body);
    buffer_clear(&output->block);
    output->datums = 0;
    return write_packed(output, err);
}

enum status avro_output_append(struct avro_output *output, struct bytes datum, struct error *err)
{
    if (datum.size > AVRO_BLOCK_BYTES_MAX / 2)
        return FAIL(err, ST_TOO_LARGE, "a datum of %zu bytes", datum.size);
    buffer_put_bytes(&output->block, datum);
    output->datums++;
    return output->block.size < BLOCK_BYTES ? ST_OK : write_block(output, err);
}

static enum status flush_and_sync(struct avro_output *output, struct error *err)
{
    TRY(write_block(output, err));
    if (fflush(output->file) != 0 || fsync(fileno(output->file)) != 0)
        return write_failure(output, err);
    FILE *file = TAKE(output->file);
    if (fclose(file) != 0)
        return write_failure(output, err);
    return ST_OK;
}

enum status avro_output_finish(struct avro_output **output, struct error *err)
{
    const enum status status = flush_and_sync(*output, err);
    avro_output_destroy(output);
    return status;
}
