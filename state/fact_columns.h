/*
 * fact_columns: an event's columns as its facts tell them. A number that is summed, or a short text that is counted, stands
 * among the facts as it is, so it is not kept a second time: an event that is told whole has no rest (event_chunk.h).
 * A null is not told (a fact of 0 may be one), nor is what does not fit its word.
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_FACT_COLUMNS_H
#define WEIR_STATE_FACT_COLUMNS_H

#include "base/buffer.h"
#include "schemas/value.h"
#include "state/fact_form.h"

struct fact_column {
    struct value_type type;
    enum fact_kind kind;
    size_t word;
    struct fact_place at; /* of the word */
};

/* Whether a word of this kind tells a value of this type. */
bool fact_kind_tells(enum fact_kind kind, struct value_type type);
/* So many columns at most: a size of less than 128 bytes is one byte. */
enum { FACT_COLUMNS_MAX = 13, FACT_COLUMN_BYTES_MAX = INTEGER_STORED_MAX };
/* All of an event's columns, in order, are told by words of the form; `at` is found out. */
void fact_form_set_columns(struct fact_form *form, const struct fact_column *columns, size_t count);

/* Whether these words tell all of these columns. */
bool fact_columns_are_told(const struct fact_form *form, const struct value *columns, const uint64_t *words);
/* Text points into the event, or into the form. */
void fact_columns_read(const struct fact_view *view, struct value *columns);
/* As layout_write_values does, where the form's told_bytes_max may be overwritten; returns the end. */
uint8_t *fact_columns_write(const struct fact_view *view, uint8_t *at);

#endif
