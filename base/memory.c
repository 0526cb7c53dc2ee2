#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/log.h"

/* log_write does not allocate, so it works here. */
__attribute__((noreturn, cold)) static void memory_exhausted(size_t count, size_t item_size)
{
    log_write(LOG_LEVEL_ERROR, "memory.exhausted", "count=%zu item_bytes=%zu", count, item_size);
    abort();
}

void *mem_alloc(size_t size)
{
    return mem_alloc_array(1, size);
}

void *mem_alloc_array(size_t count, size_t item_size)
{
    const bool empty = count == 0 || item_size == 0;
    void *p = empty ? calloc(1, 1) : calloc(count, item_size); /* calloc checks the product */
    if (p == NULL)
        memory_exhausted(count, item_size);
    return p;
}

void *mem_resize_array(void *p, size_t count, size_t item_size)
{
    size_t size = 0;
    if (__builtin_mul_overflow(count, item_size, &size))
        memory_exhausted(count, item_size);
    void *resized = realloc(p, size == 0 ? 1 : size); /* realloc(p, 0) may free */
    if (resized == NULL)
        memory_exhausted(count, item_size);
    return resized;
}

char *mem_copy_string(const char *s)
{
    return mem_copy_string_n(s, strlen(s));
}

char *mem_copy_string_n(const char *s, size_t n)
{
    if (n == SIZE_MAX)
        memory_exhausted(n, 1);
    char *copy = mem_resize_array(NULL, n + 1, 1);
    if (n > 0)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void *mem_copy(const void *data, size_t size)
{
    void *copy = mem_resize_array(NULL, size, 1);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *mem_format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    ENSURE(length >= 0);
    char *text = mem_resize_array(NULL, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void mem_free(void *p)
{
    free(p);
}

void mem_auto_free(void *p)
{
    /* memcpy, because the variable may be a pointer of any type. */
    void *held = NULL;
    memcpy(&held, p, sizeof held);
    free(held);
    held = NULL;
    memcpy(p, &held, sizeof held);
}

/* AddressSanitizer has an allocator of its own, with another account. */
#ifdef __SANITIZE_ADDRESS__
enum { ALLOCATOR_WORD = 0 };
#else
enum { ALLOCATOR_WORD = sizeof(size_t) };
#endif

size_t mem_size(const void *p)
{
    if (p == NULL)
        return 0;
    return malloc_usable_size((void *)(uintptr_t)p) + ALLOCATOR_WORD;
}

/*
 * glibc gives each thread a pool of its own, and librdkafka and RocksDB have dozens of threads that
 * allocate what others free. And it raises the size from which a block is mapped (and so given back
 * at once) each time such a block is freed, up to 32 MB. What is free at the heap's end goes back in pieces that the least
 * `memory` can spare: what comes again has to be cleared by the system first.
 */
void mem_tame_allocator(void)
{
    enum { POOLS_MAX = 1, MAPPED_FROM = 128 * 1024, TRIMMED_FROM = 8 * 1024 * 1024 };
    mallopt(M_ARENA_MAX, POOLS_MAX);
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    mallopt(M_TRIM_THRESHOLD, TRIMMED_FROM);
}
