/* decode: payload -> the stream's columns. */
#include "processor/steps/step.h"

static enum status decode_process(struct event *event, struct error *err)
{
    if (event->input->value.data == NULL)
        return FAIL(err, ST_NULL_VALUE, "the record has no value (a tombstone means nothing on a stream)");
    return decoder_decode(event->stream->decoder, event->input->value, event->stream->slots, event->context->arena,
                          err);
}

const struct step_type step_decode = { .name = "decode", .process = decode_process };
