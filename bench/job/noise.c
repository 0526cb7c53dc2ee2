/*
 * noise: how much later than asked a thread wakes up on each core, as a measure of what else the machine does.
 *
 *     noise SECONDS CORE...
 *
 * A thread on each core sleeps until the next whole millisecond, again and again. Prints a line for each core:
 * "CORE P50_US P99_US P999_US MAX_US".
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"

enum { STEP_US = 1000, CORES_MAX = 64 };

struct probe {
    pthread_t thread;
    int core;
    size_t count;
    int64_t *late_us;
};

static void *run(void *context)
{
    struct probe *probe = context;
    const struct clock clock = clock_real();
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)probe->core, &cores);
    if (pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) != 0) {
        fprintf(stderr, "noise: there is no core %d\n", probe->core);
        exit(1);
    }
    prctl(PR_SET_TIMERSLACK, 1);
    int64_t due_us = clock_us(&clock);
    for (size_t i = 0; i < probe->count; i++) {
        due_us += STEP_US;
        clock_sleep_us(&clock, due_us - clock_us(&clock));
        probe->late_us[i] = clock_us(&clock) - due_us;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct probe *probe)
{
    const int64_t *late_us = probe->late_us;
    qsort(probe->late_us, probe->count, sizeof *probe->late_us, compare);
    printf("%d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", probe->core, late_us[probe->count / 2],
           late_us[probe->count * 99 / 100], late_us[probe->count * 999 / 1000], late_us[probe->count - 1]);
}

int main(int argc, char **argv)
{
    const double seconds = argc < 3 || argc - 2 > CORES_MAX ? 0 : strtod(argv[1], NULL);
    if (seconds <= 0) {
        fprintf(stderr, "noise SECONDS CORE...\n");
        return 2;
    }
    struct probe probes[CORES_MAX];
    const size_t cores = (size_t)argc - 2;
    for (size_t i = 0; i < cores; i++) {
        const size_t count = (size_t)(seconds * 1000) + 1;
        probes[i] = (struct probe){ .core = atoi(argv[i + 2]), .count = count };
        probes[i].late_us = mem_alloc_array(count, sizeof *probes[i].late_us);
        ENSURE(pthread_create(&probes[i].thread, NULL, run, &probes[i]) == 0);
    }
    for (size_t i = 0; i < cores; i++) {
        ENSURE(pthread_join(probes[i].thread, NULL) == 0);
        report(&probes[i]);
        mem_free(probes[i].late_us);
    }
    return 0;
}
