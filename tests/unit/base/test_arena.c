#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "capture.h"

enum { MODEL_MAX = 2000, MARKS_MAX = 8 };

struct piece {
    uint8_t *at;
    size_t size;
    uint8_t fill;
};

static void check_pieces(const struct piece *pieces, size_t count, uint64_t seed, int step)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < pieces[i].size; k++)
            cr_assert_eq(pieces[i].at[k], pieces[i].fill, "TEST_SEED=%" PRIu64 " step=%d piece=%zu",
                         seed, step, i);
}

/* Model: a stack of filled pieces. Whoever overlaps another one destroys its fill. */
Test(arena, agrees_with_a_stack_of_pieces)
{
    struct prng prng = prng_from_env("TEST_SEED", 11);
    struct arena *arena = NULL;
    arena_create(&arena, 256);
    static struct piece pieces[MODEL_MAX];
    struct arena_mark marks[MARKS_MAX];
    size_t marked[MARKS_MAX];
    size_t count = 0, mark_count = 0;

    for (int step = 0; step < 20000; step++) {
        const uint64_t what = prng_below(&prng, 100);
        if (what == 0 || count == MODEL_MAX) {
            check_pieces(pieces, count, prng.seed, step);
            arena_reset(arena);
            count = mark_count = 0;
        } else if (what < 6 && mark_count < MARKS_MAX) {
            marks[mark_count] = arena_mark(arena);
            marked[mark_count++] = count;
        } else if (what < 10 && mark_count > 0) {
            check_pieces(pieces, count, prng.seed, step);
            mark_count = prng_below(&prng, mark_count);
            arena_rewind(arena, marks[mark_count]);
            count = marked[mark_count];
        } else {
            const size_t size = prng_below(&prng, prng_chance(&prng, 1, 20) ? 2000 : 60);
            struct piece *piece = &pieces[count++];
            *piece = (struct piece){ arena_alloc(arena, size), size, (uint8_t)step };
            cr_assert_eq((uintptr_t)piece->at % 16, 0);
            memset(piece->at, piece->fill, size);
        }
    }
    check_pieces(pieces, count, prng.seed, -1);
    arena_destroy(&arena);
    cr_assert_null(arena);
    arena_destroy(&arena);
}

Test(arena, allocations_of_nothing_are_apart)
{
    struct arena *arena = NULL;
    arena_create(&arena, 64);
    const void *first = arena_alloc(arena, 0);
    cr_assert_not_null(first);
    cr_assert_neq(arena_alloc(arena, 0), first);
    arena_destroy(&arena);
}

Test(arena, zeroed_is_zeroed_after_a_reset_too)
{
    struct arena *arena = NULL;
    arena_create(&arena, 64);
    for (int round = 0; round < 3; round++) {
        unsigned char *p = arena_alloc_zeroed(arena, 48);
        for (size_t i = 0; i < 48; i++)
            cr_assert_eq(p[i], 0);
        memset(p, 0xff, 48);
        arena_reset(arena);
    }
    arena_destroy(&arena);
}

Test(arena, copies_keep_none_and_empty_apart)
{
    struct arena *arena = NULL;
    arena_create(&arena, 64);
    cr_assert_null(arena_copy(arena, BYTES_NONE).data);
    const struct bytes empty = arena_copy(arena, BYTES_LITERAL(""));
    cr_assert_not_null(empty.data);
    cr_assert_eq(empty.size, 0);
    char source[] = "payload";
    const struct bytes copy = arena_copy(arena, bytes_of_string(source));
    source[0] = 'X';
    cr_assert(bytes_equal(copy, BYTES_LITERAL("payload")));
    cr_assert_str_eq(arena_copy_string(arena, source), "Xayload");
    cr_assert_str_eq(arena_format(arena, "%s-%0100d", "n", 1) + 99, "001");
    arena_destroy(&arena);
}

static void work(struct arena *arena, size_t scale)
{
    const struct arena_mark mark = arena_mark(arena);
    for (size_t i = 1; i < 40; i++)
        arena_alloc(arena, i * scale);
    arena_rewind(arena, mark);
    for (size_t i = 40; i > 0; i--)
        arena_alloc(arena, i * scale);
}

Test(arena, steady_work_allocates_nothing_more)
{
    struct arena *arena = NULL;
    arena_create(&arena, 1024);
    for (int warm_up = 0; warm_up < 3; warm_up++) {
        work(arena, 30);
        arena_reset(arena);
    }
    const size_t footprint = arena_footprint(arena);
    const void *first = arena_alloc(arena, 1);
    arena_reset(arena);
    for (int round = 0; round < 100; round++) {
        cr_assert_eq(arena_alloc(arena, 1), first);
        work(arena, 30);
        cr_assert_eq(arena_footprint(arena), footprint, "round %d", round);
        arena_reset(arena);
        cr_assert_eq(arena_footprint(arena), footprint);
    }
    arena_destroy(&arena);
}

/* Sizes that grow a little each time would pile up blocks that nothing fits into any more. */
Test(arena, footprint_stays_below_twice_the_need)
{
    enum { BLOCK = 1024, SLACK = BLOCK + 512 };
    for (int rewinds = 0; rewinds < 2; rewinds++) {
        struct arena *arena = NULL;
        arena_create(&arena, BLOCK);
        const struct arena_mark start = arena_mark(arena);
        for (size_t size = 1; size < 20000; size += 37) {
            arena_alloc(arena, size);
            cr_assert_lt(arena_footprint(arena), 2 * size + SLACK, "size %zu", size);
            if (rewinds)
                arena_rewind(arena, start);
            else
                arena_reset(arena);
        }
        arena_destroy(&arena);
    }
}

Test(arena, an_unused_arena_holds_no_block)
{
    struct arena *arena = NULL;
    arena_create(&arena, 1 << 20);
    cr_assert_eq(arena_footprint(arena), 0);
    arena_reset(arena);
    arena_rewind(arena, arena_mark(arena));
    cr_assert_eq(arena_footprint(arena), 0);
    arena_destroy(&arena);
}

#ifdef __has_feature /* clang's way to tell */
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
static void read_after_reset(void)
{
    struct arena *arena = NULL;
    arena_create(&arena, 1024);
    volatile char *p = arena_alloc(arena, 10);
    p[0] = 1;
    arena_reset(arena);
    (void)p[0];
}

static void read_beyond_the_end(void)
{
    struct arena *arena = NULL;
    arena_create(&arena, 1024);
    volatile char *p = arena_alloc(arena, 13);
    (void)p[13];
}

Test(arena, the_address_sanitizer_sees_misuse)
{
    static struct capture capture;
    capture_abort(&capture, read_after_reset);
    cr_assert_not_null(strstr(capture.text, "use-after-poison"), "%s", capture.text);
    capture_abort(&capture, read_beyond_the_end);
    cr_assert_not_null(strstr(capture.text, "use-after-poison"), "%s", capture.text);
}
#endif
