#include "processor/engine/job.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/ensure.h"
#include "base/memory.h"

struct job {
    job_step_fn *step;
    void *context;
    int steps; /* per look, or JOB_THREADED */
    pthread_t thread;
    atomic_bool cancelled;
    atomic_bool ended;
    enum status status; /* written before `ended` is set */
    struct error error;
};

static void run_step(struct job *job)
{
    bool done = false;
    job->status = job->step(job->context, &done, &job->error);
    if (done || job->status != ST_OK)
        atomic_store(&job->ended, true);
}

static void *run(void *argument)
{
    struct job *job = argument;
    while (!atomic_load(&job->cancelled) && !atomic_load(&job->ended))
        run_step(job);
    atomic_store(&job->ended, true);
    return NULL;
}

void job_start(struct job **out, int steps, job_step_fn *step, void *context)
{
    ENSURE(*out == NULL);
    struct job *job = mem_alloc(sizeof *job);
    job->step = step;
    job->context = context;
    job->steps = steps;
    if (steps == JOB_THREADED)
        ENSURE(pthread_create(&job->thread, NULL, run, job) == 0);
    *out = job;
}

bool job_ended(struct job *job, enum status *st, struct error *err)
{
    for (int i = 0; i < job->steps && !atomic_load(&job->ended); i++)
        run_step(job);
    if (!atomic_load(&job->ended))
        return false;
    *st = job->status;
    if (job->status != ST_OK && err != NULL)
        *err = job->error;
    return true;
}

void job_cancel(struct job **job)
{
    if (*job == NULL)
        return;
    atomic_store(&(*job)->cancelled, true);
    if ((*job)->steps == JOB_THREADED)
        pthread_join((*job)->thread, NULL);
    mem_free(*job);
    *job = NULL;
}
