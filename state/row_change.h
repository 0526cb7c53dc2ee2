/*
 * row_change: what a transaction does to one row: it gets a new value, is deleted, or grows at its end. The last says
 * where that end was, so that whoever repeats it sees whether it is the row that was meant.
 */
#ifndef WEIR_STATE_ROW_CHANGE_H
#define WEIR_STATE_ROW_CHANGE_H

#include "base/bytes.h"

struct row_change {
    struct bytes key;
    struct bytes value; /* none: deleted */
    size_t position;    /* not 0: the value goes behind so many bytes of the row */
};

#endif
