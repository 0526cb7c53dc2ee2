/*
 * code_dictionary: numbers of one byte for the first codes (entity_facts.h) that come, from 1. Of remembered events most have
 * one of few codes, a country or a currency, and there are as many of them as fit in memory. A number is good for as long as
 * the dictionary is, and never stored.
 * Private to the entity log. One thread.
 */
#ifndef WEIR_STATE_CODE_DICTIONARY_H
#define WEIR_STATE_CODE_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

enum { DICTIONARY_CODES_MAX = UINT8_MAX, DICTIONARY_SLOT_BITS = 9, DICTIONARY_SLOTS = 1 << DICTIONARY_SLOT_BITS };
_Static_assert(DICTIONARY_SLOTS > DICTIONARY_CODES_MAX, "a search ends at an empty slot");

/* All zero: empty. */
struct code_dictionary {
    uint64_t codes[DICTIONARY_CODES_MAX + 1]; /* by number; of 0, which is no code's, 0 */
    uint8_t slots[DICTIONARY_SLOTS];          /* open addressing with linear probing: a number, or 0 */
    uint32_t count;
};

/* The code's number, a new one if it has none yet; 0 for the code 0, and for what came when there were enough. */
static inline uint8_t code_dictionary_assign(struct code_dictionary *dictionary, uint64_t code)
{
    if (code == 0)
        return 0;
    size_t i = (size_t)(code * UINT64_C(0x9E3779B97F4A7C15) >> (64 - DICTIONARY_SLOT_BITS)); /* 2^64 / golden ratio */
    while (dictionary->slots[i] != 0 && dictionary->codes[dictionary->slots[i]] != code)
        i = (i + 1) % DICTIONARY_SLOTS;
    if (dictionary->slots[i] == 0 && dictionary->count < DICTIONARY_CODES_MAX) {
        dictionary->slots[i] = (uint8_t)++dictionary->count;
        dictionary->codes[dictionary->count] = code;
    }
    return dictionary->slots[i];
}

#endif
