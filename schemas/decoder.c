#include "schemas/decoder.h"

#include "schemas/decoder_type.h"

enum status decoder_decode(struct decoder *decoder, struct bytes payload, struct value *slots,
                           struct arena *arena, struct error *err)
{
    if (payload.data == NULL)
        return FAIL(err, ST_NULL_VALUE, "the record has no value");
    return decoder->type->decode(decoder, payload, slots, arena, err);
}

void decoder_destroy(struct decoder **decoder)
{
    if (*decoder == NULL)
        return;
    (*decoder)->type->destroy(*decoder);
    *decoder = NULL;
}
