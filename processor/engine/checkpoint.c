#include "processor/engine/checkpoint.h"

#include <stdlib.h>

#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/memory.h"

enum {
    ROWS_PER_WRITE = 5000,
    BYTES_PER_WRITE = 128 * 1024, /* a batch stays in the processor's cache until it is merged */
    SLICE_ROW_OVERHEAD = 256,     /* a record's in the client */
    ROWS_AHEAD = 3,
};

void checkpoint_init(struct checkpoint *checkpoint, struct overlay *overlay, struct store_partition *store,
                     const struct state_identity *identity, int job_steps)
{
    *checkpoint = (struct checkpoint){
        .overlay = overlay, .store = store, .identity = *identity, .job_steps = job_steps,
    };
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
    job_cancel(&checkpoint->write_job);
    mem_free(checkpoint->rows);
    checkpoint->rows = NULL;
}

void checkpoint_give_up(struct checkpoint *checkpoint)
{
    checkpoint_fini(checkpoint);
    if (checkpoint->running)
        overlay_unfreeze(checkpoint->overlay);
    checkpoint->running = false;
}

static int by_key(const void *a, const void *b)
{
    const struct store_row *x = a, *y = b;
    return bytes_compare(x->key, y->key);
}

static void sort_rows(struct checkpoint *checkpoint)
{
    checkpoint->row_count = overlay_frozen_count(checkpoint->overlay);
    checkpoint->rows = mem_resize_array(checkpoint->rows, checkpoint->row_count + 1, sizeof *checkpoint->rows);
    for (size_t i = 0; i < checkpoint->row_count; i++)
        checkpoint->rows[i] = overlay_frozen_row(checkpoint->overlay, i);
    qsort(checkpoint->rows, checkpoint->row_count, sizeof *checkpoint->rows, by_key);
    checkpoint->sorted = true;
}

/* How many of the next rows go into one batch. */
static size_t rows_of_write(const struct checkpoint *checkpoint)
{
    const struct store_row *rows = checkpoint->rows + checkpoint->row_next;
    const size_t left = checkpoint->row_count - checkpoint->row_next;
    const size_t count_max = checkpoint->write_rows_max == 0 ? ROWS_PER_WRITE : checkpoint->write_rows_max;
    size_t count = 0, bytes = 0;
    while (count < left && count < count_max && bytes < BYTES_PER_WRITE) {
        bytes += rows[count].key.size + rows[count].value.size;
        count++;
    }
    return count;
}

/* Sort, then rows in bounded batches, the position with the last, then the flush. */
static enum status write_step(void *context, bool *done, struct error *err)
{
    struct checkpoint *checkpoint = context;
    struct store_partition *store = checkpoint->store;
    if (!checkpoint->sorted) {
        sort_rows(checkpoint);
        return ST_OK;
    }
    const size_t count = rows_of_write(checkpoint);
    const bool last = checkpoint->row_next + count == checkpoint->row_count;
    KILL_POINT_TRY(write, err);
    if (last)
        KILL_POINT_TRY(write_position, err);
    struct buffer position;
    buffer_init(&position);
    if (last) {
        const struct store_position record = { checkpoint->identity, checkpoint->target.seq,
                                               checkpoint->target_nonce };
        store_position_write(&position, &record);
    }
    enum status st = store->type->write(store, checkpoint->rows + checkpoint->row_next, count,
                                        last ? buffer_view(&position) : BYTES_NONE, err);
    KILL_POINT(written);
    buffer_fini(&position);
    checkpoint->row_next += count;
    if (st == ST_OK && last) {
        if (checkpoint->flush_wanted)
            st = store->type->flush(store, err);
        *done = true;
    }
    return st;
}

void checkpoint_start(struct checkpoint *checkpoint, const struct commit_metadata *committed, int64_t tail_offset,
                      bool flush, int64_t now_us)
{
    ENSURE(!checkpoint->running && checkpoint->write_job == NULL);
    overlay_freeze(checkpoint->overlay);
    KILL_POINT(freeze);
    checkpoint->running = true;
    checkpoint->target = (struct commit_checkpoint){
        .seq = committed->seq, .tail_offset = tail_offset, .number = committed->checkpoint.number + 1,
    };
    checkpoint->target_nonce = committed->nonce;
    checkpoint->sent = checkpoint->pending_sent = 0;
    checkpoint->ended = checkpoint->pending_ended = false;
    checkpoint->started_us = now_us;
    checkpoint->written = false;
    checkpoint->sorted = false;
    checkpoint->row_next = 0;
    checkpoint->flush_wanted = flush;
    job_start(&checkpoint->write_job, checkpoint->job_steps, write_step, checkpoint);
}

bool checkpoint_wants_slice(const struct checkpoint *checkpoint)
{
    return checkpoint->running && !checkpoint->pending_ended;
}

static enum status emit_end(struct checkpoint *checkpoint, checkpoint_emit_fn *emit, void *context, struct error *err)
{
    struct buffer value;
    buffer_init(&value);
    changelog_identity_write(&value, &checkpoint->identity);
    enum status st = emit(context, changelog_identity_key(), buffer_view(&value), err);
    if (st == ST_OK) {
        const struct changelog_end end = { checkpoint->target.number, checkpoint->target.seq };
        buffer_clear(&value);
        changelog_end_write(&value, &end);
        st = emit(context, changelog_end_key(), buffer_view(&value), err);
    }
    buffer_fini(&value);
    return st;
}

static void prefetch_ahead(const struct overlay *overlay, size_t row, size_t end)
{
    if (row + ROWS_AHEAD < end)
        bytes_prefetch(overlay_frozen_row(overlay, row + ROWS_AHEAD).value);
}

bool checkpoint_plan_slice(struct checkpoint *checkpoint, const struct slice_limit *limit)
{
    ENSURE(checkpoint_wants_slice(checkpoint));
    const size_t count = overlay_frozen_count(checkpoint->overlay);
    size_t end = checkpoint->pending_sent;
    uint64_t bytes = 0;
    for (; end < count && end - checkpoint->pending_sent < limit->rows && bytes < limit->bytes; end++) {
        const struct store_row row = overlay_frozen_row(checkpoint->overlay, end);
        bytes += row.key.size + row.value.size + SLICE_ROW_OVERHEAD;
    }
    checkpoint->planned = end;
    return end == count;
}

enum status checkpoint_slice(struct checkpoint *checkpoint, size_t rows_max, checkpoint_emit_fn *emit, void *context,
                             struct error *err)
{
    const size_t count = overlay_frozen_count(checkpoint->overlay), left = checkpoint->planned - checkpoint->pending_sent;
    const size_t end = checkpoint->pending_sent + (left < rows_max ? left : rows_max);
    while (checkpoint->pending_sent < end) {
        const struct store_row row = overlay_frozen_row(checkpoint->overlay, checkpoint->pending_sent);
        prefetch_ahead(checkpoint->overlay, checkpoint->pending_sent, checkpoint->planned);
        TRY(emit(context, row.key, row.value, err));
        KILL_POINT(slice_row);
        checkpoint->pending_sent++;
    }
    if (checkpoint->pending_sent < count || checkpoint->pending_ended)
        return ST_OK;
    KILL_POINT(slice_end);
    TRY(emit_end(checkpoint, emit, context, err));
    checkpoint->pending_ended = true;
    return ST_OK;
}

void checkpoint_commit(struct checkpoint *checkpoint)
{
    checkpoint->sent = checkpoint->pending_sent;
    checkpoint->ended = checkpoint->pending_ended;
}

void checkpoint_abort(struct checkpoint *checkpoint)
{
    checkpoint->pending_sent = checkpoint->sent;
    checkpoint->pending_ended = checkpoint->ended;
}

enum status checkpoint_tend(struct checkpoint *checkpoint, int64_t now_us, bool *finished, struct error *err)
{
    *finished = false;
    if (checkpoint->write_job != NULL) {
        enum status st = ST_OK;
        if (!job_ended(checkpoint->write_job, &st, err))
            return ST_OK;
        job_cancel(&checkpoint->write_job);
        if (st != ST_OK)
            return st;
        checkpoint->written = true;
        if (checkpoint->flush_wanted) {
            checkpoint->flushed_target = checkpoint->target;
            checkpoint->flushed_us = now_us;
        }
    }
    if (!checkpoint->running || !checkpoint->written || !checkpoint->ended)
        return ST_OK;
    KILL_POINT(thaw);
    overlay_thaw(checkpoint->overlay);
    mem_free(checkpoint->rows);
    checkpoint->rows = NULL;
    checkpoint->running = false;
    *finished = true;
    return ST_OK;
}
