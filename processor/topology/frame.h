/*
 * frame: what the names of a stream mean while its expressions are compiled: columns of the schema,
 * fields, features, and the aggregates that are found on the way; in the end, which slot each has.
 *
 * Names are added in the order columns, fields, features. First every column of the schema has a
 * slot; when everything was compiled once, frame_lay_out keeps the columns that something reads,
 * and decides what the entity log remembers: what look-backs take, and what features and rules
 * read, because a late event makes newer ones be evaluated again, from memory.
 *
 * Borrows the loader; used by one thread, while loading.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_FRAME_H
#define WEIR_PROCESSOR_TOPOLOGY_FRAME_H

#include "base/map.h"
#include "processor/topology/loader.h"

enum frame_kind { FRAME_COLUMN, FRAME_FIELD, FRAME_FEATURE };
enum frame_state { FRAME_WAITING, FRAME_COMPILING, FRAME_READY };

struct frame_name {
    const char *name;
    enum frame_kind kind;
    struct value_type type;
    bool sensitive;
    bool poisoned;     /* its definition has an error: whoever reads it says nothing more */
    size_t diagnostic; /* that error */
    bool used;         /* something reads it */
    bool replayed;     /* it is read when a remembered event is evaluated again */
    bool identifies;   /* the id reads it, which remembered events are compared by */
    bool wanted;       /* listed under remember */
    int slot;          /* in the frame; -1: not in it */
    int place;         /* among the remembered columns; -1: not remembered */
    const struct yaml_node *key, *value; /* of a field or feature */
    enum frame_state state;
    size_t order;     /* of a feature: in which features are ready */
    bool is_computed; /* else its slot is another name's or an aggregate's */
    struct expression *program;
    const char *text; /* normalised */
};

struct frame {
    struct loader *loader;
    struct plan_stream *stream;
    struct frame_name *names; /* [columns][fields][features] */
    size_t count, column_count, field_count, feature_count;
    struct map *by_name; /* -> index */

    bool laid_out;
    int aggregate_base, feature_base; /* first slots */
    struct frame_name **compiling;    /* features that wait for each other, the last one first */
    size_t depth;
    size_t features_ready;

    struct plan_aggregate *aggregates;
    size_t aggregate_count;
    struct plan_measure *measures;
    size_t measure_count;
    struct window_spec *windows;
    size_t window_count;
};

void frame_init(struct frame *frame, struct loader *loader, struct plan_stream *stream,
                size_t name_max);
void frame_fini(struct frame *frame);
/* NULL when the name is taken: then *taken is who has it. */
struct frame_name *frame_add(struct frame *frame, const char *name, enum frame_kind kind,
                             const struct frame_name **taken);
struct frame_name *frame_find(const struct frame *frame, const char *name);

/*
 * What compiling leaves behind is forgotten, names and what reads them stay: for the second time.
 */
void frame_restart(struct frame *frame);
/* Which columns stay, and every slot; fills the stream's columns, names and remembered columns. */
void frame_lay_out(struct frame *frame, bool remember_anything, bool remember_all);
/* Features, aggregates, windows and measures into the stream; after the second time. */
void frame_finish(struct frame *frame);

/* "a column", "a field", "a feature" */
const char *frame_kind_text(enum frame_kind kind);

#endif
