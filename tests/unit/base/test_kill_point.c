/* The library under test has no kill points, as nothing that is shipped has: they are compiled in here. */
#define WEIR_KILL_POINTS 1
#include "base/kill_point.c" /* NOLINT(bugprone-suspicious-include) */

#include <criterion/criterion.h>
#include <sys/wait.h>

static enum status write_rows(struct error *err)
{
    KILL_POINT_TRY(write, err);
    return ST_OK;
}

/* How a child ends that goes through `process` twice and `write` once; its exit code is write's status. */
static int run(const char *plans_text)
{
    const pid_t child = fork();
    if (child == 0) {
        struct error err;
        setenv("WEIR_KILL_POINT", plans_text, 1);
        KILL_POINT(process);
        KILL_POINT(process);
        _exit((int)write_rows(&err));
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status))
        kill(child, SIGKILL), waitpid(child, NULL, 0);
    return status;
}

Test(kill_point, without_a_plan_nothing_happens)
{
    cr_assert_eq(run(""), 0);
}

Test(kill_point, happens_at_the_nth_time)
{
    const int first = run("process:kill:1"), second = run("write:fail:1,process:kill:2");
    cr_assert(WIFSIGNALED(first) && WTERMSIG(first) == SIGKILL);
    cr_assert(WIFSIGNALED(second) && WTERMSIG(second) == SIGKILL);
    cr_assert_eq(run("process:kill:3"), 0);
}

Test(kill_point, stops_and_fails)
{
    const int stopped = run("process:stop:2"), failed = run("write:fail:1");
    cr_assert(WIFSTOPPED(stopped) && WSTOPSIG(stopped) == SIGSTOP);
    cr_assert(WIFEXITED(failed) && WEXITSTATUS(failed) == ST_IO_FAILED);
}

Test(kill_point, refuses_what_it_does_not_understand)
{
    static const char *const texts[] = { "proces:kill:1",  "process:die:1",   "process:kill",
                                         "process:kill:0", "process:kill:1x", "process:fail:1",
                                         "process" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const int status = run(texts[i]);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s", texts[i]);
    }
}
