#include "state/entity_windows.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "state/entity_members.h"
#include "state/entity_tops.h"

/* --- life ------------------------------------------------------------------------------------- */

static size_t stated_count(const struct entity *entity)
{
    return entity->log->facts.first_stated[entity_spec_of(entity->log)->window_count];
}

static uint32_t room(struct entity_rooms *rooms, size_t count, size_t item_size)
{
    enum { ALIGNMENT = 16 };
    const uint32_t at = rooms->size;
    rooms->size += (uint32_t)((count * item_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    return at;
}

bool entity_windows_decode(const struct entity_log *log)
{
    const struct entity_facts *facts = &log->facts;
    bool decodes = false;
    for (size_t n = 0; n < facts->first_stated[log->spec->window_count]; n++)
        decodes |= facts->number_of[facts->stated[n]] == 0;
    return decodes;
}

void entity_windows_lay_out(const struct entity_log *log, struct entity_rooms *out)
{
    const struct entity_log_spec *spec = log->spec;
    const size_t stated = log->facts.first_stated[spec->window_count];
    *out = (struct entity_rooms){ .size = 0 };
    (void)room(out, 1, sizeof(struct entity));
    out->tallies = room(out, log->facts.tally_count, sizeof(struct tally));
    out->edges = room(out, spec->window_count, sizeof(struct window_edges));
    out->coded = room(out, log->facts.code_count, sizeof(struct coded));
    out->states = room(out, stated, sizeof(struct aggregate_state));
    out->groups = room(out, stated, sizeof(struct map *));
    out->ids = room(out, spec->finds_ids, sizeof(struct code_counts));
}

static void forget_begin(struct window_edges *edges)
{
    edges->begin = 0;
    edges->begin_from_us = INT64_MAX;
    edges->begin_until_us = INT64_MIN;
}

/* What a group's state holds beside itself. */
static uint64_t nested_bytes(const struct aggregate_state *state)
{
    return aggregate_state_footprint(state) - sizeof *state;
}

static void clear_groups(struct entity *entity, size_t i)
{
    struct map *groups = *entity_groups(entity, i);
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

static void clear_tally(struct entity *entity, struct tally *tally)
{
    if (tally->is_huge) {
        entity->nested_bytes -= mem_size(tally->huge);
        mem_free(tally->huge);
    }
    *tally = (struct tally){ .count = 0 };
}

void entity_windows_fini(struct entity *entity)
{
    for (size_t c = 0; c < entity->log->facts.code_count; c++) {
        fini_others(&entity_coded(entity)[c]);
        code_counts_fini(&entity_coded(entity)[c].codes);
    }
    const size_t count = stated_count(entity);
    for (size_t n = 0; n < count; n++) {
        const size_t i = entity->log->facts.stated[n];
        aggregate_state_fini(entity_state(entity, i));
        clear_groups(entity, i);
        map_destroy(entity_groups(entity, i));
    }
    for (size_t t = 0; t < entity->log->facts.tally_count; t++)
        clear_tally(entity, &entity_tallies(entity)[t]);
}

static uint64_t coded_bytes(const struct coded *coded)
{
    return code_counts_footprint(&coded->codes) +
           (coded->others == NULL ? 0 : mem_size_of(sizeof *coded->others) + nested_bytes(coded->others));
}

static void clear_coded(struct entity *entity, struct coded *coded)
{
    if (coded->count == 0)
        return;
    entity->nested_bytes -= coded_bytes(coded);
    clear_others(coded);
    code_counts_clear(&coded->codes);
    coded->count = 0;
    entity->nested_bytes += coded_bytes(coded);
}

static void clear_state(struct entity *entity, size_t i)
{
    struct aggregate_state *state = entity_state(entity, i);
    if (state->count == 0)
        return;
    entity->nested_bytes -= nested_bytes(state);
    aggregate_state_clear(state);
    if (entity->log->facts.is_top[i])
        extremes_destroy(&state->extremes); /* without an order again */
    entity->nested_bytes += nested_bytes(state);
}

static void restart_window(struct entity *entity, size_t window, uint32_t index)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t t = facts->first_tally[window]; t < facts->first_tally[window + 1]; t++)
        clear_tally(entity, &entity_tallies(entity)[t]);
    for (size_t c = facts->first_code[window]; c < facts->first_code[window + 1]; c++)
        clear_coded(entity, &entity_coded(entity)[c]);
    for (size_t n = facts->first_stated[window]; n < facts->first_stated[window + 1]; n++) {
        clear_state(entity, facts->stated[n]);
        clear_groups(entity, facts->stated[n]);
    }
    struct window_edges *edges = &entity_edges(entity)[window];
    edges->low = edges->high = index;
}

static void clear_window(struct entity *entity, size_t window, uint32_t index)
{
    restart_window(entity, window, index);
    forget_begin(&entity_edges(entity)[window]);
}

void entity_windows_clear(struct entity *entity)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++)
        clear_window(entity, w, 0);
}

void entity_windows_forgot(struct entity *entity, uint64_t end)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        if (entity_edges(entity)[w].low < end)
            clear_window(entity, w, (uint32_t)end);
    }
}

void entity_windows_renumbered(struct entity *entity, uint32_t by)
{
    for (size_t w = 0; w < entity_spec_of(entity->log)->window_count; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        edges->low -= by;
        edges->high -= by;
        if (edges->begin >= by)
            edges->begin -= by;
        else
            forget_begin(edges);
    }
}

static void prefetch_held(const struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t c = 0; c < facts->code_count; c++)
        code_counts_prefetch(&entity_coded(entity)[c].codes);
    const size_t count = stated_count(entity);
    for (size_t n = 0; n < count; n++)
        aggregate_state_prefetch(entity_state(entity, facts->stated[n]));
}

/* What leaves a window next, and those after it, which say when. */
static void prefetch_leaving(const struct event_chunk *chunk, uint32_t low)
{
    enum { EVENTS = 3 };
    bytes_prefetch(bytes_of(event_chunk_entry(chunk, low - chunk->start), EVENTS * (size_t)chunk->entry_size));
}

void entity_windows_prefetch(const struct entity *entity)
{
    prefetch_held(entity);
    const struct window_edges *edges = entity_edges(entity), *end = edges + entity_spec_of(entity->log)->window_count;
    for (; edges < end; edges++) {
        if (edges->low >= entity->open.start)
            prefetch_leaving(&entity->open, edges->low);
        else if (edges->low_chunk < entity->sealed_count)
            bytes_prefetch(bytes_of(&entity->sealed[edges->low_chunk], sizeof *entity->sealed));
    }
}

void entity_windows_prefetch_sealed(const struct entity *entity)
{
    const struct window_edges *edges = entity_edges(entity), *end = edges + entity_spec_of(entity->log)->window_count;
    for (; edges < end && entity->sealed_count > 0; edges++) {
        if (edges->low >= entity->open.start || edges->low_chunk >= entity->sealed_count)
            continue;
        const struct event_chunk *chunk = &entity->sealed[edges->low_chunk];
        if (chunk->loaded && edges->low - chunk->start < chunk->count)
            prefetch_leaving(chunk, edges->low);
    }
}

uint64_t entity_windows_footprint(const struct entity *entity)
{
    const struct entity_facts *facts = &entity->log->facts;
    const size_t count = stated_count(entity);
    uint64_t bytes = entity->nested_bytes;
    for (size_t n = 0; n < count; n++) {
        const size_t i = facts->stated[n];
        bytes += *entity_groups(entity, i) == NULL ? 0 : map_footprint(*entity_groups(entity, i));
    }
    return bytes;
}

/* --- running aggregates ----------------------------------------------------------------------- */

static struct aggregate_state *group_state(struct entity *entity, size_t i, struct bytes key,
                                           bool create)
{
    struct map **groups = entity_groups(entity, i);
    if (*groups == NULL) {
        if (!create)
            return NULL;
        map_create(groups, sizeof(struct aggregate_state));
    }
    return create ? map_insert(*groups, key, NULL) : map_find(*groups, key);
}

static void count_value(const struct aggregate_spec *aggregate, struct aggregate_state *state,
                        const struct value *argument, bool add, struct buffer *scratch)
{
    if (add)
        aggregate_state_add(state, aggregate, argument, scratch);
    else
        aggregate_state_remove(state, aggregate, argument, scratch);
}

/* Of what is looked up only the number of members is kept. */
static void count_member(const struct entity_log_spec *spec, const struct aggregate_spec *aggregate,
                         struct aggregate_state *state, const struct value *measures, bool add,
                         struct buffer *scratch)
{
    const struct value *argument = aggregate->argument < 0 ? NULL : &measures[aggregate->argument];
    if (entity_is_looked_up(spec, aggregate))
        state->count += add ? 1 : -1;
    else
        count_value(aggregate, state, argument, add, scratch);
}

/* The event's number, as its column or measure has it. */
static void count_number(struct entity *entity, size_t i, uint64_t word, bool add)
{
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    struct aggregate_state *state = entity_state(entity, i);
    const struct value number = aggregate_number_of(aggregate, (int64_t)word);
    entity->nested_bytes -= nested_bytes(state);
    count_value(aggregate, state, &number, add, &entity_scratch_of(entity->log)->value);
    entity->nested_bytes += nested_bytes(state);
}

/* What aggregate i takes of the measures: its state, or that of a group. */
static void count_measures(struct entity *entity, size_t i, struct aggregate_state *state, bool add)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    entity->nested_bytes -= nested_bytes(state);
    count_member(spec, &spec->aggregates[i], state, scratch->measures, add, &scratch->value);
    entity->nested_bytes += nested_bytes(state);
}

static void count_in_group(struct entity *entity, size_t i, bool add)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    const struct bytes key = entity_group_key(aggregate, scratch->measures, &scratch->group);
    struct aggregate_state *state = group_state(entity, i, key, add);
    ENSURE(state != NULL);
    count_measures(entity, i, state, add);
    if (state->count > 0)
        return;
    entity->nested_bytes -= nested_bytes(state);
    aggregate_state_fini(state);
    map_remove(*entity_groups(entity, i), key);
}

/* To the window's states. Aggregates whose class says that the event is no member need no look at
 * it. */
static enum status pass_states(struct entity *entity, size_t window, uint64_t index,
                               const struct fact_view *words, bool add, struct error *err)
{
    const uint64_t members = fact_members(words);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct entity_facts *facts = &entity->log->facts;
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    for (size_t n = facts->first_stated[window]; n < facts->first_stated[window + 1]; n++) {
        const size_t i = facts->stated[n];
        const struct aggregate_spec *aggregate = &spec->aggregates[i];
        if (facts->member_of[i] != 0 && (members & facts->member_of[i]) == 0)
            continue;
        if (entity_is_top(entity, i)) {
            entity_top_pass(entity, i, words, add);
            continue;
        }
        if (facts->number_of[i] != 0 && (members & FACT_WIDE) == 0) {
            count_number(entity, i, fact_word(words, facts->number_of[i]), add);
            continue;
        }
        TRY(entity_measure(entity, index, err));
        if (facts->member_of[i] == 0 && !entity_is_member(aggregate, scratch->measures))
            continue;
        if (aggregate->group_count > 0)
            count_in_group(entity, i, add);
        else
            count_measures(entity, i, entity_state(entity, i), add);
    }
    return ST_OK;
}

static void add_huge(struct tally *tally, int128 number, bool add)
{
    if (add)
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
    add_huge(tally, sum, true);
}

__attribute__((noinline)) static void tally_huge(struct entity *entity, struct tally *tally, int128 number, bool add)
{
    if (!tally->is_huge)
        make_huge(entity, tally);
    add_huge(tally, number, add);
}

static inline void tally_number(struct entity *entity, struct tally *tally, int64_t number, bool add)
{
    int64_t sum;
    const bool overflow = add ? __builtin_add_overflow(tally->sum, number, &sum)
                              : __builtin_sub_overflow(tally->sum, number, &sum);
    if (__builtin_expect(overflow || tally->is_huge, 0))
        return tally_huge(entity, tally, number, add);
    tally->sum = sum;
}

static inline void tally_member(struct tally *tally, bool add)
{
    tally->count += add ? 1 : UINT32_MAX; /* less one */
}

/* An event with a number that does not fit its word. */
static enum status tally_wide(struct entity *entity, size_t window, uint64_t index,
                              uint64_t members, bool add, struct error *err)
{
    const struct entity_facts *facts = &entity->log->facts;
    TRY(entity_measure(entity, index, err));
    for (size_t t = facts->first_tally[window]; t < facts->first_tally[window + 1]; t++) {
        const struct tally_spec *spec = &facts->tallies[t];
        int128 number = 0;
        if ((members & spec->member) == 0)
            continue;
        tally_member(&entity_tallies(entity)[t], add);
        if (spec->word == 0)
            continue;
        const bool is_integer = aggregate_integer_of(
            &entity_scratch_of(entity->log)->measures[spec->argument], &number);
        ENSURE(is_integer);
        tally_huge(entity, &entity_tallies(entity)[t], number, add);
    }
    return ST_OK;
}

static inline void tally_words(struct entity *entity, size_t window, const struct fact_view *words,
                               uint64_t members, bool add)
{
    const struct entity_facts *facts = &entity->log->facts;
    const struct tally_spec *spec = facts->tallies + facts->first_tally[window];
    const struct tally_spec *end = facts->tallies + facts->first_tally[window + 1];
    for (struct tally *tally = entity_tallies(entity) + facts->first_tally[window]; spec < end; spec++, tally++) {
        if ((members & spec->member) == 0)
            continue;
        tally_member(tally, add);
        if (spec->word != 0)
            tally_number(entity, tally, fact_number(words, spec->word, spec->at), add);
    }
}

/* A value without a code. */
static enum status pass_other(struct entity *entity, const struct code_spec *spec, struct coded *coded,
                              uint64_t index, bool add, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[spec->aggregate];
    const uint64_t before = coded_bytes(coded);
    TRY(entity_measure(entity, index, err));
    if (coded->others == NULL)
        coded->others = mem_alloc(sizeof *coded->others);
    count_member(entity_spec_of(entity->log), aggregate, coded->others, scratch->measures, add, &scratch->value);
    entity->nested_bytes += coded_bytes(coded) - before;
    return ST_OK;
}

static void add_code(struct entity *entity, struct coded *coded, uint64_t code)
{
    const size_t before = code_counts_footprint(&coded->codes);
    code_counts_add(&coded->codes, code);
    entity->nested_bytes += code_counts_footprint(&coded->codes) - before;
}

static enum status pass_codes(struct entity *entity, size_t window, uint64_t index, const struct fact_view *words,
                              uint64_t members, bool add, struct error *err)
{
    const struct entity_facts *facts = &entity->log->facts;
    for (size_t c = facts->first_code[window]; c < facts->first_code[window + 1]; c++) {
        const struct code_spec *spec = &facts->codes[c];
        struct coded *coded = &entity_coded(entity)[c];
        if ((members & spec->member) == 0)
            continue;
        const uint64_t code = fact_code(words, spec->word, spec->at);
        if (code == 0)
            TRY(pass_other(entity, spec, coded, index, add, err));
        else if (add)
            add_code(entity, coded, code);
        else
            code_counts_remove(&coded->codes, code); /* its memory stays */
        coded->count += add ? 1 : -1;
    }
    return ST_OK;
}

/* The event, number i of its chunk, enters or leaves the window. */
static inline enum status pass(struct entity *entity, size_t window,
                               const struct event_chunk *chunk, size_t i, bool add,
                               struct error *err)
{
    const struct entity_facts *facts = &entity->log->facts;
    const struct fact_view words = event_chunk_facts(chunk, i);
    const uint64_t members = fact_members(&words);
    if (__builtin_expect((members & FACT_WIDE) != 0, 0))
        TRY(tally_wide(entity, window, chunk->start + i, members, add, err));
    else
        tally_words(entity, window, &words, members, add);
    if (facts->first_code[window] < facts->first_code[window + 1])
        TRY(pass_codes(entity, window, chunk->start + i, &words, members, add, err));
    if (facts->first_stated[window] == facts->first_stated[window + 1])
        return ST_OK;
    return pass_states(entity, window, chunk->start + i, &words, add, err);
}

static inline enum status pass_index(struct entity *entity, size_t window, uint64_t index, bool add,
                              struct error *err)
{
    struct event_chunk *chunk = &entity->open;
    if (index < chunk->start)
        TRY(entity_find_chunk(entity, index, &chunk, err));
    return pass(entity, window, chunk, index - chunk->start, add, err);
}

/* --- edges ------------------------------------------------------------------------------------ */

/* The chunk of an event that the window's begin is about to pass, loaded: mostly the one it passed
 * before. */
static inline enum status low_chunk(struct entity *entity, struct window_edges *edges,
                                    uint64_t index, struct event_chunk **out, struct error *err)
{
    if (edges->low_chunk <= entity->sealed_count) {
        struct event_chunk *chunk = entity_chunk(entity, edges->low_chunk);
        *out = chunk;
        chunk->used = true;
        if (chunk->loaded && index - chunk->start < chunk->count)
            return ST_OK;
    }
    TRY(entity_find_chunk(entity, index, out, err));
    edges->low_chunk = (uint32_t)entity_chunk_number(entity, *out);
    return ST_OK;
}

/* The edge after the event that it stands before. */
static enum status step_begin(struct entity *entity, struct window_edges *edges, struct error *err)
{
    struct event_chunk *chunk;
    edges->begin_from_us = edges->begin_until_us;
    edges->begin_until_us = INT64_MAX;
    if (++edges->begin == entity_end_index(entity))
        return ST_OK;
    TRY(low_chunk(entity, edges, edges->begin, &chunk, err));
    edges->begin_until_us = event_chunk_time(chunk, edges->begin - chunk->start);
    return ST_OK;
}

/* Often it is where it was, or one event further. */
static inline enum status find_begin(struct entity *entity, struct window_edges *edges,
                                     int64_t time_us, struct error *err)
{
    enum { STEPS_MAX = 3 };
    for (int step = 0; time_us >= edges->begin_from_us; step++) {
        if (time_us < edges->begin_until_us)
            return ST_OK;
        if (step == STEPS_MAX)
            break;
        TRY(step_begin(entity, edges, err));
    }
    forget_begin(edges);
    struct event_edge edge;
    TRY(entity_find_edge(entity, time_us, &edge, err));
    edges->begin = (uint32_t)edge.index;
    edges->begin_from_us = edge.from_us;
    edges->begin_until_us = edge.until_us;
    return ST_OK;
}

/* Where the window of the event at `index` begins and ends. */
static inline enum status window_extent(struct entity *entity, size_t window, uint64_t index,
                                        int64_t time_us, struct window_edges *wanted,
                                        struct error *err)
{
    const struct window_spec *w = &entity_spec_of(entity->log)->windows[window];
    struct window_edges *edges = &entity_edges(entity)[window];
    const int64_t span_us = w->span_us > 0 ? w->span_us : entity_spec_of(entity->log)->look_back_us;
    const int64_t end_us = time_before(time_us, w->delay_us);
    TRY(find_begin(entity, edges, time_before(end_us, span_us), err));
    wanted->low = edges->begin;
    wanted->high = (uint32_t)(w->previous ? index : index + 1);
    if (w->delay_us > 0) {
        uint64_t delayed;
        TRY(entity_upper_bound(entity, end_us, &delayed, err));
        if (delayed < wanted->high)
            wanted->high = (uint32_t)delayed;
    }
    if (wanted->low > wanted->high)
        wanted->low = wanted->high;
    return ST_OK;
}

/* The window begins later. */
static inline enum status raise_low(struct entity *entity, size_t w, uint32_t low,
                                    struct error *err)
{
    struct window_edges *edges = &entity_edges(entity)[w];
    for (; edges->low < low; edges->low++) {
        struct event_chunk *chunk;
        TRY(low_chunk(entity, edges, edges->low, &chunk, err));
        TRY(pass(entity, w, chunk, edges->low - chunk->start, false, err));
    }
    return ST_OK;
}

static inline enum status raise_high(struct entity *entity, size_t w, uint32_t high,
                                     struct error *err)
{
    struct window_edges *edges = &entity_edges(entity)[w];
    for (; edges->high < high; edges->high++)
        TRY(pass_index(entity, w, edges->high, true, err));
    return ST_OK;
}

/* Windows that end later, event by event: what several of them gain is decoded once. */
static enum status raise_together(struct entity *entity, size_t from, size_t to, struct error *err)
{
    const struct window_edges *wanted = entity_scratch_of(entity->log)->wanted, *edges = entity_edges(entity);
    for (;;) {
        uint32_t next = UINT32_MAX;
        for (size_t w = from; w < to; w++) {
            if (edges[w].high < wanted[w].high && edges[w].high < next)
                next = edges[w].high;
        }
        if (next == UINT32_MAX)
            return ST_OK;
        for (size_t w = from; w < to; w++) {
            if (edges[w].high == next && next < wanted[w].high)
                TRY(raise_high(entity, w, next + 1, err));
        }
    }
}

/* A late event is evaluated, or the one after it again: back in time. */
static enum status lower(struct entity *entity, size_t w, const struct window_edges *wanted,
                         struct error *err)
{
    struct window_edges *edges = &entity_edges(entity)[w];
    while (edges->high > wanted->high) {
        TRY(pass_index(entity, w, edges->high - 1, false, err));
        edges->high--;
    }
    while (edges->low > wanted->low) {
        TRY(pass_index(entity, w, edges->low - 1, true, err));
        edges->low--;
    }
    return ST_OK;
}

/* Moves windows [from, to) to where they stand for the event at `index`, which is measured last if
 * any of them gains it. */
static enum status move_windows(struct entity *entity, size_t from, size_t to, uint64_t index,
                                struct error *err)
{
    const bool together = entity->log->decodes;
    struct event_chunk *chunk = &entity->open;
    if (index < chunk->start)
        TRY(entity_find_chunk(entity, index, &chunk, err));
    const int64_t time_us = event_chunk_time(chunk, index - chunk->start);
    for (size_t w = from; w < to; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        struct window_edges *wanted = &entity_scratch_of(entity->log)->wanted[w];
        TRY(window_extent(entity, w, index, time_us, wanted, err));
        if (wanted->low >= edges->high || wanted->high <= edges->low)
            restart_window(entity, w, wanted->low);
        TRY(raise_low(entity, w, wanted->low, err));
        if (edges->high > wanted->high || edges->low > wanted->low)
            TRY(lower(entity, w, wanted, err));
        if (!together)
            TRY(raise_high(entity, w, wanted->high, err));
    }
    return together ? raise_together(entity, from, to, err) : ST_OK;
}

enum status entity_window_move(struct entity *entity, int window, uint64_t index, struct error *err)
{
    return move_windows(entity, (size_t)window, (size_t)window + 1, index, err);
}

static void shift_begin(struct window_edges *edges, uint64_t index, int64_t time_us)
{
    if (index < edges->begin)
        edges->begin++;
    else if (index == edges->begin && edges->begin_from_us <= edges->begin_until_us)
        edges->begin_until_us = time_us;
}

enum status entity_windows_inserted(struct entity *entity, uint64_t index, int64_t time_us,
                                    struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    for (size_t w = 0; w < spec->window_count; w++) {
        struct window_edges *edges = &entity_edges(entity)[w];
        shift_begin(edges, index, time_us);
        if (index >= edges->high)
            continue;
        edges->high++;
        if (index < edges->low)
            edges->low++;
        else
            TRY(pass_index(entity, w, index, true, err));
    }
    return ST_OK;
}

int64_t entity_window_members(struct entity *entity, size_t i, struct bytes group)
{
    const struct aggregate_spec *aggregate = &entity_spec_of(entity->log)->aggregates[i];
    const int tally = entity->log->facts.tally_of[i], code = entity->log->facts.code_of[i];
    if (tally != TALLY_NONE)
        return entity_tallies(entity)[tally].count;
    if (code != TALLY_NONE)
        return entity_coded(entity)[code].count;
    const struct aggregate_state *state = entity_state(entity, i);
    if (aggregate->group_count > 0)
        state = group_state(entity, i, group, false);
    return state == NULL ? 0 : state->count;
}

/* --- results ---------------------------------------------------------------------------------- */

static enum status looked_up_result(struct entity *entity, size_t i, int64_t members,
                                    struct bytes group, struct value *out, struct arena *arena,
                                    struct error *err)
{
    const int window = entity_spec_of(entity->log)->aggregates[i].window;
    const struct window_edges *edges = &entity_edges(entity)[window];
    group = arena_copy(arena, group); /* the members' keys go where it is */
    return entity_look_up(entity, i, group, members, edges->low, edges->high, out, arena, err);
}

static enum status state_result(struct entity *entity, size_t i, uint64_t index, struct value *out,
                                struct arena *arena, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const struct aggregate_spec *aggregate = &spec->aggregates[i];
    struct aggregate_state *state = entity_state(entity, i);
    struct bytes group = BYTES_NONE;
    if (entity_is_top(entity, i))
        return entity_top_result(entity, i, out, err);
    if (aggregate->group_count > 0) {
        TRY(entity_measure(entity, index, err));
        group = entity_group_key(aggregate, scratch->measures, &scratch->group);
        state = group_state(entity, i, group, false);
    }
    if (entity_is_looked_up(spec, aggregate))
        return looked_up_result(entity, i, state == NULL ? 0 : state->count, group, out, arena,
                                err);
    *out = aggregate_state_result(state, aggregate, arena);
    return ST_OK;
}

static struct value huge_result(const struct tally *tally, const struct aggregate_spec *aggregate)
{
    return aggregate_total_result(tally->count, tally->huge, aggregate);
}

static int64_t distinct_count(const struct coded *coded)
{
    return (int64_t)code_counts_distinct(&coded->codes) + aggregate_state_distinct(coded->others);
}

enum status entity_aggregates(struct entity *entity, size_t position, struct value *out,
                              struct arena *arena, struct error *err)
{
    const struct entity_log_spec *spec = entity_spec_of(entity->log);
    const int *tally_of = entity->log->facts.tally_of;
    const uint64_t index = entity_first_index(entity) + position;
    TRY(move_windows(entity, 0, spec->window_count, index, err));
    for (size_t i = 0; i < spec->aggregate_count; i++) {
        const struct aggregate_spec *aggregate = &spec->aggregates[i];
        if (entity->log->facts.code_of[i] != TALLY_NONE) {
            value_set_integer(&out[i], VALUE_INT, distinct_count(&entity_coded(entity)[entity->log->facts.code_of[i]]));
            continue;
        }
        if (tally_of[i] == TALLY_NONE) {
            TRY(state_result(entity, i, index, &out[i], arena, err));
            continue;
        }
        const struct tally *tally = &entity_tallies(entity)[tally_of[i]];
        if (entity->log->facts.looked_up[i])
            TRY(looked_up_result(entity, i, tally->count, BYTES_NONE, &out[i], arena, err));
        else if (aggregate->kind == AGGREGATE_COUNT)
            value_set_integer(&out[i], VALUE_INT, tally->count);
        else if (__builtin_expect(tally->is_huge, 0))
            out[i] = huge_result(tally, aggregate);
        else
            aggregate_small_result(&out[i], tally->count, tally->sum, aggregate);
    }
    return ST_OK;
}
