#include "processor/engine/restore.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    POLL_US = 100 * 1000,
    STALL_US = 60 * 1000 * 1000,
    INPUT_WAIT_US = 10 * 1000 * 1000, /* a new leader may not show at once all that was readable before */
    TELL_US = 5 * 1000 * 1000,
};
/* Half of delete.retention.ms: a reader that takes longer may miss a tombstone, and the row would be back. */
static const int64_t CHANGELOG_MAX_US = INT64_C(12) * 3600 * 1000 * 1000;
static const int64_t FROM_BEGINNING = -2;

void restore_init(struct restore *restore, const struct restore_options *options)
{
    *restore = (struct restore){ .options = *options };
    if (restore->options.stall_us == 0)
        restore->options.stall_us = STALL_US;
    restore->started_us = restore->progress_us = restore->told_us = clock_us(&options->clock);
    restore->inputs = mem_alloc_array(options->input_count + 1, sizeof *restore->inputs);
    for (size_t i = 0; i < options->input_count; i++)
        restore->inputs[i] = options->inputs[i];
    restore->options.inputs = restore->inputs;
}

void restore_fini(struct restore *restore)
{
    if (restore->options.reader != NULL)
        restore->options.reader->type->close(restore->options.reader);
    restore->options.reader = NULL;
    tail_reader_destroy(&restore->tail);
    changelog_run_fini(&restore->run);
    mem_free(restore->inputs);
    restore->inputs = NULL;
}

static enum status check_progress(struct restore *restore, const char *what, struct error *err)
{
    const int64_t waited_us = clock_us(&restore->options.clock) - restore->progress_us;
    if (waited_us < restore->options.stall_us)
        return ST_OK;
    return FAIL(err, ST_TIMED_OUT, "restoring partition %" PRId32 ": no progress for %" PRId64
                " s while waiting for %s (seq %" PRIu64 ")", restore->options.partition, waited_us / 1000000, what,
                restore->options.target.seq);
}

/* Now and then, so that a long restore is not a silent one. */
static void tell_progress(struct restore *restore, const char *what, int64_t offset)
{
    const int64_t now_us = clock_us(&restore->options.clock);
    if (now_us - restore->told_us < TELL_US)
        return;
    const int64_t rows = atomic_load(&restore->rows);
    LOG_INFO("restore.progress", "partition=%" PRId32 " from=%s rows=%" PRId64 " rows_per_s=%" PRId64
             " offsets_left=%" PRId64, restore->options.partition, what, rows,
             (rows - restore->told_rows) * 1000000 / (now_us - restore->told_us),
             restore->end_offset > offset ? restore->end_offset - offset : 0);
    restore->told_us = now_us;
    restore->told_rows = rows;
}

static enum status read_from(struct restore *restore, int topic, int64_t offset, struct error *err)
{
    const struct log_position position = { .topic = topic, .partition = restore->options.partition,
                                           .offset = offset };
    restore->progress_us = clock_us(&restore->options.clock);
    restore->next_offset = 0;
    return restore->options.reader->type->assign(restore->options.reader, &position, 1, err);
}

/* Feeds what one poll gives to `take`, and gives every record back. */
static enum status poll_once(struct restore *restore,
                             enum status (*take)(struct restore *, const struct log_record *, struct error *),
                             struct error *err)
{
    struct log_reader *reader = restore->options.reader;
    struct log_batch batch;
    TRY(reader->type->poll(reader, POLL_US, &batch, err));
    enum status st = ST_OK;
    for (size_t i = 0; i < batch.count && st == ST_OK; i++) {
        const struct log_record *record = &batch.records[i];
        if (record->kind == LOG_RECORD_DATA) {
            if (record->offset < restore->next_offset)
                continue;
            restore->next_offset = record->offset + 1;
        }
        st = take(restore, record, err);
    }
    reader->type->release(reader, batch.records, batch.count);
    return st;
}

/* --- the inputs --------------------------------------------------------------------------------------------------- */

static const char *input_name(const struct restore *restore)
{
    return restore->options.topics->items[restore->inputs[restore->input_next].topic].name;
}

static enum status begin_inputs(struct restore *restore)
{
    restore->phase = RESTORE_INPUTS;
    restore->input_next = 0;
    restore->input_asked = false;
    restore->input_since_us = restore->progress_us = clock_us(&restore->options.clock);
    return ST_OK;
}

static void next_input(struct restore *restore)
{
    restore->input_next++;
    restore->input_asked = false;
    restore->input_since_us = restore->progress_us = clock_us(&restore->options.clock);
}

static enum status input_ends_early(struct restore *restore, int64_t end, struct error *err)
{
    if (clock_us(&restore->options.clock) - restore->input_since_us < INPUT_WAIT_US) {
        clock_sleep_us(&restore->options.clock, POLL_US);
        restore->input_asked = false;
        return ST_OK;
    }
    return FAIL(err, ST_OUT_OF_RANGE, "topic '%s' partition %" PRId32 " ends at offset %" PRId64 ", before %" PRId64
                ", up to where it was processed: it was deleted and made again, or lost records; `weir reset` starts with"
                " new state", input_name(restore), restore->options.partition, end,
                restore->inputs[restore->input_next].position);
}

/* Kafka forgets the offsets of a topic that is deleted. Only an input that the state does not know is new. */
static enum status check_new_input(const struct restore *restore, struct error *err)
{
    if (!restore->seen.known)
        return ST_OK;
    return FAIL(err, ST_INPUT_REPLACED, "topic '%s' partition %" PRId32 " was processed up to offset %" PRId64
                " and has no committed offset any more: it was deleted and made again, then `weir reset` starts with new"
                " state; or only its offset is gone, then `weir recover` puts it back", input_name(restore),
                restore->options.partition, restore->seen.offset);
}

/* Does it reach to the position? Then asks for the last record, if the state remembers one and it is still there. */
static enum status ask_input(struct restore *restore, struct error *err)
{
    const struct restore_input *input = &restore->inputs[restore->input_next];
    const struct log_partition at = { input->topic, restore->options.partition };
    int64_t low, high;
    struct bytes row;
    TRY(overlay_get(restore->options.overlay, last_seen_key(), &row, err));
    TRY(last_seen_find(&restore->seen, row, bytes_of_string(input_name(restore)), err));
    if (!input->has_offset)
        TRY(check_new_input(restore, err));
    TRY(restore->options.reader->type->bounds(restore->options.reader, at, true, &low, &high, err));
    if (input->position > high)
        return input_ends_early(restore, high, err);
    if (input->position < low)
        return FAIL(err, ST_OUT_OF_RANGE, "topic '%s' partition %" PRId32 " begins at offset %" PRId64
                    " and does not reach offset %" PRId64 ", where reading must go on: those records were deleted before they"
                    " were processed; `weir reset` starts with what is there", input_name(restore),
                    restore->options.partition, low, input->position);
    if (!restore->seen.known || restore->seen.offset < low) {
        next_input(restore);
        return ST_OK;
    }
    restore->input_asked = true;
    restore->input_decided = false;
    return read_from(restore, input->topic, restore->seen.offset, err);
}

/* A record that was compacted or trimmed away since proves nothing. */
static enum status take_seen(struct restore *restore, const struct log_record *record, struct error *err)
{
    const struct last_seen *seen = &restore->seen;
    if (restore->input_decided || !restore->input_asked)
        return ST_OK;
    if (record->kind == LOG_RECORD_EOF && record->offset <= seen->offset)
        return input_ends_early(restore, record->offset, err);
    restore->input_decided = true;
    if (record->kind != LOG_RECORD_DATA || record->offset != seen->offset || last_seen_is(seen, record))
        return ST_OK;
    return FAIL(err, ST_INPUT_REPLACED, "topic '%s' partition %" PRId32 " holds another record at offset %" PRId64
                " than the one that was processed: it was deleted and made again, and the state does not belong to it;"
                " `weir reset` starts with new state", input_name(restore), restore->options.partition, seen->offset);
}

static enum status step_inputs(struct restore *restore, struct error *err)
{
    if (restore->input_next == restore->options.input_count) {
        restore->phase = RESTORE_DONE;
        return ST_OK;
    }
    if (!restore->input_asked) {
        TRY(ask_input(restore, err));
        return check_progress(restore, "the bounds of an input", err);
    }
    TRY(poll_once(restore, take_seen, err));
    if (restore->input_decided)
        next_input(restore);
    return check_progress(restore, "the last processed record of an input", err);
}

/* --- the tail --------------------------------------------------------------------------------------------------- */

static bool tail_wanted(void *context, const struct commit_metadata *metadata)
{
    struct restore *restore = context;
    const struct commit_metadata *target = &restore->options.target;
    if (restore->next_seq == 0 && metadata->seq > restore->base_seq + 1)
        restore->gap = true; /* the tail begins behind what the store has */
    if (restore->next_seq != 0 && metadata->seq != restore->next_seq)
        restore->gap = true;
    restore->next_seq = metadata->seq + 1;
    if (metadata->seq == restore->local.seq && restore->local.nonce != 0 && metadata->nonce != restore->local.nonce)
        restore->gap = true; /* the store holds a transaction of that number that was never committed */
    return !restore->gap && metadata->seq > restore->base_seq && metadata->seq <= target->seq;
}

static enum status tail_append(struct restore *restore, const struct row_change *change, struct error *err)
{
    bool fits;
    TRY(overlay_replay_append(restore->options.overlay, change->key, change->position, change->value, &fits, err));
    restore->gap |= !fits;
    return ST_OK;
}

static enum status tail_row(void *context, const struct row_change *change, struct error *err)
{
    struct restore *restore = context;
    atomic_fetch_add_explicit(&restore->rows, 1, memory_order_relaxed);
    if (change->position > 0)
        return tail_append(restore, change, err);
    overlay_replay(restore->options.overlay, change->key, change->value);
    return ST_OK;
}

static enum status tail_done(void *context, const struct commit_metadata *metadata, const struct tail_input *inputs,
                             size_t input_count, struct error *err)
{
    (void)inputs;
    (void)input_count;
    struct restore *restore = context;
    if (metadata->seq < restore->options.target.seq)
        return ST_OK;
    if (metadata->nonce != restore->options.target.nonce)
        return FAIL(err, ST_CORRUPT, "the tail of partition %" PRId32 " holds another transaction %" PRIu64
                    " than the committed one", restore->options.partition, metadata->seq);
    restore->reached = !restore->gap;
    return ST_OK;
}

static enum status begin_tail(struct restore *restore, struct error *err)
{
    const struct commit_metadata *target = &restore->options.target;
    const struct tail_reader_events events = { tail_row, tail_done, tail_wanted, restore };
    const struct log_partition tail = { restore->options.topics->tail, restore->options.partition };
    int64_t low, high;
    KILL_POINT_TRY(restore_tail, err);
    TRY(restore->options.reader->type->bounds(restore->options.reader, tail, true, &low, &high, err));
    restore->end_offset = high;
    tail_reader_destroy(&restore->tail);
    tail_reader_create(&restore->tail, &events);
    restore->next_seq = 0;
    restore->gap = restore->reached = false;
    /* min(local, ckpt): values changed after ckpt must be in the next checkpoint's map even where the store has them. */
    restore->base_seq = restore->local.seq;
    int64_t from = low;
    if (restore->base_seq >= target->checkpoint.seq) {
        restore->base_seq = target->checkpoint.seq;
        if (target->checkpoint.tail_offset > low)
            from = target->checkpoint.tail_offset;
    }
    TRY(read_from(restore, tail.topic, from, err));
    restore->phase = RESTORE_TAIL;
    return ST_OK;
}

static enum status begin_changelog(struct restore *restore, const char *why, struct error *err);

static enum status on_tail_gap(struct restore *restore, struct error *err)
{
    if (!restore->from_changelog)
        return begin_changelog(restore, "the tail does not connect to the local rows", err);
    return FAIL(err, ST_CORRUPT, "the tail of partition %" PRId32 " has a gap: neither it nor the changelog leads to seq %" PRIu64
                "; `weir reset` starts with new state", restore->options.partition, restore->options.target.seq);
}

static enum status feed_tail(struct restore *restore, const struct log_record *record, struct error *err)
{
    if (record->kind == LOG_RECORD_OUT_OF_RANGE) {
        restore->gap = true; /* trimmed under us */
        return ST_OK;
    }
    if (record->kind == LOG_RECORD_EOF || restore->reached || restore->gap)
        return ST_OK;
    restore->progress_us = clock_us(&restore->options.clock);
    tell_progress(restore, "tail", record->offset);
    KILL_POINT(restore_tail_record);
    return tail_reader_feed(restore->tail, record->value, err);
}

static enum status step_tail(struct restore *restore, struct error *err)
{
    TRY(poll_once(restore, feed_tail, err));
    if (restore->gap)
        return on_tail_gap(restore, err);
    if (restore->reached)
        return begin_inputs(restore);
    return check_progress(restore, "the tail", err);
}

/* --- the changelog ------------------------------------------------------------------------------------------------ */

static enum status read_changelog(struct restore *restore, struct error *err)
{
    const struct log_partition changelog = { restore->options.topics->changelog, restore->options.partition };
    int64_t low;
    TRY(restore->options.reader->type->bounds(restore->options.reader, changelog, true, &low, &restore->end_offset,
                                              err));
    TRY(read_from(restore, changelog.topic, FROM_BEGINNING, err));
    changelog_run_init(&restore->run, restore->options.store, restore->options.batch_bytes_max);
    restore->mark_seen = false;
    restore->changelog_since_us = clock_us(&restore->options.clock);
    restore->phase = RESTORE_CHANGELOG;
    return ST_OK;
}

static enum status begin_changelog(struct restore *restore, const char *why, struct error *err)
{
    LOG_INFO("restore.changelog", "partition=%" PRId32 " checkpoint=%" PRIu64 " why=%s", restore->options.partition,
             restore->options.target.checkpoint.number, LOG_Q(why));
    overlay_clear(restore->options.overlay);
    TRY(restore->options.store->type->partition_drop(restore->options.store, err));
    KILL_POINT_TRY(restore_changelog, err);
    restore->local = (struct store_position){ .seq = 0 };
    restore->from_changelog = true;
    /* Where no checkpoint was ever completed, the tail has everything. */
    restore->phase = restore->options.target.checkpoint.number == 0 ? RESTORE_BEGIN_TAIL : RESTORE_BEGIN_CHANGELOG;
    return ST_OK;
}

static enum status take_own_record(struct restore *restore, const struct log_record *record, struct error *err)
{
    if (changelog_kind_of(record->key) == CHANGELOG_END && record->value.data != NULL) {
        struct changelog_end end;
        TRY(changelog_end_read(&end, record->value, err));
        restore->mark_seen |= end.number >= restore->options.target.checkpoint.number;
    } else if (changelog_kind_of(record->key) == CHANGELOG_IDENTITY && record->value.data != NULL) {
        struct state_identity found;
        TRY(changelog_identity_read(&found, record->value, err));
        TRY(state_identity_check(&restore->options.identity, &found, err));
    }
    return ST_OK;
}

static enum status finish_changelog(struct restore *restore, struct error *err)
{
    KILL_POINT_TRY(restore_batch, err);
    TRY(changelog_run_end(&restore->run, err));
    KILL_POINT_TRY(restore_position, err);
    restore->local = (struct store_position){ .identity = restore->options.identity,
                                              .seq = restore->options.target.checkpoint.seq };
    struct buffer position;
    buffer_init(&position);
    store_position_write(&position, &restore->local);
    const enum status st = restore->options.store->type->write(restore->options.store, NULL, 0,
                                                               buffer_view(&position), err);
    buffer_fini(&position);
    TRY(st);
    restore->phase = RESTORE_BEGIN_TAIL;
    return ST_OK;
}

static enum status take_changelog(struct restore *restore, const struct log_record *record, struct error *err)
{
    if (restore->phase != RESTORE_CHANGELOG)
        return ST_OK;
    if (record->kind == LOG_RECORD_OUT_OF_RANGE)
        return read_from(restore, restore->options.topics->changelog, FROM_BEGINNING, err);
    if (record->kind == LOG_RECORD_EOF) /* both: the mark alone, or the end alone, is not enough */
        return restore->mark_seen ? finish_changelog(restore, err) : ST_OK;
    restore->progress_us = clock_us(&restore->options.clock);
    if (changelog_kind_of(record->key) != CHANGELOG_ROW)
        return take_own_record(restore, record, err);

    tell_progress(restore, "changelog", record->offset);
    KILL_POINT(restore_row);
    atomic_fetch_add_explicit(&restore->rows, 1, memory_order_relaxed);
    return changelog_run_add(&restore->run, record->key, record->value, err);
}

static enum status step_changelog(struct restore *restore, struct error *err)
{
    TRY(poll_once(restore, take_changelog, err));
    if (clock_us(&restore->options.clock) - restore->changelog_since_us > CHANGELOG_MAX_US)
        return FAIL(err, ST_TIMED_OUT, "restoring partition %" PRId32 ": loading the changelog takes longer than deletions are"
                    " kept in it", restore->options.partition);
    return check_progress(restore, "the changelog's end mark", err);
}

/* --- local rows --------------------------------------------------------------------------------------------------- */

static enum status read_local(struct restore *restore, struct error *err)
{
    struct buffer record;
    buffer_init(&record);
    enum status st = restore->options.store->type->position(restore->options.store, &record, err);
    restore->local = (struct store_position){ .seq = 0 };
    if (st == ST_OK && record.size > 0)
        st = store_position_read(&restore->local, buffer_view(&record), err);
    buffer_fini(&record);
    return st;
}

/* --- nothing was ever committed ------------------------------------------------------------------------------------ */

static enum status take_unexpected(struct restore *restore, const struct log_record *record, struct error *err)
{
    (void)err;
    restore->tail_has_records |= record->kind == LOG_RECORD_DATA;
    restore->tail_ended |= record->kind == LOG_RECORD_EOF;
    return ST_OK;
}

static enum status step_empty(struct restore *restore, struct error *err)
{
    TRY(poll_once(restore, take_unexpected, err));
    if (restore->tail_has_records)
        return FAIL(err, ST_OFFSETS_MOVED, "partition %" PRId32 " has state in its tail but the group has no committed offsets for"
                    " it: they expired or were deleted; `weir recover` puts them back", restore->options.partition);
    if (!restore->tail_ended)
        return check_progress(restore, "the tail's end", err);
    overlay_clear(restore->options.overlay);
    restore->phase = RESTORE_DONE;
    return restore->options.store->type->partition_drop(restore->options.store, err);
}

static enum status begin_empty(struct restore *restore, struct error *err)
{
    restore->phase = RESTORE_EMPTY;
    return read_from(restore, restore->options.topics->tail, FROM_BEGINNING, err);
}

/* Nothing of it can be believed. Where nothing was ever committed either, emptying it is all there is to do. */
static enum status begin_damaged(struct restore *restore, const struct error *why, struct error *err)
{
    if (restore->options.target.seq == 0)
        return begin_empty(restore, err);
    return begin_changelog(restore, why->status == ST_OK ? "the local rows are damaged" : why->text, err);
}

/*
 * A changelog that was deleted and made again lacks what the local rows may still have: going on with them would complete
 * checkpoints that hold only what changes from now on, and the next one who has no local rows would load too little.
 */
static enum status check_changelog(struct restore *restore, struct error *err)
{
    const struct log_partition changelog = { restore->options.topics->changelog, restore->options.partition };
    int64_t low, high;
    if (restore->options.target.checkpoint.number == 0)
        return ST_OK;
    TRY(restore->options.reader->type->bounds(restore->options.reader, changelog, true, &low, &high, err));
    if (high == 0)
        return FAIL(err, ST_OUT_OF_RANGE, "the changelog of partition %" PRId32 " is empty, although it held %" PRIu64
                    " checkpoints: it was deleted and made again; `weir reset` starts with new state",
                    restore->options.partition, restore->options.target.checkpoint.number);
    return ST_OK;
}

static enum status begin(struct restore *restore, struct error *err)
{
    const struct commit_metadata *target = &restore->options.target;
    struct error why = { .status = ST_OK };
    KILL_POINT_TRY(restore_local, err);
    enum status st = read_local(restore, &why);
    if (st == ST_CORRUPT || restore->options.drop_local)
        return begin_damaged(restore, &why, err);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    const bool has_local = restore->local.identity.format_version != 0;
    if (has_local && restore->local.identity.format_version > STATE_FORMAT_VERSION)
        return state_identity_check(&restore->options.identity, &restore->local.identity, err);
    if (target->seq == 0)
        return begin_empty(restore, err);
    TRY(check_changelog(restore, err));
    if (!has_local)
        return begin_changelog(restore, "there are no local rows", err);
    if (state_identity_check(&restore->options.identity, &restore->local.identity, &why) != ST_OK)
        return begin_changelog(restore, why.text, err);
    if (restore->local.seq > target->seq)
        return FAIL(err, ST_OFFSETS_MOVED, "partition %" PRId32 ": the group's offsets (seq %" PRIu64 ") are older than the local"
                    " state (seq %" PRIu64 "): somebody moved them back; `weir recover` puts them right",
                    restore->options.partition, target->seq, restore->local.seq);
    if (restore->local.seq == target->seq && restore->local.nonce != 0 && restore->local.nonce != target->nonce)
        return begin_changelog(restore, "the local rows are of a transaction that was never committed", err);
    if (restore->local.seq == target->seq && target->checkpoint.seq == target->seq)
        return begin_inputs(restore);
    restore->phase = RESTORE_BEGIN_TAIL;
    return ST_OK;
}

enum status restore_step(void *context, bool *done, struct error *err)
{
    struct restore *restore = context;
    enum status st = ST_OK;
    switch (restore->phase) {
    case RESTORE_LOCAL: st = begin(restore, err); break;
    case RESTORE_EMPTY: st = step_empty(restore, err); break;
    case RESTORE_BEGIN_CHANGELOG: st = read_changelog(restore, err); break;
    case RESTORE_CHANGELOG: st = step_changelog(restore, err); break;
    case RESTORE_BEGIN_TAIL: st = begin_tail(restore, err); break;
    case RESTORE_TAIL: st = step_tail(restore, err); break;
    case RESTORE_INPUTS: st = step_inputs(restore, err); break;
    case RESTORE_DONE: break;
    }
    *done = restore->phase == RESTORE_DONE;
    if (status_class_of(st) == CLASS_RETRY && st != ST_TIMED_OUT)
        return check_progress(restore, "Kafka", err);
    return st;
}
