/*
 * outputs: what a transaction of one task has produced so far, in order. Collected in memory, handed to the log at commit, thrown
 * away on abort. Owns copies of all bytes. One thread.
 */
#ifndef WEIR_PROCESSOR_STEPS_OUTPUTS_H
#define WEIR_PROCESSOR_STEPS_OUTPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "processor/steps/alert.h"
#include "processor/steps/input_record.h"

enum output_kind { OUTPUT_ALERT, OUTPUT_DEAD_LETTER };
enum { OUTPUT_HEADERS_MAX = 6, OUTPUT_DETAIL = 1 /* the header of a dead letter that says more than its reason */ };

struct output_header {
    const char *name;
    struct bytes value;
};

struct output {
    enum output_kind kind;
    struct bytes key;
    struct bytes value; /* none: a null value */
    struct output_header headers[OUTPUT_HEADERS_MAX];
    size_t header_count;
    const struct alert *alert; /* of an OUTPUT_ALERT, its text borrowed from these outputs */
    enum status reason;        /* of an OUTPUT_DEAD_LETTER */
};

struct outputs;
void outputs_create(struct outputs **out);
void outputs_destroy(struct outputs **outputs);
size_t outputs_count(const struct outputs *outputs);
const struct output *outputs_at(const struct outputs *outputs, size_t i);
uint64_t outputs_bytes(const struct outputs *outputs);
/* Alerts only: an alert waits for a commit, a dead letter does not. */
size_t outputs_alert_count(const struct outputs *outputs);
void outputs_clear(struct outputs *outputs);
/* Drops everything after the first `count`: a record that fails half way leaves nothing behind. */
void outputs_truncate(struct outputs *outputs, size_t count);
/* Over kinds, keys and values in order: the journal's hash. */
struct hash128 outputs_hash(const struct outputs *outputs);
/* What adders copy into. */
struct arena *outputs_arena(struct outputs *outputs);
/* Empty, for what is then copied into the arena; until the next call. */
struct buffer *outputs_scratch(struct outputs *outputs);
/* Appends a zeroed output. */
struct output *outputs_append(struct outputs *outputs, enum output_kind kind);
/* Call when an appended output is complete: accounts its bytes. */
void outputs_complete(struct outputs *outputs, const struct output *output);

enum { DEAD_LETTER_VALUE_MAX = 900 * 1000, DEAD_LETTER_DETAIL_MAX = 400 };
/* The original bytes (or, by reference, none) with headers weir.reason, weir.detail, weir.source.topic/partition/offset, and
 * weir.truncated when the value was cut. */
void outputs_add_dead_letter(struct outputs *outputs, const struct input_record *input, enum status reason,
                             const char *detail, bool by_reference);
/* The same with at most value_max bytes of the value. */
void outputs_add_cut_dead_letter(struct outputs *outputs, const struct input_record *input, enum status reason,
                                 const char *detail, bool by_reference, size_t value_max);

#endif
