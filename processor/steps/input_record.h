/* input_record: one record of an input topic as a task receives it. Everything is borrowed for the call. */
#ifndef WEIR_PROCESSOR_STEPS_INPUT_RECORD_H
#define WEIR_PROCESSOR_STEPS_INPUT_RECORD_H

#include <stdint.h>

#include "base/bytes.h"

struct input_record {
    int source; /* index of the stream, or stream_count + index of the table */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* the record's own; what an event's time is when the stream names none */
    int64_t reference_ms; /* what "now" was when it was appended or polled; max_ahead is measured from it */
    struct bytes key;
    struct bytes value;
};

#endif
