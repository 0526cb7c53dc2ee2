/*
 * frame: the values of one event's slots, complete. For the event in hand the record filled columns and fields; for a
 * remembered one they come back from the entity log, and slots that are not remembered are null.
 */
#ifndef WEIR_PROCESSOR_STEPS_FRAME_H
#define WEIR_PROCESSOR_STEPS_FRAME_H

#include "processor/steps/step.h"

/* Computes aggregates and features as of the event at `position` into a frame whose columns and fields are filled. */
MUST_CHECK enum status frame_complete(struct event *event, size_t position, int64_t time_us, struct value *slots,
                                      struct error *err);
/* Fills `slots` completely for the remembered event at `position`; `remembered` gets its time and offset. */
MUST_CHECK enum status frame_recall(struct event *event, size_t position, struct value *slots,
                                    struct entity_event *remembered, struct error *err);

#endif
