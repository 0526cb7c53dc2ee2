/*
 * kill_point: named steps at which a test build can be made to die, freeze or fail. In every other
 * build the macros are nothing, and no name of a point is in the binary.
 *
 * With -DWEIR_KILL_POINTS=ON the environment says what happens (nothing, when it says nothing):
 *
 *     WEIR_KILL_POINT=name:action:n[,name:action:n]...
 *
 * At the n-th time that any thread comes to the point `name`, the process writes one line to
 * stderr, and then, by `action`:
 *
 *     kill    kills itself with SIGKILL
 *     stop    stops itself with SIGSTOP; it goes on after a SIGCONT
 *     fail    goes on with ST_IO_FAILED; only at points that are FALLIBLE
 *
 * A text that is not of this form aborts: a test must not pass because of a misspelt name.
 * Any thread. kill_points.def is the one table of the names.
 */
#ifndef WEIR_BASE_KILL_POINT_H
#define WEIR_BASE_KILL_POINT_H

#ifdef WEIR_KILL_POINTS

#include "base/error.h"

enum kill_point {
#define KILL_POINT_ROW(name, kind, where) KILL_POINT_##name,
#include "base/kill_points.def"
#undef KILL_POINT_ROW
    KILL_POINT_COUNT
};

void kill_point_reached(enum kill_point point);
MUST_CHECK enum status kill_point_status(enum kill_point point, struct error *err);

#define KILL_POINT(name)          kill_point_reached(KILL_POINT_##name)
/* Returns the failure from the function around it. */
#define KILL_POINT_TRY(name, err) TRY(kill_point_status(KILL_POINT_##name, (err)))

#else

#define KILL_POINT(name)          ((void)0)
#define KILL_POINT_TRY(name, err) ((void)0)

#endif

#endif
