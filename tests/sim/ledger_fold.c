#include "ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "state/changelog.h"
#include "state/tail.h"

/* --- changelog and tail ---------------------------------------------------------------------- */

struct fold {
    struct map *rows; /* key -> struct bytes */
    struct arena *arena;
    uint64_t after, next, end;
    uint64_t mark;
    struct tail_reader *tail;
    bool bad;
};

static void fold_row(struct fold *fold, struct bytes key, struct bytes value)
{
    if (value.data == NULL)
        map_remove(fold->rows, key);
    else
        *(struct bytes *)map_insert(fold->rows, key, NULL) = arena_copy(fold->arena, value);
}

static enum status fold_change(void *context, const struct row_change *change, struct error *err)
{
    struct fold *fold = context;
    (void)err;
    if (change->position == 0) {
        fold_row(fold, change->key, change->value);
        return ST_OK;
    }
    struct bytes *row = map_find(fold->rows, change->key);
    if (row == NULL || row->size != change->position) {
        fold->bad = true;
        return ST_OK;
    }
    const size_t size = change->position + change->value.size;
    uint8_t *whole = arena_alloc(fold->arena, size);
    memcpy(whole, row->data, change->position);
    memcpy(whole + change->position, change->value.data, change->value.size);
    *row = bytes_of(whole, size);
    return ST_OK;
}

static void fold_changelog(void *context, const struct log_record *record,
                           const struct log_header *headers, size_t header_count)
{
    struct fold *fold = context;
    struct changelog_end end;
    (void)headers;
    (void)header_count;
    if (changelog_kind_of(record->key) == CHANGELOG_ROW)
        fold_row(fold, record->key, record->value);
    else if (changelog_kind_of(record->key) == CHANGELOG_END &&
             changelog_end_read(&end, record->value, NULL) == ST_OK)
        fold->mark = end.number;
}

static bool fold_wanted(void *context, const struct commit_metadata *metadata)
{
    struct fold *fold = context;
    if (metadata->seq <= fold->after)
        return false;
    fold->bad |= metadata->seq != fold->next;
    fold->next = metadata->seq + 1;
    return true;
}

static enum status fold_done(void *context, const struct commit_metadata *metadata,
                             const struct tail_input *inputs, size_t count, struct error *err)
{
    (void)context;
    (void)metadata;
    (void)inputs;
    (void)count;
    (void)err;
    return ST_OK;
}

static void fold_tail(void *context, const struct log_record *record,
                      const struct log_header *headers, size_t header_count)
{
    struct fold *fold = context;
    (void)headers;
    (void)header_count;
    fold->bad |= tail_reader_feed(fold->tail, record->value, NULL) != ST_OK;
}

static uint64_t hash_fold(const struct fold *fold)
{
    uint64_t sum = 0;
    struct map_iterator it = map_iterate(fold->rows);
    while (map_next(&it))
        sum += ledger_hash_row(it.key, *(struct bytes *)it.value);
    return sum;
}

bool ledger_judge_fold(struct journal_check *check, const struct commit_metadata *metadata)
{
    struct ledger *ledger = check->ledger;
    struct fold fold = { .after = metadata->checkpoint.seq, .next = metadata->checkpoint.seq + 1 };
    const struct tail_reader_events events = { fold_change, fold_done, fold_wanted, &fold };
    map_create(&fold.rows, sizeof(struct bytes));
    arena_create(&fold.arena, LEDGER_ARENA_BLOCK);
    tail_reader_create(&fold.tail, &events);
    sim_read(ledger->options.cluster, ledger->topics->changelog, check->partition, fold_changelog,
             &fold);
    sim_read(ledger->options.cluster, ledger->topics->tail, check->partition, fold_tail, &fold);
    bool fine = true;
    if (fold.bad || fold.next != metadata->seq + 1)
        fine =
            ledger_wrong(ledger,
                         "partition %d: the tail does not lead from checkpoint %" PRIu64
                         " to seq %" PRIu64 " (up to %" PRIu64 ")",
                         check->partition, metadata->checkpoint.seq, metadata->seq, fold.next - 1);
    else if (fold.mark < metadata->checkpoint.number)
        fine = ledger_wrong(ledger, "partition %d: the changelog lacks the end mark %" PRIu64,
                            check->partition, metadata->checkpoint.number);
    else if (hash_fold(&fold) != check->state_hash)
        fine = ledger_wrong(ledger,
                            "partition %d: changelog and tail after %" PRIu64
                            " do not give the state at seq %" PRIu64,
                            check->partition, metadata->checkpoint.seq, metadata->seq);
    tail_reader_destroy(&fold.tail);
    map_destroy(&fold.rows);
    arena_destroy(&fold.arena);
    return fine;
}
