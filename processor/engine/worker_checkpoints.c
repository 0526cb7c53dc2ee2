/* When a task's checkpoint begins and ends, what the tail may forget then, and when memory says: not so fast. */
#include "base/kill_point.h"
#include "base/memory.h"
#include "processor/engine/checkpoint_turns.h"
#include "processor/engine/worker_state.h"

enum { FLUSH_INTERVAL_US = 30 * 1000 * 1000 };

static bool could_begin(const struct lane *lane)
{
    return lane->kind == LANE_TASK && lane->state == LANE_READY && !lane->checkpoint.running && !lane->touched && lane->changed &&
           overlay_active_count(lane->overlay) > 0;
}

/* While it restores, its rows are the job's. */
static bool has_rows(const struct lane *lane)
{
    return lane->kind == LANE_TASK && lane->task != NULL;
}

static struct checkpoint_turn turn_of(const struct lane *lane, int64_t now_us)
{
    return (struct checkpoint_turn){
        .active_bytes = has_rows(lane) ? overlay_active_bytes(lane->overlay) : 0,
        .waited_us = now_us - lane->checkpoint_ended_us,
        .running = lane->checkpoint.running,
        .ready = could_begin(lane),
    };
}

static size_t next_lane(struct worker *worker, int64_t now_us)
{
    const struct checkpoint_pace pace = {
        .bytes_max = worker->options.active_bytes_max,
        .interval_us = worker->options.checkpoint_interval_ms * 1000,
        .since_start_us = now_us - worker->checkpoint_began_us,
    };
    worker->turns = mem_resize_array(worker->turns, worker->lane_count + 1, sizeof *worker->turns);
    for (size_t i = 0; i < worker->lane_count; i++)
        worker->turns[i] = turn_of(worker->lanes[i], now_us);
    return checkpoint_turns_next(worker->turns, worker->lane_count, &pace);
}

static void begin(struct worker *worker, struct lane *lane, bool forced, int64_t now_us)
{
    const bool flush = forced || now_us - lane->checkpoint.flushed_us >= FLUSH_INTERVAL_US;
    checkpoint_start(&lane->checkpoint, &lane->committed, lane->tail_offset, flush, now_us);
    worker->checkpoint_began_us = now_us;
    lane->changed = false;
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
        if (!has_rows(lane))
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
        if (forced && could_begin(lane))
            begin(worker, lane, true, now_us);
    }
    const size_t next = forced ? worker->lane_count : next_lane(worker, now_us);
    if (next < worker->lane_count)
        begin(worker, worker->lanes[next], false, now_us);
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
        if (has_rows(worker->lanes[i]))
            bytes += overlay_active_bytes(worker->lanes[i]->overlay) + frozen_bytes(worker->lanes[i]);
    }
    return bytes >= worker->options.active_bytes_max;
}
