#include "allocation_count.h"

#include <stddef.h>

uint64_t allocation_count;

void *__real_mem_alloc(size_t size);
void *__real_mem_alloc_array(size_t count, size_t item_size);
void *__real_mem_resize_array(void *p, size_t count, size_t item_size);
void *__real_mem_copy(const void *data, size_t size);
void *__wrap_mem_alloc(size_t size);
void *__wrap_mem_alloc_array(size_t count, size_t item_size);
void *__wrap_mem_resize_array(void *p, size_t count, size_t item_size);
void *__wrap_mem_copy(const void *data, size_t size);

void *__wrap_mem_alloc(size_t size)
{
    allocation_count++;
    return __real_mem_alloc(size);
}

void *__wrap_mem_alloc_array(size_t count, size_t item_size)
{
    allocation_count++;
    return __real_mem_alloc_array(count, item_size);
}

void *__wrap_mem_resize_array(void *p, size_t count, size_t item_size)
{
    allocation_count++;
    return __real_mem_resize_array(p, count, item_size);
}

void *__wrap_mem_copy(const void *data, size_t size)
{
    allocation_count++;
    return __real_mem_copy(data, size);
}
