#include "sim_cluster.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_model.h"

enum { SESSION_TIMEOUT_US = 6 * 1000 * 1000, TRANSACTION_TIMEOUT_US = 30 * 1000 * 1000 };
/* The moment at which every simulation begins. */
static const int64_t START_WALL_MS = 1769860800000; /* 2026-01-31T12:00:00Z */

/* --- life ------------------------------------------------------------------------------------- */

static void create_topic(struct sim_topic_log *log, const struct sim_topic *topic)
{
    const size_t count = (size_t)topic->partition_count;
    *log = (struct sim_topic_log){
        .name = mem_copy_string(topic->name),
        .append_time = topic->append_time,
        .count = topic->partition_count,
        .partitions = mem_alloc_array(count, sizeof *log->partitions),
        .committed = mem_alloc_array(count, sizeof *log->committed),
    };
    for (size_t p = 0; p < count; p++)
        log->committed[p].offset = -1;
}

void sim_cluster_create(struct sim_cluster **out, const struct sim_options *options)
{
    ENSURE(*out == NULL && options->topic_count <= SIM_TOPICS_MAX);
    struct sim_cluster *cluster = mem_alloc(sizeof *cluster);
    cluster->options = *options;
    cluster->options.topics = NULL;
    cluster->options.group = NULL;
    if (options->session_timeout_us == 0)
        cluster->options.session_timeout_us = SESSION_TIMEOUT_US;
    if (options->transaction_timeout_us == 0)
        cluster->options.transaction_timeout_us = TRANSACTION_TIMEOUT_US;
    cluster->prng = prng_of_seed(options->seed);
    cluster->topic_count = options->topic_count;
    for (size_t i = 0; i < options->topic_count; i++)
        create_topic(&cluster->topics[i], &options->topics[i]);
    *out = cluster;
}

void sim_cluster_destroy(struct sim_cluster **cluster_ref)
{
    struct sim_cluster *cluster = TAKE(*cluster_ref);
    if (cluster == NULL)
        return;
    for (size_t i = 0; i < cluster->consumer_count; i++)
        ENSURE(cluster->consumers[i] == NULL); /* ports are closed first */
    mem_free(cluster->consumers);
    sim_offsets_forget(cluster, -1);
    sim_offsets_fini(&cluster->offsets);
    for (size_t i = 0; i < cluster->topic_count; i++) {
        struct sim_topic_log *log = &cluster->topics[i];
        for (int32_t p = 0; p < log->count; p++)
            sim_partition_fini(&log->partitions[p]);
        mem_free(log->partitions);
        mem_free(log->committed);
        mem_free(log->name);
    }
    sim_group_fini(&cluster->group);
    sim_transactions_fini(&cluster->transactions);
    sim_time_fini(&cluster->time);
    mem_free(cluster);
}

/* --- what the parts share --------------------------------------------------------------------- */

struct sim_partition *sim_model_partition(struct sim_cluster *cluster, int topic, int32_t partition)
{
    if (topic < 0 || (size_t)topic >= cluster->topic_count || partition < 0 ||
        partition >= cluster->topics[topic].count)
        return NULL;
    return &cluster->topics[topic].partitions[partition];
}

int64_t sim_model_wall_ms(const struct sim_cluster *cluster)
{
    return START_WALL_MS + cluster->time.now_us / 1000;
}

bool sim_model_chance(struct sim_cluster *cluster, uint32_t chance)
{
    return chance > 0 && prng_chance(&cluster->prng, chance, 10000);
}

void sim_model_travel(struct sim_cluster *cluster)
{
    const int64_t late_us = cluster->options.faults.delay_us_max;
    int64_t us = 1;
    if (late_us > 0 && prng_chance(&cluster->prng, 1, 8))
        us += prng_between(&cluster->prng, 0, late_us);
    sim_time_advance(&cluster->time, us);
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t wall_ms(void *self)
{
    return sim_model_wall_ms(self);
}

static int64_t monotonic_us(void *self)
{
    return ((struct sim_cluster *)self)->time.now_us;
}

static void sleep_us(void *self, int64_t us)
{
    sim_advance(self, us);
}

struct clock sim_clock(struct sim_cluster *cluster)
{
    return (struct clock){ cluster, wall_ms, monotonic_us, sleep_us };
}

void sim_advance(struct sim_cluster *cluster, int64_t us)
{
    sim_time_advance(&cluster->time, us > 0 ? us : 1);
}

struct sim_faults *sim_faults(struct sim_cluster *cluster)
{
    return &cluster->options.faults;
}

void sim_heal(struct sim_cluster *cluster)
{
    cluster->options.faults = (struct sim_faults){ .request_lost = 0 };
    sim_time_deliver(&cluster->time);
}

/* --- what a test does ------------------------------------------------------------------------- */

static struct sim_partition *partition_of(struct sim_cluster *cluster, int topic, int32_t partition)
{
    struct sim_partition *found = sim_model_partition(cluster, topic, partition);
    ENSURE(found != NULL);
    return found;
}

int64_t sim_append(struct sim_cluster *cluster, int topic, int32_t partition, int64_t timestamp_ms,
                   struct bytes key, struct bytes value)
{
    struct sim_partition *to = partition_of(cluster, topic, partition);
    if (timestamp_ms < 0 || cluster->topics[topic].append_time)
        timestamp_ms = sim_model_wall_ms(cluster);
    return sim_partition_append(to, sim_payload_create(key, value, NULL, 0), timestamp_ms);
}

void sim_compact(struct sim_cluster *cluster, int topic, int32_t partition, bool tombstones)
{
    struct sim_partition *log = partition_of(cluster, topic, partition);
    sim_partition_compact(log, prng_between(&cluster->prng, log->start, sim_partition_stable(log)),
                          tombstones);
}

void sim_delete_records(struct sim_cluster *cluster, int topic, int32_t partition, int64_t before)
{
    sim_partition_delete(partition_of(cluster, topic, partition), before);
}

/* The coordinator deletes a deleted topic's offsets. */
void sim_recreate_topic(struct sim_cluster *cluster, int topic)
{
    struct sim_topic_log *log = &cluster->topics[topic];
    for (int32_t p = 0; p < log->count; p++)
        sim_partition_fini(&log->partitions[p]);
    sim_offsets_forget(cluster, topic);
}

void sim_forget_offsets(struct sim_cluster *cluster)
{
    sim_offsets_forget(cluster, -1);
}

void sim_empty_partition(struct sim_cluster *cluster, int topic, int32_t partition)
{
    sim_partition_fini(partition_of(cluster, topic, partition));
}

void sim_set_committed(struct sim_cluster *cluster, int topic, int32_t partition, int64_t offset,
                       struct bytes metadata)
{
    ENSURE(sim_offsets_is_stable(cluster, topic, partition));
    struct sim_offset *committed = &cluster->topics[topic].committed[partition];
    sim_payload_release(committed->metadata);
    committed->offset = offset;
    committed->metadata =
        metadata.size == 0 ? NULL : sim_payload_create(BYTES_NONE, metadata, NULL, 0);
}

void sim_rebalance(struct sim_cluster *cluster)
{
    sim_group_rebalance(cluster);
}

/* --- what a test sees ------------------------------------------------------------------------- */

struct sim_bounds sim_bounds(const struct sim_cluster *cluster, int topic, int32_t partition)
{
    const struct sim_partition *log = &cluster->topics[topic].partitions[partition];
    return (struct sim_bounds){ log->start, sim_partition_stable(log), log->end };
}

void sim_read(const struct sim_cluster *cluster, int topic, int32_t partition, sim_record_fn *each,
              void *context)
{
    const struct sim_topic_log *log = &cluster->topics[topic];
    const struct sim_partition *from = &log->partitions[partition];
    const int64_t end = sim_partition_stable(from);
    for (size_t i = 0; i < from->count && sim_partition_at(from, i)->offset < end; i++) {
        const struct sim_entry *entry = sim_partition_at(from, i);
        if (!sim_partition_is_readable(from, entry))
            continue;
        const struct log_record record = { .kind = LOG_RECORD_DATA,
                                           .topic = topic,
                                           .partition = partition,
                                           .offset = entry->offset,
                                           .timestamp_ms = entry->timestamp_ms,
                                           .append_time = log->append_time,
                                           .key = entry->payload->key,
                                           .value = entry->payload->value };
        each(context, &record, entry->payload->headers, entry->payload->header_count);
    }
}

int64_t sim_committed(const struct sim_cluster *cluster, int topic, int32_t partition,
                      struct bytes *metadata)
{
    const struct sim_offset *committed = &cluster->topics[topic].committed[partition];
    if (metadata != NULL)
        *metadata = committed->metadata == NULL ? BYTES_NONE : committed->metadata->value;
    return committed->offset;
}

uint64_t sim_transactions_committed(const struct sim_cluster *cluster)
{
    return cluster->transactions.committed;
}
