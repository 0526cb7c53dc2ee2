#include "sim_offsets.h"

#include "base/memory.h"
#include "sim_model.h"

static void forget_pending(struct sim_offsets *offsets, int topic)
{
    size_t kept = 0;
    for (size_t i = 0; i < offsets->count; i++) {
        if (topic < 0 || offsets->pending[i].topic == topic)
            sim_payload_release(offsets->pending[i].offset.metadata);
        else
            offsets->pending[kept++] = offsets->pending[i];
    }
    offsets->count = kept;
}

void sim_offsets_fini(struct sim_offsets *offsets)
{
    forget_pending(offsets, -1);
    mem_free(offsets->pending);
    offsets->pending = NULL;
}

void sim_offsets_offer(struct sim_cluster *cluster, const struct sim_pending *pending)
{
    struct sim_offsets *offsets = &cluster->offsets;
    if (offsets->count == offsets->capacity) {
        offsets->capacity = offsets->capacity * 2 + 16;
        offsets->pending =
            mem_resize_array(offsets->pending, offsets->capacity, sizeof *offsets->pending);
    }
    struct sim_pending *added = &offsets->pending[offsets->count++];
    *added = *pending;
    added->offset.offered = ++offsets->offers;
}

void sim_offsets_decide(struct sim_cluster *cluster, int64_t producer_id, bool commit)
{
    struct sim_offsets *offsets = &cluster->offsets;
    size_t kept = 0;
    for (size_t i = 0; i < offsets->count; i++) {
        const struct sim_pending *pending = &offsets->pending[i];
        if (pending->producer_id != producer_id) {
            offsets->pending[kept++] = *pending;
            continue;
        }
        struct sim_offset *committed =
            &cluster->topics[pending->topic].committed[pending->partition];
        const bool counts = commit && pending->offset.offered > committed->offered;
        sim_payload_release(counts ? committed->metadata : pending->offset.metadata);
        if (counts)
            *committed = pending->offset;
    }
    offsets->count = kept;
}

bool sim_offsets_is_stable(const struct sim_cluster *cluster, int topic, int32_t partition)
{
    const struct sim_offsets *offsets = &cluster->offsets;
    for (size_t i = 0; i < offsets->count; i++) {
        if (offsets->pending[i].topic == topic && offsets->pending[i].partition == partition)
            return false;
    }
    return true;
}

void sim_offsets_forget(struct sim_cluster *cluster, int topic)
{
    for (size_t i = 0; i < cluster->topic_count; i++) {
        struct sim_topic_log *log = &cluster->topics[i];
        for (int32_t p = 0; p < log->count && (topic < 0 || topic == (int)i); p++) {
            sim_payload_release(log->committed[p].metadata);
            log->committed[p] = (struct sim_offset){ .offset = -1 };
        }
    }
    if (topic >= 0)
        forget_pending(&cluster->offsets, topic);
}
