/*
 * fact_form: how an event's fact words (entity_facts.h) lie beside it: narrow, in as few bytes as they mostly need, or
 * wide, as they are. Which of the two is a chunk's choice (event_chunk.h). There are as many of them as remembered
 * events, and memory is what decides how many keys need no look at the disk.
 *
 *     narrow: the bits of the classes, FACT_WIDE behind them, in 1, 2, 4 or 8 bytes
 *             | per word: a number of 32 bits; or a code of at most three bytes and their number + 1; or a hash as it is
 *     wide:   each word in 8 bytes
 */
#ifndef WEIR_STATE_FACT_FORM_H
#define WEIR_STATE_FACT_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FACT_WIDE (UINT64_C(1) << 63)
enum { FACT_CLASSES_MAX = 63 }; /* bits in word 0 beside it */
enum fact_kind { FACT_NUMBER, FACT_CODE, FACT_ID };

struct fact_form {
    size_t word_count; /* 0: there are no facts */
    size_t narrow_size, wide_size; /* bytes of an event */
    uint64_t members_mask;         /* of what is read at a narrow event's begin */
    int members_bits;
    struct fact_slot {
        enum fact_kind kind;
        uint32_t at; /* in a narrow event */
    } *slots;        /* of word n: slots[n - 1] */
    struct fact_column *columns; /* of an event, if the words tell all of them (fact_columns.h) */
    size_t column_count;         /* else 0 */
    size_t told_bytes_max;       /* what fact_columns_write may overwrite; 0: there are no columns */
};
/* So many bytes may be read at any event. */
enum { FACT_READ_AHEAD = 8 };

/* kinds of words 1 .. word_count - 1; class_count bits in word 0. */
void fact_form_init(struct fact_form *form, size_t class_count, const enum fact_kind *kinds, size_t word_count);
void fact_form_fini(struct fact_form *form);

static inline void fact_members_write(const struct fact_form *form, uint64_t word, uint8_t *out)
{
    const uint64_t members = (word & ~FACT_WIDE) | word >> 63 << (form->members_bits - 1);
    if (form->members_bits == 8)
        *out = (uint8_t)members;
    else if (form->members_bits == 16)
        memcpy(out, &members, 2);
    else
        memcpy(out, &members, form->members_bits == 32 ? 4 : 8);
}

/* false: it does not fit. */
static inline bool fact_half_of(enum fact_kind kind, uint64_t word, uint32_t *half)
{
    enum { CODE_SIZE_AT = 56, HALF_CODE_SIZE_AT = 24, HALF_CODE_SIZE_MAX = 4 };
    if (kind == FACT_NUMBER) {
        *half = (uint32_t)word;
        return (int64_t)word == (int32_t)word;
    }
    const uint64_t size = word >> CODE_SIZE_AT;
    *half = (uint32_t)(word | size << HALF_CODE_SIZE_AT);
    return size <= HALF_CODE_SIZE_MAX;
}

/* false: they do not fit, and what is there now means nothing. */
static inline bool fact_form_write_narrow(const struct fact_form *form, const uint64_t *words, uint8_t *out)
{
    bool fits = true;
    fact_members_write(form, words[0], out);
    for (size_t word = 1; word < form->word_count; word++) {
        const struct fact_slot *slot = &form->slots[word - 1];
        uint32_t half;
        if (slot->kind == FACT_ID) {
            memcpy(out + slot->at, &words[word], sizeof words[word]);
            continue;
        }
        fits &= fact_half_of(slot->kind, words[word], &half);
        memcpy(out + slot->at, &half, sizeof half);
    }
    return fits;
}

/* One event's facts; valid as long as its chunk does not change. */
struct fact_view {
    const struct fact_form *form;
    const uint8_t *at;
    bool wide;
};

static inline uint64_t fact_members(const struct fact_view *view)
{
    uint64_t word;
    memcpy(&word, view->at, sizeof word);
    if (view->wide)
        return word;
    word &= view->form->members_mask;
    const uint64_t top = word >> (view->form->members_bits - 1);
    return (word ^ top << (view->form->members_bits - 1)) | top << 63;
}

static inline uint64_t fact_code_widened(uint32_t code)
{
    enum { SIZE_AT = 24, WIDE_SIZE_AT = 56 };
    return (code & ((UINT32_C(1) << SIZE_AT) - 1)) | (uint64_t)(code >> SIZE_AT) << WIDE_SIZE_AT;
}

static inline uint64_t fact_wide(const struct fact_view *view, size_t word)
{
    uint64_t whole;
    memcpy(&whole, view->at + word * sizeof whole, sizeof whole);
    return whole;
}

static inline uint32_t fact_half(const struct fact_view *view, uint32_t at)
{
    uint32_t half;
    memcpy(&half, view->at + at, sizeof half);
    return half;
}

/* Of a word of which the kind, and where it is in a narrow event, are known. */
static inline int64_t fact_number(const struct fact_view *view, size_t word, uint32_t narrow_at)
{
    return view->wide ? (int64_t)fact_wide(view, word) : (int32_t)fact_half(view, narrow_at);
}

static inline uint64_t fact_code(const struct fact_view *view, size_t word, uint32_t narrow_at)
{
    return view->wide ? fact_wide(view, word) : fact_code_widened(fact_half(view, narrow_at));
}

/* word > 0 */
static inline uint64_t fact_word(const struct fact_view *view, size_t word)
{
    const struct fact_slot *slot = &view->form->slots[word - 1];
    uint64_t hash;
    switch (slot->kind) {
    case FACT_NUMBER: return (uint64_t)fact_number(view, word, slot->at);
    case FACT_CODE: return fact_code(view, word, slot->at);
    case FACT_ID: break;
    }
    memcpy(&hash, view->at + (view->wide ? word * sizeof hash : slot->at), sizeof hash);
    return hash;
}

static inline bool fact_fits_narrow(const struct fact_view *view)
{
    bool fits = true;
    uint32_t half;
    for (size_t word = 1; word < view->form->word_count && fits; word++) {
        const enum fact_kind kind = view->form->slots[word - 1].kind;
        fits = kind == FACT_ID || fact_half_of(kind, fact_word(view, word), &half);
    }
    return fits;
}

static inline void fact_words(const struct fact_view *view, uint64_t *words)
{
    words[0] = fact_members(view);
    for (size_t word = 1; word < view->form->word_count; word++)
        words[word] = fact_word(view, word);
}

#endif
