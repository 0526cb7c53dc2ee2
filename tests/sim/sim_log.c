#include "sim_log.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"

/* --- payloads --------------------------------------------------------------------------------- */

static uint8_t *place(uint8_t *at, struct bytes *out, struct bytes source)
{
    *out = source;
    if (source.data == NULL)
        return at;
    out->data = at;
    if (source.size > 0)
        memcpy(at, source.data, source.size);
    return at + source.size;
}

struct sim_payload *sim_payload_create(struct bytes key, struct bytes value,
                                       const struct log_header *headers, size_t header_count)
{
    size_t size = key.size + value.size;
    for (size_t i = 0; i < header_count; i++)
        size += strlen(headers[i].name) + 1 + headers[i].value.size;
    struct sim_payload *payload =
        mem_alloc(sizeof *payload + header_count * sizeof *headers + size + 1);
    payload->holders = 1;
    payload->header_count = header_count;
    uint8_t *at = (uint8_t *)(payload->headers + header_count);
    at = place(at, &payload->key, key);
    at = place(at, &payload->value, value);
    for (size_t i = 0; i < header_count; i++) {
        const size_t name_size = strlen(headers[i].name) + 1;
        payload->headers[i].name = memcpy(at, headers[i].name, name_size);
        at = place(at + name_size, &payload->headers[i].value, headers[i].value);
    }
    return payload;
}

struct sim_payload *sim_payload_acquire(struct sim_payload *payload)
{
    payload->holders++;
    return payload;
}

void sim_payload_release(struct sim_payload *payload)
{
    if (payload == NULL)
        return;
    ENSURE(payload->holders > 0);
    if (--payload->holders == 0)
        mem_free(payload);
}

/* --- writers and spans ------------------------------------------------------------------------ */

void sim_partition_fini(struct sim_partition *partition)
{
    for (size_t i = 0; i < partition->count; i++)
        sim_payload_release(sim_partition_at(partition, i)->payload);
    mem_free(partition->entries);
    mem_free(partition->spans);
    mem_free(partition->writers);
    *partition = (struct sim_partition){ .start = 0 };
}

int64_t sim_partition_stable(const struct sim_partition *partition)
{
    int64_t stable = partition->end;
    for (size_t i = 0; i < partition->writer_count; i++) {
        const int64_t span = partition->writers[i].open_span;
        if (span >= 0 && partition->spans[span].first < stable)
            stable = partition->spans[span].first;
    }
    return stable > partition->start ? stable : partition->start;
}

struct sim_writer *sim_partition_writer(const struct sim_partition *partition, int64_t producer_id)
{
    for (size_t i = 0; i < partition->writer_count; i++) {
        if (partition->writers[i].producer_id == producer_id)
            return &partition->writers[i];
    }
    return NULL;
}

static struct sim_writer *writer_of(struct sim_partition *partition, int64_t producer_id)
{
    struct sim_writer *writer = sim_partition_writer(partition, producer_id);
    if (writer != NULL)
        return writer;
    if (partition->writer_count == partition->writer_capacity) {
        partition->writer_capacity = partition->writer_capacity * 2 + 4;
        partition->writers = mem_resize_array(partition->writers, partition->writer_capacity,
                                              sizeof *partition->writers);
    }
    writer = &partition->writers[partition->writer_count++];
    *writer = (struct sim_writer){ .producer_id = producer_id, .open_span = -1 };
    return writer;
}

static int64_t open_span(struct sim_partition *partition, int64_t producer_id)
{
    if (partition->span_count == partition->span_capacity) {
        partition->span_capacity = partition->span_capacity * 2 + 16;
        partition->spans =
            mem_resize_array(partition->spans, partition->span_capacity, sizeof *partition->spans);
    }
    partition->spans[partition->span_count] =
        (struct sim_span){ producer_id, partition->end, SIM_OPEN };
    return (int64_t)partition->span_count++;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void make_room(struct sim_partition *partition)
{
    if (partition->head + partition->count < partition->capacity)
        return;
    if (partition->head > partition->count) { /* more room in front than things to move */
        memmove(partition->entries, partition->entries + partition->head,
                partition->count * sizeof *partition->entries);
        partition->head = 0;
        return;
    }
    partition->capacity = partition->capacity * 2 + 64;
    partition->entries =
        mem_resize_array(partition->entries, partition->capacity, sizeof *partition->entries);
}

static int64_t add(struct sim_partition *partition, struct sim_payload *payload,
                   int64_t timestamp_ms, int64_t span)
{
    make_room(partition);
    struct sim_entry *entry = &partition->entries[partition->head + partition->count];
    const int64_t newest_ms = partition->count == 0 ? timestamp_ms : entry[-1].newest_ms;
    *entry = (struct sim_entry){ .offset = partition->end++,
                                 .timestamp_ms = timestamp_ms,
                                 .newest_ms = newest_ms > timestamp_ms ? newest_ms : timestamp_ms,
                                 .payload = payload,
                                 .span = span };
    partition->count++;
    return entry->offset;
}

int64_t sim_partition_append(struct sim_partition *partition, struct sim_payload *payload,
                             int64_t timestamp_ms)
{
    ENSURE(payload != NULL);
    return add(partition, payload, timestamp_ms, -1);
}

int64_t sim_partition_append_open(struct sim_partition *partition, int64_t producer_id,
                                  int32_t epoch, struct sim_payload *payload, int64_t timestamp_ms)
{
    struct sim_writer *writer = writer_of(partition, producer_id);
    ENSURE(payload != NULL && epoch >= writer->epoch);
    writer->epoch = epoch;
    if (writer->open_span < 0)
        writer->open_span = open_span(partition, producer_id);
    return add(partition, payload, timestamp_ms, writer->open_span);
}

void sim_partition_mark(struct sim_partition *partition, int64_t producer_id, int32_t epoch,
                        bool commit, int64_t timestamp_ms)
{
    struct sim_writer *writer = writer_of(partition, producer_id);
    if (epoch > writer->epoch)
        writer->epoch = epoch;
    if (writer->open_span >= 0)
        partition->spans[writer->open_span].outcome =
            commit ? SIM_COMMITTED_SPAN : SIM_ABORTED_SPAN;
    writer->open_span = -1;
    add(partition, NULL, timestamp_ms, -1);
}

void sim_partition_delete(struct sim_partition *partition, int64_t before)
{
    if (before > partition->end)
        return; /* the broker refuses it */
    while (partition->count > 0 && sim_partition_at(partition, 0)->offset < before) {
        sim_payload_release(sim_partition_at(partition, 0)->payload);
        partition->head++;
        partition->count--;
    }
    if (before > partition->start)
        partition->start = before;
}

/* --- compaction ------------------------------------------------------------------------------- */

/* Goes from the newest to the oldest. */
static bool is_kept(const struct sim_partition *partition, const struct sim_entry *entry,
                    struct map *seen, bool tombstones)
{
    if (!sim_partition_is_readable(partition, entry))
        return false; /* a marker, or aborted */
    if (entry->payload->key.data == NULL)
        return true;
    bool is_new = false;
    map_insert(seen, entry->payload->key, &is_new);
    return is_new && !(tombstones && entry->payload->value.data == NULL);
}

void sim_partition_compact(struct sim_partition *partition, int64_t bound, bool tombstones)
{
    ENSURE(bound <= sim_partition_stable(partition));
    struct map *seen = NULL;
    map_create(&seen, 0);
    struct sim_entry *entries = partition->entries + partition->head;
    size_t kept = sim_partition_find(partition, bound);
    for (size_t i = kept; i-- > 0;) {
        if (is_kept(partition, &entries[i], seen, tombstones))
            entries[--kept] = entries[i];
        else
            sim_payload_release(entries[i].payload);
    }
    partition->head += kept;
    partition->count -= kept;
    map_destroy(&seen);
}

/* --- reading ---------------------------------------------------------------------------------- */

size_t sim_partition_find(const struct sim_partition *partition, int64_t offset)
{
    if (partition->count == 0)
        return 0;
    size_t low = 0, high = partition->count;
    const struct sim_entry *first = sim_partition_at(partition, 0);
    if (offset <= first->offset)
        return 0;
    /* Without holes it is where the offset says. */
    const size_t guess = (size_t)(offset - first->offset);
    if (guess < partition->count && sim_partition_at(partition, guess)->offset == offset)
        return guess;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sim_partition_at(partition, middle)->offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sim_partition_is_readable(const struct sim_partition *partition, const struct sim_entry *entry)
{
    return entry->payload != NULL &&
           (entry->span < 0 || partition->spans[entry->span].outcome == SIM_COMMITTED_SPAN);
}

int64_t sim_partition_find_time(const struct sim_partition *partition, int64_t timestamp_ms,
                                int64_t end)
{
    size_t low = 0, high = partition->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sim_partition_at(partition, middle)->newest_ms < timestamp_ms)
            low = middle + 1;
        else
            high = middle;
    }
    /* The one that made the maximum may have been removed: then it is one behind. */
    for (; low < partition->count && sim_partition_at(partition, low)->offset < end; low++) {
        const struct sim_entry *entry = sim_partition_at(partition, low);
        if (entry->timestamp_ms >= timestamp_ms)
            return entry->offset;
    }
    return -1;
}
