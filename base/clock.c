#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/ensure.h"

enum { US_PER_MS = 1000, US_PER_S = 1000000, NS_PER_US = 1000 };

static int64_t now_us(clockid_t id)
{
    struct timespec now;
    const int failed = clock_gettime(id, &now);
    ENSURE(failed == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

static int64_t real_wall_ms(void *self)
{
    (void)self;
    return now_us(CLOCK_REALTIME) / US_PER_MS;
}

static int64_t real_monotonic_us(void *self)
{
    (void)self;
    return now_us(CLOCK_MONOTONIC);
}

/* Sleeps until a point in time, so that a signal does not lengthen it. */
static void real_sleep_us(void *self, int64_t us)
{
    if (us <= 0)
        return;
    const int64_t end_us = real_monotonic_us(self) + us;
    const struct timespec end = { .tv_sec = (time_t)(end_us / US_PER_S),
                                  .tv_nsec = (long)(end_us % US_PER_S * NS_PER_US) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
}

int64_t clock_process_cpu_us(void)
{
    return now_us(CLOCK_PROCESS_CPUTIME_ID);
}

struct clock clock_real(void)
{
    return (struct clock){
        .wall_ms = real_wall_ms,
        .monotonic_us = real_monotonic_us,
        .sleep_us = real_sleep_us,
    };
}

static int64_t virtual_wall_ms(void *self)
{
    return ((const struct clock_virtual *)self)->wall_ms;
}

static int64_t virtual_monotonic_us(void *self)
{
    return ((const struct clock_virtual *)self)->monotonic_us;
}

static void virtual_sleep_us(void *self, int64_t us)
{
    if (us > 0)
        clock_virtual_advance(self, us);
}

struct clock clock_of_virtual(struct clock_virtual *borrowed)
{
    return (struct clock){
        .self = borrowed,
        .wall_ms = virtual_wall_ms,
        .monotonic_us = virtual_monotonic_us,
        .sleep_us = virtual_sleep_us,
    };
}

void clock_virtual_advance(struct clock_virtual *virtual_clock, int64_t us)
{
    ENSURE(us >= 0);
    /* Counted in whole milliseconds of the other one, so that many small steps add up. */
    const int64_t before_ms = virtual_clock->monotonic_us / US_PER_MS;
    virtual_clock->monotonic_us += us;
    virtual_clock->wall_ms += virtual_clock->monotonic_us / US_PER_MS - before_ms;
}
