#include "processor/offline/labels.h"

#include "base/ensure.h"
#include "base/memory.h"

struct bit_set {
    uint64_t *words;
    size_t count; /* of words */
};

struct labels {
    struct bit_set frauds;
    struct bit_set *rules; /* rule_count, and one for any rule */
    size_t rule_count;
};

static void add(struct bit_set *set, uint64_t bit)
{
    const size_t word = (size_t)(bit / 64);
    if (word >= set->count) {
        const size_t count = word * 2 + 64;
        set->words = mem_resize_array(set->words, count, sizeof *set->words);
        for (size_t i = set->count; i < count; i++)
            set->words[i] = 0;
        set->count = count;
    }
    set->words[word] |= UINT64_C(1) << (bit % 64);
}

static uint64_t count_bits(uint64_t word)
{
    return (uint64_t)__builtin_popcountll(word);
}

void labels_create(struct labels **out, size_t rule_count)
{
    ENSURE(*out == NULL);
    struct labels *labels = mem_alloc(sizeof *labels);
    labels->rule_count = rule_count;
    labels->rules = mem_alloc_array(rule_count + 1, sizeof *labels->rules);
    *out = labels;
}

void labels_destroy(struct labels **labels)
{
    if (*labels == NULL)
        return;
    for (size_t i = 0; i <= (*labels)->rule_count; i++)
        mem_free((*labels)->rules[i].words);
    mem_free((*labels)->rules);
    mem_free((*labels)->frauds.words);
    mem_free(*labels);
    *labels = NULL;
}

void labels_set_fraud(struct labels *labels, uint64_t event)
{
    add(&labels->frauds, event);
}

void labels_set_alerted(struct labels *labels, size_t rule, uint64_t event)
{
    ENSURE(rule < labels->rule_count);
    add(&labels->rules[rule], event);
    add(&labels->rules[labels->rule_count], event);
}

uint64_t labels_frauds(const struct labels *labels)
{
    uint64_t count = 0;
    for (size_t i = 0; i < labels->frauds.count; i++)
        count += count_bits(labels->frauds.words[i]);
    return count;
}

void labels_count(const struct labels *labels, size_t rule, uint64_t *events, uint64_t *hits)
{
    ENSURE(rule <= labels->rule_count);
    const struct bit_set *set = &labels->rules[rule];
    *events = *hits = 0;
    for (size_t i = 0; i < set->count; i++) {
        *events += count_bits(set->words[i]);
        if (i < labels->frauds.count)
            *hits += count_bits(set->words[i] & labels->frauds.words[i]);
    }
}
