/*
 * plan: a topology file after it was checked completely: what to read, remember, compute, and
 * write. Everything that runs (steps, engine, offline tools) works from the plan and never sees
 * YAML. Immutable, shared by all threads.
 *
 * Frames. Every event of a stream is evaluated in a frame of values ("slots"), laid out once:
 *     [columns read from the record][fields][aggregates][features]
 * Expressions name slots. `remembered` lists the slots (columns and fields) that the entity log
 * keeps, in its column order. It holds all that look-backs take and, unless late events are
 * evaluated at their own time only, all that features, rules, messages and the id read: so a
 * remembered event can be evaluated again. With dedupe it holds what the id reads.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_PLAN_H
#define WEIR_PROCESSOR_TOPOLOGY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/expression/expression.h"
#include "processor/expression/template.h"
#include "schemas/decoder.h"
#include "schemas/schema.h"
#include "state/entity_log.h"
#include "state/table.h"

enum payload_format { FORMAT_AVRO, FORMAT_JSON };

struct plan_field {
    const char *name;
    int slot;
    struct value_type type;
    bool sensitive;
    struct expression *program; /* NULL for a column read from the record */
    const char *text;           /* of the program, normalised */
};

/*
 * A measure of the entity log that is computed (measure index = remembered_count + its place here).
 * Its slots are indexes into the remembered columns, not into the frame.
 */
struct plan_measure {
    struct expression *program;
    struct value_type type;
    const char *text;
};

struct plan_aggregate {
    const char *text; /* normalised */
    int slot;         /* one after the other */
    struct value_type type;
    struct aggregate_spec spec;
    bool sensitive;
};

struct plan_feature {
    const char *name;
    const char *text; /* normalised */
    int slot; /* its own, or, if it is not computed, that of what it is another name for: an aggregate mostly */
    struct value_type type;
    struct expression *program;
    bool is_computed;
    bool sensitive; /* computed from a sensitive column: never shown */
};

/* A rule's condition, and what can be asked before it. */
struct plan_condition {
    struct expression_screen screen;
    bool is_screened;
    uint32_t rule;
    const struct expression *when;
};

struct plan_stream {
    const char *name;
    int number; /* 0.. in file order; entity logs carry it */
    const char *topic;
    enum payload_format format;
    struct schema_document *schema;
    const char *schema_file;

    struct decoder_column *decoder_columns; /* slots [0, decoder_column_count) */
    size_t decoder_column_count;
    struct plan_field *slots_named; /* columns and fields in slot order: slots [0, named_count) */
    size_t named_count;
    size_t slot_count;

    struct expression *key; /* the entity: must be equal to the record's key (as text) */
    const char *key_text;
    const char **key_columns; /* the names it reads, for `by` lists */
    size_t key_column_count;
    struct expression *id;            /* NULL: topic/partition/offset */
    struct expression *time;          /* NULL: the record's timestamp */
    const char *id_text, *time_text;  /* normalised, or NULL */
    bool key_sensitive, id_sensitive; /* read a sensitive column: masked wherever they are shown */

    int64_t out_of_order_us; /* default 0 */
    int64_t accept_late_us;  /* default 1h, never less than out_of_order */
    int64_t max_ahead_us;    /* default 5m; 0 switches the check off */
    int64_t dedupe_us;       /* 0: off */
    int id_measure;          /* for dedupe: the measure of a remembered event that is its id */
    int64_t remember_us;     /* what the file says, or the longest look-back */
    int64_t look_back_us;    /* max(remember, longest look-back): nothing reads further back than that */
    int64_t retention_us;    /* what an event that comes as late as is accepted may read: max(look_back, dedupe) +
                                accept_late; 0: nothing reads any, and no events are remembered */
    bool late_own_time;      /* late_events: own_time */

    const int *remembered; /* slot of each remembered column */
    struct layout_column *remembered_columns;
    size_t remembered_count;
    struct plan_measure *measures;
    size_t measure_count; /* computed ones only */
    struct window_spec *windows;
    size_t window_count;
    struct plan_aggregate *aggregates;
    size_t aggregate_count;
    struct plan_feature *features; /* in dependency order; only those of this stream */
    size_t feature_count;
    const struct plan_feature **computed; /* those that are, in that order */
    size_t computed_count;
    struct plan_condition *conditions; /* of the rules of this stream, in the order of the rules */
    size_t condition_count;
};

enum table_scope { TABLE_COPARTITIONED, TABLE_EVERYWHERE };

struct plan_table {
    const char *name;
    int number; /* 0..255, from the name, no index: rows carry it, and outlive a changed file */
    const char *topic;
    enum payload_format format;
    struct schema_document *schema;
    const char *schema_file;
    struct decoder_column *decoder_columns; /* columns[i] is slot i */
    size_t decoder_column_count;
    struct plan_field *columns;
    struct expression *key;
    struct value_type key_type;
    struct expression *time;          /* NULL: the record's timestamp */
    const char *key_text, *time_text; /* normalised; time_text may be NULL */
    enum table_scope scope;
    struct table_spec spec; /* layout columns, versions */
};

enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
const char *severity_name(enum severity severity);

enum repeat_kind { REPEAT_EVERY, REPEAT_ONCE_PER, REPEAT_ON_RISE };

struct plan_operand {
    const char *left_text, *right_text;
    const char *comparison;
    struct expression *left;
    struct expression *right; /* NULL: right_text is the value */
    bool sensitive;           /* reads a sensitive column: the value is masked */
};

struct plan_rule {
    const char *name;
    uint32_t id; /* hash of the name: what state remembers of it */
    int stream;
    enum severity severity;
    const char *when_text;
    struct expression *when;
    struct template *message; /* NULL: the rule's name */
    const char *message_text; /* as written, or NULL */
    bool message_sensitive;
    enum repeat_kind repeat;
    int64_t repeat_us;
    struct plan_operand *operands;
    size_t operand_count;
    const int *aggregates; /* indexes of those that the condition needs, through features too */
    size_t aggregate_count;
    uint32_t version; /* 1 until rules change while running */
};

struct plan_output {
    const char *topic;
    enum payload_format format;
    bool payload_reference; /* dead letters: only where the record came from */
};

struct plan {
    const char *name;
    const char *file;
    char digest[33]; /* hash of the normalised topology: the journal's version */
    struct plan_stream *streams;
    size_t stream_count;
    struct plan_table *tables;
    size_t table_count;
    struct plan_rule *rules;
    size_t rule_count;
    struct plan_output alerts;
    struct plan_output dead_letters;
    void *owner; /* the loader's memory */
};

void plan_destroy(struct plan **plan);

#endif
