#include "sim_fetch.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_model.h"

enum { RECORDS_MAX = 512, NOT_TOLD = -1, FROM_THE_BEGINNING = -2 };

struct place {
    int topic; /* the caller's number */
    struct sim_partition *log;
    bool append_time;
    int32_t partition;
    int64_t next;
    int64_t end_told; /* the end that was told last */
    bool silent;      /* outside of the partition, and told */
};

struct sim_fetch {
    struct sim_cluster *cluster;
    int *topics;
    size_t topic_count;
    struct place *places;
    size_t count, turn;
    struct log_record records[RECORDS_MAX];
};

void sim_fetch_create(struct sim_fetch **out, struct sim_cluster *cluster, const int *topics,
                      size_t topic_count)
{
    ENSURE(*out == NULL);
    struct sim_fetch *fetch = mem_alloc(sizeof *fetch);
    fetch->cluster = cluster;
    fetch->topics = mem_copy(topics, topic_count * sizeof *topics);
    fetch->topic_count = topic_count;
    *out = fetch;
}

void sim_fetch_destroy(struct sim_fetch **fetch_ref)
{
    struct sim_fetch *fetch = TAKE(*fetch_ref);
    if (fetch == NULL)
        return;
    mem_free(fetch->topics);
    mem_free(fetch->places);
    mem_free(fetch);
}

void sim_fetch_assign(struct sim_fetch *fetch, const struct log_position *positions, size_t count)
{
    fetch->places = mem_resize_array(fetch->places, count + 1, sizeof *fetch->places);
    fetch->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct log_position *at = &positions[i];
        ENSURE(at->topic >= 0 && (size_t)at->topic < fetch->topic_count);
        ENSURE(at->offset >= 0 || at->offset == FROM_THE_BEGINNING);
        const int topic = fetch->topics[at->topic];
        struct sim_partition *log = sim_model_partition(fetch->cluster, topic, at->partition);
        if (log == NULL)
            continue; /* a client waits for the partition to come into being */
        fetch->places[fetch->count++] =
            (struct place){ .topic = at->topic,
                            .log = log,
                            .append_time = fetch->cluster->topics[topic].append_time,
                            .partition = at->partition,
                            .next = at->offset == FROM_THE_BEGINNING ? log->start : at->offset,
                            .end_told = NOT_TOLD };
    }
}

/* --- handing out ------------------------------------------------------------------------------ */

static struct log_record *add(struct log_batch *out, const struct place *place,
                              enum log_record_kind kind, int64_t offset)
{
    struct log_record *record = &out->records[out->count++];
    *record = (struct log_record){ .kind = kind,
                                   .topic = place->topic,
                                   .partition = place->partition,
                                   .offset = offset,
                                   .timestamp_ms = -1 };
    return record;
}

static void add_data(struct log_batch *out, const struct place *place,
                     const struct sim_entry *entry)
{
    struct log_record *record = add(out, place, LOG_RECORD_DATA, entry->offset);
    record->timestamp_ms = entry->timestamp_ms;
    record->append_time = place->append_time;
    record->key = entry->payload->key;
    record->value = entry->payload->value;
    record->handle = sim_payload_acquire(entry->payload);
}

static void deliver(struct sim_fetch *fetch, struct place *place, int64_t stable,
                    struct log_batch *out, size_t limit)
{
    const struct sim_partition *log = place->log;
    size_t i = sim_partition_find(log, place->next);
    for (; i < log->count && sim_partition_at(log, i)->offset < stable; i++) {
        const struct sim_entry *entry = sim_partition_at(log, i);
        if (!sim_partition_is_readable(log, entry))
            continue;
        if (out->count == limit) {
            place->next = entry->offset;
            return;
        }
        add_data(out, place, entry);
        if (out->count < limit &&
            sim_model_chance(fetch->cluster, fetch->cluster->options.faults.duplicate))
            add_data(out, place, entry);
    }
    place->next = stable;
}

static void visit(struct sim_fetch *fetch, struct place *place, struct log_batch *out, size_t limit)
{
    const struct sim_partition *log = place->log;
    if (place->silent)
        return;
    if (place->next < log->start || place->next > log->end) {
        place->silent = true;
        add(out, place, LOG_RECORD_OUT_OF_RANGE, place->next);
        return;
    }
    const int64_t stable = sim_partition_stable(log);
    if (place->next < stable)
        deliver(fetch, place, stable, out, limit);
    if (place->next != stable || place->end_told == stable || out->count == limit)
        return;
    place->end_told = stable;
    add(out, place, LOG_RECORD_EOF, stable);
}

void sim_fetch_poll(struct sim_fetch *fetch, struct log_batch *out)
{
    *out = (struct log_batch){ .records = fetch->records };
    if (fetch->count == 0)
        return;
    /* Small batches are as likely as large ones. */
    const size_t limit = (size_t)prng_between(
        &fetch->cluster->prng, 1, prng_chance(&fetch->cluster->prng, 1, 2) ? 8 : RECORDS_MAX);
    for (size_t i = 0; i < fetch->count && out->count < limit; i++)
        visit(fetch, &fetch->places[(fetch->turn + i) % fetch->count], out, limit);
    fetch->turn++;
}

void sim_fetch_release(const struct log_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sim_payload_release(records[i].handle);
}
