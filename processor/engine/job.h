/*
 * job: work beside the poll loop (a restore, a background write), in steps. In production it runs on a thread of its own; a
 * simulation runs it inline, a few steps per look, so that the whole process is one deterministic thread.
 */
#ifndef WEIR_PROCESSOR_ENGINE_JOB_H
#define WEIR_PROCESSOR_ENGINE_JOB_H

#include <stdbool.h>

#include "base/error.h"

struct job;

/* Does a bounded piece of work; sets *done with the last. Called by one thread at a time. */
typedef enum status job_step_fn(void *context, bool *done, struct error *err);

enum { JOB_THREADED = 0 };
/* `steps`: how many of them job_ended runs, at least 1; or JOB_THREADED. */
void job_start(struct job **out, int steps, job_step_fn *step, void *context);
/* Has it ended? Then its status and error. Never blocks. */
bool job_ended(struct job *job, enum status *st, struct error *err);
/* Lets it end after the step in hand, waits for that, and forgets it. NULL-safe. */
void job_cancel(struct job **job);

#endif
