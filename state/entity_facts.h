/*
 * entity_facts: what an entity's running aggregates must know of an event, found out once, when it
 * comes in or its chunk is read, and kept beside it in a few words, so that a window that moves over
 * it neither decodes it nor evaluates a condition again.
 *
 *     word 0          bit c: the event is a member of class c (a condition that is true, an argument
 *                     that is not null); FACT_WIDE: one of its numbers does not fit a word
 *     word n, n > 0   a number that sums are made of, unscaled; 0 when null or when it does not fit;
 *                     or the code of a value that is counted once: a text, or the stored form (value_write) of
 *                     anything else, of at most seven bytes, with the size + 1 in the highest; 0 when null or when it
 *                     does not fit; or the hash of the event's id, by which most others are told apart from it
 *
 * Aggregates that count and sum the same over the same window share one tally: avg and sum of an
 * amount are one sum and one count. distinct() of short values has their codes (code_counts.h), min() and max() of numbers
 * their top (entity_tops.h). What none of these can hold (groups, long values) has a state of its own (aggregate_state.h).
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_ENTITY_FACTS_H
#define WEIR_STATE_ENTITY_FACTS_H

#include "state/aggregate_state.h"
#include "state/entity_log.h"
#include "state/fact_columns.h"

struct tally_spec {
    uint64_t member; /* its class's bit */
    size_t word;     /* of the number to be summed; 0: only counted */
    struct fact_place at; /* of the word */
    int argument;    /* its measure */
};

/* distinct() of one argument over one window */
struct code_spec {
    uint64_t member;
    size_t word;
    struct fact_place at;
    size_t aggregate; /* the first of those that it is for */
};

/* min() or max() of numbers of 64 bits. */
struct top_spec {
    uint64_t member;
    size_t word;
    struct fact_place at;
    bool smallest;
    size_t aggregate;
};

/* An aggregate that has a state of its own. */
struct state_spec {
    size_t aggregate;
    size_t word;     /* of its number, from which it needs no decoding; or 0 */
    bool is_grouped; /* it has a state per group */
};

/* Where an aggregate's result comes from. */
enum result_kind {
    RESULT_COUNT,    /* a tally's count, */
    RESULT_INTEGER,  /* its sum, */
    RESULT_TOTAL,    /* an average or a decimal sum of it, */
    RESULT_MEMBERS,  /* or a look among as many members as it has (entity_members.h) */
    RESULT_DISTINCT, /* codes */
    RESULT_TOP,
    RESULT_STATE
};
struct result_spec {
    enum result_kind kind;
    enum value_kind type; /* of an integer */
    size_t from;          /* which of the tallies, codes, tops or states */
};

/* The first of a window's tallies, codes, tops and states; those of window w end where w + 1 begins. */
struct window_parts {
    size_t tally, code, top, state;
};

struct entity_facts {
    struct fact_class {
        int condition, argument; /* measures, or -1 */
    } *classes;
    size_t class_count;
    struct fact_word {
        int argument; /* a measure */
        enum fact_kind kind;
    } *words; /* of word n: words[n - 1] */
    size_t word_count;
    struct fact_form form; /* of what lies beside each event */
    size_t id_word; /* 0: ids are not looked for */
    struct window_parts *parts; /* per window, and where the last one's end */
    struct tally_spec *tallies; /* by window */
    size_t tally_count;
    struct code_spec *codes; /* by window */
    size_t code_count;
    struct top_spec *tops; /* by window */
    size_t top_count;
    struct state_spec *states; /* by window */
    size_t state_count;
    bool has_groups; /* some state is per group */
    struct result_spec *results; /* per aggregate */
    uint64_t *member_of;         /* per aggregate: its class's bit; 0: there are too many classes */
};

void entity_facts_init(struct entity_facts *facts, const struct entity_log_spec *spec);
void entity_facts_fini(struct entity_facts *facts);
/* Fills word_count words; the scratch is overwritten. */
void entity_facts_of(const struct entity_facts *facts, const struct value *measures,
                     uint64_t *words, struct buffer *scratch);
/* Whether windows can pass the event without a look at its columns, but for aggregates with a state. */
bool entity_facts_suffice(const struct entity_facts *facts, const struct fact_view *view);
/* What stands in id_word of an event with this id; never 0. */
uint64_t entity_facts_id(const struct value *id, struct buffer *scratch);

#endif
