/*
 * clock: the port through which time is read. Production passes the real clock, tests and the
 * simulation a virtual one. A task never sees it.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    void *self;
    int64_t (*wall_ms)(void *self);      /* milliseconds since 1970, may jump */
    int64_t (*monotonic_us)(void *self); /* microseconds, never goes back */
    void (*sleep_us)(void *self, int64_t us);
};

struct clock clock_real(void);

/* The processor time of all threads of this process so far: for measuring, never for a result. */
int64_t clock_process_cpu_us(void);

/* A clock that moves only when told, or when somebody sleeps on it. One thread. */
struct clock_virtual {
    int64_t wall_ms;
    int64_t monotonic_us;
};
struct clock clock_of_virtual(struct clock_virtual *borrowed);
void clock_virtual_advance(struct clock_virtual *virtual_clock, int64_t us);

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->self);
}

static inline int64_t clock_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->self);
}

static inline void clock_sleep_us(const struct clock *clock, int64_t us)
{
    clock->sleep_us(clock->self, us);
}

#endif
