/*
 * Few numbers lie in order. Of everything else a map counts each value, and a heap orders them. What has been taken away
 * stays in both with a count of 0 until it comes to the top, or until such values are the majority.
 */
#include "state/extremes.h"

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "state/aggregate_state.h"
#include "state/sorted_numbers.h"

enum { GONE_MIN = 16, FEW_MAX = 512 };

struct entry {
    struct value value; /* its text is ours */
    int64_t *count;     /* in the map */
};

struct extremes {
    bool smallest;
    struct sorted_numbers few; /* until there are many, or others than numbers of 64 bits */
    struct value few_top;      /* the first or last of them, with their kind and scale */
    struct map *counts; /* stored form -> int64_t; NULL: they are few */
    struct entry *heap; /* one of each key of the map */
    size_t count, capacity;
    size_t gone; /* entries with count 0 */
    uint64_t text_bytes; /* of the heap */
};

void extremes_create(struct extremes **out, bool smallest)
{
    ENSURE(*out == NULL);
    struct extremes *extremes = mem_alloc(sizeof *extremes);
    extremes->smallest = smallest;
    *out = extremes;
}

static bool is_text(const struct value *v)
{
    return v->kind == VALUE_STRING || v->kind == VALUE_BYTES;
}

static void free_value(struct extremes *extremes, const struct value *v)
{
    if (!is_text(v))
        return;
    extremes->text_bytes -= mem_size(v->text.data);
    mem_free((void *)v->text.data);
}

void extremes_clear(struct extremes *extremes)
{
    for (size_t i = 0; i < extremes->count; i++)
        free_value(extremes, &extremes->heap[i].value);
    extremes->count = extremes->gone = extremes->capacity = 0;
    extremes->few.count = 0;
    mem_free(extremes->heap);
    extremes->heap = NULL;
    if (extremes->counts != NULL)
        map_destroy(&extremes->counts);
}

void extremes_destroy(struct extremes **extremes_ref)
{
    struct extremes *extremes = *extremes_ref;
    if (extremes == NULL)
        return;
    extremes_clear(extremes);
    sorted_numbers_fini(&extremes->few);
    mem_free(extremes);
    *extremes_ref = NULL;
}

/* --- heap ------------------------------------------------------------------------------------- */

static bool is_before(const struct extremes *extremes, const struct entry *a, const struct entry *b)
{
    const int order = value_compare(&a->value, &b->value);
    return extremes->smallest ? order < 0 : order > 0;
}

static void sift_up(struct extremes *extremes, size_t i)
{
    struct entry *heap = extremes->heap;
    const struct entry moved = heap[i];
    for (; i > 0 && is_before(extremes, &moved, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = moved;
}

static void sift_down(struct extremes *extremes, size_t i)
{
    struct entry *heap = extremes->heap;
    const struct entry moved = heap[i];
    for (size_t child = 2 * i + 1; child < extremes->count; child = 2 * i + 1) {
        if (child + 1 < extremes->count && is_before(extremes, &heap[child + 1], &heap[child]))
            child++;
        if (!is_before(extremes, &heap[child], &moved))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static void push(struct extremes *extremes, const struct value *v, int64_t *count)
{
    if (extremes->count == extremes->capacity) {
        extremes->capacity = extremes->capacity == 0 ? 8 : 2 * extremes->capacity;
        extremes->heap =
            mem_resize_array(extremes->heap, extremes->capacity, sizeof *extremes->heap);
    }
    struct entry *entry = &extremes->heap[extremes->count];
    *entry = (struct entry){ *v, count };
    if (is_text(v)) {
        entry->value.text.data = mem_copy(v->text.data, v->text.size);
        extremes->text_bytes += mem_size(entry->value.text.data);
    }
    sift_up(extremes, extremes->count++);
}

/* --- what is gone ----------------------------------------------------------------------------- */

static void pop(struct extremes *extremes, struct buffer *scratch)
{
    struct entry *top = &extremes->heap[0];
    buffer_clear(scratch);
    value_write(scratch, &top->value);
    const bool known = map_remove(extremes->counts, buffer_view(scratch));
    ENSURE(known);
    free_value(extremes, &top->value);
    extremes->gone--;
    *top = extremes->heap[--extremes->count];
    if (extremes->count > 0)
        sift_down(extremes, 0);
}

static void rebuild(struct extremes *extremes)
{
    size_t kept = 0;
    for (size_t i = 0; i < extremes->count; i++) {
        if (*extremes->heap[i].count > 0)
            extremes->heap[kept++] = extremes->heap[i];
        else
            free_value(extremes, &extremes->heap[i].value);
    }
    ENSURE(extremes->count - kept == extremes->gone);
    struct map_iterator it = map_iterate(extremes->counts);
    while (map_next(&it)) {
        if (*(const int64_t *)it.value == 0)
            map_remove(extremes->counts, it.key);
    }
    extremes->count = kept;
    extremes->gone = 0;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(extremes, i);
}

/* --- few numbers ------------------------------------------------------------------------------ */

static bool number_of(const struct value *v, int64_t *out)
{
    int128 number;
    if (!aggregate_integer_of(v, &number) || !int128_fits_int64(number))
        return false;
    *out = (int64_t)number;
    return true;
}

static void set_number(struct value *v, int64_t number)
{
    if (v->kind == VALUE_DECIMAL)
        v->decimal = number;
    else
        v->i = number;
}

/* One of few, which are of one kind and scale. */
static bool is_alike(const struct extremes *extremes, const struct value *v)
{
    return v->kind == extremes->few_top.kind && v->scale == extremes->few_top.scale;
}

static void find_few_top(struct extremes *extremes)
{
    if (extremes->few.count > 0)
        set_number(&extremes->few_top, extremes->few.items[extremes->smallest ? 0 : extremes->few.count - 1]);
}

static bool add_to_few(struct extremes *extremes, const struct value *v)
{
    int64_t number;
    if (extremes->few.count == FEW_MAX || !number_of(v, &number))
        return false;
    if (extremes->few.count == 0)
        extremes->few_top = *v;
    else if (!is_alike(extremes, v))
        return false;
    sorted_numbers_add(&extremes->few, number);
    find_few_top(extremes);
    return true;
}

static void add_to_many(struct extremes *extremes, const struct value *v, struct buffer *scratch);

static void become_many(struct extremes *extremes, struct buffer *scratch)
{
    struct value v = extremes->few_top;
    map_create(&extremes->counts, sizeof(int64_t));
    for (uint32_t i = 0; i < extremes->few.count; i++) {
        set_number(&v, extremes->few.items[i]);
        add_to_many(extremes, &v, scratch);
    }
    sorted_numbers_fini(&extremes->few);
}

/* --- use -------------------------------------------------------------------------------------- */

static void add_to_many(struct extremes *extremes, const struct value *v, struct buffer *scratch)
{
    bool is_new;
    buffer_clear(scratch);
    value_write(scratch, v);
    int64_t *count = map_insert(extremes->counts, buffer_view(scratch), &is_new);
    if (is_new)
        push(extremes, v, count);
    else if (*count == 0)
        extremes->gone--;
    (*count)++;
}

void extremes_add(struct extremes *extremes, const struct value *v, struct buffer *scratch)
{
    if (extremes->counts == NULL && add_to_few(extremes, v))
        return;
    if (extremes->counts == NULL)
        become_many(extremes, scratch);
    add_to_many(extremes, v, scratch);
}

static void remove_from_few(struct extremes *extremes, const struct value *v)
{
    int64_t number;
    const bool is_number = number_of(v, &number);
    ENSURE(is_number && is_alike(extremes, v));
    sorted_numbers_remove(&extremes->few, number);
    find_few_top(extremes);
}

void extremes_remove(struct extremes *extremes, const struct value *v, struct buffer *scratch)
{
    if (extremes->counts == NULL) {
        remove_from_few(extremes, v);
        return;
    }
    buffer_clear(scratch);
    value_write(scratch, v);
    int64_t *count = map_find(extremes->counts, buffer_view(scratch));
    ENSURE(count != NULL && *count > 0);
    if (--*count > 0)
        return;
    extremes->gone++;
    while (extremes->count > 0 && *extremes->heap[0].count == 0)
        pop(extremes, scratch);
    if (extremes->gone > GONE_MIN && extremes->gone > extremes->count / 2)
        rebuild(extremes);
}

const struct value *extremes_top(const struct extremes *extremes)
{
    if (extremes->counts == NULL)
        return extremes->few.count == 0 ? NULL : &extremes->few_top;
    return extremes->count == 0 ? NULL : &extremes->heap[0].value;
}

uint64_t extremes_footprint(const struct extremes *extremes)
{
    return mem_size_of(sizeof *extremes) + sorted_numbers_footprint(&extremes->few) +
           (extremes->counts == NULL ? 0 : map_footprint(extremes->counts)) +
           mem_size_of(extremes->capacity * sizeof *extremes->heap) + extremes->text_bytes;
}
