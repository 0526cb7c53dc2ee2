/*
 * memory: allocation that never returns NULL. Out of memory aborts the process: a restart is safe
 * by construction, going on without the memory is not.
 */
#ifndef WEIR_BASE_MEMORY_H
#define WEIR_BASE_MEMORY_H

#include <stddef.h>

#include "base/bytes.h"

/* Zeroed. size 0 gives a unique pointer. */
void *mem_alloc(size_t size);
/* Zeroed; the product is checked. */
void *mem_alloc_array(size_t count, size_t item_size);
/* Like realloc, not zeroed; the product is checked. */
void *mem_resize_array(void *p, size_t count, size_t item_size);
char *mem_copy_string(const char *s);
/* A NUL-terminated copy of n bytes. */
char *mem_copy_string_n(const char *s, size_t n);
void *mem_copy(const void *data, size_t size);
/* printf into a new string. */
__attribute__((format(printf, 1, 2))) char *mem_format(const char *format, ...);
void mem_free(void *p);
/* Bytes that an allocation takes from the heap: what was rounded up and the allocator's own word
 * included. NULL takes none. What counts against a limit is counted with this, not estimated. */
size_t mem_size(const void *p);
/* The same of an allocation whose size is known, without a look at it: on the way of each event that look would be
 * dearer than the rest of the counting. An allocation of 0 bytes is taken to be none. */
static inline size_t mem_size_of(size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    return size; /* an allocator of its own, with another account */
#else
    enum { WORD = sizeof(size_t), UNIT = 2 * WORD, LEAST = 2 * UNIT };
    const size_t taken = (size + WORD + UNIT - 1) / UNIT * UNIT;
    return size == 0 ? 0 : taken < LEAST ? LEAST : taken;
#endif
}
/* For AUTO(mem_auto_free) on any pointer variable: frees *(void **)p and sets it to NULL. */
void mem_auto_free(void *p);

/* At the start of a process, before its threads: the heap gives back what is freed instead of
 * keeping a pool per thread. */
void mem_tame_allocator(void);

#endif
