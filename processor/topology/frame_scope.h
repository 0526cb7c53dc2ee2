/*
 * frame_scope: the scopes that the expressions of a topology are compiled in. A unit is one
 * expression's view of the names, and what its compilation found out.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_FRAME_SCOPE_H
#define WEIR_PROCESSOR_TOPOLOGY_FRAME_SCOPE_H

#include "processor/topology/frame.h"

enum unit_kind {
    UNIT_TABLE,   /* key and time of a table: its columns */
    UNIT_COLUMN,  /* key, id and time of a stream: columns only */
    UNIT_FIELD,   /* columns, fields above it, tables */
    UNIT_EVENT,   /* features and rules: everything, look-backs too */
    UNIT_MEASURE, /* inside a look-back: columns and fields, named by their place in the memory */
    UNIT_KIND_COUNT
};

struct unit {
    enum unit_kind kind;
    const struct loader *loader;
    struct frame *frame;            /* NULL for UNIT_TABLE */
    const struct plan_table *table; /* UNIT_TABLE */
    const struct frame_name *self;  /* UNIT_FIELD: the field itself */
    bool replayed;                  /* what it reads must be remembered */
    bool identifies;                /* the same, also when no late event changes anything */

    /* found out */
    bool poisoned;            /* it reads a name that has an error already */
    size_t diagnostic;        /* that error */
    bool sensitive;           /* it reads something sensitive */
    const char *refusal;      /* why a name that exists may not stand here, or NULL */
    struct frame_name *needs; /* a feature that must be compiled before, or NULL */
};

/* The scope borrows the unit. */
struct scope unit_scope(struct unit *unit);

#endif
