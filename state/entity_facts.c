#include "state/entity_facts.h"

#include <string.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/code_counts.h"
#include "state/entity_members.h"

/* --- plan ------------------------------------------------------------------------------------- */

/* The bit of the aggregate's class, or 0. */
static uint64_t class_of(struct entity_facts *facts, const struct aggregate_spec *aggregate)
{
    const struct fact_class wanted = { aggregate->condition, aggregate->argument };
    size_t c = 0;
    while (c < facts->class_count && (facts->classes[c].condition != wanted.condition ||
                                      facts->classes[c].argument != wanted.argument))
        c++;
    if (c == FACT_CLASSES_MAX)
        return 0;
    if (c == facts->class_count)
        facts->classes[facts->class_count++] = wanted;
    return UINT64_C(1) << c;
}

static size_t word_of(struct entity_facts *facts, int argument, enum fact_kind kind)
{
    for (size_t word = 1; word < facts->word_count; word++) {
        if (facts->words[word - 1].argument == argument && facts->words[word - 1].kind == kind)
            return word;
    }
    facts->words[facts->word_count - 1] = (struct fact_word){ argument, kind };
    return facts->word_count++;
}

static bool is_summed(const struct aggregate_spec *aggregate)
{
    return aggregate->kind == AGGREGATE_SUM || aggregate->kind == AGGREGATE_AVG;
}

/* Of what is looked up only the number of members is kept. */
static bool is_tallied(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate)
{
    return aggregate->group_count == 0 &&
           (aggregate->kind == AGGREGATE_COUNT || is_summed(aggregate) ||
            entity_is_looked_up(spec, aggregate));
}

/* The window's tally of the same class, new if there is none yet: one that only counts begins to
 * sum when that is wanted. */
static size_t tally_for(struct entity_facts *facts, size_t window, const struct tally_spec *wanted)
{
    for (size_t t = facts->parts[window].tally; t < facts->tally_count; t++) {
        struct tally_spec *tally = &facts->tallies[t];
        if (tally->member != wanted->member)
            continue;
        if (tally->word == 0)
            *tally = *wanted;
        return t;
    }
    facts->tallies[facts->tally_count] = *wanted;
    return facts->tally_count++;
}

static size_t codes_for(struct entity_facts *facts, size_t window, const struct code_spec *wanted)
{
    for (size_t c = facts->parts[window].code; c < facts->code_count; c++) {
        if (facts->codes[c].member == wanted->member && facts->codes[c].word == wanted->word)
            return c;
    }
    facts->codes[facts->code_count] = *wanted;
    return facts->code_count++;
}

/* One number of 64 bits, and nothing else of an event. */
static bool takes_numbers(const struct aggregate_spec *aggregate)
{
    const enum value_kind kind = aggregate->argument_type.kind;
    return aggregate->group_count == 0 &&
           (kind == VALUE_INT || kind == VALUE_DECIMAL || kind == VALUE_TIMESTAMP || kind == VALUE_DURATION);
}

static bool is_top(const struct aggregate_spec *aggregate)
{
    return (aggregate->kind == AGGREGATE_MIN || aggregate->kind == AGGREGATE_MAX) && takes_numbers(aggregate);
}

static struct result_spec place_state(struct entity_facts *facts, const struct aggregate_spec *aggregate, size_t i)
{
    struct state_spec *state = &facts->states[facts->state_count];
    *state = (struct state_spec){ .aggregate = i, .is_grouped = aggregate->group_count > 0 };
    facts->has_groups |= state->is_grouped;
    if (facts->member_of[i] != 0 && aggregate->kind == AGGREGATE_STDDEV && takes_numbers(aggregate))
        state->word = word_of(facts, aggregate->argument, FACT_NUMBER);
    return (struct result_spec){ .kind = RESULT_STATE, .from = facts->state_count++ };
}

static struct result_spec place_top(struct entity_facts *facts, const struct aggregate_spec *aggregate, size_t i)
{
    facts->tops[facts->top_count] = (struct top_spec){
        .member = facts->member_of[i],
        .word = word_of(facts, aggregate->argument, FACT_NUMBER),
        .smallest = aggregate->kind == AGGREGATE_MIN,
        .aggregate = i,
    };
    return (struct result_spec){ .kind = RESULT_TOP, .from = facts->top_count++ };
}

static struct result_spec place_codes(struct entity_facts *facts, const struct aggregate_spec *aggregate, size_t i)
{
    const struct code_spec codes = {
        .member = facts->member_of[i], .word = word_of(facts, aggregate->argument, FACT_CODE), .aggregate = i
    };
    return (struct result_spec){ .kind = RESULT_DISTINCT, .from = codes_for(facts, (size_t)aggregate->window, &codes) };
}

static enum result_kind tallied_kind(const struct aggregate_spec *aggregate)
{
    if (aggregate->kind == AGGREGATE_COUNT)
        return RESULT_COUNT;
    return aggregate->kind == AGGREGATE_SUM && aggregate->argument_type.kind != VALUE_DECIMAL ? RESULT_INTEGER
                                                                                              : RESULT_TOTAL;
}

static struct result_spec place_tally(struct entity_facts *facts, const struct entity_log_spec *spec,
                                      const struct aggregate_spec *aggregate, size_t i)
{
    const bool is_looked_up = entity_is_looked_up(spec, aggregate);
    const bool sums = is_summed(aggregate) && !is_looked_up;
    const struct tally_spec tally = {
        .member = facts->member_of[i],
        .word = sums ? word_of(facts, aggregate->argument, FACT_NUMBER) : 0,
        .argument = aggregate->argument,
    };
    return (struct result_spec){
        .kind = is_looked_up ? RESULT_MEMBERS : tallied_kind(aggregate),
        .type = aggregate->argument_type.kind == VALUE_DURATION ? VALUE_DURATION : VALUE_INT,
        .from = tally_for(facts, (size_t)aggregate->window, &tally),
    };
}

static struct result_spec place(struct entity_facts *facts, const struct entity_log_spec *spec, size_t i)
{
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    const uint64_t member = facts->member_of[i] = class_of(facts, aggregate);
    if (member != 0 && aggregate->kind == AGGREGATE_DISTINCT && aggregate->group_count == 0 &&
        !entity_is_looked_up(spec, aggregate))
        return place_codes(facts, aggregate, i);
    if (member != 0 && is_tallied(spec, aggregate))
        return place_tally(facts, spec, aggregate, i);
    if (member != 0 && is_top(aggregate))
        return place_top(facts, aggregate, i);
    return place_state(facts, aggregate, i);
}

static void place_window(struct entity_facts *facts, const struct entity_log_spec *spec, size_t window)
{
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        if (spec->aggregates[i].window == (int)window)
            facts->results[i] = place(facts, spec, i);
    }
    facts->parts[window + 1] =
        (struct window_parts){ facts->tally_count, facts->code_count, facts->top_count, facts->state_count };
}

/* The word that tells the column, or 0. */
static size_t telling_word(const struct entity_facts *facts, size_t column, struct value_type type)
{
    for (size_t word = 1; word < facts->word_count; word++) {
        const struct fact_word *is = &facts->words[word - 1];
        if (is->argument == (int)column && fact_kind_tells(is->kind, type))
            return word;
    }
    return 0;
}

static void tell_columns(struct entity_facts *facts, const struct entity_log_spec *spec)
{
    struct fact_column told[FACT_COLUMNS_MAX];
    if (spec->column_count == 0 || spec->column_count > FACT_COLUMNS_MAX)
        return;
    for (size_t i = 0; i < spec->column_count; i++) {
        const struct value_type type = spec->columns[i].type;
        const size_t word = telling_word(facts, i, type);
        if (word == 0)
            return;
        told[i] = (struct fact_column){ .type = type, .kind = facts->words[word - 1].kind, .word = word };
    }
    fact_form_set_columns(&facts->form, told, spec->column_count);
}

/* Where the words of tallies, codes and tops lie. */
static void find_places(struct entity_facts *facts)
{
    for (size_t t = 0; t < facts->tally_count; t++) {
        struct tally_spec *tally = &facts->tallies[t];
        if (tally->word > 0)
            tally->at = facts->form.slots[tally->word - 1].at;
    }
    for (size_t c = 0; c < facts->code_count; c++)
        facts->codes[c].at = facts->form.slots[facts->codes[c].word - 1].at;
    for (size_t t = 0; t < facts->top_count; t++)
        facts->tops[t].at = facts->form.slots[facts->tops[t].word - 1].at;
}

void entity_facts_init(struct entity_facts *facts, const struct entity_log_spec *spec)
{
    const size_t aggregates = spec->aggregate_count + 1;
    *facts = (struct entity_facts){ .word_count = 1 };
    facts->classes = mem_alloc_array(aggregates, sizeof *facts->classes);
    facts->words = mem_alloc_array(aggregates + 1, sizeof *facts->words);
    facts->parts = mem_alloc_array(spec->window_count + 1, sizeof *facts->parts);
    facts->tallies = mem_alloc_array(aggregates, sizeof *facts->tallies);
    facts->codes = mem_alloc_array(aggregates, sizeof *facts->codes);
    facts->tops = mem_alloc_array(aggregates, sizeof *facts->tops);
    facts->states = mem_alloc_array(aggregates, sizeof *facts->states);
    facts->results = mem_alloc_array(aggregates, sizeof *facts->results);
    facts->member_of = mem_alloc_array(aggregates, sizeof *facts->member_of);
    for (size_t w = 0; w < spec->window_count; w++)
        place_window(facts, spec, w);
    if (spec->finds_ids)
        facts->id_word = word_of(facts, spec->id, FACT_ID);
    enum fact_kind *kinds = mem_alloc_array(facts->word_count, sizeof *kinds);
    for (size_t word = 1; word < facts->word_count; word++)
        kinds[word - 1] = facts->words[word - 1].kind;
    fact_form_init(&facts->form, facts->class_count, kinds, facts->word_count);
    mem_free(kinds);
    tell_columns(facts, spec);
    find_places(facts);
}

void entity_facts_fini(struct entity_facts *facts)
{
    fact_form_fini(&facts->form);
    mem_free(facts->classes);
    mem_free(facts->words);
    mem_free(facts->parts);
    mem_free(facts->tallies);
    mem_free(facts->codes);
    mem_free(facts->tops);
    mem_free(facts->states);
    mem_free(facts->results);
    mem_free(facts->member_of);
}

/* --- of an event ------------------------------------------------------------------------------ */

static bool is_member(const struct fact_class *class, const struct value *measures)
{
    if (class->condition >= 0) {
        const struct value *condition = &measures[class->condition];
        if (condition->kind != VALUE_BOOL || !condition->b)
            return false;
    }
    return class->argument < 0 || measures[class->argument].kind != VALUE_NULL;
}

/* The number, or 0 and what says so. */
static uint64_t number_word(const struct value *argument, uint64_t *wide)
{
    int128 number = 0;
    const bool is_integer = argument->kind == VALUE_NULL || aggregate_integer_of(argument, &number);
    ENSURE(is_integer);
    if (int128_fits_int64(number))
        return (uint64_t)number;
    *wide |= FACT_WIDE;
    return 0;
}

static struct bytes form_of(const struct value *argument, struct buffer *scratch)
{
    if (argument->kind == VALUE_STRING || argument->kind == VALUE_BYTES)
        return argument->text;
    buffer_clear(scratch);
    value_write(scratch, argument);
    return buffer_view(scratch);
}

static uint64_t code_word(const struct value *argument, struct buffer *scratch)
{
    enum { CODE_BYTES = 7 };
    uint64_t code = 0;
    if (argument->kind == VALUE_NULL)
        return 0;
    const struct bytes form = form_of(argument, scratch);
    if (form.size > CODE_BYTES)
        return 0;
    /* In a register: what is copied byte by byte and read as a whole waits for all that was written before. */
    for (size_t i = 0; i < form.size; i++)
        code |= (uint64_t)form.data[i] << 8 * i;
    return code | (uint64_t)(form.size + 1) << 8 * CODE_BYTES;
}

uint64_t entity_facts_id(const struct value *id, struct buffer *scratch)
{
    const uint64_t hash = hash64(form_of(id, scratch)) >> (64 - CODE_BITS); /* as code_counts keeps it */
    return hash == 0 ? 1 : hash;
}

static uint64_t word_value(enum fact_kind kind, const struct value *argument, uint64_t *members, struct buffer *scratch)
{
    switch (kind) {
    case FACT_NUMBER: return number_word(argument, members);
    case FACT_CODE: return code_word(argument, scratch);
    case FACT_ID: return argument->kind == VALUE_NULL ? 0 : entity_facts_id(argument, scratch);
    }
    UNREACHABLE();
}

void entity_facts_of(const struct entity_facts *facts, const struct value *measures,
                     uint64_t *words, struct buffer *scratch)
{
    uint64_t members = 0;
    for (size_t c = 0; c < facts->class_count; c++)
        members |= (uint64_t)is_member(&facts->classes[c], measures) << c;
    for (size_t word = 1; word < facts->word_count; word++) {
        const struct value *argument = &measures[facts->words[word - 1].argument];
        words[word] = word_value(facts->words[word - 1].kind, argument, &members, scratch);
    }
    words[0] = members;
}

bool entity_facts_suffice(const struct entity_facts *facts, const struct fact_view *view)
{
    const uint64_t members = fact_members(view);
    bool suffice = (members & FACT_WIDE) == 0;
    for (size_t c = 0; c < facts->code_count && suffice; c++) {
        const struct code_spec *spec = &facts->codes[c];
        suffice = (members & spec->member) == 0 || fact_code(view, spec->word, spec->at) != 0;
    }
    return suffice;
}
