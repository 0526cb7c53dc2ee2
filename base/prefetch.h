/*
 * prefetch: memory that will be needed soon, on its way into the processor's cache.
 */
#ifndef WEIR_BASE_PREFETCH_H
#define WEIR_BASE_PREFETCH_H

/* The line that holds `at`, which need not be memory of ours. */
static inline void prefetch(const void *at)
{
    __builtin_prefetch(at);
    /* A function that does nothing else GCC takes for one without effect, and drops the calls of it. */
    __asm__ volatile("");
}

#endif
