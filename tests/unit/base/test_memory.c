#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture.h"

Test(memory, allocations_are_zeroed)
{
    for (size_t size = 1; size < 5000; size = size * 3 + 1) {
        /* Dirty the heap first, so that zeros are not luck. */
        unsigned char *dirty = mem_alloc(size);
        memset(dirty, 0xa5, size);
        mem_free(dirty);
        unsigned char *single = mem_alloc(size);
        unsigned char *array = mem_alloc_array(size, 3);
        for (size_t i = 0; i < 3 * size; i++)
            cr_assert(array[i] == 0 && (i >= size || single[i] == 0), "byte %zu of %zu", i, size);
        mem_free(single);
        mem_free(array);
    }
}

Test(memory, size_zero_gives_unique_pointers)
{
    void *p[] = { mem_alloc(0), mem_alloc_array(0, 8), mem_alloc_array(8, 0),
                  mem_resize_array(NULL, 0, 8), mem_copy("", 0) };
    const size_t count = sizeof p / sizeof p[0];
    for (size_t i = 0; i < count; i++) {
        cr_assert_not_null(p[i]);
        for (size_t k = 0; k < i; k++)
            cr_assert_neq(p[i], p[k]);
    }
    for (size_t i = 0; i < count; i++)
        mem_free(p[i]);
    mem_free(NULL);
}

Test(memory, resize_keeps_what_was_there)
{
    uint32_t *numbers = NULL;
    for (uint32_t n = 1; n <= 1000; n++) {
        numbers = mem_resize_array(numbers, n, sizeof *numbers);
        numbers[n - 1] = n;
        cr_assert_eq(numbers[n / 2], n / 2 + 1);
    }
    numbers = mem_resize_array(numbers, 0, sizeof *numbers);
    cr_assert_not_null(numbers);
    mem_free(numbers);
}

Test(memory, copies_are_equal_and_apart)
{
    const char source[] = "left\0right";
    char *string = mem_copy_string(source);
    char *part = mem_copy_string_n(source, 2);
    char *none = mem_copy_string_n(NULL, 0);
    char *all = mem_copy(source, sizeof source);
    cr_assert_str_eq(string, "left");
    cr_assert_neq((const char *)string, source);
    cr_assert_str_eq(part, "le");
    cr_assert_str_eq(none, "");
    cr_assert_eq(memcmp(all, source, sizeof source), 0);
    mem_free(string);
    mem_free(part);
    mem_free(none);
    mem_free(all);
}

Test(memory, format_takes_any_length)
{
    for (int width = 1; width < 3000; width = width * 2 + 1) {
        AUTO(mem_auto_free) char *text = mem_format("%0*d|%s", width, 7, "end");
        cr_assert_eq(strlen(text), (size_t)width + 4);
        cr_assert_str_eq(text + width, "|end");
    }
}

Test(memory, auto_free_clears_a_pointer_of_any_type)
{
    double *numbers = mem_alloc_array(4, sizeof *numbers);
    mem_auto_free(&numbers);
    cr_assert_null(numbers);
    mem_auto_free(&numbers);
}

static volatile size_t huge = SIZE_MAX;

static void overflow_resize(void)
{
    (void)mem_resize_array(NULL, huge / 2, 3);
}

static void overflow_copy(void)
{
    (void)mem_copy_string_n("x", huge);
}

Test(memory, exhaustion_is_logged_and_aborts)
{
    static struct capture capture;
    char expected[128];
    capture_abort(&capture, overflow_resize);
    snprintf(expected, sizeof expected, " error event=memory.exhausted count=%zu item_bytes=3\n",
             huge / 2);
    cr_assert_not_null(strstr(capture.text, expected), "%s", capture.text);
    capture_abort(&capture, overflow_copy);
    cr_assert_not_null(strstr(capture.text, "event=memory.exhausted"), "%s", capture.text);
}

static void overflow_alloc(void)
{
    (void)mem_alloc_array(huge / 2, 3);
}

static void ask_for_too_much(void)
{
    (void)mem_alloc(huge / 4);
}

/* A sanitizer's allocator aborts by itself, with words of its own. */
Test(memory, a_failing_allocator_aborts)
{
    static struct capture capture;
    capture_abort(&capture, overflow_alloc);
    capture_abort(&capture, ask_for_too_much);
}

Test(memory, a_known_size_takes_what_the_allocator_says)
{
    for (size_t size = 1; size < 5000; size += 7) {
        void *p = mem_alloc(size);
        /* What would be too little for another allocation is left with this one. */
        cr_expect_geq(mem_size(p), mem_size_of(size), "%zu", size);
        cr_expect_leq(mem_size(p), mem_size_of(size) + 2 * sizeof(size_t), "%zu", size);
        mem_free(p);
    }
    cr_expect_eq(mem_size_of(0), 0);
}
