#include "state/window_aggregates.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/entity_members.h"
#include "state/entity_tops.h"

/* --- life ------------------------------------------------------------------------------------- */

bool window_aggregates_decode(const struct entity_log *log)
{
    const struct entity_facts *facts = &log->facts;
    bool decodes = false;
    for (size_t n = 0; n < facts->state_count; n++)
        decodes |= facts->states[n].word == 0;
    return decodes;
}

/* What a group's state holds beside itself. */
static uint64_t nested_bytes(const struct aggregate_state *state)
{
    return aggregate_state_footprint(state) - sizeof *state;
}

static void clear_groups(struct entity *entity, size_t n)
{
    struct map *groups = entity->log->facts.states[n].is_grouped ? *entity_groups(entity, n) : NULL;
    if (groups == NULL)
        return;
    struct map_iterator it = map_iterate(groups);
    while (map_next(&it)) {
        entity->nested_bytes -= nested_bytes(it.value);
        aggregate_state_fini(it.value);
    }
    map_clear(groups);
}

static void fini_others(struct coded *coded)
{
    if (coded->others != NULL)
        aggregate_state_fini(coded->others);
    mem_free(coded->others);
    coded->others = NULL;
}

static void clear_others(struct coded *coded)
{
    enum { KEPT_BYTES = 512 };
    if (coded->others == NULL)
        return;
    if (nested_bytes(coded->others) <= KEPT_BYTES) /* the window will need it again */
        aggregate_state_clear(coded->others);
    else
        fini_others(coded);
}

static void drop_huge(struct entity *entity, struct tally *tally)
{
    entity->nested_bytes -= mem_size(tally->huge);
    mem_free(tally->huge);
}

static inline void clear_tally(struct entity *entity, struct tally *tally)
{
    if (__builtin_expect(tally->is_huge, 0))
        drop_huge(entity, tally);
    *tally = (struct tally){ .count = 0 };
}

void window_aggregates_fini(struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t c = 0; c < facts->code_count; c++) {
        fini_others(&entity_coded(entity)[c]);
        code_counts_fini(&entity_coded(entity)[c].codes);
    }
    for (size_t n = 0; n < facts->state_count; n++) {
        aggregate_state_fini(entity_state(entity, n));
        clear_groups(entity, n);
        if (facts->states[n].is_grouped)
            map_destroy(entity_groups(entity, n));
    }
    for (size_t t = 0; t < facts->top_count; t++)
        entity_top_clear(entity, t);
    for (size_t t = 0; t < facts->tally_count; t++)
        clear_tally(entity, &entity_tallies(entity)[t]);
}

static uint64_t coded_bytes(const struct coded *coded)
{
    return code_counts_footprint(&coded->codes) +
           (coded->others == NULL ? 0 : mem_size_of(sizeof *coded->others) + nested_bytes(coded->others));
}

static void clear_coded(struct entity *entity, struct coded *coded)
{
    coded->count = 0;
    if (coded->others == NULL && coded->codes.slot_count == 0) { /* mostly */
        coded->codes.used = 0;
        return;
    }
    const uint64_t before = coded_bytes(coded);
    clear_others(coded);
    code_counts_clear(&coded->codes);
    entity->nested_bytes += coded_bytes(coded) - before;
}

static void clear_state(struct entity *entity, size_t n)
{
    struct aggregate_state *state = entity_state(entity, n);
    entity->nested_bytes -= nested_bytes(state);
    aggregate_state_clear(state);
    entity->nested_bytes += nested_bytes(state);
}

void window_aggregates_clear(struct entity *entity, size_t window)
{
    const struct entity_facts *facts = &entity->log->facts;
    const struct window_parts *first = &facts->parts[window], *end = first + 1;
    for (size_t t = first->tally; t < end->tally; t++)
        clear_tally(entity, &entity_tallies(entity)[t]);
    for (size_t c = first->code; c < end->code; c++) {
        if (entity_coded(entity)[c].count > 0)
            clear_coded(entity, &entity_coded(entity)[c]);
    }
    for (size_t n = first->state; n < end->state; n++) {
        if (entity_state(entity, n)->count > 0)
            clear_state(entity, n);
        clear_groups(entity, n);
    }
    for (size_t t = first->top; t < end->top; t++)
        entity_top_clear(entity, t);
}

uint64_t window_aggregates_footprint(const struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    uint64_t bytes = entity->nested_bytes;
    for (size_t n = 0; n < facts->state_count && facts->has_groups; n++) {
        const struct map *groups = *entity_groups(entity, n);
        bytes += groups == NULL ? 0 : map_footprint(groups);
    }
    return bytes;
}

void window_aggregates_prefetch(const struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t c = 0; c < facts->code_count; c++)
        code_counts_prefetch(&entity_coded(entity)[c].codes);
    for (size_t n = 0; n < facts->state_count; n++)
        aggregate_state_prefetch(entity_state(entity, n));
    for (size_t t = 0; t < facts->top_count; t++)
        entity_top_prefetch(entity, t);
}

/* --- states ----------------------------------------------------------------------------------- */

static struct aggregate_state *group_state(struct entity *entity, size_t n, struct bytes key, bool create)
{
    struct map **groups = entity_groups(entity, n);
    if (*groups == NULL) {
        if (!create)
            return NULL;
        map_create(groups, sizeof(struct aggregate_state));
    }
    return create ? map_insert(*groups, key, NULL) : map_find(*groups, key);
}

static void count_value(const struct aggregate_spec *aggregate, struct aggregate_state *state,
                        const struct value *argument, enum passing passing, struct buffer *scratch)
{
    if (passing == PASSING_IN)
        aggregate_state_add(state, aggregate, argument, scratch);
    else
        aggregate_state_remove(state, aggregate, argument, scratch);
}

/* Of what is looked up only the number of members is kept. */
static void count_member(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate,
                         struct aggregate_state *state, const struct value *measures, enum passing passing,
                         struct buffer *scratch)
{
    const struct value *argument = aggregate->argument < 0 ? NULL : &measures[aggregate->argument];
    if (entity_is_looked_up(spec, aggregate))
        state->count += passing == PASSING_IN ? 1 : -1;
    else
        count_value(aggregate, state, argument, passing, scratch);
}

/* The event's number, as its column or measure has it. */
static void count_number(struct entity *entity, size_t n, uint64_t word, enum passing passing)
{
    struct aggregate_state *state = entity_state(entity, n);
    const struct value number = aggregate_number_of(entity_stated(entity, n), (int64_t)word);
    entity->nested_bytes -= nested_bytes(state);
    count_value(entity_stated(entity, n), state, &number, passing, &entity_scratch_of(entity->log)->value);
    entity->nested_bytes += nested_bytes(state);
}

/* What the aggregate takes of the measures: its state, or that of a group. */
static void count_measures(struct entity *entity, size_t n, struct aggregate_state *state, enum passing passing)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    entity->nested_bytes -= nested_bytes(state);
    count_member(entity_spec_of(entity->log), entity_stated(entity, n), state, scratch->measures, passing, &scratch->value);
    entity->nested_bytes += nested_bytes(state);
}

static void count_in_group(struct entity *entity, size_t n, enum passing passing)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct bytes key = entity_group_key(entity_stated(entity, n), scratch->measures, &scratch->group);
    struct aggregate_state *state = group_state(entity, n, key, passing == PASSING_IN);
    ENSURE(state != NULL);
    count_measures(entity, n, state, passing);
    if (state->count > 0)
        return;
    entity->nested_bytes -= nested_bytes(state);
    aggregate_state_fini(state);
    map_remove(*entity_groups(entity, n), key);
}

/* From the event's columns. */
static enum status pass_measures(struct entity *entity, size_t n, uint64_t index, enum passing passing, struct error *err)
{
    const struct state_spec *spec = &entity->log->facts.states[n];
    const bool is_told = entity->log->facts.member_of[spec->aggregate] != 0; /* it is a member */
    TRY(entity_measure(entity, index, err));
    if (!is_told && !entity_is_member(entity_stated(entity, n), entity_scratch_of(entity->log)->measures))
        return ST_OK;
    if (spec->is_grouped)
        count_in_group(entity, n, passing);
    else
        count_measures(entity, n, entity_state(entity, n), passing);
    return ST_OK;
}

/* States [first, end). Those whose class says that the event is no member need no look at it. */
static enum status pass_states(struct entity *entity, size_t first, size_t end, uint64_t index,
                               const struct fact_view *words, uint64_t members, enum passing passing, struct error *err)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t n = first; n < end; n++) {
        const struct state_spec *spec = &facts->states[n];
        const uint64_t member = facts->member_of[spec->aggregate];
        if (member != 0 && (members & member) == 0)
            continue;
        if (spec->word != 0 && (members & FACT_WIDE) == 0)
            count_number(entity, n, fact_word(words, spec->word), passing);
        else
            TRY(pass_measures(entity, n, index, passing, err));
    }
    return ST_OK;
}

/* --- tallies ---------------------------------------------------------------------------------- */

static void add_huge(struct tally *tally, int128 number, enum passing passing)
{
    if (passing == PASSING_IN)
        wide_add(tally->huge, number);
    else
        wide_subtract(tally->huge, number);
}

/* The sum so far, and from now on, is one that cannot overflow. */
static void make_huge(struct entity *entity, struct tally *tally)
{
    const int64_t sum = tally->sum;
    tally->huge = mem_alloc(sizeof *tally->huge);
    tally->is_huge = true;
    entity->nested_bytes += mem_size(tally->huge);
    add_huge(tally, sum, PASSING_IN);
}

__attribute__((noinline)) static void tally_huge(struct entity *entity, struct tally *tally, int128 number,
                                                 enum passing passing)
{
    if (!tally->is_huge)
        make_huge(entity, tally);
    add_huge(tally, number, passing);
}

static inline void tally_number(struct entity *entity, struct tally *tally, int64_t number, enum passing passing)
{
    int64_t sum;
    const bool overflow = passing == PASSING_IN ? __builtin_add_overflow(tally->sum, number, &sum)
                                                : __builtin_sub_overflow(tally->sum, number, &sum);
    if (__builtin_expect(overflow || tally->is_huge, 0))
        return tally_huge(entity, tally, number, passing);
    tally->sum = sum;
}

static inline void tally_member(struct tally *tally, enum passing passing)
{
    ENSURE(passing == PASSING_IN || tally->count > 0);
    tally->count += passing == PASSING_IN ? 1 : UINT32_MAX; /* less one */
}

/* An event with a number that does not fit its word. */
static enum status tally_wide(struct entity *entity, size_t first, size_t end, uint64_t index, uint64_t members,
                              enum passing passing, struct error *err)
{
    const struct entity_facts *facts = &entity->log->facts;
    TRY(entity_measure(entity, index, err));
    for (size_t t = first; t < end; t++) {
        const struct tally_spec *spec = &facts->tallies[t];
        int128 number = 0;
        if ((members & spec->member) == 0)
            continue;
        tally_member(&entity_tallies(entity)[t], passing);
        if (spec->word == 0)
            continue;
        const bool is_integer = aggregate_integer_of(
            &entity_scratch_of(entity->log)->measures[spec->argument], &number);
        ENSURE(is_integer);
        if (int128_fits_int64(number))
            tally_number(entity, &entity_tallies(entity)[t], (int64_t)number, passing);
        else
            tally_huge(entity, &entity_tallies(entity)[t], number, passing);
    }
    return ST_OK;
}

static inline void tally_words(struct entity *entity, size_t first, size_t end, const struct fact_view *words,
                               uint64_t members, enum passing passing)
{
    const struct tally_spec *spec = entity->log->facts.tallies + first, *last = entity->log->facts.tallies + end;
    for (struct tally *tally = entity_tallies(entity) + first; spec < last; spec++, tally++) {
        if ((members & spec->member) == 0)
            continue;
        tally_member(tally, passing);
        if (spec->word != 0)
            tally_number(entity, tally, fact_number(words, spec->word, spec->at), passing);
    }
}

/* --- codes ------------------------------------------------------------------------------------ */

/* A value without a code. */
static enum status pass_other(struct entity *entity, const struct code_spec *spec, struct coded *coded,
                              uint64_t index, enum passing passing, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[spec->aggregate];
    const uint64_t before = coded_bytes(coded);
    TRY(entity_measure(entity, index, err));
    if (coded->others == NULL)
        coded->others = mem_alloc(sizeof *coded->others);
    count_member(entity_spec_of(entity->log), aggregate, coded->others, scratch->measures, passing, &scratch->value);
    entity->nested_bytes += coded_bytes(coded) - before;
    return ST_OK;
}

static enum status pass_codes(struct entity *entity, size_t first, size_t end, uint64_t index,
                              const struct fact_view *words, uint64_t members, enum passing passing, struct error *err)
{
    const struct code_spec *spec = entity->log->facts.codes + first, *last = entity->log->facts.codes + end;
    for (struct coded *coded = entity_coded(entity) + first; spec < last; spec++, coded++) {
        if ((members & spec->member) == 0)
            continue;
        const uint64_t code = fact_code(words, spec->word, spec->at);
        if (code == 0)
            TRY(pass_other(entity, spec, coded, index, passing, err));
        else if (passing == PASSING_IN)
            entity->nested_bytes += code_counts_add(&coded->codes, code);
        else
            code_counts_remove(&coded->codes, code); /* its memory stays */
        coded->count += passing == PASSING_IN ? 1 : -1;
    }
    return ST_OK;
}

/* --- passing ---------------------------------------------------------------------------------- */

enum status window_aggregates_pass(struct entity *entity, size_t from, size_t to, const struct event_chunk *chunk,
                                   size_t i, enum passing passing, struct error *err)
{
    const struct window_parts *first = &entity->log->facts.parts[from], *end = &entity->log->facts.parts[to];
    const struct fact_view words = event_chunk_facts(chunk, i);
    const uint64_t members = fact_members(&words), index = chunk->start + i;
    if (__builtin_expect((members & FACT_WIDE) != 0, 0))
        TRY(tally_wide(entity, first->tally, end->tally, index, members, passing, err));
    else
        tally_words(entity, first->tally, end->tally, &words, members, passing);
    if (first->code < end->code)
        TRY(pass_codes(entity, first->code, end->code, index, &words, members, passing, err));
    if (first->top < end->top)
        TRY(entity_tops_pass(entity, first->top, end->top, index, &words, passing, err));
    if (first->state == end->state)
        return ST_OK;
    return pass_states(entity, first->state, end->state, index, &words, members, passing, err);
}

/* --- results ---------------------------------------------------------------------------------- */

static inline const struct tally *tally_of(const struct entity *entity, const struct result_spec *result)
{
    return &entity_tallies(entity)[result->from];
}

int64_t window_aggregates_members(struct entity *entity, size_t i, struct bytes group)
{
    const struct result_spec *result = &entity->log->facts.results[i];
    switch (result->kind) {
    case RESULT_COUNT:
    case RESULT_INTEGER:
    case RESULT_TOTAL:
    case RESULT_MEMBERS: return tally_of(entity, result)->count;
    case RESULT_DISTINCT: return entity_coded(entity)[result->from].count;
    case RESULT_TOP: return entity_tops(entity)[result->from].count;
    case RESULT_STATE: break;
    }
    const struct aggregate_state *state = entity_state(entity, result->from);
    if (entity->log->facts.states[result->from].is_grouped)
        state = group_state(entity, result->from, group, false);
    return state == NULL ? 0 : state->count;
}

static enum status looked_up_result(struct entity *entity, size_t i, int64_t members, struct bytes group,
                                    struct value *out, struct arena *arena, struct error *err)
{
    const int window = entity_spec_of(entity->log)->aggregates[i].window;
    const struct window_edges *edges = &entity_edges(entity)[window];
    group = arena_copy(arena, group); /* the members' keys go where it is */
    return entity_look_up(entity, i, group, members, edges->low, edges->high, out, arena, err);
}

static enum status state_result(struct entity *entity, size_t n, uint64_t index, struct value *out,
                                struct arena *arena, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = entity_stated(entity, n);
    struct aggregate_state *state = entity_state(entity, n);
    struct bytes group = BYTES_NONE;
    if (entity->log->facts.states[n].is_grouped) {
        TRY(entity_measure(entity, index, err));
        group = entity_group_key(aggregate, scratch->measures, &scratch->group);
        state = group_state(entity, n, group, false);
    }
    if (entity_is_looked_up(entity_spec_of(entity->log), aggregate))
        return looked_up_result(entity, entity->log->facts.states[n].aggregate, state == NULL ? 0 : state->count, group, out,
                                arena, err);
    *out = aggregate_state_result(state, aggregate, arena);
    return ST_OK;
}

static void total_result(const struct tally *tally, const struct aggregate_spec *aggregate, struct value *out)
{
    if (__builtin_expect(tally->is_huge, 0))
        *out = aggregate_total_result(tally->count, tally->huge, aggregate);
    else
        aggregate_small_result(out, tally->count, tally->sum, aggregate);
}

static int64_t distinct_count(const struct coded *coded)
{
    return (int64_t)code_counts_distinct(&coded->codes) + aggregate_state_distinct(coded->others);
}

enum status window_aggregates_results(struct entity *entity, uint64_t index, struct value *out, struct arena *arena,
                                      struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct result_spec *result = entity->log->facts.results;
    for (size_t i = 0; i < spec->aggregate_count; i++, result++, out++) {
        switch (result->kind) {
        case RESULT_COUNT: value_set_integer(out, VALUE_INT, tally_of(entity, result)->count); break;
        case RESULT_INTEGER:
            if (__builtin_expect(tally_of(entity, result)->is_huge, 0))
                total_result(tally_of(entity, result), &spec->aggregates[i], out);
            else
                value_set_integer(out, result->type, tally_of(entity, result)->sum);
            break;
        case RESULT_TOTAL: total_result(tally_of(entity, result), &spec->aggregates[i], out); break;
        case RESULT_MEMBERS:
            TRY(looked_up_result(entity, i, tally_of(entity, result)->count, BYTES_NONE, out, arena, err));
            break;
        case RESULT_DISTINCT:
            value_set_integer(out, VALUE_INT, distinct_count(&entity_coded(entity)[result->from]));
            break;
        case RESULT_TOP: TRY(entity_top_result(entity, result->from, out, err)); break;
        case RESULT_STATE: TRY(state_result(entity, result->from, index, out, arena, err)); break;
        }
    }
    return ST_OK;
}
