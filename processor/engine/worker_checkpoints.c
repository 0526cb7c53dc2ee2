/* When a task's checkpoint begins and ends, what the tail may forget then, and when memory says: not so fast. */
#include "base/kill_point.h"
#include "processor/engine/worker_state.h"

enum { FLUSH_INTERVAL_US = 30 * 1000 * 1000 };

static uint64_t active_bytes(const struct lane *lane)
{
    return lane->kind == LANE_TASK && lane->overlay != NULL ? overlay_active_bytes(lane->overlay) : 0;
}

/*
 * All of them share the memory for rows that wait, and the one with the most is next: so their checkpoints come one after the
 * other, and each lane's rows wait, and are changed again meanwhile, for longer than a part of its own would let them.
 */
static bool has_filled_memory(const struct worker *worker, const struct lane *lane)
{
    const uint64_t own = active_bytes(lane);
    uint64_t all = 0, most = 0;
    for (size_t i = 0; i < worker->lane_count; i++) {
        const struct lane *other = worker->lanes[i];
        const uint64_t bytes = active_bytes(other);
        all += bytes;
        if (!other->checkpoint.running && bytes > most)
            most = bytes;
    }
    return all >= worker->options.active_bytes_max / 20 * 17 && own == most && own >= all / worker->lane_count;
}

/* One partition's after the other, as far apart as the interval lets them be: all at once they would hold up everything. */
static bool has_waited_long(const struct worker *worker, const struct lane *lane)
{
    const int64_t now_us = worker_now_us(worker), interval_us = worker->options.checkpoint_interval_ms * 1000;
    return now_us - lane->checkpoint_ended_us >= interval_us &&
           now_us - worker->checkpoint_began_us >= interval_us / (int64_t)worker->lane_count;
}

static bool checkpoint_is_due(const struct worker *worker, const struct lane *lane, bool forced)
{
    if (lane->checkpoint.running || lane->touched || lane->state != LANE_READY)
        return false;
    if (!lane->changed || overlay_active_count(lane->overlay) == 0)
        return false;
    return forced || has_waited_long(worker, lane) || has_filled_memory(worker, lane);
}

/* The tail is needed from the oldest of what the changelog and the local rows can be brought up from. */
static void trim_tail(struct worker *worker, struct lane *lane)
{
    struct log_port *port = worker->options.port;
    int64_t offset = lane->committed.checkpoint.tail_offset;
    if (lane->checkpoint.flushed_target.tail_offset < offset)
        offset = lane->checkpoint.flushed_target.tail_offset;
    if (offset <= lane->trimmed_offset)
        return;
    const struct log_position position = { .topic = worker->options.topics->tail, .partition = lane->partition,
                                           .offset = offset };
    KILL_POINT(trim);
    port->type->delete_records(port, &position, 1);
    KILL_POINT(trimmed);
    lane->trimmed_offset = offset;
}

enum status worker_checkpoints_tend(struct worker *worker, bool forced, struct error *err)
{
    const int64_t now_us = worker_now_us(worker);
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        bool finished = false;
        if (lane->kind != LANE_TASK || lane->task == NULL)
            continue;
        const enum status st = checkpoint_tend(&lane->checkpoint, now_us, &finished, err);
        if (st != ST_OK) {
            TRY(opening_trouble(worker, lane, st, err));
            continue;
        }
        if (finished) {
            worker->stats.checkpoints++;
            lane->proven = true;
            lane->attempts = 0;
            lane->checkpoint_ended_us = now_us;
            trim_tail(worker, lane);
        }
        if (checkpoint_is_due(worker, lane, forced)) {
            const bool flush = forced || now_us - lane->checkpoint.flushed_us >= FLUSH_INTERVAL_US;
            checkpoint_start(&lane->checkpoint, &lane->committed, lane->tail_offset, flush, now_us);
            worker->checkpoint_began_us = now_us;
            lane->changed = false;
        }
    }
    return ST_OK;
}

/* The background writer sorts them. */
static uint64_t frozen_bytes(const struct lane *lane)
{
    return overlay_frozen_bytes(lane->overlay) + overlay_frozen_count(lane->overlay) * sizeof(struct store_row);
}

/* Over the memory budget: values since the checkpoint wait for the background writer; poll less, never grow. */
bool worker_checkpoints_lag(const struct worker *worker)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->overlay != NULL && worker->lanes[i]->task != NULL)
            bytes += overlay_active_bytes(worker->lanes[i]->overlay) + frozen_bytes(worker->lanes[i]);
    }
    return bytes >= worker->options.active_bytes_max;
}
