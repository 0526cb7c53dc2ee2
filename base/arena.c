/*
 * Blocks form a chain in the order in which they were filled; what lies behind `current` is spare
 * (left by a rewind). A reset that finds more than one block replaces them by one as large as all:
 * after the first few records an arena is one block and allocates nothing. Its size stays below
 * twice the most that was ever needed at once, plus one block.
 *
 * Under AddressSanitizer everything not handed out is poisoned, so that a use after reset is found.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/memory.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, size)   ASAN_POISON_MEMORY_REGION((p), (size))
#define UNPOISON(p, size) ASAN_UNPOISON_MEMORY_REGION((p), (size))
#else
#define POISON(p, size)   ((void)(p), (void)(size))
#define UNPOISON(p, size) ((void)(p), (void)(size))
#endif

enum { ALIGNMENT = 16 };

struct block {
    struct block *next;
    size_t capacity;
    size_t used;
    _Alignas(ALIGNMENT) uint8_t data[];
};

struct arena {
    size_t block_bytes;
    struct block *first;
    struct block *current; /* NULL when nothing is handed out */
};

static struct block *block_create(size_t capacity);
static void block_destroy(struct block *block);
static void *block_alloc(struct block *block, size_t size);
static struct block *next_block(struct arena *arena, size_t size);
static void destroy_chain(struct block *block);
static size_t round_up(size_t size);

void arena_create(struct arena **out, size_t block_bytes)
{
    ENSURE(*out == NULL);
    ENSURE(block_bytes > 0);
    struct arena *arena = mem_alloc(sizeof *arena);
    arena->block_bytes = round_up(block_bytes);
    *out = arena;
}

void arena_destroy(struct arena **arena)
{
    if (*arena == NULL)
        return;
    destroy_chain((*arena)->first);
    mem_free(*arena);
    *arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct block *block = arena->current;
    const size_t room = round_up(size);
    if (block == NULL || room > block->capacity - block->used)
        block = arena->current = next_block(arena, room);
    return block_alloc(block, size);
}

void *arena_alloc_zeroed(struct arena *arena, size_t size)
{
    void *p = arena_alloc(arena, size);
    memset(p, 0, size);
    return p;
}

struct bytes arena_copy(struct arena *arena, struct bytes source)
{
    if (source.data == NULL)
        return BYTES_NONE;
    uint8_t *copy = arena_alloc(arena, source.size);
    memcpy(copy, source.data, source.size);
    return bytes_of(copy, source.size);
}

char *arena_copy_string(struct arena *arena, const char *s)
{
    const size_t size = strlen(s) + 1;
    return memcpy(arena_alloc(arena, size), s, size);
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    ENSURE(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void arena_reset(struct arena *arena)
{
    if (arena->first != NULL && arena->first->next != NULL) {
        size_t capacity = 0;
        for (const struct block *block = arena->first; block != NULL; block = block->next)
            capacity += block->capacity;
        destroy_chain(arena->first);
        arena->first = block_create(capacity);
    }
    arena_rewind(arena, (struct arena_mark){ NULL, 0 });
}

size_t arena_footprint(const struct arena *arena)
{
    size_t total = 0;
    for (const struct block *block = arena->first; block != NULL; block = block->next)
        total += mem_size(block);
    return total;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    if (arena->current == NULL)
        return (struct arena_mark){ NULL, 0 };
    return (struct arena_mark){ arena->current, arena->current->used };
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    struct block *block = mark.block == NULL ? arena->first : mark.block;
    arena->current = mark.block;
    for (size_t keep = mark.used; block != NULL; block = block->next, keep = 0) {
        ENSURE(keep <= block->used);
        block->used = keep;
        POISON(block->data + keep, block->capacity - keep);
    }
}

/* The block to go on with when `size` does not fit the current one. */
static struct block *next_block(struct arena *arena, size_t size)
{
    struct block **link = arena->current == NULL ? &arena->first : &arena->current->next;
    /* Spare blocks that are too small make room for a larger one, or they would pile up. */
    while (*link != NULL && (*link)->capacity < size) {
        struct block *small = *link;
        *link = small->next;
        block_destroy(small);
    }
    if (*link == NULL)
        *link = block_create(size > arena->block_bytes ? size : arena->block_bytes);
    return *link;
}

static void *block_alloc(struct block *block, size_t size)
{
    uint8_t *p = block->data + block->used;
    block->used += round_up(size);
    ENSURE(block->used <= block->capacity);
    UNPOISON(p, size);
    return p;
}

static struct block *block_create(size_t capacity)
{
    struct block *block = mem_resize_array(NULL, sizeof *block + capacity, 1);
    *block = (struct block){ .capacity = capacity };
    POISON(block->data, capacity);
    return block;
}

static void block_destroy(struct block *block)
{
    UNPOISON(block->data, block->capacity);
    mem_free(block);
}

static void destroy_chain(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        block_destroy(block);
        block = next;
    }
}

/* Never 0, so that every allocation has an address of its own. */
static size_t round_up(size_t size)
{
    ENSURE(size <= SIZE_MAX / 2);
    return size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}
