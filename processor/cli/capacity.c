#include "processor/cli/capacity.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "processor/cli/memory_budget.h"

static const struct costs {
#define CAPACITY_COST(name, value, what) double name;
#include "processor/cli/capacity_costs.def"
#undef CAPACITY_COST
} cost = {
#define CAPACITY_COST(name, value, what) .name = (value),
#include "processor/cli/capacity_costs.def"
#undef CAPACITY_COST
};

enum {
    KEEP_TAIL_S = 40, /* a checkpoint each 10 s, on the disk each 30 s */
    PODS_MAX = 1 << 20,
};
static const double BUSY = 0.5;             /* of a worker: room for a burst, and to catch up */
static const double DIRTY_CHANGELOG = 1.43; /* compacted when 30 % of it are old rows */
static const double SECOND_US = 1e6;

enum status capacity_number(const char *text, const char *what, bool rate, double *out,
                            struct error *err)
{
    static const struct {
        const char *suffix;
        double times;
    } units[] = { { "", 1 }, { "k", 1e3 }, { "K", 1e3 }, { "M", 1e6 } };
    char *end;
    errno = 0;
    const double number = strtod(text, &end);
    const size_t size = strlen(end);
    const bool has_rate = size >= 2 && strcmp(end + size - 2, "/s") == 0;
    const size_t unit = size - (has_rate ? 2 : 0);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && errno == 0 && end != text; i++) {
        if (strlen(units[i].suffix) != unit || strncmp(end, units[i].suffix, unit) != 0 ||
            (has_rate && !rate))
            continue;
        *out = number * units[i].times;
        if (isfinite(*out) && *out > 0)
            return ST_OK;
    }
    return FAIL(err, ST_INVALID, "--%s: '%s' is no %s; write %s", what, text,
                rate ? "rate" : "number above zero", rate ? "50000/s or 50k/s" : "5000000 or 5M");
}

/* ---- what one event and one key take ---- */

/* Of a stream, whatever the load. */
struct unit_costs {
    double columns_ns, look_backs_ns, rules_ns;
    double event_bytes, event_memory; /* of a remembered one, packed and loaded */
    double look_backs_memory;         /* of a key */
};

static void add_look_back(struct unit_costs *out, const struct aggregate_spec *spec)
{
#define KIND(name) { cost.name##_ns, cost.name##_memory }
    const struct {
        double ns, memory;
    } condition = KIND(condition), group = KIND(group), kinds[] = {
        [AGGREGATE_COUNT] = KIND(count), [AGGREGATE_SUM] = KIND(sum),           [AGGREGATE_AVG] = KIND(sum),
        [AGGREGATE_STDDEV] = KIND(sum),  [AGGREGATE_MIN] = KIND(extreme),       [AGGREGATE_MAX] = KIND(extreme),
        [AGGREGATE_FIRST] = KIND(pick),  [AGGREGATE_DISTINCT] = KIND(distinct), [AGGREGATE_LAST] = KIND(pick),
    };
#undef KIND
    const bool has_condition = spec->condition >= 0, has_group = spec->group_count > 0;
    out->look_backs_ns += kinds[spec->kind].ns + has_condition * condition.ns + has_group * group.ns;
    out->look_backs_memory += kinds[spec->kind].memory + has_condition * condition.memory + has_group * group.memory;
}

/* Rules whose condition begins with a comparison with a constant are asked side by side. */
static double rules_ns(const struct plan_stream *stream)
{
    const size_t fields = stream->named_count - stream->decoder_column_count;
    double ns = (double)(fields + stream->measure_count + stream->computed_count) * cost.expression_ns;
    for (size_t i = 0; i < stream->condition_count; i++)
        ns += stream->conditions[i].is_screened ? cost.rule_ns : cost.expression_ns;
    return ns;
}

static void sum_costs(struct unit_costs *out, const struct plan_stream *stream, double text_bytes)
{
    *out = (struct unit_costs){ .rules_ns = rules_ns(stream) };
    if (stream->retention_us == 0)
        return;
    out->event_bytes = cost.event_bytes;
    out->event_memory = cost.event_memory;
    for (size_t i = 0; i < stream->remembered_count; i++) {
        const struct value_type type = stream->remembered_columns[i].type;
        const bool is_text = type.kind == VALUE_STRING || type.kind == VALUE_BYTES;
        out->columns_ns += is_text ? cost.text_ns : cost.number_ns;
        out->event_bytes += is_text ? cost.text_bytes + text_bytes : cost.number_bytes;
        out->event_memory += is_text ? cost.text_memory + text_bytes : cost.number_memory;
    }
    if (stream->dedupe_us > 0) {
        out->columns_ns += cost.dedupe_ns;
        out->event_memory += cost.dedupe_memory;
    }
    for (size_t i = 0; i < stream->aggregate_count; i++)
        add_look_back(out, &stream->aggregates[i].spec);
}

/* ---- what the load makes of it ---- */

static double per_second(int64_t interval_us)
{
    return SECOND_US / (double)(interval_us > 0 ? interval_us : 1);
}

/* Of a key with enough events: so many are sealed together, and stay in its head in the mean (state/entity_log.h). */
struct chunking {
    double sealed, head;
};

static struct chunking chunking_of(double event_bytes)
{
    const double left = 1.0 / ENTITY_OPEN_SHARE, open_max = fmax(1, ENTITY_OPEN_RESTS / event_bytes);
    if (open_max < ENTITY_CHUNK_EVENTS * (1 + left))
        return (struct chunking){ fmax(1, open_max * (1 - left)), fmax(1, open_max * (left + 1) / 2) };
    return (struct chunking){ ENTITY_CHUNK_EVENTS, ENTITY_CHUNK_EVENTS * (left + 1 + left) / 2 };
}

/* A key of the state: its events, and what of them is written again with each checkpoint. Where nothing looks back there
 * is none. */
static void describe_key(struct capacity *out, const struct capacity_load *load,
                         const struct plan_stream *stream, const struct unit_costs *unit)
{
    if (stream->retention_us == 0)
        return;
    out->events_per_key =
        fmax(1, load->average_per_s * (double)stream->retention_us / SECOND_US / load->keys);
    out->key_bytes =
        cost.entity_memory + unit->look_backs_memory + out->events_per_key * unit->event_memory;
    out->row_bytes = cost.row_bytes + fmin(out->events_per_key, chunking_of(unit->event_bytes).head) * unit->event_bytes;
    out->state_bytes = load->keys * (cost.row_bytes + out->events_per_key * unit->event_bytes);
}

/*
 * Of the rows that events change between two checkpoints the first change writes the whole row, into the tail and then,
 * once, into the changelog. The next checkpoint begins after its interval, or when there is no memory for more rows.
 */
static void count_whole_rows(struct capacity *out, const struct capacity_load *load, double keys,
                             uint64_t uncheckpointed)
{
    if (out->row_bytes == 0)
        return;
    const double events_per_s = load->events_per_s / out->pods;
    const double rows_max = (double)uncheckpointed / out->row_bytes;
    double events = events_per_s / per_second(load->checkpoint_interval_us);
    double rows = keys * -expm1(-events / keys);
    if (rows > rows_max) {
        rows = rows_max;
        events = keys * -log1p(-rows / keys);
    }
    out->whole_rows = events > 1 ? fmin(1, rows / events) : 1;
}

static void sum_bytes(struct capacity *out, const struct capacity_load *load,
                      const struct unit_costs *unit)
{
    const double sealed = out->events_per_key > chunking_of(unit->event_bytes).sealed ? unit->event_bytes : 0;
    const double commits = out->commits_per_s / load->events_per_s;
    const double whole = out->whole_rows * out->row_bytes;
    const double added = out->row_bytes == 0 ? 0 : cost.tail_event_bytes + unit->event_bytes + sealed * cost.sealed;
    out->tail_bytes = (1 - out->whole_rows) * added + whole + commits * cost.commit_bytes;
    out->changelog_bytes = whole + sealed;
    const double copies = (double)load->replication;
    out->tail_topic_bytes = out->tail_bytes * load->events_per_s * KEEP_TAIL_S * copies;
    out->changelog_topic_bytes = out->state_bytes * DIRTY_CHANGELOG * copies;
    out->disk_bytes = out->state_bytes / out->pods * cost.disk_factor;
}

static void sum_ns(struct capacity *out, const struct capacity_load *load,
                   const struct unit_costs *unit)
{
    out->ns.event = cost.event_ns + cost.live_ns;
    out->ns.columns = unit->columns_ns;
    out->ns.look_backs = unit->look_backs_ns;
    out->ns.rules = unit->rules_ns;
    out->ns.rows = out->whole_rows * (cost.row_ns + out->row_bytes * cost.row_byte_ns);
    out->ns.misses = (1 - out->resident_share) *
                     (cost.miss_ns + out->events_per_key * unit->event_bytes * cost.miss_byte_ns);
    out->ns.commits = out->commits_per_s / load->events_per_s * cost.commit_ns;
    out->event_ns = out->ns.event + out->ns.columns + out->ns.look_backs + out->ns.rules +
                    out->ns.rows + out->ns.misses + out->ns.commits;
    out->processors = out->event_ns * load->events_per_s / 1e9;
    out->events_per_processor = 1e9 / out->event_ns;
}

static enum status estimate_for(struct capacity *out, const struct capacity_load *load,
                                const struct unit_costs *unit, struct error *err)
{
    struct memory_budget budget;
    TRY(memory_budget_split(&budget, load->memory_bytes, load->workers, err));
    const double keys = load->keys / out->pods, workers = (double)out->pods * (double)load->workers;
    const double events = load->events_per_s / workers;
    out->resident_share = out->key_bytes == 0 ? 1 : fmin(1, (double)budget.entities / (keys * out->key_bytes));
    count_whole_rows(out, load, keys, budget.uncheckpointed);
    const double commits = per_second(load->commit_interval_us) + load->alert_share * events;
    out->commits_per_s = workers * fmin(fmin(commits, per_second(load->alert_floor_us)), events);
    sum_bytes(out, load, unit);
    sum_ns(out, load, unit);
    out->partitions = (int)workers;
    const double chunks = floor(out->events_per_key / chunking_of(unit->event_bytes).sealed);
    const double rows = out->row_bytes == 0 ? 0 : keys * (1 + chunks);
    out->restore_s = rows / cost.restored_rows_per_s;
    return ST_OK;
}

/* The least `memory` of a pod whose part for entities holds all its keys. */
static int64_t memory_for_all(const struct capacity *capacity, const struct capacity_load *load)
{
    const double need = load->keys / capacity->pods * capacity->key_bytes;
    int64_t least = 0, most = INT64_C(1) << 50;
    while (most - least > 1 << 20) {
        struct memory_budget budget;
        const int64_t middle = least + (most - least) / 2;
        if (memory_budget_split(&budget, middle, load->workers, NULL) == ST_OK &&
            (double)budget.entities >= need)
            most = middle;
        else
            least = middle;
    }
    return most;
}

/* The least number of pods that are enough: more pods have fewer keys each, and never cost one more than it had. */
static enum status choose_pods(struct capacity *out, const struct capacity_load *load,
                               const struct unit_costs *unit, struct error *err)
{
    int too_few = 0, enough = PODS_MAX + 1;
    while (enough - too_few > 1) {
        out->pods = too_few + (enough - too_few) / 2;
        TRY(estimate_for(out, load, unit, err));
        if (out->processors <= BUSY * (double)out->pods * (double)load->workers)
            enough = out->pods;
        else
            too_few = out->pods;
    }
    if (enough > PODS_MAX)
        return FAIL(err, ST_TOO_LARGE, "that load needs more than %d pods", PODS_MAX);
    out->pods = enough;
    return ST_OK;
}

enum status capacity_estimate(const struct plan *plan, const struct capacity_load *load,
                              struct capacity *out, struct error *err)
{
    ENSURE(plan->stream_count == 1);
    struct unit_costs unit;
    *out = (struct capacity){ .pods = load->pods };
    sum_costs(&unit, &plan->streams[0], load->text_bytes);
    describe_key(out, load, &plan->streams[0], &unit);
    if (load->pods == 0)
        TRY(choose_pods(out, load, &unit, err));
    TRY(estimate_for(out, load, &unit, err));
    out->memory_for_all_bytes = memory_for_all(out, load);
    return ST_OK;
}
