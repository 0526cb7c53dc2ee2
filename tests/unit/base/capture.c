#define _GNU_SOURCE /* pipe2, O_DIRECT */
#include "capture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A pipe in packet mode keeps the borders between writes (of up to PIPE_BUF bytes). */
void capture_stderr(struct capture *out, void (*run)(void))
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_DIRECT), 0);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(ends[1]);

    size_t size = 0;
    out->write_count = 0;
    for (ssize_t got; (got = read(ends[0], out->text + size, sizeof out->text - 1 - size)) > 0;) {
        size += (size_t)got;
        out->write_count++;
    }
    out->text[size] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &out->wait_status, 0), child);
}

void capture_abort(struct capture *out, void (*run)(void))
{
    capture_stderr(out, run);
    cr_assert(WIFSIGNALED(out->wait_status) && WTERMSIG(out->wait_status) == SIGABRT,
              "wait status %d, stderr: %s", out->wait_status, out->text);
}
