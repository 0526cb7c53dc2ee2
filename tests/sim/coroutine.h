/*
 * coroutine: a function with a stack of its own that gives way in the middle and goes on later.
 * One thread; a coroutine is run from the main stack only, never from another one.
 *
 * A switch is a dozen instructions on x86-64: a simulated world makes millions of them, and
 * swapcontext asks the kernel for the signal mask each time. Elsewhere, and under
 * AddressSanitizer, it is swapcontext.
 */
#ifndef WEIR_TESTS_SIM_COROUTINE_H
#define WEIR_TESTS_SIM_COROUTINE_H

struct coroutine;
typedef void coroutine_fn(void *argument);

/* Nothing runs yet. The function must not return: its last act is coroutine_end. */
void coroutine_create(struct coroutine **out, coroutine_fn *function, void *argument);
/* It has ended, or never ran. Stacks are kept for the next one. */
void coroutine_destroy(struct coroutine **coroutine);
/* From the main stack: runs it until it gives way or ends. */
void coroutine_run(struct coroutine *coroutine);
/* From within. */
void coroutine_give_way(struct coroutine *coroutine);
__attribute__((noreturn)) void coroutine_end(struct coroutine *coroutine);
/* Gives the kept stacks back. */
void coroutine_pool_fini(void);

#endif
