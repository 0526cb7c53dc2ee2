/*
 * sim_time: virtual time, and what is going to happen in it, in the order of time and then of
 * planning. Owns the plan; what an event points to is the planner's and must live until it happens.
 */
#ifndef WEIR_TESTS_SIM_TIME_H
#define WEIR_TESTS_SIM_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void sim_event_fn(void *self, int64_t a, int64_t b);

struct sim_event {
    int64_t at_us;
    uint64_t number;
    sim_event_fn *happen;
    void *self;
    int64_t a, b;
    bool on_its_way; /* something sent already: sim_time_deliver brings it forward */
};

struct sim_time {
    int64_t now_us;
    uint64_t planned;
    struct sim_event *heap;
    size_t count, capacity;
};

void sim_time_fini(struct sim_time *time);
void sim_time_plan(struct sim_time *time, const struct sim_event *event);
/* When the next thing happens; INT64_MAX: never. */
int64_t sim_time_next(const struct sim_time *time);
/* Everything planned until then happens, at its time. */
void sim_time_advance(struct sim_time *time, int64_t us);
/* To the next thing that happens, but not beyond `deadline_us`. */
void sim_time_wait(struct sim_time *time, int64_t deadline_us);
/* Everything that is on its way arrives now. */
void sim_time_deliver(struct sim_time *time);

#endif
