#include "entity_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "big.h"

/* Two columns of one name: the second is the first after a change of its type. */
static const struct layout_column pool_columns[POOL] = {
    { "amount", { VALUE_INT, 0, true } },      { "price", { VALUE_DECIMAL, 2, true } },
    { "who", { VALUE_STRING, 0, true } },      { "flag", { VALUE_BOOL, 0, true } },
    { "wait", { VALUE_DURATION, 0, true } },   { "since", { VALUE_TIMESTAMP, 0, true } },
    { "ratio", { VALUE_DOUBLE, 0, true } },    { "raw", { VALUE_BYTES, 0, true } },
    { "count", { VALUE_INT, 0, false } },      { "amount", { VALUE_DECIMAL, 4, true } },
    { "price", { VALUE_DECIMAL, 18, true } },  { "who", { VALUE_BYTES, 0, true } },
    { "country", { VALUE_STRING, 0, false } }, { "huge", { VALUE_INT, 0, true } },
};

static const char *const texts[] = { "",        "a", "b", "bb", "a rather long name of somebody",
                                     "\xc3\xa9" };

/* --- columns -------------------------------------------------------------------------------- */

void model_pool_init(struct model_pool *pool, struct prng *prng)
{
    const bool is_small = prng_chance(prng, 1, 2);
    *pool = (struct model_pool){ .active = { true, !is_small, !is_small } };
    for (int i = 3; i < POOL; i++)
        pool->active[i] = prng_chance(prng, 1, is_small ? 8 : 2);
    for (int i = 9; i <= 11; i++)
        pool->active[i] = false; /* the same names as the first three */
}

static int same_name(int column)
{
    for (int i = 0; i < POOL; i++) {
        if (i != column && strcmp(pool_columns[i].name, pool_columns[column].name) == 0)
            return i;
    }
    return -1;
}

void model_pool_change(struct model_pool *pool, struct prng *prng)
{
    for (int n = (int)prng_below(prng, 4); n > 0; n--) {
        const int i = (int)prng_below(prng, POOL);
        const int other = same_name(i);
        if (pool->gone[i])
            continue;
        if (pool->active[i] && prng_chance(prng, 1, 2)) {
            pool->active[i] = false;
            pool->gone[i] = true;
        } else {
            pool->active[i] = true;
            if (other >= 0) {
                pool->active[other] = false;
                pool->gone[other] = true;
            }
        }
    }
}

static bool is_computed(int column)
{
    return pool_columns[column].type.kind == VALUE_INT ||
           pool_columns[column].type.kind == VALUE_STRING;
}

/* What is computed from a column: whether a number is large; a text with a mark, in the arena. */
static struct value compute(const struct value *v, struct arena *arena)
{
    if (v->kind == VALUE_INT)
        return value_bool(v->i > 3);
    if (v->kind == VALUE_STRING)
        return value_string(bytes_of_string(
            arena_format(arena, "%.*s!", (int)v->text.size, (const char *)v->text.data)));
    return value_null();
}

static void measure(void *context, const struct value *columns, struct value *measures,
                    struct arena *arena)
{
    const struct model_spec *spec = context;
    for (size_t i = spec->log.column_count; i < spec->log.measure_count; i++) {
        size_t column = 0;
        while (spec->source_of[column] != spec->source_of[i] - POOL)
            column++;
        measures[i] = compute(&columns[column], arena);
    }
}

static struct value any_value(enum value_kind kind, int column, struct prng *prng)
{
    const bool is_far = strcmp(pool_columns[column].name, "huge") == 0 || prng_chance(prng, 1, 60);
    int64_t x = prng_between(prng, -2, 9);
    if (is_far)
        x = prng_chance(prng, 1, 2) ? INT64_MAX - (x + 2) : INT64_MIN + (x + 2);
    switch (kind) {
    case VALUE_BOOL:
        return value_bool(x % 2 == 0);
    case VALUE_STRING:
        return value_string(bytes_of_string(texts[prng_below(prng, 6)]));
    case VALUE_BYTES:
        return value_bytes(bytes_of_string(texts[prng_below(prng, 6)]));
    case VALUE_DOUBLE:
        return value_double((double)(x % 10) / 8);
    case VALUE_DECIMAL: {
        const unsigned shift = is_far ? (unsigned)prng_below(prng, 63) : 0;
        return value_decimal((int128)((uint128)x << shift), pool_columns[column].type.scale);
    }
    default: {
        struct value v = value_int(x);
        v.kind = (uint8_t)kind;
        return v;
    }
    }
}

void model_any_values(struct model_event *event, const struct model_pool *pool, struct prng *prng,
                      struct arena *arena)
{
    for (int i = 0; i < POOL; i++) {
        const struct value_type type = pool_columns[i].type;
        event->sources[i] = value_null();
        if (pool->active[i] && !(type.nullable && prng_chance(prng, 1, 6)))
            event->sources[i] = any_value(type.kind, i, prng);
        event->sources[POOL + i] = compute(&event->sources[i], arena);
    }
}

void model_columns(const struct model_spec *spec, const struct model_event *event,
                   struct value *columns)
{
    for (size_t i = 0; i < spec->log.column_count; i++)
        columns[i] = event->sources[spec->source_of[i]];
}

/* --- specs ---------------------------------------------------------------------------------- */

static enum value_kind kind_of_measure(const struct model_spec *spec, size_t measure_index)
{
    const int source = spec->source_of[measure_index];
    if (source < POOL)
        return pool_columns[source].type.kind;
    return pool_columns[source - POOL].type.kind == VALUE_INT ? VALUE_BOOL : VALUE_STRING;
}

static bool takes(enum aggregate_kind kind, enum value_kind argument)
{
    const bool is_sum = kind == AGGREGATE_SUM || kind == AGGREGATE_AVG || kind == AGGREGATE_STDDEV;
    return !is_sum || argument == VALUE_INT || argument == VALUE_DECIMAL ||
           argument == VALUE_DURATION;
}

static bool suits(const struct model_spec *spec, enum aggregate_kind kind, enum value_kind argument)
{
    const bool is_top = kind == AGGREGATE_MIN || kind == AGGREGATE_MAX;
    return takes(spec->is_plain && is_top ? AGGREGATE_SUM : kind, argument);
}

static struct window_spec any_window(int64_t look_back_us, int64_t unit_us, struct prng *prng)
{
    struct window_spec w = { .previous = prng_chance(prng, 1, 3) };
    const int64_t units = look_back_us / unit_us;
    if (prng_chance(prng, 1, 4)) {
        w.span_events =
            prng_chance(prng, 1, 4) ? ENTITY_SPAN_EVENTS_MAX : prng_between(prng, 1, 20);
        return w;
    }
    if (units > 1 && prng_chance(prng, 1, 3))
        w.delay_us = prng_between(prng, 1, units - 1) * unit_us;
    w.span_us = look_back_us - w.delay_us;
    if (prng_chance(prng, 3, 4))
        w.span_us = prng_between(prng, 1, w.span_us / unit_us) * unit_us;
    if (w.span_us > 1 && prng_chance(prng, 1, 8))
        w.span_us--;
    return w;
}

static void any_aggregate(struct aggregate_spec *aggregate, const struct model_spec *spec,
                          struct prng *prng)
{
    *aggregate = (struct aggregate_spec){ .argument = -1, .condition = -1 };
    static const enum aggregate_kind plain[] = { AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_AVG,
                                                 AGGREGATE_DISTINCT, AGGREGATE_MIN, AGGREGATE_MAX };
    aggregate->kind = spec->is_plain ? plain[prng_below(prng, sizeof plain / sizeof *plain)]
                                     : (enum aggregate_kind)prng_below(prng, AGGREGATE_LAST + 1);
    aggregate->window = (int)prng_below(prng, spec->log.window_count);
    const size_t measures = spec->log.measure_count;
    if (aggregate->kind != AGGREGATE_COUNT || prng_chance(prng, 1, 2)) {
        size_t m = prng_below(prng, measures);
        for (size_t n = 0; n < measures && !suits(spec, aggregate->kind, kind_of_measure(spec, m)); n++)
            m = (m + 1) % measures;
        if (!suits(spec, aggregate->kind, kind_of_measure(spec, m)))
            aggregate->kind = AGGREGATE_DISTINCT;
        aggregate->argument = (int)m;
        aggregate->argument_type.kind = kind_of_measure(spec, m);
        aggregate->argument_type.nullable = true;
        if (spec->source_of[m] < POOL)
            aggregate->argument_type.scale = pool_columns[spec->source_of[m]].type.scale;
    }
    const size_t condition = prng_below(prng, measures);
    if (kind_of_measure(spec, condition) == VALUE_BOOL)
        aggregate->condition = (int)condition;
    if (!spec->is_plain && prng_chance(prng, 1, 2)) {
        aggregate->group_count = (int)prng_below(prng, AGGREGATE_GROUP_MAX + 1);
        for (int i = 0; i < aggregate->group_count; i++)
            aggregate->group[i] = (int)prng_below(prng, measures);
    }
}

/* One for each column, so that the facts of an event tell all that is remembered of it. */
static void tell_columns(struct model_spec *spec)
{
    struct entity_log_spec *log = &spec->log;
    for (size_t i = 0; i < log->column_count && i < MODEL_AGGREGATES_MAX; i++) {
        const struct value_type type = spec->columns[i].type;
        spec->aggregates[i] = (struct aggregate_spec){
            .kind = takes(AGGREGATE_SUM, type.kind) ? AGGREGATE_SUM : AGGREGATE_DISTINCT,
            .argument = (int)i,
            .condition = -1,
            .argument_type = { type.kind, type.scale, true },
        };
        if (i >= log->aggregate_count)
            log->aggregate_count = i + 1;
    }
}

void model_spec_init(struct model_spec *spec, const struct model_pool *pool, int64_t unit_us,
                     struct prng *prng)
{
    struct entity_log_spec *log = &spec->log;
    spec->is_plain = prng_chance(prng, 1, 2);
    log->column_count = log->measure_count = 0;
    for (int i = 0; i < POOL; i++) {
        if (!pool->active[i])
            continue;
        spec->columns[log->column_count] = pool_columns[i];
        spec->source_of[log->column_count++] = i;
    }
    log->measure_count = log->column_count;
    for (int i = 0; i < POOL; i++) {
        if (pool->active[i] && is_computed(i))
            spec->source_of[log->measure_count++] = POOL + i;
    }
    log->columns = spec->columns;
    log->measure = measure;
    log->measure_context = spec;
    log->windows = spec->windows;
    log->window_count = 1 + prng_below(prng, MODEL_WINDOWS_MAX);
    for (size_t i = 0; i < log->window_count; i++)
        spec->windows[i] = any_window(log->look_back_us, unit_us, prng);
    log->aggregates = spec->aggregates;
    log->aggregate_count = log->measure_count == 0 ? 0 : prng_below(prng, MODEL_AGGREGATES_MAX + 1);
    for (size_t i = 0; i < log->aggregate_count; i++)
        any_aggregate(&spec->aggregates[i], spec, prng);
    if (spec->is_plain && prng_chance(prng, 1, 2))
        tell_columns(spec);
}

/* --- events --------------------------------------------------------------------------------- */

size_t model_position_of(const struct model_entity *entity, int64_t time_us)
{
    size_t before = 0;
    for (size_t i = 0; i < entity->count; i++)
        before += entity->events[i].time_us <= time_us;
    return before;
}

size_t model_insert(struct model_entity *entity, const struct model_event *event)
{
    cr_assert(entity->count < MODEL_EVENTS_MAX);
    const size_t at = model_position_of(entity, event->time_us);
    for (size_t i = entity->count++; i > at; i--)
        entity->events[i] = entity->events[i - 1];
    entity->events[at] = *event;
    return at;
}

/* --- aggregates ----------------------------------------------------------------------------- */

static const struct value *source_at(const struct model_spec *spec,
                                     const struct model_entity *entity, size_t index,
                                     int measure_index)
{
    return &entity->events[index].sources[spec->source_of[measure_index]];
}

static bool matches(const struct model_spec *spec, const struct aggregate_spec *aggregate,
                    const struct model_entity *entity, size_t x, size_t e)
{
    if (aggregate->condition >= 0) {
        const struct value *condition = source_at(spec, entity, x, aggregate->condition);
        if (value_is_null(condition) || !condition->b)
            return false;
    }
    if (aggregate->argument >= 0 && value_is_null(source_at(spec, entity, x, aggregate->argument)))
        return false;
    for (int i = 0; i < aggregate->group_count; i++) {
        if (!value_same(source_at(spec, entity, x, aggregate->group[i]),
                        source_at(spec, entity, e, aggregate->group[i])))
            return false;
    }
    return true;
}

static bool is_within(const struct model_spec *spec, const struct window_spec *w, int64_t x_us,
                      int64_t t_us)
{
    if (w->span_events > 0)
        return t_us - spec->log.look_back_us < x_us;
    return t_us - w->delay_us - w->span_us < x_us && x_us <= t_us - w->delay_us;
}

size_t model_members(const struct model_spec *spec, const struct aggregate_spec *aggregate,
                     const struct model_entity *entity, size_t e, size_t members[MODEL_EVENTS_MAX])
{
    const struct window_spec *w = &spec->windows[aggregate->window];
    size_t count = 0;
    for (size_t n = 0; n <= e; n++) {
        const size_t x = e - n;
        if (w->previous && x == e)
            continue;
        if (!is_within(spec, w, entity->events[x].time_us, entity->events[e].time_us) ||
            !matches(spec, aggregate, entity, x, e))
            continue;
        if (w->span_events == 0 || count < (size_t)w->span_events)
            members[count++] = x;
    }
    return count;
}

static int128 integer_of(const struct value *v)
{
    return v->kind == VALUE_DECIMAL ? v->decimal : v->i;
}

struct sums {
    struct big sum, squares;
    double unit; /* count * 10^scale */
    bool has_unfit;
};

static struct sums sums_of(const struct value *const *values, size_t count, unsigned scale)
{
    struct sums sums = { .sum = big_of(0), .squares = big_of(0) };
    for (size_t i = 0; i < count; i++) {
        const int128 x = integer_of(values[i]);
        sums.sum = big_add(sums.sum, big_of(x));
        sums.squares = big_add(sums.squares, big_multiply(big_of(x), big_of(x)));
        sums.has_unfit = sums.has_unfit || x < INT64_MIN || x > INT64_MAX;
    }
    int128 unit = (int128)count;
    for (unsigned i = 0; i < scale; i++)
        unit *= 10;
    const struct big big_unit = big_of(unit);
    sums.unit = big_to_double(&big_unit);
    return sums;
}

static struct value sum_of(const struct sums *sums, struct value_type type)
{
    int128 sum;
    if (!big_to_int128(&sum, &sums->sum))
        return value_null();
    if (type.kind == VALUE_DECIMAL)
        return value_decimal(sum, type.scale);
    if (sum < INT64_MIN || sum > INT64_MAX)
        return value_null();
    return type.kind == VALUE_DURATION ? value_duration((int64_t)sum) : value_int((int64_t)sum);
}

static struct value number_of(const struct aggregate_spec *aggregate,
                              const struct value *const *values, size_t count)
{
    const struct sums sums = sums_of(values, count, aggregate->argument_type.scale);
    if (aggregate->kind == AGGREGATE_SUM)
        return sum_of(&sums, aggregate->argument_type);
    if (count == 0)
        return value_null();
    if (aggregate->kind == AGGREGATE_AVG)
        return value_double(big_to_double(&sums.sum) / sums.unit);
    if (sums.has_unfit)
        return value_null();
    const struct big variance = big_subtract(big_multiply(big_of((int128)count), sums.squares),
                                             big_multiply(sums.sum, sums.sum));
    return value_double(sqrt(big_to_double(&variance)) / sums.unit);
}

static int64_t distinct_of(const struct value *const *values, size_t count)
{
    int64_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;
        while (before < i && !value_same(values[before], values[i]))
            before++;
        distinct += before == i;
    }
    return distinct;
}

static struct value extreme_of(const struct value *const *values, size_t count, bool smallest)
{
    const struct value *extreme = NULL;
    for (size_t i = 0; i < count; i++) {
        const int order = extreme == NULL ? 0 : value_compare(values[i], extreme);
        if (extreme == NULL || (smallest ? order < 0 : order > 0))
            extreme = values[i];
    }
    return extreme == NULL ? value_null() : *extreme;
}

struct value model_result(const struct model_spec *spec, const struct aggregate_spec *aggregate,
                          const struct model_entity *entity, size_t e)
{
    static size_t members[MODEL_EVENTS_MAX];
    static const struct value *values[MODEL_EVENTS_MAX];
    const size_t count = model_members(spec, aggregate, entity, e, members);
    for (size_t i = 0; i < count && aggregate->argument >= 0; i++)
        values[i] = source_at(spec, entity, members[i], aggregate->argument);
    switch (aggregate->kind) {
    case AGGREGATE_COUNT:
        return value_int((int64_t)count);
    case AGGREGATE_DISTINCT:
        return value_int(distinct_of(values, count));
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return extreme_of(values, count, aggregate->kind == AGGREGATE_MIN);
    case AGGREGATE_FIRST:
        return count == 0 ? value_null() : *values[count - 1];
    case AGGREGATE_LAST:
        return count == 0 ? value_null() : *values[0];
    default:
        return number_of(aggregate, values, count);
    }
}
