/*
 * expression: text -> nodes (parsed, with positions) -> typed program -> value.
 *
 * The language is small, typed, total and deterministic (docs/expressions.md). A program is
 * immutable and may be shared by threads; evaluation allocates only in the arena it is given, does
 * no I/O but table lookups through the context, and never fails: null propagates, a division by
 * zero or an overflow gives null and is counted.
 *
 * What names mean is the caller's business (struct scope): a name is a slot of the frame, a table,
 * or an aggregate call that the caller plans and gives a slot.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_EXPRESSION_H
#define WEIR_PROCESSOR_EXPRESSION_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "processor/expression/duration.h"
#include "processor/expression/nearest_name.h"
#include "schemas/value.h"

/* Raised when any operator or function gives another result for some input: the journal has it. */
enum { EXPRESSION_LANGUAGE_VERSION = 1 };

enum {
    EXPRESSION_TEXT_MAX = 64 * 1024, /* bytes of one expression */
    EXPRESSION_NESTING_MAX = 100,    /* parentheses, calls, lists, prefix operators in each other */
    EXPRESSION_CHAIN_MAX = 500,      /* operators in a row without parentheses */
};

struct node;       /* a parsed expression; owned by its nodes document */
struct nodes;      /* owns the nodes of one text */
struct expression; /* a compiled program */

/* Where in the text an error lies: byte offset, and how many bytes are meant (0: the end). */
struct expression_position {
    size_t offset;
    size_t size;
};

/*
 * `text` is copied. On failure (ST_INVALID) the position says where, and err what is wrong and what
 * would be right.
 */
MUST_CHECK enum status expression_parse(struct nodes **out, const char *text,
                                        struct expression_position *position, struct error *err);
void nodes_destroy(struct nodes **nodes);
const struct node *nodes_root(const struct nodes *nodes);
/*
 * The node's own text, normalised (one space around operators, minimal parentheses): names of
 * operands in alerts. It parses to the same nodes again.
 */
void node_format(struct buffer *out, const struct node *node);
/* The whole node, not only its operator. */
struct expression_position node_position(const struct node *node);
/* Same normalised text: the same expression. */
bool node_same(const struct node *a, const struct node *b);
/* The bare name if the node is nothing else ("merchant_id"), or NULL. */
const char *node_name(const struct node *node);

/*
 * AGG( [argument] [of STREAM] [where CONDITION] [over [previous] SPAN [delay DURATION]]
 *      [by KEY, ...] )
 */
struct aggregate_call {
    const char *function;         /* "count" ... as written; known to be an aggregate */
    const struct node *argument;  /* NULL for `count` only */
    const char *stream;           /* or NULL */
    const struct node *condition; /* or NULL */
    bool has_over;
    bool previous;
    int64_t span_us; /* 0 when the span is a number of events */
    int64_t span_events;
    int64_t delay_us;
    const char *const *by; /* names */
    size_t by_count;
    struct expression_position position, argument_position, span_position;
    struct expression_position stream_position;
    const struct expression_position *by_positions;
};

struct scope_name {
    int slot;
    struct value_type type;
};

struct scope {
    void *context;
    /* false: no such name. */
    bool (*find_name)(void *context, const char *name, struct scope_name *out);
    /* The table's index, or -1. NULL: there are none. */
    int (*find_table)(void *context, const char *name);
    bool (*find_table_column)(void *context, int table, const char *name, int *column,
                              struct value_type *type);
    /* The type of the table's key. */
    struct value_type (*table_key_type)(void *context, int table);
    /* Whether this key may be looked up, when its type is right. May be NULL: any may. */
    enum status (*check_table_key)(void *context, int table, const struct node *key,
                                   struct error *err);
    /*
     * Plans an aggregate and gives it a slot. NULL: aggregates are not allowed here
     * (`aggregates_refused` says why). On failure may set *position to something more precise than
     * the call's.
     */
    enum status (*aggregate)(void *context, const struct aggregate_call *call,
                             struct scope_name *out, struct expression_position *position,
                             struct error *err);
    const char *aggregates_refused;
    /* Aggregates may leave `over` out (a window says over what). */
    bool over_optional;
    /* Not NULL: tables are not allowed here; says why. */
    const char *tables_refused;
    /* Calls each for every known name, tables too: for "did you mean". May be NULL. */
    void (*each_name)(void *context, void (*each)(void *each_context, const char *name),
                      void *each_context);
    /* The same for a table's columns. May be NULL. */
    void (*each_table_column)(void *context, int table,
                              void (*each)(void *each_context, const char *name),
                              void *each_context);
};

/* The scope is used during the call only. The nodes may be destroyed afterwards. */
MUST_CHECK enum status expression_compile(struct expression **out, const struct node *node,
                                          const struct scope *scope,
                                          struct expression_position *position, struct error *err);
void expression_destroy(struct expression **expression);
/*
 * `nullable` is about inputs and partial functions (a null column, a missing row, parse_time): null
 * by division by zero or overflow is counted instead and may come from any arithmetic.
 */
struct value_type expression_type(const struct expression *expression);
/* Slots that it reads, as a callback; a slot may come more than once. */
void expression_each_slot(const struct expression *expression,
                          void (*each)(void *context, int slot), void *context);
bool expression_uses_tables(const struct expression *expression);
/* The slot whose value is the expression's, as it is; -1: there is something to evaluate. */
int expression_slot(const struct expression *expression);

struct expression_context {
    /* Each null, or of the kind (and scale) that the scope said. */
    const struct value *slots;
    struct arena *arena;
    /*
     * Looks up a table's row for a key as of the event's time. A status other than OK is kept in
     * `failure` by the evaluator, the result is null then, and the caller must look. column -1 asks
     * only whether there is a row (*found).
     */
    enum status (*lookup)(void *tables, int table, const struct value *key, int column,
                          struct value *out, bool *found, struct error *err);
    void *tables;
    enum status failure; /* the first one; the caller sets ST_OK before */
    struct error *err;
    uint64_t divisions_by_zero; /* counted, never reset here */
    uint64_t overflows;
};

/* Text results live in the arena, in the slots' text, or in the program. */
struct value expression_evaluate(const struct expression *expression,
                                 struct expression_context *context);

/* Which outcomes of a comparison are true: bit 0 less, bit 1 equal, bit 2 greater. */
enum { OUTCOME_LESS = 1, OUTCOME_EQUAL = 2, OUTCOME_GREATER = 4 };
/*
 * A condition's first comparison, where it is one of an integer (or a time, or a duration) in a slot with a constant, and
 * where the condition is false whenever the comparison is. Rules are many and hardly any holds: asked side by side, most
 * of them need no evaluation.
 */
struct expression_screen {
    int64_t limit;
    uint32_t slot;
    uint8_t outcomes;
};
/* false: the condition has none. */
bool expression_screen(const struct expression *condition, struct expression_screen *out);
/* false: the condition is false (and not null). */
static inline bool expression_screen_passes(const struct expression_screen *screen, const struct value *slots)
{
    const struct value *v = &slots[screen->slot];
    const unsigned outcome = v->i < screen->limit ? OUTCOME_LESS : v->i > screen->limit ? OUTCOME_GREATER : OUTCOME_EQUAL;
    return v->kind == VALUE_NULL || (screen->outcomes & outcome) != 0;
}

/*
 * The operands of a condition, for explanations: every comparison, `in` and bare boolean that
 * decides it, left to right. `not` is carried inwards, so that each operand reads as it helps the
 * condition to be true:
 *     tx_1m > 5                         -> left "tx_1m", comparison ">", right "5"
 *     not (amount <= 10)                -> left "amount", comparison ">", right "10"
 *     merchant_id in blocked_merchants  -> left "merchant_id", comparison "in", no right node,
 *                                          right_text "blocked_merchants"
 *     country not in ['DE', 'FR']       -> left "country", comparison "not in",
 *                                          right_text "['DE', 'FR']" (cut when too long)
 *     verified                          -> left "verified", comparison "is", right_text "true"
 *     not verified                      -> left "verified", comparison "is", right_text "false"
 */
struct operand {
    const struct node *left;
    const struct node *right; /* NULL: see right_text */
    const char *comparison;
    char right_text[64]; /* when right is NULL */
};
/* Returns how many there are; fills at most max. */
size_t expression_operands(const struct node *condition, struct operand *out, size_t max);

#endif
