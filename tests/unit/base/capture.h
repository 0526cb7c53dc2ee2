/* capture: what a function writes to stderr, and how it ends, seen from outside. */
#ifndef WEIR_TESTS_UNIT_BASE_CAPTURE_H
#define WEIR_TESTS_UNIT_BASE_CAPTURE_H

struct capture {
    int wait_status; /* as of waitpid */
    int write_count; /* write(2) calls on stderr */
    char text[65536];
};

/* Runs `run` in a child process. */
void capture_stderr(struct capture *out, void (*run)(void));
/* The same, and it must abort. */
void capture_abort(struct capture *out, void (*run)(void));

#endif
