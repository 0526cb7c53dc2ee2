/*
 * reference: everywhere tables. The worker that owns a partition of such a table copies its records to the append-only topic
 * `<topology>-reference` (one partition), in its transactions; every worker adopts the tables from there, between
 * transactions, so that what a task knew at any moment is an offset of a topic that forgets nothing.
 *
 * A record's value (no key):
 *     u8 format = 1 | u8 kind (0 row, 1 end mark) | run table name | varint source partition
 *     | zigzag source offset (a mark: everything before it was copied) | zigzag timestamp ms
 *     | optional run key | optional run value
 */
#ifndef WEIR_PROCESSOR_ENGINE_REFERENCE_H
#define WEIR_PROCESSOR_ENGINE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/engine/log_port.h"
#include "processor/engine/topics.h"
#include "processor/steps/input_record.h"
#include "processor/steps/outputs.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"
#include "state/table.h"

struct reference_record {
    bool is_mark;
    struct bytes table;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct bytes key, value;
};
void reference_write(struct buffer *out, const struct reference_record *record);
MUST_CHECK enum status reference_read(struct reference_record *out, struct bytes value, struct error *err);

/* --- copying: the records of one partition of one table, checked before they are copied ---------------------------- */

struct copier;
MUST_CHECK enum status copier_create(struct copier **out, const struct plan *plan, int table,
                                     struct registry *registry, struct error *err);
void copier_destroy(struct copier **copier);
/* Appends the reference record to `out`. SKIP class: a dead letter instead; RETRY: the same record later. */
MUST_CHECK enum status copier_take(struct copier *copier, const struct input_record *input, struct buffer *out,
                                   struct error *err);

/* --- adopting ------------------------------------------------------------------------------------------------------ */

struct reference_view;
/* Takes the reader. The view owns the tables. */
MUST_CHECK enum status reference_view_open(struct reference_view **out, const struct plan *plan,
                                           const struct topics *topics, struct log_reader *reader,
                                           struct registry *registry, struct error *err);
void reference_view_close(struct reference_view **view);
/* Per plan table; NULL for co-partitioned ones. Valid until close. */
const struct everywhere_table *const *reference_view_tables(const struct reference_view *view);
/* Adopts what is there, waiting at most timeout_us for the first record. Between transactions only. */
MUST_CHECK enum status reference_view_adopt(struct reference_view *view, int64_t timeout_us, struct error *err);
/* Everything before this offset of the reference topic was adopted. */
int64_t reference_view_offset(const struct reference_view *view);
/* How far the table's partition was copied, as far as adopted: the next source offset. */
int64_t reference_view_copied(const struct reference_view *view, int table, int32_t partition);

#endif
