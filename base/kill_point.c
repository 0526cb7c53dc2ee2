#include "base/kill_point.h"

#ifdef WEIR_KILL_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { PLAIN, FALLIBLE };
enum action { NOTHING, KILL, STOP, FAIL_WITH_IO };

static const struct {
    const char *name;
    enum kind kind;
} points[] = {
#define KILL_POINT_ROW(name, kind, where) { #name, kind },
#include "base/kill_points.def"
#undef KILL_POINT_ROW
};

static const char *const action_names[] = { "nothing", "kill", "stop", "fail" };

/* Written once, before any thread comes here; then only counted. */
static struct {
    enum action action;
    long at; /* the n-th time */
    atomic_long reached;
} plans[KILL_POINT_COUNT];

static pthread_once_t read_once = PTHREAD_ONCE_INIT;

static void refuse(const char *item)
{
    fprintf(stderr, "WEIR_KILL_POINT: '%s' is not name:action:n\n", item);
    abort();
}

static int find_point(const char *name)
{
    for (int i = 0; i < KILL_POINT_COUNT; i++) {
        if (strcmp(points[i].name, name) == 0)
            return i;
    }
    return -1;
}

static enum action find_action(const char *name)
{
    for (int i = KILL; i <= FAIL_WITH_IO; i++) {
        if (strcmp(action_names[i], name) == 0)
            return (enum action)i;
    }
    return NOTHING;
}

static void plan(const char *item)
{
    char name[64], action[16];
    long at;
    int size = 0;
    if (sscanf(item, "%63[^:]:%15[^:]:%ld%n", name, action, &at, &size) != 3 || item[size] != '\0')
        refuse(item);
    const int point = find_point(name);
    const enum action what = find_action(action);
    if (point < 0 || what == NOTHING || at < 1 ||
        (what == FAIL_WITH_IO && points[point].kind != FALLIBLE))
        refuse(item);
    plans[point].action = what;
    plans[point].at = at;
}

static void read_environment(void)
{
    const char *text = getenv("WEIR_KILL_POINT");
    if (text == NULL || *text == '\0')
        return;
    char *copy = strdup(text), *rest = copy, *item;
    while ((item = strsep(&rest, ",")) != NULL)
        plan(item);
    free(copy);
}

/* With write(2): nothing that is buffered gets out of a killed process. */
static void say(enum kill_point point, enum action action)
{
    char line[128];
    const int size = snprintf(line, sizeof line, "kill point %s: %s\n", points[point].name,
                              action_names[action]);
    if (write(STDERR_FILENO, line, (size_t)size) != size)
        abort();
}

static enum action due(enum kill_point point)
{
    pthread_once(&read_once, read_environment);
    if (plans[point].action == NOTHING ||
        atomic_fetch_add(&plans[point].reached, 1) + 1 != plans[point].at)
        return NOTHING;
    say(point, plans[point].action);
    return plans[point].action;
}

enum status kill_point_status(enum kill_point point, struct error *err)
{
    switch (due(point)) {
    case NOTHING:
        break;
    case KILL:
        kill(getpid(), SIGKILL);
        for (;;) /* until the signal is there: nothing more may happen here */
            pause();
    case STOP:
        raise(SIGSTOP);
        break;
    case FAIL_WITH_IO:
        return FAIL(err, ST_IO_FAILED, "kill point %s", points[point].name);
    }
    return ST_OK;
}

void kill_point_reached(enum kill_point point)
{
    (void)(kill_point_status(point, NULL) == ST_OK);
}

#endif
