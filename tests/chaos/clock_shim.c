/*
 * A wall clock that a test can set, for one process (LD_PRELOAD). WEIR_TEST_CLOCK names a file of eight bytes: how many
 * nanoseconds the process's wall clock is ahead of the machine's; it is mapped, so that setting it costs the process
 * nothing. The monotonic clock is the machine's, as it is where somebody sets a clock.
 *
 * Waits until a time of the wall clock end when the clock that was set comes to it, as in the kernel: set back by an
 * hour, a wait of a second takes an hour and a second. They are made of short ones, each of which looks again.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { MONOTONIC_MAX = 4096, SLICE_NS = 20 * 1000 * 1000 };
static const int64_t SECOND_NS = 1000 * 1000 * 1000;

typedef int wait_fn(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
typedef int init_fn(pthread_cond_t *, const pthread_condattr_t *);

static const volatile int64_t *ahead;
static wait_fn *real_wait;
static init_fn *real_init;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    static const int64_t nothing;
    const char *name = getenv("WEIR_TEST_CLOCK");
    const int fd = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    ahead = map == MAP_FAILED ? &nothing : map;
    if (fd >= 0)
        close(fd);
    /* The version with which a condition variable may have a clock. */
    real_wait = (wait_fn *)dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    real_init = (init_fn *)dlvsym(RTLD_NEXT, "pthread_cond_init", "GLIBC_2.3.2");
    if (real_wait == NULL || real_init == NULL)
        abort();
}

static int64_t machine_ns(clockid_t clock)
{
    struct timespec now;
    syscall(SYS_clock_gettime, clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int64_t now_ns(void)
{
    pthread_once(&once, set_up);
    return machine_ns(CLOCK_REALTIME) + *ahead;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
}

/* ---- what time it is ---- */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, out);
    *out = timespec_of(now_ns());
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    const struct timespec now = timespec_of(now_ns());
    (void)zone;
    *out = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *out)
{
    const time_t now = now_ns() / SECOND_NS;
    if (out != NULL)
        *out = now;
    return now;
}

int timespec_get(struct timespec *out, int base)
{
    *out = timespec_of(now_ns());
    return base;
}

/* ---- waiting until a time ---- */

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static const pthread_cond_t *monotonic[MONOTONIC_MAX];
static int monotonic_count;

static int position_of(const pthread_cond_t *cond)
{
    int i = monotonic_count - 1;
    while (i >= 0 && monotonic[i] != cond)
        i--;
    return i;
}

static int is_monotonic(const pthread_cond_t *cond)
{
    pthread_mutex_lock(&table_lock);
    const int found = position_of(cond) >= 0;
    pthread_mutex_unlock(&table_lock);
    return found;
}

int pthread_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attributes)
{
    clockid_t clock = CLOCK_REALTIME;
    pthread_once(&once, set_up);
    if (attributes != NULL)
        pthread_condattr_getclock(attributes, &clock);
    pthread_mutex_lock(&table_lock);
    const int i = position_of(cond); /* where one lay before that was never destroyed, or was */
    if (i >= 0 && clock == CLOCK_REALTIME)
        monotonic[i] = monotonic[--monotonic_count];
    if (i < 0 && clock != CLOCK_REALTIME) {
        if (monotonic_count == MONOTONIC_MAX)
            abort();
        monotonic[monotonic_count++] = cond;
    }
    pthread_mutex_unlock(&table_lock);
    return real_init(cond, attributes);
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    const int64_t until_ns = until->tv_sec * SECOND_NS + until->tv_nsec;
    for (;;) {
        const int64_t left_ns = until_ns - now_ns();
        if (left_ns <= 0)
            return ETIMEDOUT;
        const struct timespec slice =
            timespec_of(machine_ns(CLOCK_REALTIME) + (left_ns < SLICE_NS ? left_ns : SLICE_NS));
        const int rc = real_wait(cond, mutex, &slice);
        if (rc != ETIMEDOUT)
            return rc;
    }
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    pthread_once(&once, set_up);
    return is_monotonic(cond) ? real_wait(cond, mutex, until) : wait_until(cond, mutex, until);
}

/* glibc's are the same objects under other names. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    switch (wait_until((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until)) {
    case 0: return thrd_success;
    case ETIMEDOUT: return thrd_timedout;
    default: return thrd_error;
    }
}
