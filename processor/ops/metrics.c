#include "processor/ops/metrics.h"

#include <inttypes.h>
#include <stddef.h>

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- simple counters: one row each ----------------------------------------------------------------------------------------- */

static const struct counter {
    const char *name, *help;
    size_t member; /* of struct worker_stats */
} counters[] = {
#define COUNTER(name, member, help) { name, help, offsetof(struct worker_stats, member) }
    COUNTER("weir_records_total", records, "Records processed, repeated ones after an abort included."),
    COUNTER("weir_commits_total", commits, "Transactions committed."),
    COUNTER("weir_aborts_total", aborts, "Transactions rolled back."),
    COUNTER("weir_recoveries_total", recoveries, "Times the outcome of a transaction was looked up in the offsets."),
    COUNTER("weir_checkpoints_total", checkpoints, "Checkpoints completed."),
    COUNTER("weir_rebalances_total", rebalances, "Assignments received."),
    COUNTER("weir_records_dropped_total", records_dropped, "Records delivered out of place by the client and dropped."),
    COUNTER("weir_output_bytes_total", output_bytes, "Bytes of alerts and dead letters written."),
    COUNTER("weir_tail_bytes_total", tail_bytes, "Bytes written to the tail."),
    COUNTER("weir_changelog_bytes_total", changelog_bytes, "Bytes written to the changelog."),
    COUNTER("weir_journal_bytes_total", journal_bytes, "Bytes written to the journal."),
    COUNTER("weir_events_total", counters.events, "Events evaluated."),
    COUNTER("weir_duplicates_total", counters.duplicates, "Events whose id had been seen."),
    COUNTER("weir_late_events_total", counters.late,
            "Events older than a remembered one of their entity; 0 where no events are remembered."),
    COUNTER("weir_reevaluations_total", counters.reevaluated, "Remembered events evaluated again because of a late one."),
    COUNTER("weir_divisions_by_zero_total", counters.divisions_by_zero, "Divisions by zero; the result was null."),
    COUNTER("weir_overflows_total", counters.overflows, "Overflows; the result was null."),
#undef COUNTER
};
enum { COUNTER_COUNT = sizeof counters / sizeof counters[0] };

static uint64_t sum_of(const struct worker_stats *workers, size_t count, size_t member)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += *(const uint64_t *)((const char *)&workers[i] + member);
    return sum;
}

static void write_counters(struct buffer *out, const struct worker_stats *workers, size_t count)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        head(out, counters[i].name, "counter", counters[i].help);
        buffer_printf(out, "%s %" PRIu64 "\n", counters[i].name, sum_of(workers, count, counters[i].member));
    }
}

/* --- by label ---------------------------------------------------------------------------------------------------------------- */

static void write_dead_letters(struct buffer *out, const struct worker_stats *workers, size_t count)
{
    head(out, "weir_dead_letters_total", "counter", "Records that were refused, by reason.");
    for (int status = 0; status < STATUS_COUNT; status++) {
        uint64_t sum = 0;
        if (status_class_of((enum status)status) != CLASS_SKIP)
            continue;
        for (size_t i = 0; i < count; i++)
            sum += workers[i].counters.dead_letters[status];
        buffer_printf(out, "weir_dead_letters_total{reason=\"%s\"} %" PRIu64 "\n", status_reason((enum status)status),
                      sum);
    }
}

static void write_rules(struct buffer *out, const struct plan *plan, const struct worker_stats *workers, size_t count)
{
    head(out, "weir_alerts_total", "counter", "Alerts raised, by rule.");
    for (size_t r = 0; r < plan->rule_count; r++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += workers[i].counters.rule_alerts[r];
        buffer_printf(out, "weir_alerts_total{rule=\"%s\",severity=\"%s\"} %" PRIu64 "\n", plan->rules[r].name,
                      severity_name(plan->rules[r].severity), sum);
    }
    head(out, "weir_rule_unknown_total", "counter", "Evaluations whose condition was null, by rule.");
    for (size_t r = 0; r < plan->rule_count; r++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += workers[i].counters.rule_unknown[r];
        buffer_printf(out, "weir_rule_unknown_total{rule=\"%s\"} %" PRIu64 "\n", plan->rules[r].name, sum);
    }
}

static void write_partitions(struct buffer *out, const struct worker_stats *workers, size_t count)
{
    head(out, "weir_partition_ready", "gauge", "1 when the partition is processed, 0 while it is restored.");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < workers[i].lane_count; j++)
            buffer_printf(out, "weir_partition_ready{kind=\"%s\",partition=\"%" PRId32 "\"} %d\n",
                          workers[i].lanes[j].kind, workers[i].lanes[j].partition, workers[i].lanes[j].ready);
    }
    head(out, "weir_uncheckpointed_bytes", "gauge", "Changed state in memory that no checkpoint has yet.");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < workers[i].lane_count; j++)
            buffer_printf(out, "weir_uncheckpointed_bytes{kind=\"%s\",partition=\"%" PRId32 "\"} %" PRIu64 "\n",
                          workers[i].lanes[j].kind, workers[i].lanes[j].partition, workers[i].lanes[j].active_bytes);
    }
}

static void write_commit_latency(struct buffer *out, const struct worker_stats *workers, size_t count)
{
    static const int64_t bounds_ms[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000 };
    struct histogram all;
    histogram_clear(&all);
    for (size_t i = 0; i < count; i++)
        histogram_merge(&all, &workers[i].commit_us);
    head(out, "weir_commit_seconds", "histogram", "Duration of a commit, from its decision to the broker's answer.");
    for (size_t i = 0; i < sizeof bounds_ms / sizeof bounds_ms[0]; i++)
        buffer_printf(out, "weir_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", (double)bounds_ms[i] / 1000.0,
                      histogram_count_below(&all, (uint64_t)bounds_ms[i] * 1000));
    buffer_printf(out, "weir_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", all.total);
    buffer_printf(out, "weir_commit_seconds_sum %g\nweir_commit_seconds_count %" PRIu64 "\n", (double)all.sum / 1e6,
                  all.total);
}

static void write_registry(struct buffer *out, const struct registry_health *registry)
{
    head(out, "weir_registry_schemas", "gauge", "Schemas known.");
    buffer_printf(out, "weir_registry_schemas %" PRId64 "\n", registry->schemas_known);
    head(out, "weir_registry_waiting", "gauge", "Schema ids asked for and not answered yet.");
    buffer_printf(out, "weir_registry_waiting %" PRId64 "\n", registry->waiting);
    head(out, "weir_registry_failures_total", "counter", "Requests to the registry that failed.");
    buffer_printf(out, "weir_registry_failures_total %" PRId64 "\n", registry->failures);
}

void metrics_write(struct buffer *out, const struct plan *plan, const struct worker_stats *workers, size_t worker_count,
                   const struct registry_health *registry)
{
    write_counters(out, workers, worker_count);
    write_dead_letters(out, workers, worker_count);
    write_rules(out, plan, workers, worker_count);
    write_partitions(out, workers, worker_count);
    write_commit_latency(out, workers, worker_count);
    if (registry != NULL)
        write_registry(out, registry);
}

void metrics_write_standbys(struct buffer *out, const struct standby_stats *standbys, size_t count)
{
    head(out, "weir_standby_behind", "gauge", "Transactions that a standby does not have yet, at most; -1: not known.");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "weir_standby_behind{partition=\"%" PRId32 "\"} %" PRId64 "\n", standbys[i].partition,
                      standbys[i].behind);
    head(out, "weir_standby_reloads_total", "counter", "Times a standby had to load the changelog.");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "weir_standby_reloads_total{partition=\"%" PRId32 "\"} %" PRIu64 "\n", standbys[i].partition,
                      standbys[i].reloads);
}

static void write_standby_status(struct buffer *out, const struct standby_stats *standbys, size_t count)
{
    buffer_put_string(out, ",\"standbys\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s{\"partition\":%" PRId32 ",\"state\":\"%s\",\"seq\":%" PRIu64 ",\"behind\":%" PRId64
                      ",\"rows\":%" PRIu64 "}", i == 0 ? "" : ",", standbys[i].partition, standbys[i].state, standbys[i].seq,
                      standbys[i].behind, standbys[i].rows);
    buffer_put_string(out, "]");
}

void metrics_write_status(struct buffer *out, const struct plan *plan, const struct worker_stats *workers,
                          size_t worker_count, const struct standby_stats *standbys, size_t standby_count)
{
    buffer_printf(out, "{\"topology\":\"%s\",\"workers\":%zu,\"records\":%" PRIu64 ",\"commits\":%" PRIu64
                  ",\"partitions\":[", plan->name, worker_count,
                  sum_of(workers, worker_count, offsetof(struct worker_stats, records)),
                  sum_of(workers, worker_count, offsetof(struct worker_stats, commits)));
    bool first = true;
    for (size_t i = 0; i < worker_count; i++) {
        for (size_t j = 0; j < workers[i].lane_count; j++) {
            const struct worker_lane_stats *lane = &workers[i].lanes[j];
            buffer_printf(out, "%s{\"kind\":\"%s\",\"partition\":%" PRId32 ",\"worker\":%zu,\"state\":\"%s\",\"seq\":%" PRIu64
                          ",\"restored_rows\":%" PRId64 "}", first ? "" : ",", lane->kind, lane->partition, i, lane->state,
                          lane->seq, lane->restored_rows);
            first = false;
        }
    }
    buffer_put_string(out, "]");
    write_standby_status(out, standbys, standby_count);
    buffer_put_string(out, "}\n");
}
