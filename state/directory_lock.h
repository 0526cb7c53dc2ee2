/*
 * directory_lock: a directory on disk belongs to one process at a time. Creates the directory if it
 * is missing. The lock is the kernel's (flock on `weir.lock` inside), so it ends with the process;
 * the file's text only says who holds it.
 */
#ifndef WEIR_STATE_DIRECTORY_LOCK_H
#define WEIR_STATE_DIRECTORY_LOCK_H

#include "base/error.h"

struct directory_lock;

/* ST_REFUSED, with pid and host, when somebody holds it; also when that is this process. */
MUST_CHECK enum status directory_lock_acquire(struct directory_lock **out, const char *directory,
                                              struct error *err);
void directory_lock_release(struct directory_lock **lock);

#endif
