/* Numbers of codes: given once, kept, and not given when there are enough. */
#include <criterion/criterion.h>
#include <string.h>

#include "state/code_dictionary.h"
#include "state/fact_columns.h"

/* A text of at most seven bytes, as entity_facts has it. */
static uint64_t code_of_text(const char *text)
{
    const size_t size = strlen(text);
    uint64_t code = 0;
    memcpy(&code, text, size);
    return code | (uint64_t)(size + 1) << 56;
}

Test(code_dictionary, gives_each_code_a_number_of_its_own_and_keeps_it)
{
    struct code_dictionary dictionary = { .count = 0 };
    for (uint64_t n = 1; n <= DICTIONARY_CODES_MAX; n++) {
        cr_assert_eq(code_dictionary_assign(&dictionary, n << 40), n);
        cr_assert_eq(code_dictionary_assign(&dictionary, n << 40), n);
    }
    cr_assert_eq(code_dictionary_assign(&dictionary, UINT64_C(1) << 55), 0, "there are enough");
    cr_assert_eq(code_dictionary_assign(&dictionary, 0), 0);
    cr_assert_eq(dictionary.codes[0], 0);
    for (uint64_t n = 1; n <= DICTIONARY_CODES_MAX; n++) {
        cr_assert_eq(code_dictionary_assign(&dictionary, n << 40), n);
        cr_assert_eq(dictionary.codes[n], n << 40);
    }
}

/* How far codes are from where a search for them begins, at most. */
static size_t longest_search(const struct code_dictionary *dictionary)
{
    size_t run = 0, longest = 0;
    for (size_t i = 0; i < 2 * DICTIONARY_SLOTS; i++) {
        run = dictionary->slots[i % DICTIONARY_SLOTS] == 0 ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

Test(code_dictionary, finds_texts_that_begin_alike_as_soon_as_others)
{
    struct code_dictionary dictionary = { .count = 0 };
    char text[8] = "store";
    for (char tens = '0'; tens <= '9'; tens++) {
        for (char ones = '0'; ones <= '9'; ones++) {
            text[5] = tens;
            text[6] = ones;
            cr_assert_neq(code_dictionary_assign(&dictionary, code_of_text(text)), 0);
        }
    }
    cr_assert_lt(longest_search(&dictionary), 20);
}

static void check_told(struct fact_form *form, enum fact_width width, const char *text)
{
    uint8_t at[2 * sizeof(uint64_t) + FACT_READ_AHEAD] = { 0 };
    const uint64_t words[] = { 0, code_of_text(text) };
    struct value told;
    if (width == FACTS_WIDE)
        memcpy(at, words, sizeof words);
    else
        cr_assert(fact_form_write(form, width, words, at), "%s, width %d", text, width);
    const struct fact_view view = { form, at, width };
    cr_assert_eq(fact_word(&view, 1), words[1], "%s, width %d", text, width);
    fact_columns_read(&view, &told);
    cr_assert(told.kind == VALUE_STRING && bytes_equal(told.text, bytes_of(text, strlen(text))), "%s, width %d", text, width);
}

Test(code_dictionary, short_texts_are_told_by_facts_of_each_width_that_holds_them)
{
    static const char *const texts[] = { "", "D", "DE", "DEU", "food", "foods", "flight", "flights" };
    static const enum fact_kind kinds[] = { FACT_CODE };
    static const struct fact_column column = { .type = { VALUE_STRING, 0, true }, .kind = FACT_CODE, .word = 1 };
    struct fact_form form;
    fact_form_init(&form, 1, kinds, 2);
    fact_form_set_columns(&form, &column, 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const uint64_t words[] = { 0, code_of_text(texts[i]) };
        cr_assert_eq(fact_words_fit(&form, FACTS_NARROW, words), strlen(texts[i]) <= 3);
        check_told(&form, FACTS_SMALL, texts[i]);
        check_told(&form, FACTS_LONG, texts[i]);
        check_told(&form, FACTS_WIDE, texts[i]);
        if (strlen(texts[i]) <= 3)
            check_told(&form, FACTS_NARROW, texts[i]);
    }
    fact_form_fini(&form);
}
