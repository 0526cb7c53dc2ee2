/*
 * fact_form: how an event's fact words (entity_facts.h) lie beside it: small, narrow or long, in as few bytes as they mostly
 * need, or wide, as they are. Which of them is a chunk's choice (event_chunk.h). There are as many of them as remembered
 * events, and memory is what decides how many keys need no look at the disk.
 *
 *     small:  the bits of the classes, FACT_WIDE behind them, in 1, 2, 4 or 8 bytes
 *             | per word that is no code: a number of 32 bits, or a hash as it is
 *             | per code: its number in the form's dictionary, in 1
 *     narrow: the same, but per code: at most three bytes, and in a fourth how many + 1
 *     long:   the same, but each code as it is, in 8
 *     wide:   each word in 8 bytes
 */
#ifndef WEIR_STATE_FACT_FORM_H
#define WEIR_STATE_FACT_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "state/code_dictionary.h"

#define FACT_WIDE (UINT64_C(1) << 63)
enum { FACT_CLASSES_MAX = 63 }; /* bits in word 0 beside it */
enum fact_kind { FACT_NUMBER, FACT_CODE, FACT_ID };
enum fact_width { FACTS_SMALL, FACTS_NARROW, FACTS_LONG, FACTS_WIDE };

/* Where a word lies, in bytes from the event's facts; in a wide event word n lies at 8 n. */
struct fact_place {
    uint32_t small, narrow, longs;
};

struct fact_form {
    size_t word_count; /* 0: there are no facts */
    size_t sizes[FACTS_WIDE + 1]; /* bytes of an event's facts, by width */
    uint64_t members_mask;        /* of 8 bytes at the beginning of facts that are not wide: the members */
    int members_bits;
    struct fact_slot {
        enum fact_kind kind;
        struct fact_place at;
    } *slots; /* of word n: slots[n - 1] */
    struct code_dictionary *codes; /* NULL: no word is a code */
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

static inline uint32_t fact_code_narrowed(uint64_t code)
{
    enum { SIZE_AT = 24, WIDE_SIZE_AT = 56 };
    return (uint32_t)(code | code >> WIDE_SIZE_AT << SIZE_AT);
}

/* The highest byte is the size + 1, and what is not part of the value is 0: only the size tells a value that ends with zeros
 * from a shorter one. */
static inline bool fact_code_is_narrow(uint64_t code)
{
    enum { SIZE_AT = 56, BYTES_MAX = 3 };
    return code >> SIZE_AT <= BYTES_MAX + 1;
}

static inline uint64_t fact_code_widened(uint32_t code)
{
    enum { SIZE_AT = 24, WIDE_SIZE_AT = 56 };
    return (code & ((UINT32_C(1) << SIZE_AT) - 1)) | (uint64_t)(code >> SIZE_AT) << WIDE_SIZE_AT;
}

/* Whether facts that are not wide can have the word; for small ones a code gets a number, if there is one left. */
static inline bool fact_word_fits(const struct fact_form *form, enum fact_width width, enum fact_kind kind, uint64_t word)
{
    if (kind == FACT_ID)
        return true;
    if (kind == FACT_NUMBER)
        return (int32_t)word == (int64_t)word;
    if (width == FACTS_SMALL)
        return word == 0 || code_dictionary_assign(form->codes, word) != 0;
    return width == FACTS_LONG || fact_code_is_narrow(word);
}

static inline bool fact_words_fit(const struct fact_form *form, enum fact_width width, const uint64_t *words)
{
    bool fit = true;
    for (size_t word = 1; word < form->word_count && fit; word++)
        fit = fact_word_fits(form, width, form->slots[word - 1].kind, words[word]);
    return fit;
}

/* The least wide that holds them. */
static inline enum fact_width fact_width_of(const struct fact_form *form, const uint64_t *words)
{
    enum fact_width width = FACTS_SMALL;
    while (width < FACTS_WIDE && !fact_words_fit(form, width, words))
        width++;
    return width;
}

static inline bool fact_write_code(const struct fact_form *form, enum fact_width width, uint64_t code,
                                   struct fact_place at, uint8_t *out)
{
    if (width == FACTS_SMALL) {
        out[at.small] = code_dictionary_assign(form->codes, code);
        return out[at.small] != 0 || code == 0;
    }
    if (width == FACTS_LONG) {
        memcpy(out + at.longs, &code, sizeof code);
        return true;
    }
    const uint32_t narrow = fact_code_narrowed(code);
    memcpy(out + at.narrow, &narrow, sizeof narrow);
    return fact_code_is_narrow(code);
}

static inline bool fact_write_number(uint64_t word, uint8_t *out)
{
    const int32_t number = (int32_t)word;
    memcpy(out, &number, sizeof number);
    return number == (int64_t)word;
}

/* Not wide. false: they do not fit, and what is there now means nothing. */
static inline bool fact_form_write(const struct fact_form *form, enum fact_width width, const uint64_t *words, uint8_t *out)
{
    bool fits = true;
    fact_members_write(form, words[0], out);
    for (size_t word = 1; word < form->word_count; word++) {
        const struct fact_slot *slot = &form->slots[word - 1];
        if (slot->kind == FACT_NUMBER)
            fits &= fact_write_number(words[word], out + slot->at.small);
        else if (slot->kind == FACT_ID)
            memcpy(out + slot->at.small, &words[word], sizeof words[word]);
        else
            fits &= fact_write_code(form, width, words[word], slot->at, out);
    }
    return fits;
}

/* One event's facts; valid as long as its chunk does not change. */
struct fact_view {
    const struct fact_form *form;
    const uint8_t *at;
    enum fact_width width;
};

static inline uint64_t fact_members(const struct fact_view *view)
{
    uint64_t word;
    memcpy(&word, view->at, sizeof word);
    if (view->width == FACTS_WIDE)
        return word;
    word &= view->form->members_mask;
    const uint64_t top = word >> (view->form->members_bits - 1);
    return (word ^ top << (view->form->members_bits - 1)) | top << 63;
}

static inline uint64_t fact_whole(const struct fact_view *view, size_t at)
{
    uint64_t whole;
    memcpy(&whole, view->at + at, sizeof whole);
    return whole;
}

static inline uint32_t fact_half(const struct fact_view *view, uint32_t at)
{
    uint32_t half;
    memcpy(&half, view->at + at, sizeof half);
    return half;
}

/* Of a word of which the kind, and where it is, are known. */
static inline int64_t fact_number(const struct fact_view *view, size_t word, struct fact_place at)
{
    return view->width == FACTS_WIDE ? (int64_t)fact_whole(view, word * sizeof(uint64_t)) : (int32_t)fact_half(view, at.small);
}

static inline uint64_t fact_code(const struct fact_view *view, size_t word, struct fact_place at)
{
    if (__builtin_expect(view->width == FACTS_SMALL, 1))
        return view->form->codes->codes[view->at[at.small]];
    if (view->width == FACTS_NARROW)
        return fact_code_widened(fact_half(view, at.narrow));
    return fact_whole(view, view->width == FACTS_LONG ? at.longs : word * sizeof(uint64_t));
}

/* word > 0 */
static inline uint64_t fact_word(const struct fact_view *view, size_t word)
{
    const struct fact_slot *slot = &view->form->slots[word - 1];
    switch (slot->kind) {
    case FACT_NUMBER: return (uint64_t)fact_number(view, word, slot->at);
    case FACT_CODE: return fact_code(view, word, slot->at);
    case FACT_ID: break;
    }
    return fact_whole(view, view->width == FACTS_WIDE ? word * sizeof(uint64_t) : slot->at.small);
}

/* As fact_words_fit. */
static inline bool fact_fits(const struct fact_view *view, enum fact_width width)
{
    bool fits = true;
    for (size_t word = 1; word < view->form->word_count && fits; word++)
        fits = fact_word_fits(view->form, width, view->form->slots[word - 1].kind, fact_word(view, word));
    return fits;
}

static inline void fact_words(const struct fact_view *view, uint64_t *words)
{
    words[0] = fact_members(view);
    for (size_t word = 1; word < view->form->word_count; word++)
        words[word] = fact_word(view, word);
}

#endif
