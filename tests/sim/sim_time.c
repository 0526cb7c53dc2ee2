#include "sim_time.h"

#include "base/ensure.h"
#include "base/memory.h"

void sim_time_fini(struct sim_time *time)
{
    mem_free(time->heap);
    *time = (struct sim_time){ .now_us = 0 };
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    const struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void sim_time_plan(struct sim_time *time, const struct sim_event *event)
{
    if (time->count == time->capacity) {
        time->capacity = time->capacity == 0 ? 64 : time->capacity * 2;
        time->heap = mem_resize_array(time->heap, time->capacity, sizeof *time->heap);
    }
    size_t i = time->count++;
    time->heap[i] = *event;
    time->heap[i].number = time->planned++;
    for (; i > 0 && is_before(&time->heap[i], &time->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&time->heap[i], &time->heap[(i - 1) / 2]);
}

static void sink(struct sim_time *time, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < time->count; child++) {
            if (is_before(&time->heap[child], &time->heap[least]))
                least = child;
        }
        if (least == i)
            return;
        swap(&time->heap[i], &time->heap[least]);
        i = least;
    }
}

static struct sim_event pop(struct sim_time *time)
{
    const struct sim_event first = time->heap[0];
    time->heap[0] = time->heap[--time->count];
    sink(time, 0);
    return first;
}

int64_t sim_time_next(const struct sim_time *time)
{
    return time->count == 0 ? INT64_MAX : time->heap[0].at_us;
}

void sim_time_advance(struct sim_time *time, int64_t us)
{
    ENSURE(us >= 0);
    const int64_t until_us = time->now_us + us;
    while (sim_time_next(time) <= until_us) {
        const struct sim_event event = pop(time);
        if (event.at_us > time->now_us)
            time->now_us = event.at_us;
        event.happen(event.self, event.a, event.b);
    }
    if (until_us > time->now_us)
        time->now_us = until_us;
}

void sim_time_wait(struct sim_time *time, int64_t deadline_us)
{
    const int64_t next_us = sim_time_next(time);
    const int64_t until_us = next_us < deadline_us ? next_us : deadline_us;
    /* Something that is due now must not stop the time. */
    sim_time_advance(time, until_us > time->now_us ? until_us - time->now_us : 1);
}

void sim_time_deliver(struct sim_time *time)
{
    const size_t count = time->count;
    struct sim_event *all = mem_alloc_array(count + 1, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = pop(time);
    for (size_t i = 0; i < count; i++) {
        if (!all[i].on_its_way)
            sim_time_plan(time, &all[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (all[i].on_its_way)
            all[i].happen(all[i].self, all[i].a, all[i].b);
    }
    mem_free(all);
}
