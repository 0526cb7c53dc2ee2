#include "schemas/avro_codec.h"

#include <libdeflate.h>
#include <zlib.h>

#include "base/ensure.h"
#include "schemas/snappy.h"

const char avro_file_magic[4] = { 'O', 'b', 'j', 1 };

/* Python's writers (avro, fastavro) leave three of the four bytes of zlib's checksum behind a block. */
enum {
    RAW_DEFLATE = -15,
    PIECE_BYTES = 1 << 16,
    ROOM_FOR_EACH_BYTE = 4,
    SNAPPY_CRC_BYTES = 4,
    CHECKSUM_LEFT_MAX = 3
};

static size_t room_within(size_t room)
{
    return room < AVRO_BLOCK_BYTES_MAX ? room : AVRO_BLOCK_BYTES_MAX;
}

/* libdeflate wants all of the room at once and nobody says how much it must be: a guess, and twice as much each time. */
static enum libdeflate_result inflate_whole(struct buffer *out, struct bytes packed, size_t *taken)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    ENSURE(decompressor != NULL);
    enum libdeflate_result outcome;
    size_t room = room_within(PIECE_BYTES + ROOM_FOR_EACH_BYTE * packed.size), size = 0;
    for (;;) {
        buffer_reserve(out, room);
        outcome = libdeflate_deflate_decompress_ex(decompressor, packed.data, packed.size, out->data + out->size, room,
                                                   taken, &size);
        if (outcome != LIBDEFLATE_INSUFFICIENT_SPACE || room == AVRO_BLOCK_BYTES_MAX)
            break;
        room = room_within(2 * room);
    }
    out->size += outcome == LIBDEFLATE_SUCCESS ? size : 0;
    libdeflate_free_decompressor(decompressor);
    return outcome;
}

static enum status deflate_unpack(struct buffer *out, struct bytes packed, struct error *err)
{
    size_t taken = 0;
    ENSURE(packed.size <= AVRO_BLOCK_BYTES_MAX);
    const enum libdeflate_result outcome = inflate_whole(out, packed, &taken);
    if (outcome == LIBDEFLATE_INSUFFICIENT_SPACE)
        return FAIL(err, ST_CORRUPT, "a block has more than %d bytes", AVRO_BLOCK_BYTES_MAX);
    if (outcome != LIBDEFLATE_SUCCESS || packed.size - taken > CHECKSUM_LEFT_MAX)
        return FAIL(err, ST_CORRUPT, "a block does not inflate");
    return ST_OK;
}

static void deflate_pack(struct buffer *out, struct bytes plain)
{
    z_stream stream = { .next_in = (Bytef *)plain.data, .avail_in = (uInt)plain.size };
    ENSURE(plain.size <= AVRO_BLOCK_BYTES_MAX);
    ENSURE(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_DEFLATE, MAX_MEM_LEVEL,
                        Z_DEFAULT_STRATEGY) == Z_OK);
    const size_t bound = deflateBound(&stream, (uLong)plain.size);
    buffer_reserve(out, bound);
    stream.next_out = out->data + out->size;
    stream.avail_out = (uInt)bound;
    ENSURE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out->size += bound - stream.avail_out;
    deflateEnd(&stream);
}

/* Snappy's own block format, and behind it the CRC-32 of the plain bytes, big-endian. */
static enum status snappy_unpack(struct buffer *out, struct bytes packed, struct error *err)
{
    if (packed.size < SNAPPY_CRC_BYTES)
        return FAIL(err, ST_CORRUPT, "a block is too small for its checksum");
    const size_t before = out->size;
    const size_t size = packed.size - SNAPPY_CRC_BYTES;
    struct reader crc = reader_of(bytes_of(packed.data + size, SNAPPY_CRC_BYTES));
    TRY(snappy_decompress(out, bytes_of(packed.data, size), AVRO_BLOCK_BYTES_MAX, err));
    const uLong sum = crc32_z(0, out->data + before, out->size - before);
    if (reader_be32(&crc) != sum)
        return FAIL(err, ST_CORRUPT, "a block's checksum does not match");
    return ST_OK;
}

static const struct avro_codec codecs[] = {
    { .name = "null" },
    { .name = "deflate", .unpack = deflate_unpack, .pack = deflate_pack },
    { .name = "snappy", .unpack = snappy_unpack },
};

enum status avro_codec_find(const struct avro_codec **out, struct bytes name, struct error *err)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (bytes_equal(bytes_of_string(codecs[i].name), name)) {
            *out = &codecs[i];
            return ST_OK;
        }
    return FAIL(err, ST_INVALID, "the codec '%.*s' is not supported (null, deflate and snappy are)",
                name.size < 32 ? (int)name.size : 32, (const char *)name.data);
}
