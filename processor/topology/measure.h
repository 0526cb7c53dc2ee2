/*
 * measure: what one look-back takes of each remembered event: argument, condition, group. And the event's id.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_MEASURE_H
#define WEIR_PROCESSOR_TOPOLOGY_MEASURE_H

#include "processor/topology/frame_scope.h"

enum lookback_takes { TAKES_ANYTHING, TAKES_EXACT_NUMBERS, TAKES_ORDERED };

struct lookback_function {
    const char *name;
    enum aggregate_kind kind;
    enum lookback_takes takes;
};

/*
 * Each fills its part of the spec; `measure` is a unit of UNIT_MEASURE. Equal expressions are one
 * measure of the frame. Errors are in err, at *position.
 */
MUST_CHECK enum status measure_argument(struct unit *measure, struct aggregate_spec *spec,
                                        const struct lookback_function *function,
                                        const struct aggregate_call *call,
                                        struct expression_position *position, struct error *err);
MUST_CHECK enum status measure_condition(struct unit *measure, struct aggregate_spec *spec,
                                         const struct aggregate_call *call,
                                         struct expression_position *position, struct error *err);
MUST_CHECK enum status measure_group(struct unit *measure, struct aggregate_spec *spec,
                                     const struct aggregate_call *call,
                                     struct expression_position *position, struct error *err);
/* The id of a remembered event; it was compiled as the record's before. */
int measure_id(struct unit *measure, const struct node *id);

#endif
