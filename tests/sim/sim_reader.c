/* sim_reader: a log reader on the simulated cluster. It never joins the group. */
#include <inttypes.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_fetch.h"
#include "sim_model.h"
#include "sim_process.h"

struct sim_reader {
    struct log_reader base;
    struct sim_process *process;
    struct sim_fetch *fetch;
};

static struct sim_reader *self_of(struct log_reader *reader)
{
    return (struct sim_reader *)reader;
}

static void reader_close(struct log_reader *log_reader)
{
    struct sim_reader *reader = self_of(log_reader);
    sim_fetch_destroy(&reader->fetch);
    sim_process_release(reader->process);
    mem_free(reader);
}

static enum status reader_assign(struct log_reader *log_reader,
                                 const struct log_position *positions, size_t count,
                                 struct error *err)
{
    struct sim_reader *reader = self_of(log_reader);
    TRY(sim_process_pass(reader->process, SIM_OTHER, SIM_BEFORE, err));
    sim_time_advance(&reader->process->cluster->time, 1);
    sim_fetch_assign(reader->fetch, positions, count);
    return sim_process_pass(reader->process, SIM_OTHER, SIM_AFTER, err);
}

static enum status reader_poll(struct log_reader *log_reader, int64_t timeout_us,
                               struct log_batch *out, struct error *err)
{
    struct sim_reader *reader = self_of(log_reader);
    struct sim_time *time = &reader->process->cluster->time;
    *out = (struct log_batch){ .records = NULL };
    TRY(sim_process_pass(reader->process, SIM_READER_POLL, SIM_BEFORE, err));
    const int64_t deadline_us = time->now_us + (timeout_us > 0 ? timeout_us : 0);
    sim_time_advance(time, 1);
    for (;;) {
        sim_fetch_poll(reader->fetch, out);
        if (out->count > 0 || time->now_us >= deadline_us)
            break;
        sim_time_wait(time, deadline_us);
    }
    const enum status st = sim_process_pass(reader->process, SIM_READER_POLL, SIM_AFTER, err);
    if (st == ST_OK)
        return ST_OK;
    sim_fetch_release(out->records, out->count);
    *out = (struct log_batch){ .records = NULL };
    return st;
}

static void reader_release(struct log_reader *reader, const struct log_record *records,
                           size_t count)
{
    (void)reader;
    sim_fetch_release(records, count);
}

/* --- questions -------------------------------------------------------------------------------- */

static enum status find_partition(struct sim_reader *reader, struct log_partition at,
                                  struct sim_partition **out, struct error *err)
{
    struct sim_cluster *cluster = reader->process->cluster;
    sim_model_travel(cluster);
    if (sim_model_chance(cluster, cluster->options.faults.busy))
        return FAIL(err, ST_BROKER_BUSY, "no answer in time");
    *out = sim_model_partition(cluster, reader->process->topics[at.topic], at.partition);
    if (*out == NULL)
        return FAIL(err, ST_NOT_FOUND, "topic %d has no partition %" PRId32, at.topic,
                    at.partition);
    return ST_OK;
}

static enum status reader_bounds(struct log_reader *log_reader, struct log_partition at,
                                 bool high_watermark, int64_t *low, int64_t *high,
                                 struct error *err)
{
    struct sim_reader *reader = self_of(log_reader);
    struct sim_partition *log = NULL;
    TRY(sim_process_pass(reader->process, SIM_READER_BOUNDS, SIM_BEFORE, err));
    TRY(find_partition(reader, at, &log, err));
    *low = log->start;
    *high = high_watermark ? log->end : sim_partition_stable(log);
    return sim_process_pass(reader->process, SIM_READER_BOUNDS, SIM_AFTER, err);
}

static enum status reader_offset_at(struct log_reader *log_reader, struct log_partition at,
                                    int64_t timestamp_ms, int64_t *offset, struct error *err)
{
    struct sim_reader *reader = self_of(log_reader);
    struct sim_partition *log = NULL;
    TRY(sim_process_pass(reader->process, SIM_READER_BOUNDS, SIM_BEFORE, err));
    TRY(find_partition(reader, at, &log, err));
    const int64_t stable = sim_partition_stable(log);
    *offset = sim_partition_find_time(log, timestamp_ms, stable);
    if (*offset < 0)
        *offset = stable;
    return sim_process_pass(reader->process, SIM_READER_BOUNDS, SIM_AFTER, err);
}

static const struct log_reader_type type = {
    .close = reader_close,
    .assign = reader_assign,
    .poll = reader_poll,
    .release = reader_release,
    .bounds = reader_bounds,
    .offset_at = reader_offset_at,
};

void sim_reader_open(struct log_reader **out, struct sim_process *process)
{
    ENSURE(*out == NULL);
    struct sim_reader *reader = mem_alloc(sizeof *reader);
    reader->base.type = &type;
    reader->process = sim_process_acquire(process);
    sim_fetch_create(&reader->fetch, process->cluster, process->topics, process->topic_count);
    *out = &reader->base;
}
