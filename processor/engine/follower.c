#include "processor/engine/follower.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "state/tail.h"

enum { ARENA_BLOCK = 256 * 1024, CHANGELOG_BATCH_BYTES = 8 << 20 };
static const int64_t FROM_BEGINNING = -2;

struct follower {
    struct store_partition *store;
    struct state_identity identity; /* incarnation 0: not learnt yet */
    enum follower_source source;
    int64_t next_offset;
    bool gap; /* what is read does not connect to what is there */

    /* the tail */
    struct tail_reader *tail;
    uint64_t seq, nonce; /* rows, written or waiting, are complete up to here; nonce 0: unknown */
    bool connected;      /* a transaction of the tail was seen to connect */
    uint64_t written_seq;

    /* the changelog */
    bool mark_seen;
    uint64_t mark_seq;

    struct map *batch; /* key -> struct bytes, the newest value */
    struct arena *arena;
    struct buffer row, grown; /* scratch */
    uint64_t batch_bytes;
    uint64_t rows, reloads;
};

static bool wanted(void *context, const struct commit_metadata *metadata);
static enum status take_change(void *context, const struct row_change *change, struct error *err);
static enum status transaction_done(void *context, const struct commit_metadata *metadata,
                                    const struct tail_input *inputs, size_t input_count,
                                    struct error *err);

static void begin_tail(struct follower *follower)
{
    const struct tail_reader_events events = { take_change, transaction_done, wanted, follower };
    tail_reader_destroy(&follower->tail);
    tail_reader_create(&follower->tail, &events);
    follower->source = FOLLOWER_READS_TAIL;
    follower->next_offset = FROM_BEGINNING;
    follower->connected = follower->gap = false;
}

static void forget_batch(struct follower *follower)
{
    map_clear(follower->batch);
    arena_reset(follower->arena);
    follower->batch_bytes = 0;
}

static enum status begin_changelog(struct follower *follower, struct error *err)
{
    forget_batch(follower);
    follower->source = FOLLOWER_READS_CHANGELOG;
    follower->next_offset = FROM_BEGINNING;
    follower->connected = follower->mark_seen = false;
    follower->seq = follower->nonce = follower->written_seq = follower->mark_seq = 0;
    follower->identity.incarnation = 0;
    follower->reloads++;
    return follower->store->type->partition_drop(follower->store, err);
}

/* --- the local rows ---------------------------------------------------------------------------- */

/* true: they are a prefix of the committed transactions of this partition, as far as can be seen. */
static enum status read_position(struct follower *follower, bool *usable, struct error *err)
{
    struct store_position position;
    struct buffer record;
    struct error why;
    *usable = false;
    buffer_init(&record);
    enum status st = follower->store->type->position(follower->store, &record, err);
    if (st == ST_OK && record.size > 0)
        st = store_position_read(&position, buffer_view(&record), err);
    const bool is_there = record.size > 0;
    buffer_fini(&record);
    if (st != ST_OK || !is_there)
        return st;
    struct state_identity wanted_identity = follower->identity;
    wanted_identity.incarnation = position.identity.incarnation;
    st = state_identity_check(&wanted_identity, &position.identity, &why);
    if (st == ST_FORMAT_NEWER) { /* a later version's rows are not ours to drop */
        *err = why;
        return st;
    }
    if (st != ST_OK)
        return ST_OK;
    *usable = true;
    follower->identity.incarnation = position.identity.incarnation;
    follower->seq = follower->written_seq = position.seq;
    follower->nonce = position.nonce;
    return ST_OK;
}

static enum status start(struct follower *follower, struct error *err)
{
    bool usable;
    const enum status st = read_position(follower, &usable, err);
    if (st != ST_OK && st != ST_CORRUPT)
        return st;
    if (st == ST_CORRUPT || !usable)
        return begin_changelog(follower, err);
    begin_tail(follower);
    return ST_OK;
}

enum status follower_create(struct follower **out, struct store *borrowed, const char *name,
                            const struct state_identity *identity, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(follower_destroy) struct follower *follower = mem_alloc(sizeof *follower);
    follower->identity = *identity;
    follower->identity.incarnation = 0;
    map_create(&follower->batch, sizeof(struct bytes));
    arena_create(&follower->arena, ARENA_BLOCK);
    TRY(borrowed->type->partition_open(borrowed, &follower->store, name, err));
    TRY(start(follower, err));
    *out = TAKE(follower);
    return ST_OK;
}

void follower_destroy(struct follower **follower_ref)
{
    struct follower *follower = TAKE(*follower_ref);
    if (follower == NULL)
        return;
    if (follower->store != NULL)
        follower->store->type->partition_close(follower->store);
    tail_reader_destroy(&follower->tail);
    map_destroy(&follower->batch);
    buffer_fini(&follower->row);
    buffer_fini(&follower->grown);
    arena_destroy(&follower->arena);
    mem_free(follower);
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void collect(struct follower *follower, struct bytes key, struct bytes value)
{
    bool is_new;
    struct bytes *slot = map_insert(follower->batch, key, &is_new);
    *slot = arena_copy(follower->arena, value);
    follower->batch_bytes += key.size + value.size;
    follower->rows++;
}

static int by_key(const void *a, const void *b)
{
    const struct store_row *x = a, *y = b;
    return bytes_compare(x->key, y->key);
}

/* In one write, so that no part of it is ever there without the rest. */
static enum status write_batch(struct follower *follower, struct bytes position, struct error *err)
{
    const size_t count = map_count(follower->batch);
    struct store_row *rows = mem_alloc_array(count + 1, sizeof *rows);
    size_t n = 0;
    struct map_iterator it = map_iterate(follower->batch);
    while (map_next(&it))
        rows[n++] = (struct store_row){ it.key, *(struct bytes *)it.value };
    qsort(rows, count, sizeof *rows, by_key);
    const enum status st =
        follower->store->type->write(follower->store, rows, count, position, err);
    mem_free(rows);
    if (st == ST_OK)
        forget_batch(follower);
    return st;
}

static enum status write_with_position(struct follower *follower, struct error *err)
{
    const struct store_position position = { follower->identity, follower->seq, follower->nonce };
    struct buffer record;
    ENSURE(follower->identity.incarnation != 0);
    buffer_init(&record);
    store_position_write(&record, &position);
    const enum status st = write_batch(follower, buffer_view(&record), err);
    buffer_fini(&record);
    if (st == ST_OK)
        follower->written_seq = follower->seq;
    return st;
}

/* While the changelog is loaded there is no position: half of it is no state. */
enum status follower_write(struct follower *follower, struct error *err)
{
    if (follower->source == FOLLOWER_READS_CHANGELOG)
        return write_batch(follower, BYTES_NONE, err);
    if (follower->written_seq == follower->seq)
        return ST_OK;
    return write_with_position(follower, err);
}

/* --- the tail -------------------------------------------------------------------------------------- */

static bool wanted(void *context, const struct commit_metadata *metadata)
{
    struct follower *follower = context;
    const bool other_state = follower->identity.incarnation != 0 &&
                             metadata->incarnation != follower->identity.incarnation;
    const bool other_transaction = metadata->seq == follower->seq && follower->nonce != 0 &&
                                   metadata->nonce != follower->nonce;
    if (other_state || other_transaction || metadata->seq > follower->seq + 1 ||
        (follower->connected && metadata->seq <= follower->seq))
        follower->gap = true;
    if (follower->gap)
        return false;
    if (metadata->seq < follower->seq)
        return false; /* the store has it */
    follower->connected = true;
    follower->identity.incarnation = metadata->incarnation;
    return metadata->seq == follower->seq + 1;
}

/* The row as it is now: collected, else in the store. */
static enum status find_row(struct follower *follower, struct bytes key, struct bytes *out, struct error *err)
{
    const struct bytes *collected = map_find(follower->batch, key);
    bool found;
    *out = collected == NULL ? BYTES_NONE : *collected;
    if (collected != NULL)
        return ST_OK;
    buffer_clear(&follower->row);
    TRY(follower->store->type->get(follower->store, key, &follower->row, &found, err));
    if (found)
        *out = buffer_view(&follower->row);
    return ST_OK;
}

static enum status append(struct follower *follower, const struct row_change *change, struct error *err)
{
    struct bytes before;
    TRY(find_row(follower, change->key, &before, err));
    if (before.data == NULL || before.size != change->position) {
        follower->gap = true;
        return ST_OK;
    }
    buffer_clear(&follower->grown);
    buffer_put_bytes(&follower->grown, before);
    buffer_put_bytes(&follower->grown, change->value);
    collect(follower, change->key, buffer_view(&follower->grown));
    return ST_OK;
}

static enum status take_change(void *context, const struct row_change *change, struct error *err)
{
    if (change->position > 0)
        return append(context, change, err);
    collect(context, change->key, change->value);
    return ST_OK;
}

static enum status transaction_done(void *context, const struct commit_metadata *metadata,
                                    const struct tail_input *inputs, size_t input_count,
                                    struct error *err)
{
    (void)inputs;
    (void)input_count;
    (void)err;
    struct follower *follower = context;
    follower->seq = metadata->seq;
    follower->nonce = metadata->nonce;
    return ST_OK;
}

static enum status feed_tail(struct follower *follower, const struct log_record *record,
                             bool *moved, struct error *err)
{
    if (record->kind == LOG_RECORD_EOF)
        return ST_OK;
    if (record->kind == LOG_RECORD_OUT_OF_RANGE)
        follower->gap = true; /* trimmed under us */
    else
        TRY(tail_reader_feed(follower->tail, record->value, err));
    if (!follower->gap) {
        follower->next_offset = record->offset + 1;
        return ST_OK;
    }
    *moved = true;
    LOG_INFO("standby.reloads",
             "partition=%" PRId32 " seq=%" PRIu64 " why=\"the tail does not connect to it\"",
             follower->identity.partition, follower->seq);
    return begin_changelog(follower, err);
}

/* --- the changelog ----------------------------------------------------------------------------------- */

static enum status take_own_record(struct follower *follower, const struct log_record *record,
                                   struct error *err)
{
    const enum changelog_kind kind = changelog_kind_of(record->key);
    if (record->value.data == NULL)
        return ST_OK;
    if (kind == CHANGELOG_END) {
        struct changelog_end end;
        TRY(changelog_end_read(&end, record->value, err));
        follower->mark_seen = true;
        follower->mark_seq = end.seq;
    } else if (kind == CHANGELOG_IDENTITY) {
        struct state_identity found, wanted_identity = follower->identity;
        TRY(changelog_identity_read(&found, record->value, err));
        wanted_identity.incarnation = found.incarnation;
        TRY(state_identity_check(&wanted_identity, &found, err));
        follower->identity.incarnation = found.incarnation;
    }
    return ST_OK;
}

/* At its end. Without an end mark no checkpoint was ever completed: the tail has everything, or its
 * first records, and then it is tried again. */
static enum status end_changelog(struct follower *follower, bool *moved, struct error *err)
{
    *moved = true;
    if (!follower->mark_seen) {
        forget_batch(follower);
        follower->identity.incarnation = 0;
        TRY(follower->store->type->partition_drop(follower->store, err));
        begin_tail(follower);
        return ST_OK;
    }
    if (follower->identity.incarnation == 0)
        return FAIL(err, ST_CORRUPT, "the changelog has an end mark and no identity");
    follower->seq = follower->mark_seq;
    TRY(write_with_position(follower, err));
    begin_tail(follower);
    return ST_OK;
}

static enum status feed_changelog(struct follower *follower, const struct log_record *record,
                                  bool *moved, struct error *err)
{
    if (record->kind == LOG_RECORD_OUT_OF_RANGE) {
        *moved = true;
        return begin_changelog(follower, err);
    }
    if (record->kind == LOG_RECORD_EOF)
        return end_changelog(follower, moved, err);
    follower->next_offset = record->offset + 1;
    if (changelog_kind_of(record->key) != CHANGELOG_ROW)
        return take_own_record(follower, record, err);
    collect(follower, record->key, record->value);
    return follower->batch_bytes < CHANGELOG_BATCH_BYTES ? ST_OK
                                                         : write_batch(follower, BYTES_NONE, err);
}

/* --- what its owner asks --------------------------------------------------------------------------- */

enum status follower_feed(struct follower *follower, const struct log_record *record, bool *moved,
                          struct error *err)
{
    *moved = false;
    return follower->source == FOLLOWER_READS_TAIL ? feed_tail(follower, record, moved, err)
                                                   : feed_changelog(follower, record, moved, err);
}

enum follower_source follower_source(const struct follower *follower)
{
    return follower->source;
}

int64_t follower_offset(const struct follower *follower)
{
    return follower->next_offset;
}

uint64_t follower_waiting_bytes(const struct follower *follower)
{
    return follower->batch_bytes;
}

enum status follower_flush(struct follower *follower, struct error *err)
{
    return follower->store->type->flush(follower->store, err);
}

struct follower_stats follower_stats(const struct follower *follower)
{
    return (struct follower_stats){
        .source = follower->source,
        .connected = follower->connected,
        .seq = follower->seq,
        .written_seq = follower->written_seq,
        .rows = follower->rows,
        .reloads = follower->reloads,
    };
}
