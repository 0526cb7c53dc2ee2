/*
 * step: what happens to one record, as a chain of small pure functions over an event.
 *
 * The chain of a stream is the order of steps.def. A step returns ST_OK to go on, a SKIP-class status to make the
 * record a dead letter, anything else to stop the transaction; it sets event->done when nothing is left to do (a duplicate).
 * Until the event is inserted (`features`) a step changes no state but the partitioner that is learnt, and the insertion is the last
 * thing that can refuse a record: a bad record leaves no trace but its dead letter.
 */
#ifndef WEIR_PROCESSOR_STEPS_STEP_H
#define WEIR_PROCESSOR_STEPS_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "processor/steps/alert.h"
#include "processor/steps/input_record.h"
#include "processor/steps/outputs.h"
#include "processor/topology/plan.h"
#include "schemas/decoder.h"
#include "state/entity_log.h"
#include "state/overlay.h"
#include "state/table.h"
#include "state/timers.h"

enum partitioner { PARTITIONER_UNKNOWN, PARTITIONER_MURMUR2, PARTITIONER_CRC32 };

/* Counters of a task since it was created; never part of a result. */
struct step_counters {
    uint64_t events, duplicates, late, alerts, reevaluated;
    uint64_t divisions_by_zero, overflows;
    uint64_t dead_letters[STATUS_COUNT];
    uint64_t *rule_alerts;  /* per rule */
    uint64_t *rule_unknown; /* per rule: the condition was null */
};

/* The task's moving parts that steps share; one per task, made by the engine. */
struct step_context {
    const struct plan *plan;
    struct overlay *overlay;
    struct timers *timers;
    struct table **tables;                        /* per plan table, NULL for everywhere ones */
    const struct everywhere_table *const *everywhere; /* per plan table, NULL for co-partitioned ones */
    struct outputs *outputs;
    struct arena *arena; /* reset per record */
    struct step_counters *counters;
    int32_t partition_count; /* 0: placement is not checked (files) */
    enum partitioner *partitioner; /* may be learnt; the task keeps it in its row */
    enum alert_mode mode;
    bool alerts_unread; /* an alert is its rule and event: nobody reads what it would say */
    int32_t alert_schema_id;
    /* Called for every event of a stream whose features are complete (backtest --features); or NULL. */
    void (*on_features)(void *context, const struct plan_stream *stream, const struct value *slots, struct bytes key,
                        struct bytes id, int64_t time_us);
    void *on_features_context;
};

/* The moving parts of one stream in one task. */
struct stream_state {
    const struct plan_stream *plan;
    struct decoder *decoder;
    struct entity_log *log;
    int64_t newest_us; /* newest event time accepted; INT64_MIN: none */
    struct value *slots;        /* the frame of the event in hand */
    struct value *other_slots;  /* a second frame, for re-evaluations */
    struct value *columns;      /* remembered columns, scratch */
    uint64_t *truth;            /* scratch bit sets of rules */
    int64_t reach_us;           /* a late event can change what holds at events less than this after it */
    bool has_rises;             /* a rule repeats on rise: the event after a late one may change too */
};

struct event {
    struct step_context *context;
    struct stream_state *stream;
    const struct input_record *input;
    struct bytes key; /* the entity, as text */
    struct bytes id; /* none until step_event_id was asked */
    struct value id_value;
    int64_t time_us;
    bool done;
    struct entity *entity; /* NULL until a step asks for it (step_event_entity) */
    size_t position;    /* in the entity's order */
    bool late;          /* remembered events come after it */
    size_t newer_count; /* of those, how many it can have changed: they are evaluated again */
    /* Of a late event (late.h), in the record's arena: the rules true at the event before it, and per newer event the
     * rules that would alert there without it. NULL when it is in order. */
    uint64_t *truth_before;
    uint64_t *effective_before;
};

struct step_type {
    const char *name;
    enum status (*process)(struct event *event, struct error *err);
};

/* Runs the chain over one record of a stream. The record's arena is the caller's to reset. */
MUST_CHECK enum status steps_run(struct step_context *context, struct stream_state *stream,
                                 const struct input_record *input, struct error *err);
/* Takes one record of a co-partitioned table. */
MUST_CHECK enum status table_step_apply(struct step_context *context, const struct plan_table *table,
                                        struct decoder *decoder, const struct input_record *input, struct error *err);
/* The key and time of a table's record, decoded into columns; value none leaves *deleted true. */
MUST_CHECK enum status table_step_decode(const struct plan_table *table, struct decoder *decoder,
                                         const struct input_record *input, struct value *columns, struct bytes *key,
                                         int64_t *time_us, bool *deleted, struct arena *arena, struct error *err);

/* What a lookup needs besides the tables: the time as of which. */
struct table_lookup {
    struct step_context *context;
    int64_t as_of_us;
};
/* The context that expressions of this task are evaluated in. */
struct expression_context step_expression_context(const struct value *slots, struct table_lookup *tables,
                                                  struct error *err);
/* Adds what an evaluation counted to the task's counters and passes on a failed lookup. */
MUST_CHECK enum status step_expression_finish(struct step_context *context, struct expression_context *expression);
/* Loads event->entity, or makes it, when no step has. */
MUST_CHECK enum status step_event_entity(struct event *event, struct error *err);
/* The event's id as text, in the record's arena. */
struct bytes step_event_id(struct event *event);
/* The text of a key or id value: the same as value_format, for text without a copy. None when null. */
struct bytes step_value_text(const struct value *v, struct arena *arena);

#endif
