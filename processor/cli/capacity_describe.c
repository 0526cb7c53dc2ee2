#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/cli/capacity.h"

/* ---- for people ---- */

static void put_bytes(struct buffer *out, double bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    size_t unit = 0;
    for (; bytes >= 1000 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        bytes /= 1000;
    buffer_printf(out, bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* 5,000,000 */
static void put_count(struct buffer *out, double count)
{
    char digits[32];
    const int size = snprintf(digits, sizeof digits, "%.0f", count);
    for (int i = 0; i < size; i++)
        buffer_printf(out, "%s%c", i > 0 && (size - i) % 3 == 0 ? "," : "", digits[i]);
}

static void begin_line(struct buffer *out, const char *what)
{
    buffer_printf(out, "\n%-13s ", what);
}

static void put_processors(struct buffer *out, const struct capacity *capacity)
{
    const struct {
        const char *what;
        double ns;
    } parts[] = {
        { "the event itself", capacity->ns.event },
        { "columns", capacity->ns.columns },
        { "look-backs", capacity->ns.look_backs },
        { "rules and expressions", capacity->ns.rules },
        { "rows written whole", capacity->ns.rows },
        { "keys read again", capacity->ns.misses },
        { "commits", capacity->ns.commits },
    };
    begin_line(out, "processors");
    buffer_printf(out, "%.2f busy: %.1f us an event, ", capacity->processors,
                  capacity->event_ns / 1e3);
    put_count(out, capacity->events_per_processor);
    buffer_put_string(out, " events/s on one\n");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buffer_printf(out, "                %-24s %6.2f us\n", parts[i].what, parts[i].ns / 1e3);
}

static void put_pods(struct buffer *out, const struct capacity_load *load,
                     const struct capacity *capacity)
{
    const double busy = capacity->processors / capacity->pods / (double)load->workers;
    buffer_printf(out, "%-13s %d, with %" PRId64 " worker%s each, %.0f %% busy%s\n", "pods",
                  capacity->pods, load->workers, load->workers == 1 ? "" : "s", busy * 100,
                  busy >= 1    ? ": too few, the lag will grow"
                  : busy > 0.5 ? ": little is left for bursts and catching up"
                               : "");
    buffer_printf(out,
                  "%-13s %d at least, one for each worker; more leave room for more pods later",
                  "partitions", capacity->partitions);
}

static void put_memory(struct buffer *out, const struct capacity_load *load,
                       const struct capacity *capacity)
{
    begin_line(out, "memory");
    if (capacity->key_bytes == 0) {
        buffer_printf(out, "%" PRId64 "MB a pod; no events are remembered", load->memory_bytes >> 20);
        return;
    }
    buffer_printf(out, "%" PRId64 "MB a pod: %.0f %% of its keys are in memory, ", load->memory_bytes >> 20,
                  capacity->resident_share * 100);
    put_bytes(out, capacity->key_bytes);
    buffer_printf(out, " each with %.1f events; with memory: %" PRId64 "MB all of them", capacity->events_per_key,
                  capacity->memory_for_all_bytes >> 20);
}

static void put_kafka(struct buffer *out, const struct capacity_load *load,
                      const struct capacity *capacity)
{
    begin_line(out, "written");
    buffer_printf(out, "%.0f B of tail and %.0f B of changelog an event: ", capacity->tail_bytes,
                  capacity->changelog_bytes);
    put_bytes(out, (capacity->tail_bytes + capacity->changelog_bytes) * load->events_per_s);
    buffer_printf(out, "/s before copies, %.0f commits/s", capacity->commits_per_s);
    begin_line(out, "topics");
    buffer_put_string(out, "tail ");
    put_bytes(out, capacity->tail_topic_bytes);
    buffer_put_string(out, ", changelog ");
    put_bytes(out, capacity->changelog_topic_bytes);
    buffer_printf(out, ", with %" PRId64 " cop%s", load->replication,
                  load->replication == 1 ? "y" : "ies");
}

static void describe_as_text(const struct plan *plan, const struct capacity_load *load,
                             const struct capacity *capacity, struct buffer *out)
{
    put_count(out, load->events_per_s);
    buffer_printf(out, " events/s of %s (", plan->streams[0].name);
    put_count(out, load->average_per_s);
    buffer_put_string(out, " on average), ");
    put_count(out, load->keys);
    buffer_printf(out, " keys equally busy, %g %% of the events alert, texts of %g bytes\n",
                  load->alert_share * 100, load->text_bytes);
    put_processors(out, capacity);
    put_pods(out, load, capacity);
    put_memory(out, load, capacity);
    put_kafka(out, load, capacity);
    begin_line(out, "local disk");
    put_bytes(out, capacity->disk_bytes);
    buffer_put_string(out, " a pod; state of ");
    put_bytes(out, capacity->state_bytes);
    buffer_put_string(out, " in all");
    begin_line(out, "restore");
    buffer_printf(out,
                  "%.0f s, for a pod that lost its disk\n\n"
                  "Added up from costs that were measured on one machine: docs/performance.md\n",
                  capacity->restore_s);
}

/* ---- as JSON: bytes, seconds and nanoseconds, as the names say ---- */

static void put(json_t *object, const char *key, double value)
{
    (void)json_object_set_new(object, key, json_real(value));
}

static void put_whole(json_t *object, const char *key, int64_t value)
{
    (void)json_object_set_new(object, key, json_integer(value));
}

static json_t *parts_of(const struct capacity *capacity)
{
    json_t *parts = json_object();
    put(parts, "event", capacity->ns.event);
    put(parts, "columns", capacity->ns.columns);
    put(parts, "look_backs", capacity->ns.look_backs);
    put(parts, "rules", capacity->ns.rules);
    put(parts, "rows", capacity->ns.rows);
    put(parts, "misses", capacity->ns.misses);
    put(parts, "commits", capacity->ns.commits);
    return parts;
}

static void describe_as_json(const struct plan *plan, const struct capacity_load *load,
                             const struct capacity *capacity, struct buffer *out)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "topology", json_string(plan->name));
    put(object, "load_per_s", load->events_per_s);
    put(object, "average_per_s", load->average_per_s);
    put(object, "keys", load->keys);
    put(object, "event_ns", capacity->event_ns);
    (void)json_object_set_new(object, "event_ns_of", parts_of(capacity));
    put(object, "processors", capacity->processors);
    put(object, "events_per_processor_s", capacity->events_per_processor);
    put_whole(object, "pods", capacity->pods);
    put_whole(object, "partitions_least", capacity->partitions);
    put(object, "events_per_key", capacity->events_per_key);
    put(object, "key_bytes", capacity->key_bytes);
    put(object, "resident_share", capacity->resident_share);
    put_whole(object, "memory_for_all_bytes", capacity->memory_for_all_bytes);
    put(object, "whole_rows_per_event", capacity->whole_rows);
    put(object, "row_bytes", capacity->row_bytes);
    put(object, "tail_bytes_per_event", capacity->tail_bytes);
    put(object, "changelog_bytes_per_event", capacity->changelog_bytes);
    put(object, "commits_per_s", capacity->commits_per_s);
    put(object, "state_bytes", capacity->state_bytes);
    put(object, "disk_bytes_per_pod", capacity->disk_bytes);
    put(object, "tail_topic_bytes", capacity->tail_topic_bytes);
    put(object, "changelog_topic_bytes", capacity->changelog_topic_bytes);
    put(object, "restore_s", capacity->restore_s);
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    buffer_printf(out, "%s\n", text == NULL ? "{}" : text);
    free(text);
    json_decref(object);
}

void capacity_describe(const struct plan *plan, const struct capacity_load *load,
                       const struct capacity *capacity, bool json, struct buffer *out)
{
    if (json)
        describe_as_json(plan, load, capacity, out);
    else
        describe_as_text(plan, load, capacity, out);
}
