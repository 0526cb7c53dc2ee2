#include "processor/offline/datum_decoder.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "schemas/avro_program.h"
#include "schemas/decoder_type.h"

struct datum_decoder {
    struct decoder base;
    struct avro_program *program;
};

static enum status datum_decode(struct decoder *base, struct bytes payload, struct value *slots, struct arena *arena,
                                struct error *err)
{
    return avro_program_run(((struct datum_decoder *)base)->program, payload, slots, arena, err);
}

static void datum_destroy(struct decoder *base)
{
    struct datum_decoder *decoder = (struct datum_decoder *)base;
    avro_program_destroy(&decoder->program);
    mem_free(decoder);
}

enum status datum_decoder_create(struct decoder **out, const struct schema *writer, const struct schema *reader,
                                 const struct decoder_column *columns, size_t column_count, struct error *err)
{
    static const struct decoder_type type = { datum_decode, datum_destroy };
    ENSURE(*out == NULL);
    struct datum_decoder *decoder = mem_alloc(sizeof *decoder);
    decoder->base.type = &type;
    const enum status st =
        avro_program_compile(&decoder->program, writer, reader, columns, column_count, err);
    if (st != ST_OK) {
        datum_destroy(&decoder->base);
        return st;
    }
    *out = &decoder->base;
    return ST_OK;
}
