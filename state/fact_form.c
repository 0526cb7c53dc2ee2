#include "state/fact_form.h"

#include "base/ensure.h"
#include "base/memory.h"

enum { BYTE_BITS = 8 };

static size_t members_size(size_t class_count)
{
    size_t size = 1;
    while (size * BYTE_BITS <= class_count) /* one more for FACT_WIDE */
        size *= 2;
    return size;
}

/* Codes come last, so that all else lies at the same place in all that are not wide. */
static void place(struct fact_form *form, size_t word, enum fact_kind kind, size_t size)
{
    const uint32_t at = (uint32_t)form->sizes[FACTS_SMALL];
    form->slots[word - 1] = (struct fact_slot){ kind, { at, at, at } };
    for (enum fact_width width = FACTS_SMALL; width < FACTS_WIDE; width++) {
        ENSURE(form->sizes[width] == at);
        form->sizes[width] += size;
    }
}

static void place_code(struct fact_form *form, size_t word)
{
    const struct fact_place at = { (uint32_t)form->sizes[FACTS_SMALL], (uint32_t)form->sizes[FACTS_NARROW],
                                   (uint32_t)form->sizes[FACTS_LONG] };
    form->slots[word - 1] = (struct fact_slot){ FACT_CODE, at };
    form->sizes[FACTS_SMALL] += sizeof(uint8_t);
    form->sizes[FACTS_NARROW] += sizeof(uint32_t);
    form->sizes[FACTS_LONG] += sizeof(uint64_t);
    if (form->codes == NULL)
        form->codes = mem_alloc(sizeof *form->codes);
}

void fact_form_init(struct fact_form *form, size_t class_count, const enum fact_kind *kinds, size_t word_count)
{
    ENSURE(word_count > 0 && class_count <= FACT_CLASSES_MAX);
    const size_t members = members_size(class_count);
    *form = (struct fact_form){
        .word_count = word_count,
        .sizes = { members, members, members, word_count * sizeof(uint64_t) },
        .members_mask = UINT64_MAX >> (sizeof(uint64_t) - members) * BYTE_BITS,
        .members_bits = (int)(members * BYTE_BITS),
    };
    form->slots = mem_alloc_array(word_count, sizeof *form->slots);
    for (size_t word = 1; word < word_count; word++) {
        if (kinds[word - 1] != FACT_CODE)
            place(form, word, kinds[word - 1], kinds[word - 1] == FACT_ID ? sizeof(uint64_t) : sizeof(int32_t));
    }
    for (size_t word = 1; word < word_count; word++) {
        if (kinds[word - 1] == FACT_CODE)
            place_code(form, word);
    }
}

void fact_form_fini(struct fact_form *form)
{
    mem_free(form->slots);
    mem_free(form->codes);
    mem_free(form->columns);
    *form = (struct fact_form){ .word_count = 0 };
}
