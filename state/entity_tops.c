#include "state/entity_tops.h"

#include "base/ensure.h"
#include "base/prefetch.h"

/* Members, and events among which they are looked for. */
enum { FEW_MAX = 64, WALK_MAX = 512 };

static inline const struct top_spec *spec_of(const struct entity *entity, size_t t)
{
    return &entity->log->facts.tops[t];
}

static inline const struct aggregate_spec *aggregate_of(const struct entity *entity, const struct top_spec *spec)
{
    return &entity_spec_of(entity->log)->aggregates[spec->aggregate];
}

static inline int64_t number_in(const struct fact_view *facts, const struct top_spec *spec)
{
    return fact_number(facts, spec->word, spec->at);
}

static inline void count_member(struct top *top, enum passing passing)
{
    ENSURE(passing == PASSING_IN || top->count > 0);
    top->count += passing == PASSING_IN ? 1 : UINT32_MAX; /* less one */
}

/* --- order ------------------------------------------------------------------------------------ */

/* The number of the event at `index`, from its columns if one of its numbers does not fit the facts. */
static enum status value_of(struct entity *entity, const struct top_spec *spec, uint64_t index,
                            const struct fact_view *facts, struct value *out, struct error *err)
{
    const struct aggregate_spec *aggregate = aggregate_of(entity, spec);
    if ((fact_members(facts) & FACT_WIDE) == 0) {
        *out = aggregate_number_of(aggregate, number_in(facts, spec));
        return ST_OK;
    }
    TRY(entity_measure(entity, index, err));
    *out = entity_scratch_of(entity->log)->measures[aggregate->argument];
    return ST_OK;
}

static enum status pass_order(struct entity *entity, const struct top_spec *spec, struct top *top, uint64_t index,
                              const struct fact_view *facts, enum passing passing, struct error *err)
{
    struct buffer *scratch = &entity_scratch_of(entity->log)->value;
    const uint64_t before = extremes_footprint(top->order);
    struct value value;
    TRY(value_of(entity, spec, index, facts, &value, err));
    if (passing == PASSING_IN)
        extremes_add(top->order, &value, scratch);
    else
        extremes_remove(top->order, &value, scratch);
    count_member(top, passing);
    entity->nested_bytes += extremes_footprint(top->order) - before;
    return ST_OK;
}

void entity_top_clear(struct entity *entity, size_t t)
{
    struct top *top = &entity_tops(entity)[t];
    if (__builtin_expect(top->order != NULL, 0)) {
        entity->nested_bytes -= extremes_footprint(top->order);
        extremes_destroy(&top->order);
    }
    *top = (struct top){ .state = TOP_KNOWN };
}

void entity_top_prefetch(const struct entity *entity, size_t t)
{
    const struct top *top = &entity_tops(entity)[t];
    if (top->order != NULL)
        prefetch(top->order);
}

/* --- passing ---------------------------------------------------------------------------------- */

/* At least as far out as the top, which is no less far out than all that are there. */
static inline bool reaches(const struct top_spec *spec, int64_t number, int64_t top)
{
    return spec->smallest ? number <= top : number >= top;
}

static inline void add(const struct top_spec *spec, struct top *top, int64_t number)
{
    const bool first = top->count++ == 0;
    if (first || (top->state != TOP_UNKNOWN && reaches(spec, number, top->number))) {
        top->number = number;
        top->state = TOP_KNOWN;
    }
}

static inline void take_away(struct top *top, int64_t number)
{
    count_member(top, PASSING_OUT);
    if (top->state == TOP_KNOWN && top->number == number)
        top->state = TOP_LEFT;
}

/* A number of the event does not fit, perhaps this one. */
static void pass_wide(struct top *top, enum passing passing)
{
    count_member(top, passing);
    top->state = TOP_UNKNOWN;
}

enum status entity_tops_pass(struct entity *entity, size_t from, size_t to, uint64_t index,
                             const struct fact_view *facts, enum passing passing, struct error *err)
{
    const uint64_t members = fact_members(facts);
    const struct top_spec *spec = spec_of(entity, from), *last = spec_of(entity, to);
    for (struct top *top = entity_tops(entity) + from; spec < last; spec++, top++) {
        if ((members & spec->member) == 0)
            continue;
        if (__builtin_expect(top->order != NULL, 0))
            TRY(pass_order(entity, spec, top, index, facts, passing, err));
        else if (__builtin_expect((members & FACT_WIDE) != 0, 0))
            pass_wide(top, passing);
        else if (passing == PASSING_IN)
            add(spec, top, number_in(facts, spec));
        else
            take_away(top, number_in(facts, spec));
    }
    return ST_OK;
}

/* --- looking for it --------------------------------------------------------------------------- */

/* The facts of the window's member at `index`, or of the next one. */
struct walk {
    const struct top_spec *spec;
    struct event_chunk *chunk;
    uint64_t index, end;
    struct fact_view facts;
};

static struct walk walk_of(const struct entity *entity, size_t t)
{
    const struct top_spec *spec = spec_of(entity, t);
    const struct window_edges *edges = &entity_edges(entity)[aggregate_of(entity, spec)->window];
    return (struct walk){ .spec = spec, .index = edges->low, .end = edges->high };
}

static enum status find_chunk(struct entity *entity, struct walk *walk, struct error *err)
{
    if (walk->chunk != NULL && walk->index - walk->chunk->start < walk->chunk->count)
        return ST_OK;
    walk->chunk = &entity->open;
    return walk->index >= entity->open.start ? ST_OK : entity_find_chunk(entity, walk->index, &walk->chunk, err);
}

/* `found` false: there is none any more. Else `index` is its own, for the caller to step over. */
static enum status next_member(struct entity *entity, struct walk *walk, bool *found, struct error *err)
{
    *found = false;
    for (; walk->index < walk->end; walk->index++) {
        TRY(find_chunk(entity, walk, err));
        walk->facts = event_chunk_facts(walk->chunk, walk->index - walk->chunk->start);
        *found = (fact_members(&walk->facts) & walk->spec->member) != 0;
        if (*found)
            return ST_OK;
    }
    return ST_OK;
}

static enum status put_in_order(struct entity *entity, size_t t, struct error *err)
{
    struct top *top = &entity_tops(entity)[t];
    const uint32_t count = top->count;
    struct walk walk = walk_of(entity, t);
    extremes_create(&top->order, walk.spec->smallest);
    entity->nested_bytes += extremes_footprint(top->order);
    top->count = 0;
    for (bool found = true; found; walk.index++) {
        TRY(next_member(entity, &walk, &found, err));
        if (found)
            TRY(pass_order(entity, walk.spec, top, walk.index, &walk.facts, PASSING_IN, err));
    }
    ENSURE(top->count == count);
    return ST_OK;
}

/* Unknown still, if a member's number does not fit. */
static enum status look_for(struct entity *entity, size_t t, struct error *err)
{
    struct top *top = &entity_tops(entity)[t];
    struct walk walk = walk_of(entity, t);
    struct top seen = { .count = 0 };
    for (bool found = true; found; walk.index++) {
        TRY(next_member(entity, &walk, &found, err));
        if (!found)
            continue;
        if ((fact_members(&walk.facts) & FACT_WIDE) != 0)
            return ST_OK;
        add(walk.spec, &seen, number_in(&walk.facts, walk.spec));
    }
    ENSURE(seen.count == top->count);
    top->number = seen.number;
    top->state = seen.state;
    return ST_OK;
}

static bool is_soon_found(const struct entity *entity, size_t t)
{
    const struct walk walk = walk_of(entity, t);
    return entity_tops(entity)[t].count <= FEW_MAX && walk.end - walk.index <= WALK_MAX;
}

enum status entity_top_result(struct entity *entity, size_t t, struct value *out, struct error *err)
{
    struct top *top = &entity_tops(entity)[t];
    if (top->count == 0) {
        value_set_null(out);
        return ST_OK;
    }
    if (top->order == NULL && top->state != TOP_KNOWN && is_soon_found(entity, t))
        TRY(look_for(entity, t, err));
    if (top->order == NULL && top->state == TOP_KNOWN) {
        *out = aggregate_number_of(aggregate_of(entity, spec_of(entity, t)), top->number);
        return ST_OK;
    }
    if (top->order == NULL)
        TRY(put_in_order(entity, t, err));
    *out = *extremes_top(top->order);
    return ST_OK;
}
