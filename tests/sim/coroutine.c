#include "coroutine.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/error.h"
#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
enum { STACK_BYTES = 2 << 20 };
#else
enum { STACK_BYTES = 512 * 1024 };
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OWN_SWITCH 1
#else
#define OWN_SWITCH 0
#include <ucontext.h>
#endif

enum { STACKS_KEPT_MAX = 64, STACK_ALIGNMENT = 4096 };

struct coroutine {
    coroutine_fn *function;
    void *argument;
    char *stack;
    bool started;
#if OWN_SWITCH
    void *at, *main; /* stack pointers */
#else
    ucontext_t at, main;
    const void *main_stack;
    size_t main_stack_bytes;
#endif
};

static char *kept[STACKS_KEPT_MAX];
static size_t kept_count;
static struct coroutine *starting;

static char *take_stack(void)
{
    if (kept_count > 0)
        return kept[--kept_count];
    char *stack = aligned_alloc(STACK_ALIGNMENT, STACK_BYTES);
    ENSURE(stack != NULL);
    return stack;
}

/* --- the switch ------------------------------------------------------------------------------ */

static void begin(void);

#if OWN_SWITCH

/* Keeps what a callee must keep on this stack, and goes on where `to` left off. */
__attribute__((naked, noinline)) static void switch_stack(__attribute__((unused)) void **from,
                                                          __attribute__((unused)) void *to)
{
    __asm__("pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
            "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
            "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret");
}

/* A stack as switch_stack leaves one, whose return address is begin. */
static void prepare(struct coroutine *coroutine)
{
    enum { SAVED = 6 };
    void **top = (void **)(coroutine->stack + STACK_BYTES);
    *--top =
        NULL; /* begin's return address: it has none; and the alignment is as after a call */
    *--top = (void *)begin;
    for (int i = 0; i < SAVED; i++)
        *--top = NULL;
    coroutine->at = top;
}

static void enter(struct coroutine *coroutine)
{
    switch_stack(&coroutine->main, coroutine->at);
}

static void leave(struct coroutine *coroutine, bool for_good)
{
    (void)for_good;
    switch_stack(&coroutine->at, coroutine->main);
}

static void arrived(struct coroutine *coroutine)
{
    (void)coroutine;
}

#else

static void prepare(struct coroutine *coroutine)
{
    ENSURE(getcontext(&coroutine->at) == 0);
    coroutine->at.uc_stack.ss_sp = coroutine->stack;
    coroutine->at.uc_stack.ss_size = STACK_BYTES;
    coroutine->at.uc_link = NULL;
    makecontext(&coroutine->at, begin, 0);
}

static void enter(struct coroutine *coroutine)
{
#if defined(__SANITIZE_ADDRESS__)
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, coroutine->stack, STACK_BYTES);
#endif
    ENSURE(swapcontext(&coroutine->main, &coroutine->at) == 0);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void leave(struct coroutine *coroutine, bool for_good)
{
#if defined(__SANITIZE_ADDRESS__)
    void *fake = NULL;
    __sanitizer_start_switch_fiber(for_good ? NULL : &fake, coroutine->main_stack,
                                   coroutine->main_stack_bytes);
#else
    (void)for_good;
#endif
    ENSURE(swapcontext(&coroutine->at, &coroutine->main) == 0);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, &coroutine->main_stack, &coroutine->main_stack_bytes);
#endif
}

static void arrived(struct coroutine *coroutine)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &coroutine->main_stack, &coroutine->main_stack_bytes);
#else
    (void)coroutine;
#endif
}

#endif

/* --- its life -------------------------------------------------------------------------------- */

static void begin(void)
{
    struct coroutine *coroutine = TAKE(starting);
    arrived(coroutine);
    coroutine->function(coroutine->argument);
    UNREACHABLE();
}

void coroutine_create(struct coroutine **out, coroutine_fn *function, void *argument)
{
    ENSURE(*out == NULL);
    struct coroutine *coroutine = mem_alloc(sizeof *coroutine);
    coroutine->function = function;
    coroutine->argument = argument;
    coroutine->stack = take_stack();
    *out = coroutine;
}

void coroutine_destroy(struct coroutine **coroutine_ref)
{
    struct coroutine *coroutine = TAKE(*coroutine_ref);
    if (coroutine == NULL)
        return;
    if (kept_count < STACKS_KEPT_MAX)
        kept[kept_count++] = coroutine->stack;
    else
        free(coroutine->stack);
    mem_free(coroutine);
}

void coroutine_run(struct coroutine *coroutine)
{
    if (!coroutine->started) {
        coroutine->started = true;
        prepare(coroutine);
        starting = coroutine; /* begin takes it */
    }
    enter(coroutine);
}

void coroutine_give_way(struct coroutine *coroutine)
{
    leave(coroutine, false);
}

void coroutine_end(struct coroutine *coroutine)
{
    leave(coroutine, true);
    UNREACHABLE();
}

void coroutine_pool_fini(void)
{
    while (kept_count > 0)
        free(kept[--kept_count]);
}
