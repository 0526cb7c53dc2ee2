#include "state/entity_tops.h"

#include "base/ensure.h"

enum { FEW_MAX = 64 };

static int64_t number_in(const struct entity *entity, size_t n, const struct fact_view *facts)
{
    return (int64_t)fact_word(facts, entity->log->facts.states[n].word);
}

/* --- passing ---------------------------------------------------------------------------------- */

/* At least as far out as the top, which is no less far out than all that are there. */
static bool reaches(const struct aggregate_spec *aggregate, int64_t number, int64_t top)
{
    return aggregate->kind == AGGREGATE_MIN ? number <= top : number >= top;
}

static void add(const struct aggregate_spec *aggregate, struct aggregate_state *state, int64_t number)
{
    const bool first = state->count++ == 0;
    if (first || (state->top.state != TOP_UNKNOWN && reaches(aggregate, number, state->top.number)))
        state->top = (struct top_number){ number, TOP_KNOWN };
}

static void take_away(struct aggregate_state *state, int64_t number)
{
    ENSURE(state->count > 0);
    state->count--;
    if (state->top.state == TOP_KNOWN && state->top.number == number)
        state->top.state = TOP_LEFT;
}

/* A number of the event does not fit, perhaps this one. */
static void pass_wide(struct aggregate_state *state, bool enters)
{
    ENSURE(enters || state->count > 0);
    state->count += enters ? 1 : -1;
    state->top.state = TOP_UNKNOWN;
}

void entity_top_pass(struct entity *entity, size_t n, const struct fact_view *facts, bool enters)
{
    struct aggregate_state *state = entity_state(entity, n);
    if ((fact_members(facts) & FACT_WIDE) != 0)
        pass_wide(state, enters);
    else if (enters)
        add(entity_stated(entity, n), state, number_in(entity, n, facts));
    else
        take_away(state, number_in(entity, n, facts));
}

/* --- looking for it --------------------------------------------------------------------------- */

/* The facts of the window's member at `index`, or of the next one. */
struct walk {
    struct event_chunk *chunk;
    uint64_t index, end;
    uint64_t members;
    struct fact_view facts;
};

static struct walk walk_of(const struct entity *entity, size_t n)
{
    const struct window_edges *edges = &entity_edges(entity)[entity_stated(entity, n)->window];
    return (struct walk){ .index = edges->low, .end = edges->high };
}

static enum status find_chunk(struct entity *entity, struct walk *walk, struct error *err)
{
    if (walk->chunk != NULL && walk->index - walk->chunk->start < walk->chunk->count)
        return ST_OK;
    walk->chunk = &entity->open;
    return walk->index >= entity->open.start ? ST_OK : entity_find_chunk(entity, walk->index, &walk->chunk, err);
}

/* `found` false: there is none any more. Else `index` is its own, for the caller to step over. */
static enum status next_member(struct entity *entity, size_t n, struct walk *walk, bool *found, struct error *err)
{
    *found = false;
    for (; walk->index < walk->end; walk->index++) {
        TRY(find_chunk(entity, walk, err));
        walk->facts = event_chunk_facts(walk->chunk, walk->index - walk->chunk->start);
        walk->members = fact_members(&walk->facts);
        *found = (walk->members & entity->log->facts.member_of[entity->log->facts.states[n].aggregate]) != 0;
        if (*found)
            return ST_OK;
    }
    return ST_OK;
}

static enum status add_to_order(struct entity *entity, size_t n, const struct walk *walk, struct error *err)
{
    struct entity_scratch *scratch = entity_scratch_of(entity->log);
    const struct aggregate_spec *aggregate = entity_stated(entity, n);
    struct value number;
    if ((walk->members & FACT_WIDE) != 0) {
        TRY(entity_measure(entity, walk->index, err));
        number = scratch->measures[aggregate->argument];
    } else {
        number = aggregate_number_of(aggregate, number_in(entity, n, &walk->facts));
    }
    aggregate_state_add(entity_state(entity, n), aggregate, &number, &scratch->value);
    return ST_OK;
}

static enum status put_in_order(struct entity *entity, size_t n, struct error *err)
{
    struct aggregate_state *state = entity_state(entity, n);
    const int64_t count = state->count;
    struct walk walk = walk_of(entity, n);
    state->count = 0;
    for (bool found = true; found; walk.index++) {
        TRY(next_member(entity, n, &walk, &found, err));
        if (found)
            TRY(add_to_order(entity, n, &walk, err));
    }
    ENSURE(state->count == count);
    entity->nested_bytes += aggregate_state_footprint(state) - sizeof *state;
    return ST_OK;
}

/* Unknown still, if a member's number does not fit. */
static enum status look_for(struct entity *entity, size_t n, struct error *err)
{
    struct aggregate_state *state = entity_state(entity, n);
    struct walk walk = walk_of(entity, n);
    struct aggregate_state seen = { .count = 0 };
    for (bool found = true; found; walk.index++) {
        TRY(next_member(entity, n, &walk, &found, err));
        if (!found)
            continue;
        if ((walk.members & FACT_WIDE) != 0)
            return ST_OK;
        add(entity_stated(entity, n), &seen, number_in(entity, n, &walk.facts));
    }
    ENSURE(seen.count == state->count);
    state->top = seen.top;
    return ST_OK;
}

enum status entity_top_result(struct entity *entity, size_t n, struct value *out, struct error *err)
{
    struct aggregate_state *state = entity_state(entity, n);
    if (state->count == 0) {
        value_set_null(out);
        return ST_OK;
    }
    if (state->top.state != TOP_KNOWN && state->count <= FEW_MAX)
        TRY(look_for(entity, n, err));
    if (state->top.state == TOP_KNOWN) {
        *out = aggregate_number_of(entity_stated(entity, n), state->top.number);
        return ST_OK;
    }
    TRY(put_in_order(entity, n, err));
    *out = *extremes_top(state->extremes);
    return ST_OK;
}
