/* The figures of a worker, as others may see them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/engine/worker_state.h"

enum { TROUBLE_MAX = 319 };

static void add_counters(const struct plan *plan, struct step_counters *into, const struct step_counters *from)
{
    into->events += from->events;
    into->duplicates += from->duplicates;
    into->late += from->late;
    into->alerts += from->alerts;
    into->reevaluated += from->reevaluated;
    into->divisions_by_zero += from->divisions_by_zero;
    into->overflows += from->overflows;
    for (size_t i = 0; i < STATUS_COUNT; i++)
        into->dead_letters[i] += from->dead_letters[i];
    for (size_t i = 0; i < plan->rule_count; i++) {
        into->rule_alerts[i] += from->rule_alerts[i];
        into->rule_unknown[i] += from->rule_unknown[i];
    }
}

void worker_stats_retire(struct worker *worker, const struct lane *lane)
{
    if (lane->task == NULL)
        return;
    add_counters(worker->options.plan, &worker->retired, task_counters(lane->task));
}

static void sum_counters(struct worker *worker, struct step_counters *sum)
{
    const struct plan *plan = worker->options.plan;
    uint64_t *rule_alerts = sum->rule_alerts, *rule_unknown = sum->rule_unknown;
    memset(rule_alerts, 0, plan->rule_count * sizeof *rule_alerts);
    memset(rule_unknown, 0, plan->rule_count * sizeof *rule_unknown);
    *sum = (struct step_counters){ .rule_alerts = rule_alerts, .rule_unknown = rule_unknown };
    add_counters(plan, sum, &worker->retired);
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->task != NULL)
            add_counters(plan, sum, task_counters(worker->lanes[i]->task));
    }
    for (size_t i = 0; i < worker->kept_count; i++)
        add_counters(plan, sum, task_counters(worker->kept[i]->task));
}

static void list_lanes(struct worker *worker, struct worker_stats *stats)
{
    stats->lanes = mem_resize_array(stats->lanes, worker->lane_count + 1, sizeof *stats->lanes);
    stats->lane_count = worker->lane_count;
    stats->lanes_ready = 0;
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *lane = worker->lanes[i];
        stats->lanes_ready += lane->state == LANE_READY;
        stats->lanes[i] = (struct worker_lane_stats){
            .kind = lane->kind == LANE_TASK ? "task" : "copy",
            .partition = lane->partition,
            .ready = lane->state == LANE_READY,
            .failed = lane->state == LANE_FAILED,
            .failure = lane->trouble.status,
            .state = lane_state_name(lane->state),
            .seq = lane->committed.seq,
            .newest_us = lane->task == NULL ? INT64_MIN : task_newest_us(lane->task),
            .restored_rows = (int64_t)atomic_load(&lane->restore.rows),
            .active_bytes = lane->task == NULL ? 0 : overlay_active_bytes(lane->overlay),
        };
        snprintf(stats->lanes[i].trouble, sizeof stats->lanes[i].trouble, "%.*s", TROUBLE_MAX,
                 lane->trouble.status == ST_OK ? "" : lane->trouble.text);
    }
}

/* The loop counts without a lock; what others may see is a copy made now and then. */
void worker_stats_publish(struct worker *worker)
{
    struct worker_stats *published = &worker->published;
    pthread_mutex_lock(&worker->stats_lock);
    struct step_counters counters = published->counters;
    struct worker_lane_stats *lanes = published->lanes;
    *published = worker->stats;
    published->counters = counters;
    published->lanes = lanes;
    sum_counters(worker, &published->counters);
    list_lanes(worker, published);
    published->waiting_for_tables = !worker->tables_ready;
    pthread_mutex_unlock(&worker->stats_lock);
    worker->published_us = worker_now_us(worker);
}

/* The first lane's reason, when every task's lane has failed. */
static bool all_failed(const struct worker_stats *stats, struct error *why)
{
    const struct worker_lane_stats *first = NULL;
    for (size_t i = 0; i < stats->lane_count; i++) {
        if (strcmp(stats->lanes[i].kind, "task") != 0)
            continue;
        if (!stats->lanes[i].failed)
            return false;
        first = first == NULL ? &stats->lanes[i] : first;
    }
    if (first != NULL)
        FAIL(why, first->failure, "%s", first->trouble);
    return first != NULL;
}

enum worker_condition worker_condition(struct worker *worker, struct error *why)
{
    pthread_mutex_lock(&worker->stats_lock);
    enum worker_condition condition = WORKER_WORKS;
    if (worker->published.rebalances == 0)
        condition = WORKER_JOINING;
    else if (worker->published.lane_count == 0)
        condition = WORKER_IDLE;
    else if (all_failed(&worker->published, why))
        condition = WORKER_STUCK;
    pthread_mutex_unlock(&worker->stats_lock);
    return condition;
}

static void *copy_items(const void *items, size_t count, size_t size)
{
    return count == 0 ? mem_alloc(size) : mem_copy(items, count * size);
}

void worker_stats_copy(struct worker *worker, struct worker_stats *out)
{
    const size_t rules = worker->options.plan->rule_count;
    pthread_mutex_lock(&worker->stats_lock);
    *out = worker->published;
    out->counters.rule_alerts = copy_items(out->counters.rule_alerts, rules, sizeof(uint64_t));
    out->counters.rule_unknown = copy_items(out->counters.rule_unknown, rules, sizeof(uint64_t));
    out->lanes = copy_items(out->lanes, out->lane_count, sizeof *out->lanes);
    pthread_mutex_unlock(&worker->stats_lock);
}

void worker_stats_fini(struct worker_stats *stats)
{
    mem_free(stats->counters.rule_alerts);
    mem_free(stats->counters.rule_unknown);
    mem_free(stats->lanes);
    *stats = (struct worker_stats){ .lanes = NULL };
}
