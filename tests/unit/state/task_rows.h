/*
 * task_rows: an overlay over a store in memory, with the layouts of its rows, and what happens to
 * it in the life of a task: commits, aborts, checkpoints, restarts.
 */
#ifndef WEIR_TESTS_STATE_TASK_ROWS_H
#define WEIR_TESTS_STATE_TASK_ROWS_H

#include <stdint.h>

#include "base/random.h"
#include "places.h"
#include "state/layouts.h"
#include "state/overlay.h"

struct task_rows {
    struct place place;
    struct overlay_options options;
    struct overlay *overlay;
    struct layouts *layouts;
    uint64_t digest; /* of every row committed so far, in order */
    uint64_t appends; /* of those rows: that only grew */
};

void task_rows_open(struct task_rows *rows, const struct overlay_options *options);
void task_rows_close(struct task_rows *rows);

void task_rows_commit(struct task_rows *rows);
void task_rows_abort(struct task_rows *rows);
/* Freezes, or writes what is frozen to the store and thaws, or gives the checkpoint up. */
void task_rows_checkpoint_step(struct task_rows *rows, struct prng *prng);
/* Everything committed goes to the store; overlay and layouts start again from there. Only between
 * transactions, with nobody holding them. */
void task_rows_restart(struct task_rows *rows);

/* The committed value of a row that must be there, copied into `out`. */
void task_rows_get(struct task_rows *rows, struct bytes key, struct buffer *out);
/* Every row there is, in order. */
void task_rows_each(struct task_rows *rows, store_row_fn *each, void *context);

#endif
