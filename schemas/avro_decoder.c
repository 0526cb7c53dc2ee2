/*
 * avro_decoder: the decoder of Avro records framed for a schema registry (decoder_create_avro in
 * decoder.h).
 *
 * The framing: a zero byte, the writer schema's id in four bytes, big-endian, then the datum. The
 * newer framing, with the schema's GUID after a byte 1 or in the headers, is refused by name.
 */
#include <inttypes.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "schemas/avro_program.h"
#include "schemas/decoder.h"
#include "schemas/decoder_type.h"

enum { FRAMING_MAGIC = 0, FRAMING_GUID_MAGIC = 1, FRAMING_BYTES = 5 };

/*
 * What became of a writer schema: a program, or the reason why there is none; an id never changes
 * its meaning.
 */
struct compiled {
    struct avro_program *program;
    struct error *refused;
};

struct avro_decoder {
    struct decoder base;
    const struct schema *reader;
    struct decoder_column *columns;
    size_t column_count;
    struct registry *registry;
    struct map *by_id; /* int32_t -> struct compiled */
    int32_t last_id;   /* almost always the next one, too */
    const struct compiled *last;
};

static const struct decoder_type avro_decoder_type;

static struct avro_decoder *avro_decoder_of(struct decoder *decoder)
{
    ENSURE(decoder->type == &avro_decoder_type);
    return (struct avro_decoder *)decoder;
}

enum status decoder_create_avro(struct decoder **out, const struct schema *reader,
                                const struct decoder_column *columns, size_t column_count,
                                struct registry *registry, struct error *err)
{
    ENSURE(*out == NULL && registry != NULL);
    /*
     * A schema can always read itself: whatever is wrong with the columns is found here, not at the
     * first record.
     */
    struct avro_program *program = NULL;
    TRY(avro_program_compile(&program, reader, reader, columns, column_count, err));
    avro_program_destroy(&program);

    struct avro_decoder *self = mem_alloc(sizeof *self);
    self->base.type = &avro_decoder_type;
    self->reader = reader;
    self->columns = mem_copy(columns, column_count * sizeof *columns);
    self->column_count = column_count;
    self->registry = registry;
    map_create(&self->by_id, sizeof(struct compiled));
    *out = &self->base;
    return ST_OK;
}

static void avro_decoder_destroy(struct decoder *decoder)
{
    struct avro_decoder *self = avro_decoder_of(decoder);
    for (struct map_iterator it = map_iterate(self->by_id); map_next(&it);) {
        struct compiled *compiled = it.value;
        avro_program_destroy(&compiled->program);
        mem_free(compiled->refused);
    }
    map_destroy(&self->by_id);
    mem_free(self->columns);
    mem_free(self);
}

static enum status read_framing(struct bytes payload, int32_t *id, struct bytes *datum,
                                struct error *err)
{
    struct reader in = reader_of(payload);
    const uint8_t magic = reader_u8(&in);
    const uint32_t bits = reader_be32(&in);
    if (payload.size > 0 && magic == FRAMING_GUID_MAGIC)
        return FAIL(err, ST_BAD_FRAMING,
                    "the record names its schema by GUID; configure its producer "
                    "to write the schema's id in front of the value");
    if (payload.size > 0 && magic != FRAMING_MAGIC)
        return FAIL(err, ST_BAD_FRAMING,
                    "the record begins with the byte %u instead of 0: it was not "
                    "written through a schema registry",
                    (unsigned)magic);
    if (in.failed)
        return FAIL(err, ST_BAD_FRAMING, "the record has %zu bytes, its framing alone has %d",
                    payload.size, FRAMING_BYTES);
    if (bits > INT32_MAX)
        return FAIL(err, ST_BAD_FRAMING, "%" PRIu32 " is no schema id", bits);
    *id = (int32_t)bits;
    *datum = bytes_of(payload.data + FRAMING_BYTES, payload.size - FRAMING_BYTES);
    return ST_OK;
}

static struct compiled *compile(struct avro_decoder *self, int32_t id, const struct schema *writer)
{
    struct compiled *compiled = map_insert(self->by_id, bytes_of(&id, sizeof id), NULL);
    struct error refused;
    if (avro_program_compile(&compiled->program, writer, self->reader, self->columns,
                             self->column_count, &refused) == ST_OK)
        return compiled;
    compiled->refused = mem_copy(&refused, sizeof refused);
    error_prefix(compiled->refused, "schema id %" PRId32, id);
    return compiled;
}

static enum status find_compiled(struct avro_decoder *self, int32_t id, struct error *err)
{
    const struct compiled *known = map_find(self->by_id, bytes_of(&id, sizeof id));
    if (known == NULL) {
        const struct schema *writer = NULL;
        TRY(registry_find(self->registry, id, &writer,
                          err)); /* not remembered: it may be known later */
        known = compile(self, id, writer);
    }
    self->last = known;
    self->last_id = id;
    return ST_OK;
}

static enum status avro_decoder_decode(struct decoder *decoder, struct bytes payload,
                                       struct value *slots, struct arena *arena, struct error *err)
{
    struct avro_decoder *self = avro_decoder_of(decoder);
    int32_t id = 0;
    struct bytes datum = BYTES_NONE;
    TRY(read_framing(payload, &id, &datum, err));
    if (self->last == NULL || self->last_id != id)
        TRY(find_compiled(self, id, err));
    if (self->last->program != NULL)
        return avro_program_run(self->last->program, datum, slots, arena, err);
    if (err != NULL)
        *err = *self->last->refused;
    return self->last->refused->status;
}

static const struct decoder_type avro_decoder_type = {
    .decode = avro_decoder_decode,
    .destroy = avro_decoder_destroy,
};
