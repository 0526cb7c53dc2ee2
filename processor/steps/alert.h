/*
 * alert: one decision, explained, and its two encodings (Avro after schemas/fraud-alert.avsc, JSON for people).
 *
 * An alert is a function of state and input alone: encoding the same alert twice gives the same bytes. When it was
 * raised is the Kafka record's timestamp and stands nowhere inside.
 */
#ifndef WEIR_PROCESSOR_STEPS_ALERT_H
#define WEIR_PROCESSOR_STEPS_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "processor/topology/plan.h"

enum alert_mode { ALERT_LIVE, ALERT_SHADOW, ALERT_REPLAY };
enum { ALERT_CONTRIBUTORS_MAX = 32 };

struct alert_operand {
    const char *operand;
    const char *comparison;
    struct bytes value; /* none: null */
    struct bytes limit;
};

struct alert_contributor {
    int64_t offset;
    int64_t time_us;
};

struct alert_event {
    struct bytes id;
    int64_t time_us;
    int64_t offset;
};

struct alert {
    char id[33];
    const char *topology;
    const struct plan_rule *rule;
    const char *stream;
    const char *topic;
    int32_t partition;
    struct bytes entity;
    struct alert_event event;
    struct bytes message;
    const struct alert_operand *operands;
    size_t operand_count;
    const struct alert_contributor *contributors; /* newest first, at most ALERT_CONTRIBUTORS_MAX */
    size_t contributor_count;
    size_t contributor_total; /* how many there were before the cap */
    bool has_cause;           /* a late event made the rule true */
    struct alert_event cause;
    enum alert_mode mode;
};

/* hash of (topology, rule, event id): the same decision always has the same id. */
void alert_compute_id(struct alert *alert);
/* The Avro datum without framing. */
void alert_write_avro(struct buffer *out, const struct alert *alert);
/* One line of JSON without a newline. */
void alert_write_json(struct buffer *out, const struct alert *alert);

#endif
