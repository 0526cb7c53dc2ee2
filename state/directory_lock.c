#include "state/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { OWNER_TEXT_SIZE = 128, HOST_SIZE = 65 };

struct directory_lock {
    int fd;
};

static enum status make_directories(const char *directory, struct error *err);
static enum status fail_locked(int fd, const char *directory, struct error *err);
static void write_owner(int fd);

enum status directory_lock_acquire(struct directory_lock **out, const char *directory,
                                   struct error *err)
{
    ENSURE(*out == NULL);
    TRY(make_directories(directory, err));

    AUTO(directory_lock_release) struct directory_lock *lock = mem_alloc(sizeof *lock);
    AUTO(mem_auto_free) char *path = mem_format("%s/weir.lock", directory);
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock->fd < 0)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail_locked(lock->fd, directory, err);
        return FAIL(err, ST_IO_FAILED, "%s cannot be locked: %s", path, strerror(errno));
    }
    write_owner(lock->fd);
    *out = TAKE(lock);
    return ST_OK;
}

void directory_lock_release(struct directory_lock **lock)
{
    if (*lock == NULL)
        return;
    if ((*lock)->fd >= 0)
        close((*lock)->fd);
    mem_free(*lock);
    *lock = NULL;
}

static enum status make_directories(const char *directory, struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_copy_string(directory);
    for (char *slash = path + strspn(path, "/"); slash != NULL; slash++) {
        slash = strchr(slash, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
        *slash = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    return ST_OK;
}

static enum status fail_locked(int fd, const char *directory, struct error *err)
{
    char owner[OWNER_TEXT_SIZE];
    const ssize_t size = pread(fd, owner, sizeof owner - 1, 0);
    owner[size < 0 ? 0 : size] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    return FAIL(err, ST_REFUSED,
                "the state directory %s is in use by %s; every process needs its own", directory,
                owner[0] == '\0' ? "another process" : owner);
}

/* For people only: a failure to write it changes nothing. */
static void write_owner(int fd)
{
    char host[HOST_SIZE] = "?", owner[OWNER_TEXT_SIZE];
    gethostname(host, sizeof host - 1);
    const int size =
        snprintf(owner, sizeof owner, "process %ld on host %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, (size_t)size, 0) != size)
        return;
}
